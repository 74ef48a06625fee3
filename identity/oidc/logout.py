"""Signing out: what a provider says to end sessions with, verified, and where we send somebody to end them there."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from identity.oidc.authorization import RelyingParty
from identity.oidc.documents import Malformed, parse_object, text
from identity.oidc.id_token import (
    MAX_AGE_SECONDS,
    MAX_SUBJECT_CHARACTERS,
    SKEW_SECONDS,
    check_times,
    epoch,
    identifier,
    opened,
)
from identity.oidc.keys import KeySource
from identity.oidc.metadata import Metadata
from identity.oidc.refusals import Code, Refused

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_TYPE = "logout+jwt"
REVOCATION_TYPE = "global-token-revocation+jwt"
MAX_EMAIL_CHARACTERS = 254


@dataclass(frozen=True, slots=True)
class SignOut:
    """Whose sessions a provider ends: of `sub`, in its session `sid`; one of the two may be empty.

    `fingerprint` stands for the token. It must not be heard again before `spent_until` (epoch seconds); after
    that, its age alone refuses it.
    """

    iss: str
    sub: str
    sid: str
    fingerprint: str
    spent_until: float


@dataclass(frozen=True, slots=True)
class Whom:
    """The subject identifier of a revocation (RFC 9493): an issuer's `sub`, or else an `email`."""

    iss: str = ""
    sub: str = ""
    email: str = field(default="", repr=False)


def verify_logout_token(
    unverified_token: str, rp: RelyingParty, metadata: Metadata, keys: KeySource, *, at: datetime | float
) -> SignOut:
    """Return what a logout token asks for when it passes every check, else raise `Refused`.

    OpenID Connect Back-Channel Logout 1.0, section 2.6. `at` is now, as an aware datetime or in epoch seconds.
    """
    _, payload = opened(unverified_token, rp, metadata, keys, types=(LOGOUT_TYPE,))
    _check_present(payload, "iss", "aud", "iat", "exp", "jti", "events")
    _check_sender(payload, rp, rp.client_id)
    expires, issued = check_times(payload, epoch(at))
    events = payload["events"]
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise Refused(Code.BAD_CLAIM, expected=LOGOUT_EVENT, got="events")
    if "nonce" in payload:
        # An ID token has one: what is made for one purpose serves no other.
        raise Refused(Code.BAD_CLAIM, got="nonce")
    sub, sid = _identifier(payload, "sub"), _identifier(payload, "sid")
    if not sub and not sid:
        raise Refused(Code.MISSING_CLAIM, expected="sub, sid")
    return SignOut(rp.issuer, sub, sid, _fingerprint(payload, LOGOUT_TYPE), _spent_until(expires, issued))


def verify_revocation_token(
    unverified_token: str,
    rp: RelyingParty,
    metadata: Metadata,
    keys: KeySource,
    *,
    audience: str,
    at: datetime | float,
) -> SignOut:
    """Return who speaks when the bearer of a global token revocation passes every check, else raise `Refused`.

    Okta's Universal Logout: a JWT of a type of its own, by the keys that sign ID tokens, for `audience`, which is
    the very address it was sent to. Its `sub` names the provider's client; whom to sign out is in the body.
    """
    _, payload = opened(unverified_token, rp, metadata, keys, types=(REVOCATION_TYPE,), is_type_needed=True)
    _check_present(payload, "iss", "sub", "aud", "iat", "exp", "jti")
    _check_sender(payload, rp, audience)
    expires, issued = check_times(payload, epoch(at))
    sub = _identifier(payload, "sub")
    return SignOut(rp.issuer, sub, "", _fingerprint(payload, REVOCATION_TYPE), _spent_until(expires, issued))


def parse_revocation(body: bytes) -> Whom:
    """Return whom the body of a global token revocation is about. Raises `Malformed` for anything else.

    draft-parecki-oauth-global-token-revocation, section 2.1, with the formats Okta sends: `iss_sub` and `email`.
    """
    subject = parse_object(body).get("sub_id")
    if not isinstance(subject, dict):
        raise Malformed
    if subject.get("format") == "iss_sub":
        iss, sub = text(subject.get("iss")), identifier(subject.get("sub"))
        if iss and sub and set(subject) == {"format", "iss", "sub"}:
            return Whom(iss=iss, sub=sub)
    elif subject.get("format") == "email":
        email = text(subject.get("email"), MAX_EMAIL_CHARACTERS)
        if email and email.isprintable() and set(subject) == {"format", "email"}:
            return Whom(email=email)
    raise Malformed


def logout_url(rp: RelyingParty, metadata: Metadata, *, return_to: str, state: str) -> str:
    """Return where to send the browser to sign out at the provider too, or nothing when that is not offered.

    OpenID Connect RP-Initiated Logout 1.0, section 2. Without `id_token_hint`: ID tokens are not kept. A query the
    endpoint already has stays, except for parameters of ours (H31). Raises `Refused` when `rp` does not accept
    `metadata`.
    """
    rp.accept(metadata)
    if not metadata.end_session_endpoint:
        return ""
    ours = {"client_id": rp.client_id, "post_logout_redirect_uri": return_to, "state": state}
    endpoint = urlsplit(metadata.end_session_endpoint)
    theirs = [pair for pair in parse_qsl(endpoint.query, keep_blank_values=True) if pair[0] not in ours]
    return urlunsplit(endpoint._replace(query=urlencode([*theirs, *ours.items()])))


def _check_present(payload: dict[str, object], *names: str) -> None:
    for name in names:
        if payload.get(name) is None:
            raise Refused(Code.MISSING_CLAIM, expected=name)


def _check_sender(payload: dict[str, object], rp: RelyingParty, audience: str) -> None:
    """Refuse what another issuer says, or what is said to somebody else, even to somebody else as well."""
    if payload["iss"] != rp.issuer:
        raise Refused(Code.ISSUER_MISMATCH, expected=rp.issuer, got=text(payload["iss"]) or "")
    if payload["aud"] not in (audience, [audience]):
        raise Refused(Code.AUDIENCE_MISMATCH, expected=audience, got=text(payload["aud"]) or "")


def _identifier(payload: dict[str, object], name: str) -> str:
    if name not in payload:
        return ""
    value = identifier(payload[name])
    if value is None or not value.strip():
        raise Refused(Code.BAD_CLAIM, got=name)
    return value


def _fingerprint(payload: dict[str, object], purpose: str) -> str:
    """Return what a replay is known by: the token's own id, which is unique for its issuer."""
    value = text(payload["jti"], MAX_SUBJECT_CHARACTERS)
    if not value:
        raise Refused(Code.BAD_CLAIM, got="jti")
    return urlsafe_b64encode(sha256(f"{purpose} {value}".encode()).digest()).rstrip(b"=").decode()


def _spent_until(expires: float, issued: float) -> float:
    return min(expires, issued + MAX_AGE_SECONDS) + SKEW_SECONDS
