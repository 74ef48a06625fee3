"""Invitations, sent by a worker once they are committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from celery import shared_task
from django.core.mail import EmailMessage
from django.utils import timezone
from django.utils.translation import gettext as _

from invitations.models import Invitation
from users.emails import BATCH, compose, send_batch
from users.tasks import queue

if TYPE_CHECKING:
    from invitations.models import InvitationQuerySet


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
    related = invitations.select_related("enterprise", "invited_by", "organization", "connection")
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
