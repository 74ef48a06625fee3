"""The discovery document: fetched, checked, and frozen (H14, H15, H31)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from identity.egress import Egress, EgressError, Response
from identity.oidc.documents import Malformed, parse_object, text, texts
from identity.oidc.issuer import is_ip_literal, is_loopback_host
from identity.oidc.refusals import Code, Refused, from_egress, origin_of

# Asymmetric only (R3). In order of preference, though the provider decides.
ALGORITHMS = ("RS256", "ES256", "PS256")

# Two large providers whose published endpoints live on other origins of their own.
COMPANION_ORIGINS = {
    "https://accounts.google.com": frozenset(
        {
            "https://oauth2.googleapis.com",
            "https://openidconnect.googleapis.com",
            "https://www.googleapis.com",
        }
    ),
    "https://login.microsoftonline.com": frozenset({"https://graph.microsoft.com"}),
}

_REQUIRED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OPTIONAL = ("userinfo_endpoint", "end_session_endpoint", "revocation_endpoint")


@dataclass(frozen=True, slots=True)
class Metadata:
    """A provider's metadata (OpenID Connect Discovery 1.0, section 3), valid for its issuer.

    Every endpoint is an https URL (or, in development, http on this machine). Made by `parse_metadata`.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    algorithms: tuple[str, ...]
    auth_methods: tuple[str, ...]
    auth_signing_algorithms: tuple[str, ...]
    scopes: tuple[str, ...]
    acr_values: tuple[str, ...]
    is_s256_advertised: bool
    is_response_issuer_promised: bool
    is_refresh_token_granted: bool
    origins_elsewhere: frozenset[str]
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    revocation_endpoint: str = ""


def discovery_url(issuer: str) -> str:
    """Return where the metadata of `issuer` is (Discovery 1.0, section 4)."""
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def discover(issuer: str, egress: Egress, *, key: str) -> Metadata:
    """Fetch and check the metadata of `issuer`. `key` names the breaker. Raises `Refused`."""
    return metadata_of(fetch(discovery_url(issuer), egress, key), issuer, egress.allow_loopback_http)


def fetch(url: str, egress: Egress, key: str) -> Response:
    """GET a document. Raises `Refused` for the reasons the egress has, and nothing else."""
    try:
        return egress.get(url, key=key, headers={"Accept": "application/json"})
    except EgressError as error:
        raise from_egress(error) from None


def metadata_of(response: Response, issuer: str, allow_loopback_http: bool) -> Metadata:
    """Return the metadata in the answer of a discovery endpoint. Raises `Refused`."""
    if response.status >= 500 or response.status == 429:
        raise Refused(Code.PROVIDER_UNAVAILABLE, got=response.status)
    if response.status != 200:
        raise Refused(Code.DISCOVERY_NOT_FOUND, got=response.status)
    return parse_metadata(response.body, issuer, allow_loopback_http=allow_loopback_http)


def parse_metadata(body: bytes, issuer: str, *, allow_loopback_http: bool = False) -> Metadata:
    """Return the checked metadata in `body`, which must be that of `issuer`, to the letter.

    Raises `Refused` with a code that begins with `discovery`. Metadata without S256 passes and says so.
    """
    try:
        document = parse_object(body)
    except Malformed:
        raise Refused(Code.DISCOVERY_MALFORMED) from None
    if document.get("issuer") != issuer:
        raise Refused(Code.DISCOVERY_ISSUER_MISMATCH, expected=issuer, got=text(document.get("issuer")) or "")
    endpoints = _endpoints(document, allow_loopback_http)
    response_types = texts(document.get("response_types_supported"))
    if response_types is not None and "code" not in response_types:
        raise Refused(Code.DISCOVERY_NO_CODE_FLOW, expected="code", got=" ".join(response_types))
    grant_types = texts(document.get("grant_types_supported"))
    if grant_types is not None and "authorization_code" not in grant_types:
        raise Refused(Code.DISCOVERY_NO_CODE_FLOW, expected="authorization_code", got=" ".join(grant_types))
    offered = texts(document.get("id_token_signing_alg_values_supported"))
    algorithms = tuple(name for name in ALGORITHMS if name in (offered or ("RS256",)))
    if not algorithms:
        raise Refused(Code.DISCOVERY_NO_ALGORITHM, expected=" ".join(ALGORITHMS), got=" ".join(offered or ()))
    home = origin_of(issuer)
    used = {origin_of(url) for url in endpoints.values() if url}
    return Metadata(
        issuer=issuer,
        **endpoints,
        algorithms=algorithms,
        auth_methods=texts(document.get("token_endpoint_auth_methods_supported")) or ("client_secret_basic",),
        auth_signing_algorithms=texts(document.get("token_endpoint_auth_signing_alg_values_supported")) or (),
        scopes=texts(document.get("scopes_supported")) or (),
        acr_values=texts(document.get("acr_values_supported")) or (),
        is_s256_advertised="S256" in (texts(document.get("code_challenge_methods_supported")) or ()),
        is_response_issuer_promised=document.get("authorization_response_iss_parameter_supported") is True,
        is_refresh_token_granted=grant_types is None or "refresh_token" in grant_types,
        origins_elsewhere=frozenset(used - {home} - COMPANION_ORIGINS.get(home, frozenset())),
    )


def _endpoints(document: dict[str, object], allow_loopback_http: bool) -> dict[str, str]:
    endpoints: dict[str, str] = {}
    for name in _REQUIRED + _OPTIONAL:
        value = document.get(name)
        if value is None and name in _OPTIONAL:
            continue
        if value is None:
            raise Refused(Code.DISCOVERY_MISSING_ENDPOINT, expected=name)
        if not isinstance(value, str) or not is_endpoint(value, allow_loopback_http=allow_loopback_http):
            raise Refused(Code.DISCOVERY_BAD_ENDPOINT, expected=name)
        endpoints[name] = value
    return endpoints


def is_endpoint(url: str, *, allow_loopback_http: bool = False) -> bool:
    """Whether `url` is one that browsers and servers may be sent to: https, a host name, no tricks."""
    if len(url) > 2048 or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or "#" in url or port == 0:
        return False
    if allow_loopback_http and is_loopback_host(host):
        return parts.scheme in ("http", "https")
    return parts.scheme == "https" and "." in host and not is_ip_literal(host)
