"""The ID token: from an unverified string to `Claims`, or to a refusal (R2, R3). There is no third way."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TypedDict, TypeVar

from identity.oidc.authorization import RelyingParty
from identity.oidc.documents import Malformed, frozen_object, parse_object, seconds, text, texts
from identity.oidc.keys import KeySource
from identity.oidc.metadata import ALGORITHMS, Metadata
from identity.oidc.refusals import Code, Refused, shown

MAX_TOKEN_CHARACTERS = 64 * 1024
SKEW_SECONDS = 60
MAX_AGE_SECONDS = 600
# Longer than any provider's longest setting, far shorter than a mistake in units.
MAX_LIFETIME_SECONDS = 366 * 24 * 3600
MAX_SUBJECT_CHARACTERS = 255

_HEADERS_REFUSED = ("crit", "jku", "jwk", "x5u")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a provider proved about a person. Only verification makes one; `sub` is the only key to match by.

    Optional texts are empty when absent, and so are ones that are no sane text. Times are epoch seconds.
    `raw` is everything the token said, frozen. A missing claim of groups is not an empty one (K3): see `raw`.
    """

    iss: str
    sub: str
    aud: str
    exp: float
    iat: float
    auth_time: float | None = None
    session_expiry: float | None = None
    nonce: str = field(default="", repr=False)
    sid: str = ""
    acr: str = ""
    amr: tuple[str, ...] = ()
    email: str = ""
    is_email_verified: bool | None = None
    name: str = ""
    given_name: str = ""
    family_name: str = ""
    preferred_username: str = ""
    locale: str = ""
    zoneinfo: str = ""
    algorithm: str = ""
    kid: str = ""
    typ: str = ""
    raw: Mapping[str, object] = field(default_factory=dict, repr=False, hash=False)


def epoch(at: datetime | float) -> float:
    """Return `at` in epoch seconds. Raises `ValueError` for a datetime without a time zone."""
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise ValueError("A time without a zone")
        return at.timestamp()
    return float(at)


def verify_id_token(
    unverified_id_token: str,
    rp: RelyingParty,
    metadata: Metadata,
    keys: KeySource,
    *,
    nonce: str,
    at: datetime | float,
    access_token: str | None = None,
    code: str | None = None,
    max_age: int | None = None,
    acr_values: Iterable[str] = (),
) -> Claims:
    """Return the claims of an ID token that passes every check (Core, section 3.1.3.7), else raise `Refused`.

    `nonce` is that of the attempt. `at` is now, as an aware datetime or in epoch seconds. `max_age` (seconds)
    and `acr_values` are what the attempt asked for: providers may ignore them, so they are checked (K7).
    """
    header, payload = opened(unverified_id_token, rp, metadata, keys)
    with _quoting(payload):
        claims = _claims(header, payload, rp, epoch(at))
        if not claims.nonce:
            raise Refused(Code.MISSING_CLAIM, expected="nonce")
        if not nonce or not hmac.compare_digest(claims.nonce.encode(), nonce.encode()):
            raise Refused(Code.NONCE_MISMATCH)
        _check_hash(payload, "at_hash", access_token, Code.AT_HASH_MISMATCH)
        if code is not None:
            _check_hash(payload, "c_hash", code, Code.C_HASH_MISMATCH)
        _check_authentication(claims, epoch(at), max_age, tuple(acr_values))
    return claims


def verify_refreshed_id_token(
    unverified_id_token: str,
    rp: RelyingParty,
    metadata: Metadata,
    keys: KeySource,
    *,
    subject: str,
    at: datetime | float,
    nonce: str | None = None,
    access_token: str | None = None,
    acr_values: Iterable[str] = (),
) -> Claims:
    """Return the claims of an ID token that came with a refresh (Core, section 12.2), else raise `Refused`.

    It must be about the same `subject` (H18). It usually has no nonce, and may say nothing of how the person signed
    in; a nonce that it has must be `nonce`, and an `acr` one of `acr_values`, if there are any.
    """
    header, payload = opened(unverified_id_token, rp, metadata, keys)
    claims = _claims(header, payload, rp, epoch(at))
    if claims.sub != subject:
        raise Refused(Code.SUBJECT_CHANGED)
    if claims.nonce and not (nonce and hmac.compare_digest(claims.nonce.encode(), nonce.encode())):
        raise Refused(Code.NONCE_MISMATCH)
    _check_hash(payload, "at_hash", access_token, Code.AT_HASH_MISMATCH)
    if claims.acr:
        _check_authentication(claims, epoch(at), None, tuple(acr_values))
    return claims


@contextmanager
def _quoting(payload: dict[str, object]) -> Iterator[None]:
    """Have a refusal say what the provider did sign, for whoever has to find out what is wrong with it."""
    try:
        yield
    except Refused as refused:
        refused.said = payload
        raise


def _decoded(segment: str) -> bytes:
    """Decode base64url in its one canonical spelling, so that no two tokens mean the same bytes."""
    try:
        decoded = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise Refused(Code.MALFORMED_TOKEN) from None
    if urlsafe_b64encode(decoded).rstrip(b"=").decode() != segment:
        raise Refused(Code.MALFORMED_TOKEN)
    return decoded


def opened(
    token: str,
    rp: RelyingParty,
    metadata: Metadata,
    keys: KeySource,
    *,
    types: tuple[str, ...] = ("jwt",),
    is_type_needed: bool = False,
) -> tuple[dict[str, object], dict[str, object]]:
    """Return header and payload of a token of one of `types` whose signature is the provider's (R3).

    A token need not say of what type it is, unless `is_type_needed`. No claim is checked yet. Raises `Refused`.
    """
    rp.accept(metadata)
    segments = token.split(".") if len(token) <= MAX_TOKEN_CHARACTERS and token.isascii() else []
    if len(segments) != 3:
        raise Refused(Code.MALFORMED_TOKEN)
    try:
        header = parse_object(_decoded(segments[0]))
    except Malformed:
        raise Refused(Code.MALFORMED_TOKEN) from None
    for name in _HEADERS_REFUSED:
        if name in header:
            raise Refused(Code.HEADER_NOT_ALLOWED, got=name)
    typ = header.get("typ", "" if is_type_needed else types[0])
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in types:
        raise Refused(Code.WRONG_TOKEN_TYPE, expected=" ".join(types), got=typ if isinstance(typ, str) else "")
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or algorithm not in metadata.algorithms:
        got = algorithm if isinstance(algorithm, str) else ""
        raise Refused(Code.ALGORITHM_NOT_ALLOWED, expected=" ".join(metadata.algorithms), got=got)
    if kid is not None and not text(kid):
        raise Refused(Code.UNKNOWN_KEY)
    _check_signature(keys, str(kid) if kid is not None else None, algorithm, token, _decoded(segments[2]))
    try:
        return header, parse_object(_decoded(segments[1]))
    except Malformed:
        raise Refused(Code.MALFORMED_TOKEN) from None


def _check_signature(keys: KeySource, kid: str | None, algorithm: str, token: str, signature: bytes) -> None:
    signed = token.rpartition(".")[0].encode("ascii")
    if keys.find(kid, algorithm).verifies(algorithm, signed, signature):
        return
    # A provider that names no keys rotates without a trace; only a fresh look can tell.
    is_rotated = kid is None and keys.refetch()
    if not is_rotated or not keys.find(kid, algorithm).verifies(algorithm, signed, signature):
        raise Refused(Code.BAD_SIGNATURE, expected=algorithm)


def _claims(header: dict[str, object], payload: dict[str, object], rp: RelyingParty, now: float) -> Claims:
    """Check every claim that does not depend on the attempt, in the order of Core, section 3.1.3.7."""
    for name in ("iss", "sub", "aud", "exp", "iat"):
        if payload.get(name) is None:
            raise Refused(Code.MISSING_CLAIM, expected=name)
    if payload["iss"] != rp.issuer:
        raise Refused(Code.ISSUER_MISMATCH, expected=rp.issuer, got=text(payload["iss"]) or "")
    audience = payload["aud"]
    if audience != rp.client_id and audience != [rp.client_id]:
        got = " ".join(texts(audience) or ()) if isinstance(audience, list) else text(audience)
        raise Refused(Code.AUDIENCE_MISMATCH, expected=rp.client_id, got=got or "")
    if "azp" in payload and payload["azp"] != rp.client_id:
        raise Refused(Code.AZP_MISMATCH, expected=rp.client_id, got=text(payload["azp"]) or "")
    subject = text(payload["sub"], MAX_SUBJECT_CHARACTERS)
    if not subject or not subject.strip() or not subject.isprintable():
        raise Refused(Code.BAD_SUBJECT)
    expires, issued = check_times(payload, now)
    session_expiry = _exact(payload, "session_expiry", seconds)
    if session_expiry is not None and session_expiry <= now:
        raise Refused(Code.SESSION_OVER, expected=int(now), got=int(session_expiry))
    return Claims(
        iss=rp.issuer,
        sub=subject,
        aud=rp.client_id,
        exp=expires,
        iat=issued,
        auth_time=_exact(payload, "auth_time", seconds),
        session_expiry=session_expiry,
        nonce=_exact(payload, "nonce", text) or "",
        sid=_exact(payload, "sid", identifier) or "",
        acr=_exact(payload, "acr", text) or "",
        algorithm=str(header["alg"]),
        kid=shown(header.get("kid") or ""),
        typ=shown(header.get("typ") or ""),
        raw=frozen_object(payload),
        **person(payload),
    )


def check_times(payload: dict[str, object], now: float) -> tuple[float, float]:
    """Return `exp` and `iat` when they and `nbf` make sense at `now`, all in epoch seconds. Raises `Refused`."""
    expires, issued = seconds(payload["exp"]), seconds(payload["iat"])
    if expires is None or issued is None or not issued <= expires <= now + MAX_LIFETIME_SECONDS:
        raise Refused(Code.ABSURD_TIME)
    if now >= expires + SKEW_SECONDS:
        raise Refused(Code.EXPIRED, expected=int(now), got=int(expires))
    if issued > now + SKEW_SECONDS:
        raise Refused(Code.ISSUED_IN_FUTURE, expected=int(now), got=int(issued))
    if issued < now - MAX_AGE_SECONDS:
        raise Refused(Code.TOO_OLD, expected=int(now), got=int(issued))
    if "nbf" in payload:
        not_before = seconds(payload["nbf"])
        if not_before is None or not_before > now + SKEW_SECONDS:
            raise Refused(Code.NOT_YET_VALID, expected=int(now), got=int(not_before or 0))
    return expires, issued


def identifier(value: object) -> str | None:
    """Return a subject or session identifier: at most 255 printable characters, or None."""
    found = text(value, MAX_SUBJECT_CHARACTERS)
    return found if found and found.isprintable() else None


T = TypeVar("T")


def _exact(payload: dict[str, object], name: str, read: Callable[[object], T | None]) -> T | None:
    """Return a claim that decides something: absent is fine, nonsense is not."""
    if payload.get(name) is None:
        return None
    value = read(payload[name])
    if value is None:
        raise Refused(Code.BAD_CLAIM, got=name)
    return value


class Person(TypedDict):
    """What a provider says about a person, for people to read."""

    amr: tuple[str, ...]
    email: str
    is_email_verified: bool | None
    name: str
    given_name: str
    family_name: str
    preferred_username: str
    locale: str
    zoneinfo: str


def person(document: Mapping[str, object]) -> Person:
    """Return what `document` says about the person. Nonsense is as good as absent (H30)."""
    email = text(document.get("email"), 254)
    verified = document.get("email_verified")
    return Person(
        amr=texts(document.get("amr")) or (),
        email=email if email and email.isprintable() and " " not in email else "",
        is_email_verified=verified if isinstance(verified, bool) else None,
        name=shown(text(document.get("name")) or "", 200),
        given_name=shown(text(document.get("given_name")) or "", 100),
        family_name=shown(text(document.get("family_name")) or "", 100),
        preferred_username=shown(text(document.get("preferred_username")) or "", 254),
        locale=shown(text(document.get("locale")) or "", 35),
        zoneinfo=shown(text(document.get("zoneinfo")) or "", 64),
    )


def _check_hash(payload: dict[str, object], name: str, value: str | None, code: Code) -> None:
    """Check the left half of a SHA-256, which is the hash of every algorithm we accept (Core, 3.1.3.6)."""
    if name not in payload:
        return
    if value is None:
        raise Refused(code, expected=name)
    half = urlsafe_b64encode(sha256(value.encode("ascii")).digest()[:16]).rstrip(b"=")
    found = payload[name]
    if not isinstance(found, str) or not hmac.compare_digest(found.encode(), half):
        raise Refused(code)


def _check_authentication(claims: Claims, now: float, max_age: int | None, acr_values: tuple[str, ...]) -> None:
    if max_age is not None:
        if claims.auth_time is None:
            raise Refused(Code.MISSING_CLAIM, expected="auth_time")
        if claims.auth_time < now - max_age - SKEW_SECONDS:
            raise Refused(Code.AUTHENTICATION_TOO_OLD, expected=max_age, got=int(now - claims.auth_time))
    if acr_values and claims.acr not in acr_values:
        raise Refused(Code.ACR_MISMATCH, expected=" ".join(acr_values), got=claims.acr)
