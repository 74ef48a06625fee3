"""How far a batch has come, in numbers; and what stands beside one person in it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Count, Max, Min, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from invitations.models import (
    STUCK,
    UNDER_WAY,
    WAITING,
    Batch,
    Choice,
    Doing,
    Move,
    Stage,
    Verdict,
    has_ended,
    is_at_one_of,
    is_at_stage,
    is_to_remind,
)
from invitations.reasons import told
from users.access import Access, Permission

# How fast emails leave is judged by the last so much.
LATELY = timedelta(minutes=1)


@dataclass(frozen=True)
class Progress:
    """One batch in numbers. ``to_send`` are emails that have not left yet, ``lately`` those that just have."""

    batch: Batch
    done: int = 0
    waiting: int = 0
    stuck: int = 0
    undone: int = 0
    to_send: int = 0
    # Emails that wait until their connection is enabled again.
    held_up: int = 0
    lately: int = 0
    to_remind: int = 0
    # Of those under way, who has nothing but the link to get in by; of those switched back, who cannot get in at all.
    shut_out: int = 0
    locked_out: int = 0
    # Of those under way, whom the reader may not act on.
    beyond: int = 0
    # Of those who were refused, the first and the last in the order of the alphabet.
    first_reason: str = ""
    last_reason: str = ""

    @classmethod
    def of(cls, batches: Iterable[Batch], at: datetime, access: Access) -> list[Progress]:
        """Count several batches, as somebody with ``access`` sees them; one query, or none for none."""
        batches, under_way, queued = list(batches), is_at_one_of(UNDER_WAY, at), is_at_stage(Stage.SENDING, at)
        if not batches:
            return []
        out_of_reach = ~Q(user__in=access.people(Permission.MIGRATE_PEOPLE))
        rows = (
            Move.objects.filter(batch__in=batches)
            .order_by()
            .values("batch")
            .annotate(
                done=Count("pk", filter=is_at_stage(Stage.DONE, at)),
                waiting=Count("pk", filter=is_at_one_of(WAITING, at)),
                stuck=Count("pk", filter=is_at_one_of(STUCK, at)),
                undone=Count("pk", filter=is_at_stage(Stage.UNDONE, at)),
                to_send=Count(
                    "pk",
                    filter=queued & Q(send_after__lte=at, connection__enabled_at__isnull=False, user__disabled_at=None),
                ),
                held_up=Count("pk", filter=queued & Q(connection__enabled_at=None)),
                lately=Count("pk", filter=Q(sent_at__gt=at - LATELY)),
                to_remind=Count("pk", filter=is_to_remind(at)),
                shut_out=Count("pk", filter=under_way & has_ended("leaving", at)),
                beyond=Count("pk", filter=under_way & out_of_reach),
                locked_out=Count("pk", filter=is_at_stage(Stage.UNDONE, at) & _is_locked_out(at)),
                # Counting how many there are would have the database sort everybody.
                first_reason=Min("refused_reason", filter=is_at_stage(Stage.REFUSED, at), default=""),
                last_reason=Max("refused_reason", filter=is_at_stage(Stage.REFUSED, at), default=""),
            )
        )
        counted = {row.pop("batch"): row for row in rows}
        return [cls(batch, **counted.get(batch.pk, {})) for batch in batches]

    @property
    def total(self) -> int:
        return self.done + self.waiting + self.stuck + self.undone

    @property
    def under_way(self) -> int:
        return self.waiting + self.stuck

    @property
    def is_running(self) -> bool:
        """Whether a worker is at it, so that the numbers change by themselves."""
        return bool(self.batch.doing or self.to_send)

    @property
    def sent(self) -> int:
        return self.total - self.to_send - self.held_up

    @property
    def still_to_take_in(self) -> int:
        return max(self.batch.expected, self.batch.taken)

    @property
    def left(self) -> str:
        """How long the emails will still take, judged by how they left lately; empty while nobody can tell."""
        if not self.lately or not self.to_send:
            return ""
        minutes = math.ceil(self.to_send / self.lately * LATELY.total_seconds() / 60)
        return ngettext("about %(n)d minute left", "about %(n)d minutes left", minutes) % {"n": minutes}

    @property
    def why_stuck(self) -> str:
        """The one reason all who were refused have in common, inside a sentence; else empty."""
        if not self.first_reason or self.first_reason != self.last_reason:
            return ""
        words = told(self.first_reason)
        return words[:1].lower() + words[1:]

    @property
    def said(self) -> str:
        """The numbers in a sentence, for those who do not see the bar."""
        parts = [
            _("%(done)d of %(total)d done") % {"done": self.done, "total": self.total},
            _("%(n)d waiting") % {"n": self.waiting},
        ]
        if self.stuck:
            parts.append(_("%(n)d refused") % {"n": self.stuck})
        if self.undone:
            parts.append(_("%(n)d switched back") % {"n": self.undone})
        return ", ".join(parts)

    @property
    def left_out(self) -> list[tuple[str, int]]:
        """Why people who were chosen were not taken in, and how many, the most frequent first."""
        numbers = sorted(self.batch.left_out.items(), key=lambda one: -one[1])
        return [(str(Verdict(verdict).label), number) for verdict, number in numbers if verdict in Verdict.values]

    @property
    def stopped(self) -> int:
        """How many could switch and were not taken in, since whoever began this may not switch anybody any more."""
        return self.batch.left_out.get(Verdict.STOPPED, 0)

    @property
    def again_url(self) -> str:
        """Where to look at those who were chosen once more."""
        to = [("to", self.batch.connection_id)] if self.batch.connection_id else []
        return f"{reverse('invitations:dry_run')}?{urlencode([*Choice.from_json(self.batch.chosen).fields, *to])}"

    @property
    def is_taking_in(self) -> bool:
        return self.batch.doing == Doing.TAKING_IN


def _is_locked_out(at: datetime) -> Q:
    """Match people who were switched back to what has ended, and were not switched again."""
    return Q(user__isnull=False, user__disabled_at=None, user__switching_to=None) & has_ended("user__connection", at)


@dataclass(frozen=True)
class Beside:
    """One row of a batch: a stage, what is to be said beneath it, and when."""

    move: Move
    stage: Stage
    kind: str
    text: str = ""
    at: datetime | None = None
    may_remind: bool = False
    may_undo: bool = False
    # Whether switching this person back takes the last way in.
    locks_out: bool = False


_KINDS = {
    Stage.SENDING: "invited", Stage.SENT: "switching", Stage.OPENED: "switching", Stage.EXPIRED: "waiting",
    Stage.REFUSED: "refused", Stage.BOUNCED: "refused", Stage.DONE: "done", Stage.UNDONE: "disabled",
}  # fmt: skip


def beside(move: Move, now: datetime, *, may_act: bool) -> Beside:
    """Return what ``move`` (with its user, batch, enterprise and what it leaves at hand) is to say at ``now``.

    ``may_act`` says whether the reader may act on this person.
    """
    stage = move.stage(now)
    text, at = _words(move, stage)
    may_undo = may_act and stage in UNDER_WAY
    return Beside(
        move, stage, _KINDS[stage], text, at, may_remind=may_act and move.may_be_reminded(now), may_undo=may_undo,
        locks_out=may_undo and not move.is_old_way_open(now),
    )  # fmt: skip


def _words(move: Move, stage: Stage) -> tuple[str, datetime | None]:
    user = move.user
    match stage:
        case Stage.DONE:
            return "", move.redeemed_at
        case Stage.UNDONE:
            return (
                (_("The account was deleted"), None) if user is None else ("", move.undone_at or move.batch.undone_at)
            )
        case Stage.REFUSED:
            return told(move.refused_reason), move.refused_at
        case Stage.BOUNCED:
            return move.bounce_reason or _("The mail server did not take it"), None
    if user is not None and user.disabled_at:
        return _("The account is disabled"), user.disabled_at
    if user is not None and user.email_folded != move.email_folded:
        return _("The email has changed since: send the link again"), None
    match stage:
        case Stage.EXPIRED:
            return (_("Opened, not used") if move.opened_at else _("Not opened")), move.expires_at
        case Stage.OPENED:
            return "", move.opened_at
        case Stage.SENT:
            return "", move.sent_at
    if not move.connection.is_enabled:
        return _("Waits until %(provider)s is enabled again") % {"provider": move.connection.title}, None
    return (_("The mail server did not take it; next try") if move.send_error else ""), move.send_after
