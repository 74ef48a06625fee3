"""The audit log: who did what, when, from where, with what result. The lowest floor: it imports no app."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.compiled import insert
from audit.forgetting import Forgotten
from audit.ids import new_id, new_reference

if TYPE_CHECKING:
    from users.models import Enterprise, User

# C0 and C1 controls, line separators and direction marks: they would forge lines in a log or turn text around.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
LONGEST_DETAIL = 500
# Who acts when nobody does: the clock, or the house itself.
GATEHOUSE = "Gatehouse"


def printable(text: object, longest: int = LONGEST_DETAIL) -> str:
    """Return ``text`` on one line, without control or direction marks, cut to ``longest`` characters."""
    cleaned = _UNPRINTABLE.sub(" ", str(text))
    return cleaned if len(cleaned) <= longest else cleaned[: longest - 1] + "…"


class Result(models.TextChoices):
    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")
    ALARM = "alarm", _("Alarm")


class EventQuerySet(models.QuerySet["Event"]):
    def of(self, enterprise: Enterprise) -> EventQuerySet:
        return self.filter(enterprise=enterprise)

    def newest_first(self) -> EventQuerySet:
        return self.order_by("-at", "-id")

    def between(self, start: datetime | None, end: datetime | None) -> EventQuerySet:
        """Keep events from ``start`` (inclusive) to ``end`` (exclusive); None leaves that side open."""
        events = self
        if start is not None:
            events = events.filter(at__gte=start)
        if end is not None:
            events = events.filter(at__lt=end)
        return events

    def on_days(self, first: date | None, last: date | None, zone: ZoneInfo) -> EventQuerySet:
        """Keep events from the day ``first`` to the day ``last``, both included, as days are in ``zone``."""
        return self.between(_midnight(first, zone), _midnight(last, zone, timedelta(days=1)))

    def forget(self, whom: Forgotten) -> None:
        """Take the addresses and identifiers of a person who is deleted out of labels and details."""
        told = self.annotate(text=Cast("details", models.TextField()))
        found = told.filter(whom.standing_in("text", "actor_label", "target_label"))
        changed = []
        for event in found.iterator(chunk_size=2000):
            before = event.details, event.actor_label, event.target_label
            event.details = whom.left_of(event.details)
            event.actor_label, event.target_label = (
                whom.label_for(event.actor_label),
                whom.label_for(event.target_label),
            )
            if before != (event.details, event.actor_label, event.target_label):
                changed.append(event)
        self.model.objects.bulk_update(changed, ["details", "actor_label", "target_label"], batch_size=500)


def _midnight(day: date | None, zone: ZoneInfo, later: timedelta = timedelta()) -> datetime | None:
    """Return when ``day`` begins; None, which is open, without a day or when it is past the last there is."""
    return datetime.combine(day + later, time.min, zone) if day and day <= date.max - later else None


class Event(models.Model):
    """One thing that happened. Written once, never changed; labels outlive the rows they name.

    One exception: of somebody whose account is deleted the label stays, and addresses and identifiers go (``forget``).

    One that stands for many of a flood says so with ``times``, which grows while the flood lasts (``Tally``).
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(
        "users.Enterprise", on_delete=models.CASCADE, null=True, blank=True, related_name="events"
    )
    at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=64)
    result = models.CharField(max_length=8, choices=Result.choices, default=Result.DONE)
    reason = models.CharField(max_length=64, blank=True)
    actor = models.ForeignKey("users.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    actor_label = models.CharField(max_length=320, blank=True)
    target_type = models.CharField(max_length=32, blank=True)
    target_id = models.CharField(max_length=40, blank=True)
    target_label = models.CharField(max_length=320, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    device = models.CharField(max_length=120, blank=True)
    request_id = models.CharField(max_length=40, blank=True)
    reference = models.CharField(max_length=9, default=new_reference, editable=False)
    details = models.JSONField(default=dict, blank=True)
    times = models.PositiveIntegerField(default=1, db_default=1)

    objects = EventQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["enterprise", "-at", "-id"], name="event_by_time"),
            models.Index(fields=["enterprise", "action", "-at"], name="event_by_action"),
            models.Index(fields=["enterprise", "actor", "-at"], name="event_by_actor"),
            models.Index(fields=["enterprise", "target_id", "-at"], name="event_by_target"),
            models.Index(fields=["enterprise", "reference"], name="event_by_reference"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_label}".strip()

    def happened_again(self) -> None:
        Event.objects.filter(pk=self.pk).update(times=models.F("times") + 1)
        self.times += 1


class Tally(models.Model):
    """How much one source has written lately, so that what anybody can cause does not fill the log.

    ``standing`` has the event that stands for all others of a kind, by kind, once the source's share is used up.
    """

    LASTS = timedelta(minutes=10)

    key = models.CharField(primary_key=True, max_length=64)
    since = models.DateTimeField()
    written = models.PositiveIntegerField(default=0)
    standing = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.key

    @classmethod
    def lock(cls, key: str, at: datetime) -> Tally:
        """Return the tally ``key`` as it is ``at`` that time, locked until the caller's transaction ends."""
        tally, _is_new = cls.objects.select_for_update().get_or_create(key=key, defaults={"since": at})
        if at >= tally.since + cls.LASTS:
            tally.since, tally.written, tally.standing = at, 0, {}
        return tally

    def standing_for(self, kind: str) -> Event | None:
        return Event.objects.filter(pk=self.standing.get(kind, "")).first()

    @classmethod
    def forget(cls, at: datetime) -> None:
        """Delete tallies that are over."""
        cls.objects.filter(since__lt=at - cls.LASTS).delete()


def record(
    action: str,
    *,
    enterprise: Enterprise | None,
    request: HttpRequest | None = None,
    actor: User | None = None,
    actor_label: str = "",
    target: models.Model | None = None,
    result: Result = Result.DONE,
    reason: str = "",
    **details: Any,
) -> Event:
    """Write one event and return it.

    ``action`` is ``noun:verbed``. ``request`` gives address, device and request id, and the actor when none is
    named. ``actor_label`` names an actor that is no user: GATEHOUSE. ``details`` is shown to administrators: values
    must be JSON, and never a secret, code, token or state.
    The event joins the caller's transaction, so that what is undone is not on record as done.
    """
    event = Event(enterprise=enterprise, action=action, result=result, reason=reason, details=_shown(details))
    event.actor_label = actor_label
    _name_actor(event, request, actor)
    if target is not None:
        _name_target(event, target)
    insert(event)
    return event


def record_each(
    action: str,
    *,
    enterprise: Enterprise,
    request: HttpRequest | None = None,
    actor: User | None = None,
    targets: Iterable[models.Model],
    **details: Any,
) -> None:
    """Write one event for each of ``targets``, as ``record`` would, in one statement however many they are."""
    events = []
    for target in targets:
        event = Event(enterprise=enterprise, action=action, details=_shown(details))
        _name_actor(event, request, actor)
        _name_target(event, target)
        events.append(event)
    Event.objects.bulk_create(events)


def _name_actor(event: Event, request: HttpRequest | None, actor: User | None) -> None:
    if request is not None:
        event.address = client_address(request)
        event.device = printable(request.headers.get("User-Agent", ""), 120)
        event.request_id = getattr(request, "correlation_id", "") or ""
        if actor is None:
            user = getattr(request, "user", None)
            # Somebody of another enterprise may be signed in where this one's page is opened: not for its log.
            if user is not None and user.is_authenticated and user.enterprise_id == event.enterprise_id:
                actor = user
    if actor is not None:
        event.actor_id = actor.pk
        event.actor_label = printable(actor, 320)


def _name_target(event: Event, target: models.Model) -> None:
    event.target_type = target._meta.model_name or ""
    event.target_id = str(target.pk)
    event.target_label = printable(target, 320)


def _shown(details: dict[str, Any]) -> dict[str, Any]:
    """Text that came from outside is cleaned and shortened before it is kept."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in details.items()}


def client_address(request: HttpRequest) -> str | None:
    """Return the visitor's IP address as the outermost proxy we trust saw it.

    Each of ``settings.TRUSTED_PROXIES`` proxies appends the address it was called from to
    ``X-Forwarded-For``; whatever stands before those is the visitor's own claim and is ignored.
    """
    address = request.META.get("REMOTE_ADDR") or None
    hops = settings.TRUSTED_PROXIES
    if hops:
        forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        if len(forwarded) >= hops:
            address = forwarded[-hops]
    return _as_kept(address or "")


@lru_cache(maxsize=256)
def _as_kept(address: str) -> str | None:
    """Return ``address`` in its one spelling, or None when it is none. A request asks several times."""
    try:
        # Without the interface it came in by, which is no part of an address that is kept.
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    # A socket for both families shows IPv4 so; counted by /64 (T14), all of it would be one visitor.
    return str(getattr(ip, "ipv4_mapped", None) or ip)
