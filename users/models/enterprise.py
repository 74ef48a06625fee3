"""The tenant, and its parts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from audit.models import record

if TYPE_CHECKING:
    from users.models.role_assignment import RoleAssignmentQuerySet
    from users.models.session import Session, SessionQuerySet
    from users.models.user import User
    from users.models.user_queryset import UserQuerySet

# How long a closed enterprise can be opened again; then everything in it is deleted.
RETURN_WITHIN = timedelta(days=30)
# How long before passwords stop working people are told once more.
REMIND_OF_REQUIREMENT = timedelta(days=2)
# How many days before that its Enterprise Admins are reminded.
REMIND_BEFORE = (7, 1)

# How long sessions may be allowed to last, and how often an identity provider may be asked about one.
IDLE_MINUTES = (5, 1440)
SESSION_HOURS = (1, 168)
REPROVE_MINUTES = (1, 60)
REAUTHENTICATE_MINUTES = (15, 1440)

# Addresses that would read as ours, or as somebody's office.
RESERVED_SLUGS = frozenset(
    """
    account admin administrator api app audit auth billing console demo gatehouse help local login logout mail new
    null okta operator organizations privacy root security settings signup sso static status support system users www
    """.split()  # noqa: SIM905 - a list of words is easier to read as words
)
SLUG = r"^[a-z0-9](?:[a-z0-9]|-(?!-)){1,38}[a-z0-9]$"
slug_validator = RegexValidator(
    SLUG,
    _("Use 3 to 40 lower-case letters, digits and single hyphens, beginning and ending with a letter or digit."),
)


class Region(models.TextChoices):
    NA = "na", _("North America")
    EU = "eu", _("Europe")
    AU = "au", _("Australia")

    @property
    def origin(self) -> str:
        """Return scheme, host and port of this region's addresses, from the settings (R9): never from ``Host``."""
        return settings.REGION_ORIGINS[self.value]

    @property
    def host(self) -> str:
        """Return host, and port if it is not the usual one, as people see them and ``Host`` names them."""
        return urlsplit(self.origin).netloc


class EnterpriseQuerySet(models.QuerySet["Enterprise"]):
    def gone(self, at: datetime) -> EnterpriseQuerySet:
        """Keep those whose time to return is over."""
        return self.filter(closed_at__lte=at - RETURN_WITHIN)

    def to_remind(self, days: int, at: datetime) -> EnterpriseQuerySet:
        """Keep closed ones that are deleted within ``days`` and have not been told so yet."""
        soon = self.filter(closed_at__lte=at - RETURN_WITHIN + timedelta(days=days)).exclude(pk__in=self.gone(at))
        return soon.filter(models.Q(reminded_days=None) | models.Q(reminded_days__gt=days))

    def to_remind_of_requirement(self, at: datetime) -> EnterpriseQuerySet:
        """Keep those whose people with a password are to be told that its time is nearly over."""
        soon = self.filter(provider_required_from__gt=at, provider_required_from__lte=at + REMIND_OF_REQUIREMENT)
        return soon.filter(is_requirement_reminded=False, closed_at=None)


class ClosedError(Exception):
    """The enterprise is closed already, or not closed. Nothing was changed."""


class Enterprise(models.Model):
    """A customer. Everything else belongs to one."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    name = models.CharField(_("enterprise name"), max_length=100)
    slug = models.CharField(_("address"), max_length=40, unique=True, validators=[slug_validator])
    region = models.CharField(_("region"), max_length=2, choices=Region.choices)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    idle_minutes = models.PositiveIntegerField(default=60)
    session_hours = models.PositiveIntegerField(default=12)
    # How often the provider is asked whether it still vouches for a session: with a refresh token, and without one.
    reprove_minutes = models.PositiveIntegerField(default=5)
    reauthenticate_minutes = models.PositiveIntegerField(default=60)
    # Of accounts that sign in with a password; break-glass accounts need one whatever is said here.
    is_second_factor_required = models.BooleanField(default=True)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)
    closed_by = models.ForeignKey("users.User", on_delete=models.SET_NULL, null=True, editable=False, related_name="+")
    # From then on everyone but break-glass accounts signs in through the provider; None is the default: new people do.
    provider_required_from = models.DateTimeField(null=True, blank=True, editable=False)
    is_requirement_reminded = models.BooleanField(default=False, editable=False)
    # Of ``REMIND_BEFORE``, the one that was said last.
    reminded_days = models.PositiveSmallIntegerField(null=True, editable=False)

    objects = EnterpriseQuerySet.as_manager()
    users: UserQuerySet
    sessions: SessionQuerySet

    def __str__(self) -> str:
        return self.name

    @property
    def origin(self) -> str:
        return Region(self.region).origin

    @property
    def host(self) -> str:
        return Region(self.region).host

    def get_region_display(self) -> str:  # type: ignore[no-redef]
        """As Django's own, which makes all choices comparable each time: every page of the console shows it."""
        return str(Region(self.region).label)

    def url(self, path: str) -> str:
        """Return the absolute address of ``path`` (which begins with a slash) at this enterprise's region."""
        return self.origin + path

    @property
    def idle_limit(self) -> timedelta:
        return timedelta(minutes=self.idle_minutes)

    @property
    def session_limit(self) -> timedelta:
        return timedelta(hours=self.session_hours)

    def requires_provider(self, at: datetime) -> bool:
        """Return whether a password is not enough by now, but for break-glass accounts (T16)."""
        return self.provider_required_from is not None and self.provider_required_from <= at

    def require_provider(self, from_: datetime) -> None:
        """Have everyone sign in through the provider from ``from_`` on. The caller keeps an admin (M7)."""
        self.provider_required_from, self.is_requirement_reminded = from_, False
        self.save(update_fields=["provider_required_from", "is_requirement_reminded"])

    def release_from_provider(self) -> None:
        """Let people with a password go on with it; new people use the provider as before (M3)."""
        self.provider_required_from, self.is_requirement_reminded = None, False
        self.save(update_fields=["provider_required_from", "is_requirement_reminded"])

    @property
    def reprove_interval(self) -> timedelta:
        return timedelta(minutes=self.reprove_minutes)

    @property
    def reauthenticate_interval(self) -> timedelta:
        return timedelta(minutes=self.reauthenticate_minutes)

    @property
    def is_closed(self) -> bool:
        return self.closed_at is not None

    @property
    def gone_at(self) -> datetime | None:
        """When everything in it is deleted; None while it is open."""
        return self.closed_at + RETURN_WITHIN if self.closed_at else None

    def close(self, *, by: User, at: datetime, keeping: Session | None = None) -> None:
        """Close it for everyone, and end all sessions but ``keeping``. Raises ClosedError when that was done already.

        What is in it stays for ``RETURN_WITHIN``. Whoever signs in meanwhile sees the page that says so, and nothing
        else (R7).
        """
        with transaction.atomic():
            if self.lock().is_closed:
                raise ClosedError
            self.closed_at, self.closed_by, self.reminded_days = at, by, None
            self.save(update_fields=["closed_at", "closed_by", "reminded_days"])
            self.sessions.exclude(pk=keeping.pk if keeping else None).delete()

    def reopen(self) -> None:
        """Let everything be as it was. Raises ClosedError when it is open."""
        with transaction.atomic():
            if not self.lock().is_closed:
                raise ClosedError
            self.closed_at, self.closed_by, self.reminded_days = None, None, None
            self.save(update_fields=["closed_at", "closed_by", "reminded_days"])

    def delete_for_good(self, at: datetime) -> bool:
        """Delete everything in it, unless it was opened again a moment ago, and return whether that was done.

        What remains is one event that belongs to no enterprise.
        """
        with transaction.atomic():
            if not Enterprise.objects.gone(at).select_for_update().filter(pk=self.pk).exists():
                return False
            record("enterprise:deleted", enterprise=None, target=self)
            self.delete()
        return True

    def lock(self) -> Enterprise:
        """Take this enterprise's row lock until the transaction ends, and return the row as it is now.

        Whoever may lose an Enterprise Admin takes it first (T15), so that such acts happen one after another.
        Rows that merely refer to the enterprise (sessions, events) may be written meanwhile.
        """
        return Enterprise.objects.select_for_update(no_key=True).get(pk=self.pk)


class NotEmptyError(Exception):
    """Something still belongs to the organization, so that it cannot be deleted. Nothing was changed."""


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def of(self, enterprise: Enterprise) -> OrganizationQuerySet:
        return self.filter(enterprise=enterprise)

    def with_counts(self) -> OrganizationQuerySet:
        """Add how many people have a role there (``people``), and how many connections are its own."""
        return self.annotate(
            people=models.Count("role_assignments__user", distinct=True),
            connection_count=models.Count("connections", distinct=True),
        )


@dataclass(frozen=True)
class Obstacles:
    """What stands in the way of deleting an organization, counted."""

    people: int
    connections: int
    invitations: int

    def __bool__(self) -> bool:
        return bool(self.people or self.connections or self.invitations)


class Organization(models.Model):
    """A part of an enterprise that roles and connections can be scoped to."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="organizations")
    name = models.CharField(_("name"), max_length=100)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OrganizationQuerySet.as_manager()
    role_assignments: RoleAssignmentQuerySet

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                Lower("name"), "enterprise", name="organization_name_once_per_enterprise",
                violation_error_message=_("There is an organization with this name already."),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name

    def obstacles(self) -> Obstacles:
        """Count what has to go before this organization can be deleted."""
        return Obstacles(
            people=self.role_assignments.values("user").distinct().count(),
            connections=self.connections.count(),
            invitations=self.enterprise.invitations.filter(
                organization=self, accepted_at=None, revoked_at=None
            ).count(),
        )

    def remove(self) -> None:
        """Delete the organization. Raises NotEmptyError while somebody or something belongs to it."""
        with transaction.atomic():
            self.enterprise.lock()
            if self.obstacles():
                raise NotEmptyError
            self.delete()
