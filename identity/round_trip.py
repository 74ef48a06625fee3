"""There and back: what goes to the provider with the browser, and what its answer proves. No session, no user yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from identity.attempts import Attempt, Purpose
from identity.authentication import Client
from identity.confidence import Confidence
from identity.models import Connection, Revision
from identity.oidc import (
    Claims,
    Metadata,
    Refused,
    RelyingParty,
    TokenResponse,
    authorization_url,
    basic_credentials,
    check_response_issuer,
    exchange_code,
    fresh_nonce,
    fresh_state,
    fresh_verifier,
    lacks,
    refusal_of_response,
    verify_id_token,
    with_userinfo,
)
from identity.providers import door
from identity.refused import Reason, SignInRefused
from invitations.models import Invitation, Move
from users.models.session import Voucher
from users.sealing import SealBroken

LONGEST_CODE = 4096
# Later than any session ends, and a date there is, whatever number a provider says.
FAR_OFF = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Proof:
    """A sign-in at the provider that passed every check, and what it is to lead to."""

    connection: Connection
    revision: Revision
    attempt: Attempt
    claims: Claims
    refresh_token: str = field(default="", repr=False)
    invitation: Invitation | None = None
    move: Move | None = None

    @property
    def voucher(self) -> Voucher:
        return voucher_of(self.claims, is_renewable=bool(self.refresh_token))


def voucher_of(claims: Claims | None, *, is_renewable: bool) -> Voucher:
    """Return what a session can stand on: with ``session_expiry`` (IPSIE), until then at the latest."""
    if claims is None or claims.session_expiry is None:
        return Voucher(is_renewable)
    latest = (timezone.now() + FAR_OFF).timestamp()
    return Voucher(is_renewable, datetime.fromtimestamp(min(claims.session_expiry, latest), UTC))


def serving(connection: Connection) -> Revision:
    """Return the revision that sign-ins use. Raises SignInRefused when the connection is not enabled."""
    revision = connection.serving
    if not connection.is_enabled or revision is None:
        raise SignInRefused(Reason.CONNECTION_DISABLED)
    revision.connection = connection
    return revision


def begin(
    revision: Revision, *, prompt: str = "", login_hint: str = "", max_age: int | None = None, **purpose: Any
) -> tuple[str, str, Attempt]:
    """Return where to send the browser, the state, and the attempt to keep. Raises SignInRefused.

    ``prompt``, ``login_hint`` and ``max_age`` go to the provider, and ``purpose`` are the attempt's own fields. Without
    a ``max_age`` it is the connection's; whom nobody may ask is not told one. S256, state and nonce always, and always
    fresh (R13).
    """
    client, metadata = _prepared(revision)
    rp = client.rp
    if max_age is None and prompt != "none":
        max_age = rp.max_age
    attempt = Attempt(rp.connection_id, rp.revision, rp.issuer, fresh_nonce(), fresh_verifier(), **purpose)
    state = fresh_state()
    url = authorization_url(
        rp,
        metadata,
        state=state,
        nonce=attempt.nonce,
        verifier=attempt.verifier,
        prompt=prompt,
        max_age=max_age,
        login_hint=login_hint,
        acr_values=rp.acr_values,
    )
    return url, state, attempt


def unchanged(revision: Revision, attempt: Attempt) -> Revision:
    """Return ``revision`` if its terms are what ``attempt`` began with (R1). Raises SignInRefused.

    How we prove who we are may have changed since: the browser has no part in it, and what began goes on (K11).
    """
    if (revision.terms, revision.issuer) != (attempt.revision, attempt.issuer):
        raise SignInRefused(Reason.CONNECTION_CHANGED)
    return revision


def proved(
    request: HttpRequest,
    connection: Connection,
    revision: Revision,
    attempt: Attempt,
    invitation: Invitation | None = None,
    move: Move | None = None,
) -> Proof:
    """Return what the provider's answer in ``request`` proves. Raises SignInRefused.

    The issuer of the answer is checked before anything in it is heard, an error included (RFC 9207).
    """
    client, metadata = _prepared(revision, is_test=attempt.purpose is Purpose.TEST)
    said = request.GET
    confidence = Confidence(attempt.verifier, attempt.nonce, said["state"], said.get("code", ""))
    confidence.add(client.rp.client_secret, basic_credentials(client.rp))
    try:
        check_response_issuer(client.rp, metadata, said.get("iss"))
        if "error" in said:
            raise refusal_of_response(said["error"], said.get("error_description", ""))
        code = said.get("code", "")
        if not code or len(code) > LONGEST_CODE:
            raise SignInRefused(Reason.RESPONSE_INCOMPLETE)
        claims, tokens = _exchanged(client, metadata, attempt, code, timezone.now(), confidence)
    except Refused as refused:
        raise SignInRefused.by_protocol(confidence.refused(refused)) from None
    return Proof(connection, revision, attempt, claims, tokens.refresh_token, invitation, move)


def _prepared(revision: Revision, *, is_test: bool = False) -> tuple[Client, Metadata]:
    """Return us and the provider, as ``revision`` knows them. Raises SignInRefused."""
    try:
        client = Client.of(revision, is_test=is_test)
        if client is None:
            raise SignInRefused(Reason.CONNECTION_INCOMPLETE)
        return client, door().cache.metadata(client.rp)
    except SealBroken as broken:
        raise SignInRefused(Reason.SECRET_UNREADABLE) from broken
    except Refused as refused:
        raise SignInRefused.by_protocol(refused) from None


def _exchanged(
    client: Client, metadata: Metadata, attempt: Attempt, code: str, at: datetime, confidence: Confidence
) -> tuple[Claims, TokenResponse]:
    """Exchange ``code`` and verify what it gave: one request to the provider. Raises Refused.

    Userinfo is asked only when an email is needed that the ID token lacks (R15). What was asked for besides has to
    come back, whatever the provider makes of it (K7). No transaction is open here, so that none ever waits for a
    provider.
    """
    egress, cache = door().egress, door().cache

    def ask(us: RelyingParty) -> TokenResponse:
        confidence.add(us.client_secret, basic_credentials(us))
        return exchange_code(us, metadata, code, attempt.verifier, egress, at=at)

    tokens = client.authenticated(ask, at=at)
    confidence.add(tokens.access_token, tokens.refresh_token, tokens.unverified_id_token)
    rp = client.rp
    claims = verify_id_token(
        tokens.unverified_id_token,
        rp,
        metadata,
        cache.keys(rp, metadata),
        nonce=attempt.nonce,
        at=at,
        access_token=tokens.access_token,
        code=code,
        max_age=_oldest(rp, attempt),
        acr_values=rp.acr_values,
    )
    if attempt.purpose in (Purpose.INVITATION, Purpose.SWITCH, Purpose.TEST) and lacks(claims, "email"):
        claims = with_userinfo(claims, rp, metadata, tokens.access_token, egress)
    return confidence.claims(claims), tokens


def _oldest(rp: RelyingParty, attempt: Attempt) -> int | None:
    """Return how many seconds ago the person may have signed in there, now that the answer is here.

    As old as was asked for when the attempt began. Who proves it once more has to have done so since then, and who
    is only asked about, not at all.
    """
    asked = 0 if attempt.purpose is Purpose.STEP_UP else rp.max_age
    return None if asked is None or attempt.purpose is Purpose.QUIET else asked + int(attempt.age)
