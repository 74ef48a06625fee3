"""Whether the provider still vouches for a session: asked again and again, while it is used (R11).

By refresh token, where there is one. Of all requests that find a session due, in whatever process, one claims to ask
(``Session.put_off_vouch``); the others go on. It waits for the answer, since that decides whether it may be served, but
no longer than ``LONGEST_SECONDS``: an outage makes one page slow, and ends nothing. No transaction is open meanwhile.

A refresh token is used once. When an answer may have been lost on the way, ``Grant.asked_at`` remembers that, and the
token is tried again soon, within the grace that providers give; if it is not taken then, it may well be that it was
taken before, so the browser is sent to ask.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from audit.actions import Action
from audit.models import Event, Result, record
from identity.authentication import Client
from identity.confidence import Confidence
from identity.ended import DENIALS, UNPROVED, SessionEnded
from identity.models import Connection, Grant, GrantQuerySet, Revision
from identity.oidc import (
    Claims,
    Code,
    RefreshedTokens,
    Refused,
    RelyingParty,
    basic_credentials,
    refresh,
    verify_refreshed_id_token,
)
from identity.providers import door
from identity.refused import Reason, SignInRefused
from identity.round_trip import Proof, voucher_of
from users.models import Session
from users.models.session import CLAIM_LASTS, TOLERANCE, VOUCHED, Voucher
from users.sealing import SealBroken

LONGEST_SECONDS = 5.0
# After an answer that was lost: while the provider still takes the token it has replaced.
SOON = timedelta(seconds=10)
# After that, while it does not answer, and while it does not understand us.
LATER = timedelta(minutes=1)
# How often what is wrong with a connection is put on record.
TOLD_EVERY = timedelta(hours=1)

# It takes no refresh tokens from us, or not this one: the browser can still ask.
NOT_TAKEN = frozenset({Code.UNAUTHORIZED_CLIENT, Code.UNSUPPORTED_GRANT_TYPE, Code.INVALID_SCOPE})
# Nothing was sent, so no answer can be lost.
UNSENT = frozenset({Code.PROVIDER_PAUSED, Code.PROVIDER_ADDRESS_BLOCKED})


class Standing(Enum):
    """What came of asking. With GONE, somebody ended the session meanwhile; ASK_BROWSER leaves it to the browser."""

    GOES_ON = "goes_on"
    GONE = "gone"
    ASK_BROWSER = "ask_browser"


def reprove(request: HttpRequest, row: Session, at: datetime) -> Standing:
    """Ask the provider about the session ``row``, which is due, unless somebody else does. Raises SessionEnded."""
    if row.vouch_by is not None:
        return Standing.ASK_BROWSER
    if not row.put_off_vouch(at + CLAIM_LASTS):
        return Standing.GOES_ON
    grant = grant_of(row)
    if grant is None:
        return Standing.GONE
    turn = _Turn(request, row, grant, at)
    try:
        return turn.take()
    except SessionEnded as ended:
        if not ended.is_alarming and not row.itself().filter(vouch_due_at=row.vouch_due_at).exists():
            # Meanwhile the person has signed in there anew, or somebody has ended it: that is newer than this no.
            return Standing.GOES_ON if row.itself().exists() else Standing.GONE
        turn.end(ended)
        raise


def grant_of(row: Session) -> Grant | None:
    """Return the grant of ``row``, with its connection and what serves there."""
    grants = Grant.objects.for_session(row).select_related("session", "connection__serving__secret")
    grant = grants.filter(connection__enterprise=row.enterprise_id).first()
    if grant is not None:
        grant.connection.enterprise = row.enterprise
    return grant


def pinned(grant: Grant) -> Revision:
    """Return the revision that serves, if its issuer is the one that vouched (R1). Raises SessionEnded."""
    revision = grant.connection.serving if grant.connection.is_enabled else None
    if revision is None:
        raise SessionEnded(Reason.CONNECTION_DISABLED)
    if revision.issuer != grant.issuer:
        raise SessionEnded(Reason.CONNECTION_CHANGED, expected=grant.issuer, got=revision.issuer)
    revision.connection = grant.connection
    return revision


class _Turn:
    """One use of a refresh token, by whoever has claimed it."""

    def __init__(self, request: HttpRequest, row: Session, grant: Grant, at: datetime) -> None:
        self.request, self.row, self.grant, self.at = request, row, grant, at
        self.was_unanswered = grant.asked_at is not None
        self.is_sent = False

    def take(self) -> Standing:
        revision = pinned(self.grant)
        try:
            if not self._is_token_for(revision):
                return self._leave_to_browser()
            refresh_token, nonce = self.grant.kept()
        except SealBroken:
            return self._leave_to_browser()
        try:
            with door().egress.within(LONGEST_SECONDS):
                claims = self._ask(revision, refresh_token, nonce)
        except SignInRefused as refusal:
            return self._refused(refusal)
        return settle(self.row, voucher_of(claims, is_renewable=True))

    def _is_token_for(self, revision: Revision) -> bool:
        """Whether the refresh token was given to the client that ``revision`` is."""
        if not self.grant.refresh_sealed:
            return False
        if revision.terms == self.grant.revision:
            return True
        same = revision.connection.revisions.filter(number=self.grant.revision, client_id=revision.client_id)
        return same.exists()

    def _ask(self, revision: Revision, refresh_token: str, nonce: str) -> Claims | None:
        """Use the token: one request. Return the claims that came with the answer, if any. Raises SignInRefused.

        A new token is stored before anything else is done with the answer, in place of the very one that was used.
        """
        try:
            client = Client.of(revision)
        except SealBroken:
            raise SignInRefused(Reason.SECRET_UNREADABLE) from None
        if client is None:
            raise SignInRefused(Reason.CONNECTION_INCOMPLETE)
        confidence = Confidence(refresh_token, nonce)

        def ask(us: RelyingParty) -> RefreshedTokens:
            confidence.add(us.client_secret, basic_credentials(us))
            return refresh(us, metadata, refresh_token, door().egress, at=self.at)

        try:
            metadata = door().cache.metadata(client.rp)
            self._asked(self.at)
            self.is_sent = True
            tokens = client.authenticated(ask, at=self.at)
            confidence.add(tokens.access_token, tokens.refresh_token, tokens.unverified_id_token)
            self._answered(revision, tokens.refresh_token, nonce)
            return self._verified(client.rp, tokens.unverified_id_token, nonce, tokens.access_token)
        except Refused as refused:
            raise SignInRefused.by_protocol(confidence.refused(refused)) from None

    def _verified(self, rp: RelyingParty, unverified_id_token: str, nonce: str, access_token: str) -> Claims | None:
        """Check that it is the same person, of the same issuer, for us (H18). Some refreshes bring no ID token."""
        if not unverified_id_token:
            return None
        metadata = door().cache.metadata(rp)
        return verify_refreshed_id_token(
            unverified_id_token,
            rp,
            metadata,
            door().cache.keys(rp, metadata),
            subject=self.grant.sub,
            at=timezone.now(),
            nonce=nonce,
            access_token=access_token,
            acr_values=rp.acr_values,
        )

    def _asked(self, at: datetime | None) -> None:
        self._theirs().update(asked_at=at)

    def _answered(self, revision: Revision, refresh_token: str, nonce: str) -> None:
        """Keep the new token, in place of the one this turn has used."""
        mine = self._theirs().filter(asked_at=self.at)
        if refresh_token:
            self.grant.keep(refresh_token, nonce)
            mine.update(refresh_sealed=self.grant.refresh_sealed, revision=revision.terms, asked_at=None)
        else:
            mine.update(revision=revision.terms, asked_at=None)

    def _theirs(self) -> GrantQuerySet:
        return Grant.objects.for_session(self.row)

    def _refused(self, refusal: SignInRefused) -> Standing:
        """Tell a no to the person from one to us, and both from no answer at all. Raises SessionEnded."""
        code = refusal.code
        if refusal.is_outage:
            return self._put_off(refusal)
        if code is Code.INVALID_GRANT:
            if self.was_unanswered:
                return self._leave_to_browser()
            raise SessionEnded(Reason.NOT_VOUCHED_FOR)
        if code in NOT_TAKEN:
            return self._leave_to_browser()
        if code in DENIALS | UNPROVED:
            raise SessionEnded(code, expected=refusal.expected, got=refusal.got)
        return self._put_off(refusal)

    def _put_off(self, refusal: SignInRefused) -> Standing:
        """Let the session go on: the provider did not answer, or refused us, which says nothing about the person."""
        if refusal.code in UNSENT and self.is_sent:
            self.is_sent = False
            self._asked(self.grant.asked_at)
        is_lost = self.is_sent and refusal.is_outage and not self.was_unanswered
        wait = SOON if is_lost else LATER
        put_off(self.request, self.row, self.grant.connection, refusal, timezone.now() + wait)
        return Standing.GOES_ON

    def _leave_to_browser(self) -> Standing:
        """Give the token up, which is good for nothing any more; the session is due, and has a while left."""
        now = timezone.now()
        mine = self.row.itself().filter(vouch_due_at=self.row.vouch_due_at)
        self._theirs().update(refresh_sealed="", asked_at=None)
        if not mine.update(vouch_due_at=now, vouch_by=now + TOLERANCE):
            return Standing.GOES_ON
        self.row.vouch_due_at, self.row.vouch_by = now, now + TOLERANCE
        return Standing.ASK_BROWSER

    def end(self, ended: SessionEnded) -> None:
        end(self.request, self.row, self.grant.connection, ended, "refresh")


def settle(row: Session, voucher: Voucher) -> Standing:
    """Have the session go on with the provider's word, unless somebody has ended it meanwhile (T17)."""
    claimed = row.vouch_due_at
    row.accept(voucher, timezone.now())
    values = {name: getattr(row, name) for name in VOUCHED}
    if row.itself().filter(vouch_due_at=claimed).update(**values):
        return Standing.GOES_ON
    return Standing.GOES_ON if row.itself().exists() else Standing.GONE


def renew(row: Session, grant: Grant, proof: Proof) -> Standing:
    """Have the session go on with what the browser brought back. Raises SessionEnded when that is somebody else's."""
    if proof.claims.sub != grant.sub:
        raise SessionEnded(Reason.SIGNED_IN_AS_ANOTHER)
    values: dict[str, Any] = {"sid": proof.claims.sid, "revision": proof.revision.terms, "asked_at": None}
    if proof.refresh_token:
        grant.keep(proof.refresh_token, proof.attempt.nonce)
        values["refresh_sealed"] = grant.refresh_sealed
    row.accept(Voucher(bool(grant.refresh_sealed), proof.voucher.ends_by), timezone.now())
    with transaction.atomic():
        # The session first, as whoever ends it does: then there is a grant, too, or neither.
        if not row.itself().update(**{name: getattr(row, name) for name in VOUCHED}):
            return Standing.GONE
        Grant.objects.for_session(row).update(**values)
    return Standing.GOES_ON


def put_off(
    request: HttpRequest, row: Session, connection: Connection, refusal: SignInRefused, until: datetime
) -> None:
    """Ask again at ``until``. What is wrong is put on record for the administrators, now and then."""
    row.put_off_vouch(until)
    told = Event.objects.of(row.enterprise).filter(
        action=Action.SESSION_NOT_REPROVED,
        target_id=connection.pk,
        reason=refusal.code.value,
        at__gt=timezone.now() - TOLD_EVERY,
    )
    if not told.exists():
        _record(Action.SESSION_NOT_REPROVED, request, row, connection, refusal, Result.REFUSED)


def end(request: HttpRequest, row: Session, connection: Connection, ended: SessionEnded, channel: str) -> None:
    """End the session and put it on record; an answer that should not have been possible is an alarm (H18)."""
    result = Result.ALARM if ended.is_alarming else Result.DONE
    with transaction.atomic():
        event = _record(
            Action.SESSION_ENDED_BY_PROVIDER, request, row, connection, ended, result,
            channel=channel, session=str(row),
        )  # fmt: skip
        row.itself().delete()
    ended.reference, ended.connection = event.reference, connection


def _record(
    action: Action,
    request: HttpRequest,
    row: Session,
    connection: Connection,
    refusal: SignInRefused,
    result: Result,
    **details: Any,
) -> Event:
    seen: dict[str, Any] = {"expected": refusal.expected, "got": refusal.got}
    return record(
        action,
        enterprise=row.enterprise,
        request=request,
        actor=row.user,
        target=connection,
        result=result,
        reason=refusal.code.value,
        connection=connection.pk,
        provider=connection.label,
        **details,
        **{name: value for name, value in seen.items() if value},
    )
