"""Invitations and the links of a switch, sent by a worker once they are committed; and what batches have to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from celery import shared_task
from django.core.mail import EmailMessage
from django.utils import timezone
from django.utils.translation import gettext as _

from invitations.models import Batch, Invitation, Move
from users.emails import BATCH, compose, send_batch
from users.tasks import queue

if TYPE_CHECKING:
    from invitations.models import InvitationQuerySet, MoveQuerySet

# People of a batch that one task takes in, reminds or switches back.
PART = 500
# So many tasks send the links of one batch at once, as far as there are workers for them.
SENDERS = 4
# Nobody at it for this long, although there is something to send: whoever was, died.
QUIET = timedelta(minutes=1)


def send(invitations: Sequence[Invitation]) -> None:
    """Have workers send ``invitations`` after the caller's transaction, a batch of ids at a time.

    What the broker does not take is found by the sweep.
    """
    ids = [invitation.pk for invitation in invitations]
    queue(deliver, *(ids[start : start + BATCH] for start in range(0, len(ids), BATCH)))


@shared_task
def deliver(ids: list[str]) -> None:
    """Send these invitations, those of them that are still due."""
    _send(Invitation.objects.filter(pk__in=ids))


@shared_task
def sweep() -> None:
    """Send what is due and was not queued, was put back, or was left by a worker that died."""
    _send(Invitation.objects.all())


def _send(invitations: InvitationQuerySet) -> None:
    related = invitations.select_related("enterprise", "invited_by", "organization", "connection", "custom_role")
    while rows := related.claim(timezone.now(), BATCH):
        send_batch(rows, write)


def write(invitation: Invitation) -> EmailMessage | None:
    """Return the email, its link made here and its hash stored before it leaves; None when it is not to be sent."""
    by = invitation.invited_by
    if by is None or not invitation.keep_token():
        return None
    return compose(
        "invitation",
        to=invitation.email,
        enterprise=invitation.enterprise,
        key=invitation.message_key,
        time_zone=by.time_zone,
        reply_to=by.email,
        context={
            "invitation": invitation,
            "by": by,
            "way_in": invitation.way_in(),
            "button_url": invitation.link,
            "button_text": _("See the invitation"),
        },
        metadata={"invitation": invitation.pk, "serial": invitation.serial},
    )


# ---- Switching people. A batch of 10,000 is done in many small tasks, each of which queues the next: in between comes
# ---- whatever else is in the queue, so that nobody waits for a new password until everybody has a link.


def carry_out(batch: Batch) -> None:
    """Have workers do what was asked of ``batch``, after the caller's transaction."""
    queue(go_on, [batch.pk])


def send_link(move: Move) -> None:
    """Have a worker send one link, after the caller's transaction."""
    queue(send_links, [move.batch_id])


@shared_task
def go_on(ids: list[str]) -> None:
    """Do the next part of what was asked of these batches; after the last one, begin to send."""
    for batch in Batch.objects.filter(pk__in=ids).select_related("enterprise"):
        if batch.go_on(timezone.now(), PART):
            queue(go_on, [batch.pk])
        else:
            queue(send_links, *[[batch.pk]] * SENDERS)


@shared_task
def send_links(ids: list[str]) -> None:
    """Send some of the links of these batches that are due, and come back as long as there are more."""
    rows = _links().filter(batch__in=ids).claim(timezone.now(), BATCH)
    send_batch(rows, write_link)
    if len(rows) == BATCH:
        queue(send_links, ids)


@shared_task
def sweep_batches() -> None:
    """Go on with what a broker lost, or a worker left when it died."""
    now = timezone.now()
    for batch in Batch.objects.unfinished():
        queue(go_on, [batch.pk])
    for pk in Move.objects.due(now - QUIET).order_by().values_list("batch", flat=True).distinct():
        if not Move.objects.filter(batch=pk, sent_at__gt=now - QUIET).exists():
            queue(send_links, [pk])


def _links() -> MoveQuerySet:
    return Move.objects.select_related(
        "enterprise", "user", "batch__begun_by", "connection__organization", "connection__serving",
        "leaving__organization", "leaving__serving",
    )  # fmt: skip


def write_link(move: Move) -> EmailMessage | None:
    """Return the email, its link made here and its hash stored before it leaves; None when it is not to be sent."""
    user, by = move.user, move.batch.begun_by
    if user is None or not move.keep_token():
        return None
    return compose(
        "switch",
        to=move.email,
        enterprise=move.enterprise,
        key=move.message_key,
        time_zone=user.time_zone or (by.time_zone if by else ""),
        reply_to=by.email if by and by.is_active else "",
        context={
            "move": move,
            "user": user,
            "by": by,
            "is_reminder": move.reminders > 0,
            "is_old_way_open": move.is_old_way_open(timezone.now()),
            "button_url": move.link,
            "button_text": _("Continue with %(provider)s") % {"provider": move.connection.title},
        },
        metadata={"move": move.pk, "serial": move.serial},
    )
