"""Sessions that end because the provider says so: exactly those it vouched for, in the same request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from audit.actions import Action
from audit.models import record
from identity.floods import record_unproved
from identity.models import Connection, Grant, ReplayedError, SpentToken
from identity.oidc import KeySource, Metadata, Refused, RelyingParty, SignOut, Whom, verify_logout_token
from identity.providers import door
from identity.refused import Reason
from users.models import Session, User

Verify = Callable[[RelyingParty, Metadata, KeySource], SignOut]


class Channel(StrEnum):
    """How a provider says it."""

    FRONT = "front_channel"
    BACK = "back_channel"
    GLOBAL = "universal_logout"


class Outcome(StrEnum):
    """What came of a global token revocation that was heard."""

    ENDED = "ended"
    NOT_ITS_OWN = "not_its_own"
    UNKNOWN = "subject_unknown"
    OTHER_SESSIONS = "signs_in_another_way"


class NotHeard(Exception):
    """A deliberate no. ``reason`` is a code; ``expected`` and ``got`` are short, printable and never secret."""

    def __init__(self, reason: str, *, expected: str = "", got: str = "") -> None:
        super().__init__(reason)
        self.reason, self.expected, self.got = reason, expected, got


def spoken(connection: Connection, verify: Verify) -> SignOut:
    """Return what the connection's provider says, as ``verify`` finds it. Raises NotHeard."""
    revision = connection.serving
    if not connection.is_enabled or revision is None:
        raise NotHeard(Reason.CONNECTION_DISABLED.value)
    revision.connection = connection
    rp, cache = revision.relying_party(), door().cache
    try:
        metadata = cache.metadata(rp)
        return verify(rp, metadata, cache.keys(rp, metadata))
    except Refused as refused:
        raise NotHeard(refused.code.value, expected=refused.expected, got=refused.got) from None


def hear_logout_token(request: HttpRequest, connection: Connection, token: str, at: datetime) -> int:
    """End what ``token`` says (H20), and return how many sessions that were. Raises NotHeard; then nothing has ended.

    None is fine too: whoever is signed out already is signed out.
    """
    said = spoken(connection, lambda rp, metadata, keys: verify_logout_token(token, rp, metadata, keys, at=at))
    with transaction.atomic():
        spend(connection, said, at)
        return end(request, connection, Channel.BACK, said.iss, sub=said.sub, sid=said.sid)


def spend(connection: Connection, said: SignOut, at: datetime) -> None:
    """Use up the token that said ``said``. Raises NotHeard when it was heard before."""
    until = datetime.fromtimestamp(said.spent_until, UTC)
    try:
        SpentToken.spend(connection, said.fingerprint, until=until, at=at)
    except ReplayedError:
        raise NotHeard("replayed_token") from None


def end(
    request: HttpRequest, connection: Connection, channel: Channel, issuer: str, *, sub: str = "", sid: str = ""
) -> int:
    """End the sessions that ``issuer`` vouched for, and return how many there were."""
    with transaction.atomic():
        if sub:
            # A sign-in under way holds the row until its session is there, to be found and ended here (T17).
            _known_as(connection, issuer, sub)
        grants = Grant.objects.made_by(connection, issuer, sub=sub, sid=sid)
        return _end(request, connection, channel, Q(grant__in=grants))


def revoke(request: HttpRequest, connection: Connection, said: SignOut, whom: Whom, at: datetime) -> Outcome:
    """End every session of ``whom`` and every grant with it (K10). Call it within a transaction.

    An email is looked for among the people who sign in through this connection only. Somebody who was moved to
    another way of signing in loses the sessions this provider vouched for; others are not the provider's to end.
    """
    if whom.email:
        people = User.objects.of(connection.enterprise).with_email(whom.email).filter(connection=connection)
        user = people.select_for_update(of=("self",)).first()
    elif whom.iss != said.iss:
        return Outcome.NOT_ITS_OWN
    else:
        user = _known_as(connection, whom.iss, whom.sub)
    if user is None:
        return Outcome.UNKNOWN
    theirs = Q(user=user) if user.connection_id == connection.pk else Q(user=user, grant__connection=connection)
    if not _end(request, connection, Channel.GLOBAL, theirs):
        _record_ended(request, connection, Channel.GLOBAL, user, "nothing_to_end")
    return Outcome.OTHER_SESSIONS if user.sessions.live(at).exists() else Outcome.ENDED


def _known_as(connection: Connection, issuer: str, sub: str) -> User | None:
    """Return who is known by this subject, with the row locked."""
    people = User.objects.of(connection.enterprise).filter(
        subjects__connection=connection, subjects__issuer=issuer, subjects__sub=sub
    )
    return people.select_for_update(of=("self",)).first()


def _end(request: HttpRequest, connection: Connection, channel: Channel, which: Q) -> int:
    """End those of the enterprise's sessions, put each on record, and return how many there were."""
    own = Session.objects.of(connection.enterprise)
    found = list(own.filter(which).select_related("user").select_for_update(of=("self",)))
    ended = [session for session in found if session.is_live(timezone.now())]
    for session in ended:
        _record_ended(request, connection, channel, session.user, "ended_by_provider", session=str(session))
    # With those that had run out by themselves: what they keep for their person ends, too.
    own.filter(pk__in=[session.pk for session in found]).delete()
    return len(ended)


def _record_ended(
    request: HttpRequest, connection: Connection, channel: Channel, user: User, reason: str, **details: Any
) -> None:
    record(
        Action.SESSION_ENDED_BY_PROVIDER,
        enterprise=connection.enterprise,
        request=request,
        actor=user,
        target=connection,
        reason=reason,
        channel=channel.value,
        connection=connection.pk,
        **details,
    )


def record_refusal(request: HttpRequest, connection: Connection, channel: Channel, refusal: NotHeard) -> None:
    """Put on record that the provider, or somebody who would like to be it, was not heard."""
    seen: dict[str, Any] = {"expected": refusal.expected, "got": refusal.got}
    record_unproved(
        Action.SIGN_OUT_REFUSED,
        request=request,
        connection=connection,
        reason=refusal.reason,
        at=timezone.now(),
        channel=channel.value,
        **{name: value for name, value in seen.items() if value},
    )
