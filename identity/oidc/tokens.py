"""The token endpoint: a code, or a refresh token, for tokens (R14, H24)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote_plus, urlencode

from identity.egress import Egress, EgressError, Response
from identity.oidc.authorization import AuthMethod, RelyingParty
from identity.oidc.documents import Malformed, parse_object, seconds, text
from identity.oidc.id_token import MAX_TOKEN_CHARACTERS, epoch
from identity.oidc.metadata import Metadata
from identity.oidc.refusals import Code, Refused, from_egress

# Longer is no name of a type, and may be the token itself.
MAX_TOKEN_TYPE_CHARACTERS = 16

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ERRORS = {
    code.value: code
    for code in (
        Code.INVALID_CLIENT,
        Code.INVALID_GRANT,
        Code.INVALID_REQUEST,
        Code.INVALID_SCOPE,
        Code.UNAUTHORIZED_CLIENT,
        Code.UNSUPPORTED_GRANT_TYPE,
        # Not in RFC 6749 for this endpoint, and what policies of large providers answer there all the same.
        Code.ACCESS_DENIED,
        Code.LOGIN_REQUIRED,
        Code.INTERACTION_REQUIRED,
        Code.CONSENT_REQUIRED,
    )
} | {"temporarily_unavailable": Code.PROVIDER_UNAVAILABLE, "server_error": Code.PROVIDER_UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """What a code was exchanged for. Nothing in it is verified yet; access tokens stay opaque (K2)."""

    unverified_id_token: str = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_in: float | None = None
    scope: str = ""


@dataclass(frozen=True, slots=True)
class RefreshedTokens:
    """What a refresh token was used for. `refresh_token` is empty when the old one stays good."""

    access_token: str = field(repr=False)
    unverified_id_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_in: float | None = None


def exchange_code(
    rp: RelyingParty,
    metadata: Metadata,
    code: str,
    verifier: str,
    egress: Egress,
    *,
    at: datetime | float,
) -> TokenResponse:
    """Exchange an authorization code (Core, section 3.1.3), in one request. Raises `Refused`.

    `at` is now, as an aware datetime or in epoch seconds.
    """
    grant = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": rp.redirect_uri,
        "code_verifier": verifier,
    }
    document = _ask(rp, metadata, grant, egress, epoch(at))
    id_token = text(document.get("id_token"), MAX_TOKEN_CHARACTERS)
    if not id_token:
        raise Refused(Code.BAD_TOKEN_RESPONSE, expected="id_token")
    return TokenResponse(
        unverified_id_token=id_token,
        access_token=_access_token(document),
        refresh_token=_refresh_token(document),
        expires_in=seconds(document.get("expires_in")),
        scope=text(document.get("scope")) or "",
    )


def refresh(
    rp: RelyingParty, metadata: Metadata, refresh_token: str, egress: Egress, *, at: datetime | float
) -> RefreshedTokens:
    """Use a refresh token (Core, section 12), in one request. Raises `Refused`; `invalid_grant` is the end of it."""
    grant = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    document = _ask(rp, metadata, grant, egress, epoch(at))
    return RefreshedTokens(
        access_token=_access_token(document),
        unverified_id_token=text(document.get("id_token"), MAX_TOKEN_CHARACTERS) or "",
        refresh_token=_refresh_token(document),
        expires_in=seconds(document.get("expires_in")),
    )


def _ask(rp: RelyingParty, metadata: Metadata, grant: dict[str, str], egress: Egress, now: float) -> dict[str, object]:
    rp.accept(metadata)
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    proof = _client_authentication(rp, metadata, headers, now)
    body = urlencode(grant | proof).encode("ascii")
    try:
        response = egress.post(metadata.token_endpoint, body, key=rp.connection_id, headers=headers)
    except EgressError as error:
        raise from_egress(error) from None
    document = _document(response)
    token_type = document.get("token_type")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise Refused(Code.BAD_TOKEN_RESPONSE, expected="Bearer", got=text(token_type, MAX_TOKEN_TYPE_CHARACTERS) or "")
    return document


def basic_credentials(rp: RelyingParty) -> str:
    """Return client ID and secret as they go into a header: each form-encoded before they are joined.

    RFC 6749, section 2.3.1.
    """
    pair = f"{quote_plus(rp.client_id)}:{quote_plus(rp.client_secret)}"
    return b64encode(pair.encode("ascii")).decode()


def _client_authentication(rp: RelyingParty, metadata: Metadata, headers: dict[str, str], now: float) -> dict[str, str]:
    """Return the form fields that prove who we are, or put the proof into `headers`."""
    match rp.auth_method:
        case AuthMethod.BASIC:
            headers["Authorization"] = f"Basic {basic_credentials(rp)}"
            return {}
        case AuthMethod.POST:
            return {"client_id": rp.client_id, "client_secret": rp.client_secret}
        case AuthMethod.PRIVATE_KEY_JWT if rp.signing_key:
            # The audience is the very address it is sent to: no other server can be shown it.
            assertion = rp.signing_key.assertion(client_id=rp.client_id, audience=metadata.token_endpoint, at=now)
            return {
                "client_id": rp.client_id,
                "client_assertion_type": _ASSERTION_TYPE,
                "client_assertion": assertion,
            }
    raise Refused(Code.CLIENT_AUTHENTICATION_IMPOSSIBLE, got=rp.auth_method)


def _document(response: Response) -> dict[str, object]:
    """Return the JSON of a success. Errors are coded, also those that come with status 200 (H29)."""
    if response.status >= 500 or response.status == 429:
        raise Refused(Code.PROVIDER_UNAVAILABLE, got=response.status)
    try:
        document = parse_object(response.body)
    except Malformed:
        code = Code.INVALID_CLIENT if response.status == 401 else Code.BAD_TOKEN_RESPONSE
        raise Refused(code, got=response.status) from None
    if "error" in document:
        error = text(document["error"]) or ""
        description = text(document.get("error_description")) or ""
        code = _ERRORS.get(error, Code.PROVIDER_ERROR)
        raise Refused(code, got=f"{error}: {description}" if description else error)
    if response.status != 200:
        raise Refused(Code.BAD_TOKEN_RESPONSE, expected=200, got=response.status)
    return document


def _access_token(document: dict[str, object]) -> str:
    token = text(document.get("access_token"), MAX_TOKEN_CHARACTERS)
    if not token or not (token.isascii() and token.isprintable()):
        raise Refused(Code.BAD_TOKEN_RESPONSE, expected="access_token")
    return token


def _refresh_token(document: dict[str, object]) -> str:
    token = text(document.get("refresh_token"), MAX_TOKEN_CHARACTERS) or ""
    return token if token.isascii() and token.isprintable() else ""
