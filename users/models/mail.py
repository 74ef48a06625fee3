"""Emails as rows: what is to be sent is committed with the act that asks for it, and sent after."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models, transaction
from django.utils import timezone

from audit.ids import new_id
from audit.models import Result, record
from users.models.enterprise import Enterprise
from users.models.user import User

# A worker that claimed an email and has not reported for this long is taken for dead.
CLAIM_LASTS = timedelta(minutes=5)
MOST_ATTEMPTS = 8


class SendableQuerySet(models.QuerySet[Any]):
    def due(self, at: datetime) -> Self:
        """Keep what is to be sent now: asked for, not sent, not claimed by a worker that may be alive."""
        return self.filter(send_after__lte=at, sent_at=None, attempts__lt=MOST_ATTEMPTS).exclude(
            claimed_at__gt=at - CLAIM_LASTS
        )

    def claim(self, at: datetime, most: int) -> list[Any]:
        """Take up to ``most`` due rows for this worker. Rows another worker is taking are passed over."""
        with transaction.atomic():
            rows = list(
                self.due(at).order_by("send_after", "pk").select_for_update(skip_locked=True, of=("self",))[:most]
            )
            self.model._default_manager.filter(pk__in=[row.pk for row in rows]).update(
                claimed_at=at, attempts=models.F("attempts") + 1
            )
        for row in rows:
            row.claimed_at, row.attempts = at, row.attempts + 1
        return rows


class Sendable(models.Model):
    """Something to send once. ``send_after`` None means: nothing to send (any more)."""

    send_after = models.DateTimeField(null=True, blank=True, default=timezone.now)
    claimed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    send_error = models.CharField(max_length=64, blank=True)

    objects = SendableQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def message_key(self) -> str:
        """What the Message-ID is made of: the same at every try, so that a second copy is known for one."""
        return str(self.pk)

    @property
    def is_given_up(self) -> bool:
        return self.sent_at is None and self.attempts >= MOST_ATTEMPTS

    @abstractmethod
    def record_bounce(self, reason: str) -> None:
        """Write to the audit log that this was given up; ``reason`` is a class name."""

    def mark_sent(self, at: datetime) -> None:
        self.sent_at, self.claimed_at, self.send_error = at, None, ""
        self.save(update_fields=["sent_at", "claimed_at", "send_error"])

    def mark_failed(self, at: datetime, error: str, *, for_good: bool = False, answer: str = "") -> None:
        """Put it back with a growing pause, or give up when ``for_good``.

        ``error`` is a class name, not a message. ``answer`` is what the mail server said, if anything; it may quote
        the email, so what keeps it cleans it.
        """
        self.claimed_at, self.send_error = None, error[:64]
        self.send_after = at + timedelta(seconds=15) * 2 ** min(self.attempts, 8)
        if for_good:
            self.attempts = MOST_ATTEMPTS
        self.save(update_fields=["claimed_at", "send_error", "send_after", "attempts"])

    def drop(self) -> None:
        """There is nothing to send after all, and will not be."""
        self.claimed_at, self.send_after = None, None
        self.save(update_fields=["claimed_at", "send_after"])


class OutgoingEmail(Sendable):
    """An email other than an invitation. ``context`` holds no secrets: links are made when it is sent.

    Without ``user`` it is a question somebody asked at the entrance ("which enterprises know this address?"): the
    worker, not the request, finds out whom it concerns, so that the answer takes as long for everyone (T12).
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, null=True, related_name="outgoing_emails")
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="outgoing_emails")
    name = models.CharField(max_length=40)
    context = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["send_after"], condition=models.Q(sent_at=None), name="email_to_send"),
        ]

    def __str__(self) -> str:
        return self.name

    def record_bounce(self, reason: str) -> None:
        record(
            "email:bounced",
            enterprise=self.enterprise,
            target=self.user,
            result=Result.REFUSED,
            reason=reason,
            email=self.name,
        )
