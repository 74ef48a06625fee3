"""Roles that an enterprise has made for itself, beside the built-in four."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from users.models.enterprise import Enterprise
from users.models.role import Role
from users.models.user import User

if TYPE_CHECKING:
    from users.models.role_assignment import RoleAssignmentQuerySet

# Enough for every enterprise we know of, and few enough to be read at once wherever one is chosen.
MOST_CUSTOM_ROLES = 100


class RoleInUseError(Exception):
    """Somebody has the role, or is invited to it, so that it cannot be deleted. Nothing was changed."""


class RoleChangedError(Exception):
    """The role is not what was shown when the act was chosen. Nothing was changed."""


class CustomRoleQuerySet(models.QuerySet["CustomRole"]):
    def of(self, enterprise: Enterprise) -> CustomRoleQuerySet:
        return self.filter(enterprise=enterprise)


@dataclass(frozen=True)
class Uses:
    """What stands in the way of deleting a role, counted."""

    people: int
    invitations: int

    def __bool__(self) -> bool:
        return bool(self.people or self.invitations)


class CustomRole(models.Model):
    """A name for some permissions. It answers to the same names as ``Role``.

    ``permissions`` are values of ``users.access.Permission``; who may make, change and give one is decided there.
    Every change is a new ``version``: what is given is what was shown (see ``as_shown``).
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="custom_roles")
    name = models.CharField(_("name"), max_length=60)
    description = models.CharField(_("description"), max_length=300, blank=True)
    permissions = ArrayField(models.CharField(max_length=32), default=list)
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    edited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    edited_at = models.DateTimeField(null=True)

    objects = CustomRoleQuerySet.as_manager()
    role_assignments: RoleAssignmentQuerySet

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                Lower("name"), "enterprise", name="custom_role_name_once_per_enterprise",
                violation_error_message=_("There is a role with this name already."),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """What stands for it in addresses and filters."""
        return self.pk

    @property
    def as_shown(self) -> str:
        """What a form sends for it: an older version that was looked at is not what is given now."""
        return f"{self.pk}-{self.version}"

    def edit(self, *, name: str, description: str, permissions: Iterable[str], by: User, at: datetime) -> None:
        """Make it so for all who have it. The caller holds the enterprise's lock and has checked that ``by`` may."""
        self.name, self.description, self.permissions = name, description, sorted(permissions)
        self.version += 1
        self.edited_by, self.edited_at = by, at
        self.save(update_fields=["name", "description", "permissions", "version", "edited_by", "edited_at"])

    def uses(self) -> Uses:
        """Count who has it, and who is invited to it."""
        return Uses(
            people=self.role_assignments.values("user").distinct().count(),
            invitations=self.enterprise.invitations.filter(custom_role=self, accepted_at=None, revoked_at=None).count(),
        )

    def remove(self) -> None:
        """Delete the role. Raises RoleInUseError while somebody has it or is invited to it."""
        with transaction.atomic():
            self.enterprise.lock()
            if self.uses():
                raise RoleInUseError
            self.delete()


AnyRole: TypeAlias = Role | CustomRole


def columns_of(role: AnyRole) -> dict[str, Any]:
    """Return the columns of a row that gives ``role``: one of the two is empty."""
    if isinstance(role, CustomRole):
        return {"role": "", "custom_role": role}
    return {"role": role, "custom_role": None}
