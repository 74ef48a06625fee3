"""Emails about accounts, sent by a worker after commit, and what time does to rows."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import redis
from celery import Task, shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from audit.models import Tally
from users.emails import BATCH, send_batch
from users.letters import answer, write
from users.models import Enterprise, HeldForm, OutgoingEmail, SpentChallenge, Throttle, User, admins_to_tell
from users.models.enterprise import REMIND_BEFORE
from users.sessions import SessionStore

if TYPE_CHECKING:
    from users.models.mail import SendableQuerySet

Thing = TypeVar("Thing")

logger = logging.getLogger(__name__)

# How long a sent email is remembered.
KEEP_SENT = timedelta(days=30)


def queue(task: Task, *batches: list[str]) -> None:
    """Have workers run ``task`` with each of ``batches`` of ids once the transaction has committed.

    A broker that is down neither breaks nor holds up the request: the rows say what is to be done, and the sweep
    finds them.
    """
    transaction.on_commit(lambda: _publish(task, batches))


def _publish(task: Task, batches: Sequence[list[str]]) -> None:
    try:
        for ids in batches:
            task.apply_async(args=[ids], retry=False)
    except (OperationalError, redis.ConnectionError, redis.TimeoutError) as error:
        logger.warning("not queued, the sweep will find it: %s", type(error).__name__)


def post_email(name: str, *, user: User, **context: Any) -> OutgoingEmail:
    """Ask for the email ``name`` to ``user``; it is sent once the caller's transaction has committed.

    ``context`` must be JSON, and never a secret: the row is kept.
    """
    row = OutgoingEmail.objects.create(enterprise=user.enterprise, user=user, name=name, context=context)
    queue(deliver, [row.pk])
    return row


def post_to_all(name: str, users: Iterable[User], *, enterprise: Enterprise, **context: Any) -> int:
    """Ask for the email ``name`` to each of ``users``, who may be thousands, and return how many there are."""
    ids: list[str] = []
    for some in batched(users, BATCH):
        rows = [OutgoingEmail(enterprise=enterprise, user=user, name=name, context=context) for user in some]
        ids += [row.pk for row in OutgoingEmail.objects.bulk_create(rows)]
    queue(deliver, *batched(ids, BATCH))
    return len(ids)


def batched(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    """Yield lists of up to ``size`` of ``things``."""
    rest = iter(things)
    while some := list(islice(rest, size)):
        yield some


def tell_admins(enterprise: Enterprise, name: str, **context: Any) -> None:
    """Ask for the email ``name`` to every Enterprise Admin."""
    for admin in admins_to_tell(enterprise):
        admin.enterprise = enterprise
        post_email(name, user=admin, **context)


def tell_of_break_glass(user: User, what: str, **context: Any) -> None:
    """Tell every Enterprise Admin what became of ``user``, which is a break-glass account, or was one until now."""
    tell_admins(user.enterprise, "break_glass_changed", what=what, account=user.label, **context)


def ask(name: str, *, email: str, enterprise: Enterprise | None = None) -> None:
    """Leave a question about ``email`` for a worker to answer, by email only (``users.letters.answer``)."""
    row = OutgoingEmail.objects.create(enterprise=enterprise, user=None, name=name, context={"email": email})
    queue(deliver, [row.pk])


@shared_task
def deliver(ids: list[str]) -> None:
    """Send these emails, those of them that are still due."""
    _send(OutgoingEmail.objects.filter(pk__in=ids))


@shared_task
def sweep() -> None:
    """Send what is due and was not queued, or was put back."""
    _send(OutgoingEmail.objects.all())


def _send(emails: SendableQuerySet) -> None:
    emails = emails.select_related("enterprise", "user__connection")
    while rows := emails.claim(timezone.now(), BATCH):
        questions = [row for row in rows if row.user is None]
        send_batch([row for row in rows if row.user is not None], write)
        answers = [row.pk for question in questions for row in answer(question)]
        if answers:
            queue(deliver, answers)


@shared_task
def forget_expired() -> None:
    """Delete what is over: sessions long past their limits, forms that wait no more, throttles, tallies, old emails."""
    now = timezone.now()
    SessionStore.clear_expired()
    HeldForm.objects.forget(now)
    Throttle.forget(now)
    Tally.forget(now)
    SpentChallenge.forget(now)
    OutgoingEmail.objects.filter(created_at__lt=now - KEEP_SENT).delete()


@shared_task
def remind_of_break_glass() -> None:
    """Tell Enterprise Admins, once in 90 days, that a break-glass account was not tested for as long."""
    now = timezone.now()
    for user in User.objects.break_glass_to_remind(now).select_related("enterprise"):
        with transaction.atomic():
            # Once, whoever else runs this at the same time: the row still says what was read.
            as_read = User.objects.filter(pk=user.pk, break_glass_reminded_at=user.break_glass_reminded_at)
            if as_read.update(break_glass_reminded_at=now):
                since = user.break_glass_tested_at or user.joined_at
                days = (now - since).days if since else 0
                tell_of_break_glass(user, "untested", days=days)


@shared_task
def delete_closed() -> None:
    """Remind who closed an enterprise that its time to return ends; and delete what nobody came back for."""
    now = timezone.now()
    for days in REMIND_BEFORE:
        for enterprise in Enterprise.objects.to_remind(days, now):
            _remind(enterprise, days)
    for enterprise in Enterprise.objects.gone(now):
        enterprise.delete_for_good(now)


@shared_task
def remind_of_requirement() -> None:
    """Tell people with a password once more, shortly before it stops working."""
    now = timezone.now()
    for enterprise in Enterprise.objects.to_remind_of_requirement(now):
        with transaction.atomic():
            due = Enterprise.objects.to_remind_of_requirement(now).filter(pk=enterprise.pk)
            if due.update(is_requirement_reminded=True):
                people = User.objects.of(enterprise).barred_by_requirement()
                post_to_all("provider_required", people.iterator(), enterprise=enterprise, is_reminder=True)


def _remind(enterprise: Enterprise, days: int) -> None:
    with transaction.atomic():
        # Once, whoever else runs this at the same time.
        if Enterprise.objects.to_remind(days, timezone.now()).filter(pk=enterprise.pk).update(reminded_days=days):
            tell_admins(enterprise, "enterprise_ends_soon")
