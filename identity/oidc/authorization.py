"""The relying party, and what travels through the browser: the request and the response to it."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from identity.oidc.metadata import Metadata
from identity.oidc.refusals import Code, Refused, shown

if TYPE_CHECKING:
    from identity.oidc.client_keys import SigningKey


class AuthMethod(StrEnum):
    """How we prove to the token endpoint who we are (R14)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    PRIVATE_KEY_JWT = "private_key_jwt"


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Us, towards one issuer. Made from one revision of a connection and pinned for one attempt (R1).

    `revision` is the number of the revision whose terms these are.
    `redirect_uri` comes from the region's configured origin, never from a request (R9).
    `accepted_origins` are those beside the issuer's own that an administrator said yes to (H31).
    `max_age` (seconds) and `acr_values` are what a sign-in has to prove besides who it is; None and nothing ask for
    neither. `signing_key` is needed with private_key_jwt, and `client_secret` with the other methods.
    """

    connection_id: str
    revision: int
    issuer: str
    client_id: str
    redirect_uri: str
    client_secret: str = field(default="", repr=False)
    auth_method: str = AuthMethod.BASIC
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    accepted_origins: frozenset[str] = frozenset()
    max_age: int | None = None
    acr_values: tuple[str, ...] = ()
    signing_key: SigningKey | None = field(default=None, repr=False)

    def accept(self, metadata: Metadata) -> None:
        """Refuse metadata of another issuer, or with endpoints on origins nobody said yes to (R1, H31)."""
        if metadata.issuer != self.issuer:
            raise Refused(Code.DISCOVERY_ISSUER_MISMATCH, expected=self.issuer, got=metadata.issuer)
        if metadata.origins_elsewhere and not metadata.origins_elsewhere <= self.accepted_origins:
            strangers = sorted(metadata.origins_elsewhere - self.accepted_origins)
            raise Refused(Code.ENDPOINTS_ELSEWHERE, expected=self.issuer, got=" ".join(strangers))


def fresh_state() -> str:
    """Return a new state: 256 bits, safe in a URL."""
    return secrets.token_urlsafe(32)


def fresh_nonce() -> str:
    """Return a new nonce: 256 bits."""
    return secrets.token_urlsafe(32)


def fresh_verifier() -> str:
    """Return a new PKCE verifier of 64 characters (RFC 7636, section 4.1)."""
    return secrets.token_urlsafe(48)


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of `verifier` (RFC 7636, section 4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def authorization_url(
    rp: RelyingParty,
    metadata: Metadata,
    *,
    state: str,
    nonce: str,
    verifier: str,
    prompt: str = "",
    max_age: int | None = None,
    login_hint: str = "",
    acr_values: Iterable[str] = (),
) -> str:
    """Return where to send the browser (OpenID Connect Core, section 3.1.2.1).

    S256 always, whatever the metadata says (R13). A query the endpoint already has is kept, except for
    parameters of ours (H31). `max_age` is in seconds. Raises `Refused` when `rp` does not accept `metadata`.
    """
    rp.accept(metadata)
    ours = {
        "response_type": "code",
        "client_id": rp.client_id,
        "redirect_uri": rp.redirect_uri,
        "scope": " ".join(dict.fromkeys(("openid", *rp.scopes))),
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    if prompt:
        ours["prompt"] = prompt
    if max_age is not None:
        ours["max_age"] = str(max_age)
    if hint := shown(login_hint, 254):
        ours["login_hint"] = hint
    if wanted := " ".join(acr_values):
        ours["acr_values"] = wanted
    endpoint = urlsplit(metadata.authorization_endpoint)
    theirs = [pair for pair in parse_qsl(endpoint.query, keep_blank_values=True) if pair[0] not in ours]
    return urlunsplit(endpoint._replace(query=urlencode([*theirs, *ours.items()])))


def check_response_issuer(rp: RelyingParty, metadata: Metadata, iss: str | None) -> None:
    """Refuse a response of another issuer, or one without the issuer that metadata promises (RFC 9207, H22).

    Call it before anything in the response is used, an error included.
    """
    if iss is None:
        if metadata.is_response_issuer_promised:
            raise Refused(Code.RESPONSE_ISSUER_MISSING, expected=rp.issuer)
    elif iss != rp.issuer:
        raise Refused(Code.RESPONSE_ISSUER_MISMATCH, expected=rp.issuer, got=iss)


_RESPONSE_ERRORS = {
    "access_denied": Code.ACCESS_DENIED,
    "login_required": Code.LOGIN_REQUIRED,
    "interaction_required": Code.INTERACTION_REQUIRED,
    "account_selection_required": Code.INTERACTION_REQUIRED,
    "consent_required": Code.CONSENT_REQUIRED,
    "invalid_request": Code.INVALID_REQUEST,
    "invalid_scope": Code.INVALID_SCOPE,
    "unauthorized_client": Code.UNAUTHORIZED_CLIENT,
    "server_error": Code.PROVIDER_UNAVAILABLE,
    "temporarily_unavailable": Code.PROVIDER_UNAVAILABLE,
}


def refusal_of_response(error: str, description: str = "") -> Refused:
    """Return the refusal an authorization error response stands for; `got` is the provider's own word for it.

    Okta says "User is not assigned to the client application" as access_denied (K6).
    """
    code = _RESPONSE_ERRORS.get(error, Code.PROVIDER_ERROR)
    if code is Code.ACCESS_DENIED and "not assigned" in description.lower():
        code = Code.NOT_ASSIGNED
    return Refused(code, got=f"{error}: {description}" if description else error)
