"""What the dashboard shows, read with a fixed number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, F, OuterRef, Q, Sum
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from audit.actions import Action
from audit.models import Event
from console.charts import Chart, Day, sign_in_chart
from identity.expiry import endings
from identity.models import Connection, Revision, WaitingSubject
from invitations.models import Batch, Invitation, Move
from invitations.reasons import told
from users.access import Access, Permission
from users.models import Enterprise, Method, User

if TYPE_CHECKING:
    from audit.models import EventQuerySet
    from users.models.user_queryset import UserQuerySet

DAYS = 30


@dataclass(frozen=True)
class People:
    """How many people are in which state; one query."""

    connected: int
    password: int
    switching: int
    disabled: int
    invited: int
    # Of those with a password who could be switched: break-glass accounts never are.
    movable: int

    @property
    def total(self) -> int:
        return self.connected + self.password + self.switching + self.disabled

    @classmethod
    def count(cls, users: UserQuerySet) -> People:
        joined = Q(joined_at__isnull=False, disabled_at=None)
        return cls(
            **users.order_by().aggregate(
                connected=Count("pk", joined & Q(connection__isnull=False, switching_to=None), distinct=True),
                password=Count("pk", joined & Q(connection=None, switching_to=None), distinct=True),
                switching=Count("pk", joined & Q(switching_to__isnull=False), distinct=True),
                disabled=Count("pk", Q(disabled_at__isnull=False), distinct=True),
                invited=Count("pk", Q(joined_at=None, disabled_at=None), distinct=True),
                movable=Count(
                    "pk", joined & Q(connection=None, switching_to=None, is_break_glass=False), distinct=True
                ),
            )
        )


def sign_ins_by_day(events: EventQuerySet, zone: ZoneInfo, today: date) -> list[Day]:
    """Count sign-ins and refusals of the last 30 days, ``today`` last, with the empty days in between; one query."""
    first = today - timedelta(days=DAYS - 1)
    started, refused = Q(action=Action.SESSION_STARTED), Q(action=Action.SESSION_REFUSED)
    rows = (
        events.filter(started | refused)
        .between(datetime(first.year, first.month, first.day, tzinfo=zone), None)
        .annotate(day=TruncDate("at", tzinfo=zone))
        .values("day")
        .annotate(
            okta=Count("pk", started & Q(details__method=Method.CONNECTION)),
            password=Count("pk", started & ~Q(details__method=Method.CONNECTION)),
            refused=Sum("times", filter=refused, default=0),
        )
    )
    found = {row["day"]: Day(row["day"], row["okta"], row["password"], row["refused"]) for row in rows}
    days = [first + timedelta(days=n) for n in range(DAYS)]
    return [found.get(day, Day(day, 0, 0, 0)) for day in days]


@dataclass(frozen=True)
class Step:
    title: str | Promise
    text: str | Promise
    is_done: bool
    url: str = ""
    button: str | Promise = ""


@dataclass(frozen=True)
class Checklist:
    """What is left to do until the enterprise runs on its provider. Gone when all of it is done."""

    steps: list[Step]

    @property
    def done(self) -> list[Step]:
        return [step for step in self.steps if step.is_done]

    @property
    def now(self) -> Step | None:
        return next((step for step in self.steps if not step.is_done), None)

    @property
    def later(self) -> list[Step]:
        return [step for step in self.steps if not step.is_done][1:]

    @classmethod
    def of(
        cls, user: User, connection: Connection | None, revision: Revision | None, anyone_invited: bool, movable: int
    ) -> Checklist:
        """``revision`` is the newest; ``movable`` is how many people with a password nobody has begun to switch."""
        set_up = reverse("identity:setup", args=[connection.pk]) if connection else reverse("identity:connections")
        label = connection.label if connection else "Okta"
        return cls(
            [
                Step(
                    _("Confirm your email"),
                    _("Open the link we sent to %(email)s.") % {"email": user.email},
                    user.is_email_confirmed,
                    reverse("users:account"),
                    _("Send it again"),
                ),
                Step(
                    _("Connect %(provider)s") % {"provider": label},
                    _("About ten minutes, with your Okta open beside it."),
                    bool(revision and revision.is_complete),
                    set_up,
                    _("Set up"),
                ),
                Step(
                    _("Test a sign-in"),
                    _("Signs nobody in. You see what the provider says about you."),
                    bool(revision and (revision.tested_at or (connection and connection.serving_id))),
                    set_up,
                    _("Test"),
                ),
                Step(
                    _("Enable %(provider)s") % {"provider": label},
                    _("From then on all new users use it."),
                    bool(connection and connection.is_enabled),
                    set_up,
                    _("Enable"),
                ),
                Step(
                    _("Invite people"),
                    _("They get an email with a link."),
                    anyone_invited,
                    reverse("invitations:invite"),
                    _("Invite people"),
                ),
                *([_switch_step(movable)] if movable else []),
            ]
        )

    @property
    def is_complete(self) -> bool:
        return all(step.is_done for step in self.steps)


def _any(model: type[Invitation] | type[Batch]) -> Exists:
    """Ask whether the enterprise of the row has any of these."""
    return Exists(model.objects.filter(enterprise=OuterRef("pk")))


def _switch_step(movable: int) -> Step:
    title = ngettext(
        "Switch the person who still uses a password", "Switch the %(n)d people who still use a password", movable
    )
    text = _("Dry run first. Nobody is locked out.")
    return Step(title % {"n": movable}, text, False, reverse("invitations:dry_run"), _("See the dry run"))


@dataclass(frozen=True)
class Need:
    """Something only an administrator can put right."""

    icon: str
    is_bad: bool
    title: str | Promise
    text: str | Promise
    url: str
    link: str | Promise


MOST_NEEDS = 4


def needs_of(
    enterprise: Enterprise,
    connections: list[Connection],
    revision: Revision | None,
    at: datetime,
    *,
    is_break_glass_untested: bool,
) -> list[Need]:
    """Return what waits for an administrator: secrets that end, an untested revision, invitations that got stuck.

    ``revision`` is the newest one of the first of ``connections``.
    """
    connection = connections[0] if connections else None
    needs = [
        Need(
            "circle-x" if end.is_over else "hourglass",
            end.is_over,
            end.fact,
            end.text,
            reverse("identity:setup", args=[end.connection.pk]) + "?replace#secret",
            _("Add a new secret"),
        )
        for end in endings(connections, at.date())
    ]
    if connection and revision and connection.serving_id not in (None, revision.pk):
        needs.append(
            Need(
                "triangle-alert",
                False,
                _("Revision %(number)d is not in use") % {"number": revision.number},
                _("It waits for a test sign-in."),
                reverse("identity:setup", args=[connection.pk]),
                _("Go on"),
            )
        )
    waiting = WaitingSubject.objects.of(enterprise).undecided().select_related("user")
    for one in waiting.order_by("-last_seen_at", "-id")[:MOST_NEEDS]:
        needs.append(
            Need(
                "user-search",
                False,
                _("Somebody came with the email of %(name)s") % {"name": one.user.label},
                _("Known at the provider, and not here."),
                reverse("identity:waiting_subject", args=[one.pk]),
                _("Decide"),
            )
        )
    for person in User.objects.of(enterprise).with_email_to_decide().order_by("listed_as", "id")[:MOST_NEEDS]:
        needs.append(
            Need(
                "at-sign",
                False,
                _("%(name)s has another email at the provider") % {"name": person.label},
                person.provider_email,
                reverse("users:detail", args=[person.pk]),
                _("Decide"),
            )
        )
    if is_break_glass_untested and connection and connection.is_enabled:
        needs.append(
            Need(
                "life-buoy",
                False,
                _("Test the break-glass account"),
                _("Nobody has proved for 90 days that it works."),
                reverse("users:break_glass"),
                _("Test it"),
            )
        )
    stuck = Q(refused_at__isnull=False) | Q(bounced_at__isnull=False)
    invitations = Invitation.objects.of(enterprise).live(at).filter(stuck).select_related("user")
    for invitation in invitations.order_by("-issued_at")[:MOST_NEEDS]:
        name = invitation.user.label if invitation.user else invitation.email
        url = f"{reverse('invitations:list')}?q={quote(invitation.email)}"
        if invitation.refused_at:
            title, text = _("%(name)s was refused") % {"name": name}, f"{told(invitation.refused_reason)}."
            needs.append(Need("circle-x", True, title, text, url, _("What to do")))
        else:
            title = _("The invitation of %(name)s bounced") % {"name": name}
            needs.append(Need("mail-x", False, title, invitation.email, url, _("Correct the address")))
    for move in Move.objects.of(enterprise).stuck().select_related("user").order_by("listed_as", "id")[:MOST_NEEDS]:
        url = f"{reverse('invitations:batch', args=[move.batch_id])}?show=refused"
        if move.refused_at:
            title, text = _("%(name)s could not switch") % {"name": str(move)}, f"{told(move.refused_reason)}."
            needs.append(Need("circle-x", True, title, text, url, _("What to do")))
        else:
            title = _("The switch link of %(name)s bounced") % {"name": str(move)}
            needs.append(Need("mail-x", False, title, move.email, url, _("See the batch")))
    return needs[:MOST_NEEDS]


@dataclass(frozen=True)
class Health:
    """How the enterprise's enabled connection is doing, as far as one may see who signs in by it."""

    connection: Connection
    linked: int
    last_sign_in: Event | None
    signed_in: int
    refused: int

    @classmethod
    def of(cls, connection: Connection, users: UserQuerySet, events: EventQuerySet, at: datetime) -> Health:
        recent = events.between(at - timedelta(hours=24), None).aggregate(
            signed_in=Count("pk", Q(action=Action.SESSION_STARTED, details__connection=connection.pk)),
            refused=Sum("times", filter=Q(action=Action.SESSION_REFUSED, details__connection=connection.pk), default=0),
        )
        last = events.filter(action=Action.SESSION_STARTED, details__connection=connection.pk).newest_first().first()
        return cls(connection, connection.subjects.filter(user__in=users).count(), last, **recent)


@dataclass(frozen=True)
class Overview:
    people: People
    days: list[Day]
    chart: Chart
    connection: Connection | None
    checklist: Checklist | None
    needs: list[Need]
    health: Health | None
    activity: list[Event]
    open_invitations: int

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to draw yet."""
        return not any(day.okta or day.password or day.refused for day in self.days)

    @classmethod
    def of(cls, enterprise: Enterprise, access: Access, at: datetime, zone: ZoneInfo) -> Overview:
        """Read what ``access`` permits to see: the whole enterprise, or the people of one's organizations."""
        users = access.people()
        events = Event.objects.of(enterprise)
        if not access.everywhere(Permission.SEE_PEOPLE):
            events = events.filter(actor__in=users)
        people = People.count(users)
        connections = list(
            Connection.objects.of(enterprise)
            .select_related("serving__secret")
            .order_by(F("enabled_at").asc(nulls_last=True), "created_at")
        )
        connection = connections[0] if connections else None
        if connection:
            connection.enterprise = enterprise
        enabled_on = connection.enabled_at.astimezone(zone).date() if connection and connection.enabled_at else None
        days = sign_ins_by_day(events, zone, at.astimezone(zone).date())
        checklist, needs = None, list[Need]()
        if access.may(Permission.MANAGE_CONNECTIONS):
            untested = User.objects.break_glass_to_test(at).filter(enterprise=OuterRef("pk"))
            invited, begun, is_untested = (
                Enterprise.objects.filter(pk=enterprise.pk)
                .annotate(invited=_any(Invitation), begun=_any(Batch), untested=Exists(untested))
                .values_list("invited", "begun", "untested")
                .get()
            )
            # Once somebody has begun to switch people, who is left with a password is left on purpose.
            to_switch = people.movable if connection and connection.is_enabled and not begun else 0
            revision = connection.latest if connection else None
            checklist = Checklist.of(access.user, connection, revision, invited, to_switch)
            needs = needs_of(enterprise, connections, revision, at, is_break_glass_untested=is_untested)
        health = Health.of(connection, users, events, at) if connection and connection.is_enabled else None
        # Of a batch of 10,000 people one line says enough here; the audit log has each of them.
        of_batches = Q(action__in=(Action.SWITCH_BEGUN, Action.SWITCH_REMINDED, Action.SWITCH_UNDONE))
        events = events.exclude(of_batches & Q(details__has_key="batch"))
        activity = list(events.newest_first()[:6]) if access.may(Permission.SEE_AUDIT_LOG) else []
        return cls(
            people,
            days,
            sign_in_chart(days, enabled_on),
            connection,
            checklist,
            needs,
            health,
            activity,
            people.invited,
        )
