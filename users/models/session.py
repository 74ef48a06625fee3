"""Sessions as rows that people can see and end."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest, Least, Now
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
# Whoever claims to ask the provider about a session is the only one to do so for this long, and is done well before.
CLAIM_LASTS = timedelta(seconds=20)
# What ``Session.accept`` changes.
VOUCHED = ("vouched_at", "vouch_due_at", "vouch_by", "expire_date")
# How long after it is due a session goes on, at most, when only the browser can ask and does not.
TOLERANCE = timedelta(minutes=30)


class Method(models.TextChoices):
    PASSWORD = "password", _("Password")
    CONNECTION = "connection", _("Identity provider")
    BREAK_GLASS = "break_glass", _("Break-glass")


@dataclass(frozen=True)
class Voucher:
    """An identity provider's word for a session.

    ``is_renewable`` means that it can be asked again without the browser, by a refresh token. ``ends_by`` is when
    the provider has the session end at the latest, if it says so.
    """

    is_renewable: bool
    ends_by: datetime | None = None


def stored_key(cookie_value: str) -> str:
    """Return what is stored for a session cookie: a digest, so that a copy of the table opens no session."""
    return hashlib.sha256(cookie_value.encode()).hexdigest()[:40]


class SessionQuerySet(models.QuerySet["Session"]):
    def of(self, enterprise: Enterprise) -> SessionQuerySet:
        return self.filter(enterprise=enterprise)

    def live(self, at: datetime) -> SessionQuerySet:
        """Keep sessions within both of their limits at ``at``."""
        return self.filter(expire_date__gt=at, idle_until__gt=at)

    def over(self, enterprise: Enterprise, at: datetime) -> SessionQuerySet:
        """Keep live sessions that are beyond the limits ``enterprise`` has now, saved or not."""
        beyond = Q(created_at__lte=at - enterprise.session_limit) | Q(last_seen_at__lte=at - enterprise.idle_limit)
        return self.live(at).filter(beyond)

    def ending_later(self, enterprise: Enterprise, at: datetime) -> SessionQuerySet:
        """Keep live sessions that end later than the limits of ``enterprise`` would have them end."""
        whole, idle = Value(enterprise.session_limit), Value(enterprise.idle_limit)
        return self.live(at).filter(
            Q(expire_date__gt=F("created_at") + whole) | Q(idle_until__gt=F("last_seen_at") + idle)
        )

    def cut(self, enterprise: Enterprise, at: datetime) -> None:
        """Have sessions end, and the provider be asked about them, as soon as the limits of ``enterprise`` say.

        Never later than before; and never so soon that a claim to ask, which may be held now, would lapse.
        """
        whole, idle = Value(enterprise.session_limit), Value(enterprise.idle_limit)
        self.update(
            expire_date=Least(F("expire_date"), F("created_at") + whole),
            idle_until=Least(F("idle_until"), F("last_seen_at") + idle),
        )
        for vouched, interval in (
            (self.filter(vouch_by=None), enterprise.reprove_interval),
            (self.filter(vouch_by__isnull=False), enterprise.reauthenticate_interval),
        ):
            soonest = Greatest(F("vouched_at") + Value(interval), Value(at + CLAIM_LASTS))
            vouched.filter(vouch_due_at__gt=soonest).update(vouch_due_at=soonest)

    def last_seen_first(self) -> SessionQuerySet:
        return self.order_by("-last_seen_at", "handle")


class Session(AbstractBaseSession):
    """A signed-in browser. ``expire_date`` is the absolute limit, ``idle_until`` the sliding one.

    ``proved_at`` is when the person last proved, in this session, who they are. ``vouched_at`` is when an identity
    provider last stood by it, and ``vouch_due_at`` when it is to be asked again; both are None where there is none to
    ask. ``vouch_by`` is until when a browser that alone can ask may put it off; None where we ask ourselves.
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
    vouched_at = models.DateTimeField(null=True, blank=True)
    vouch_due_at = models.DateTimeField(null=True, blank=True)
    vouch_by = models.DateTimeField(null=True, blank=True)

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

    def is_recently_proved(self, at: datetime) -> bool:
        return at - self.proved_at <= PROOF_LASTS

    @property
    def idle_limit(self) -> timedelta:
        limit = self.enterprise.idle_limit
        return min(limit, BREAK_GLASS_IDLE) if self.method == Method.BREAK_GLASS else limit

    @property
    def idle_minutes(self) -> int:
        return round(self.idle_limit.total_seconds() / 60)

    @property
    def absolute_limit(self) -> timedelta:
        limit = self.enterprise.session_limit
        return min(limit, BREAK_GLASS_LIMIT) if self.method == Method.BREAK_GLASS else limit

    @property
    def ends_at(self) -> datetime:
        """When it is over, whatever is done until then: also by limits that were shortened since it was written."""
        return min(self.expire_date, self.created_at + self.absolute_limit)

    @property
    def idle_at(self) -> datetime:
        """When it is over if nothing more is heard from this browser, as far as the idle limit says."""
        return min(self.idle_until, self.last_seen_at + self.idle_limit)

    def get_method_display(self) -> str:  # type: ignore[no-redef]
        """As Django's own, which makes all choices comparable each time: a list of sessions shows it in each row."""
        return str(Method(self.method).label)

    def is_live(self, at: datetime) -> bool:
        """Return whether it is within both of its limits; for one row, also those that were shortened just now."""
        return at < min(self.ends_at, self.idle_at)

    @property
    def seconds_left(self) -> int:
        """How long it lasts if nothing more is heard from this browser."""
        return max(0, int((min(self.ends_at, self.idle_at) - timezone.now()).total_seconds()))

    @property
    def can_go_on(self) -> bool:
        """Whether use puts its end off; at the absolute limit it does not."""
        return self.idle_at < self.ends_at

    def touch(self, at: datetime, address: str | None, *, is_asked: bool = False) -> None:
        """Slide the idle limit, at most once per ``TOUCH_EVERY`` so that reading a page writes nothing as a rule.

        At once when that is what somebody has asked for.
        """
        if at - self.last_seen_at < TOUCH_EVERY and not is_asked:
            return
        self.last_seen_at, self.idle_until, self.address = at, at + self.idle_limit, address
        Session.objects.filter(pk=self.pk).update(
            last_seen_at=self.last_seen_at, idle_until=self.idle_until, address=address
        )

    # ---- What an identity provider says about it. It is asked in turns: whoever claims the next one asks alone.

    def accept(self, voucher: Voucher, at: datetime) -> None:
        """Stand on ``voucher`` until it is due to be asked for again. The caller saves the row (``VOUCHED``)."""
        enterprise = self.enterprise
        interval = enterprise.reprove_interval if voucher.is_renewable else enterprise.reauthenticate_interval
        self.vouched_at, self.vouch_due_at = at, at + interval
        self.vouch_by = None if voucher.is_renewable else at + interval + TOLERANCE
        if voucher.ends_by:
            self.expire_date = min(self.created_at + self.absolute_limit, voucher.ends_by)

    def is_vouch_due(self, at: datetime) -> bool:
        return self.vouch_due_at is not None and self.vouch_due_at <= at

    def put_off_vouch(self, until: datetime) -> bool:
        """Have the provider asked at ``until``, unless somebody else has decided about that meanwhile.

        This is also how one claims to ask: of all who have read the same row, in whatever process, one gets it. If
        that one dies, the claim lapses. One statement, and nobody waits for anybody.
        """
        if not self.itself().filter(vouch_due_at=self.vouch_due_at).update(vouch_due_at=until):
            return False
        self.vouch_due_at = until
        return True

    def itself(self) -> SessionQuerySet:
        """Return this one row, by what stays while it lasts: its key may have changed since it was read."""
        return Session.objects.filter(handle=self.handle)
