"""Sessions as rows that people can see and end."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from users.models.enterprise import Enterprise
from users.models.user import User

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase

# How often a session in use writes down that it was seen.
TOUCH_EVERY = timedelta(minutes=1)
# A way in that bypasses the provider stays open for less long.
BREAK_GLASS_LIMIT = timedelta(hours=1)
BREAK_GLASS_IDLE = timedelta(minutes=15)
# How old a sign-in may be for what changes who gets in.
PROOF_LASTS = timedelta(minutes=10)
# A session that has run out opens nothing, but it is known for so long whose it was: what is sent too late is kept
# for its person. Whoever ends a session deletes the row, and then nothing is known.
REMEMBERED_FOR = timedelta(days=1)


class Method(models.TextChoices):
    PASSWORD = "password", _("Password")
    CONNECTION = "connection", _("Identity provider")
    BREAK_GLASS = "break_glass", _("Break-glass")


def stored_key(cookie_value: str) -> str:
    """Return what is stored for a session cookie: a digest, so that a copy of the table opens no session."""
    return hashlib.sha256(cookie_value.encode()).hexdigest()[:40]


class SessionQuerySet(models.QuerySet["Session"]):
    def of(self, enterprise: Enterprise) -> SessionQuerySet:
        return self.filter(enterprise=enterprise)

    def live(self, at: datetime) -> SessionQuerySet:
        """Keep sessions within both of their limits at ``at``."""
        return self.filter(expire_date__gt=at, idle_until__gt=at)

    def last_seen_first(self) -> SessionQuerySet:
        return self.order_by("-last_seen_at", "handle")


class Session(AbstractBaseSession):
    """A signed-in browser. ``expire_date`` is the absolute limit, ``idle_until`` the sliding one.

    ``proved_at`` is when the person last proved, in this session, who they are.
    """

    handle = models.CharField(max_length=12, default=new_id, unique=True, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="sessions")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    method = models.CharField(max_length=12, choices=Method.choices)
    address = models.GenericIPAddressField(null=True, blank=True)
    device = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    idle_until = models.DateTimeField()
    proved_at = models.DateTimeField(default=timezone.now, db_default=Now())

    objects = SessionQuerySet.as_manager()  # type: ignore[misc, assignment]

    class Meta:
        indexes = [models.Index(fields=["user", "-last_seen_at"], name="session_by_user")]

    def __str__(self) -> str:
        return f"{self.device or _('Unknown device')}, {self.address or '—'}"

    @property
    def is_phone(self) -> bool:
        return self.device.endswith(("iOS", "Android"))

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        from users.sessions import SessionStore  # The store is built on this model; Django asks for it here.

        return SessionStore

    def is_live(self, at: datetime) -> bool:
        """Return whether it is within both of its limits; the same rule as ``live``, for one row."""
        return self.expire_date > at and self.idle_until > at

    def is_recently_proved(self, at: datetime) -> bool:
        return at - self.proved_at <= PROOF_LASTS

    @property
    def idle_limit(self) -> timedelta:
        limit = self.enterprise.idle_limit
        return min(limit, BREAK_GLASS_IDLE) if self.method == Method.BREAK_GLASS else limit

    def touch(self, at: datetime, address: str | None) -> None:
        """Slide the idle limit, at most once per ``TOUCH_EVERY`` so that reading a page writes nothing as a rule."""
        if at - self.last_seen_at < TOUCH_EVERY:
            return
        self.last_seen_at, self.idle_until, self.address = at, at + self.idle_limit, address
        Session.objects.filter(pk=self.pk).update(
            last_seen_at=self.last_seen_at, idle_until=self.idle_until, address=address
        )
