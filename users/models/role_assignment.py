"""Who has which role, and where."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from users.models.admins import enterprise_admins, keep_an_admin
from users.models.break_glass import BreakGlassError
from users.models.custom_role import AnyRole, CustomRole, columns_of
from users.models.enterprise import Enterprise, Organization
from users.models.role import Role
from users.models.user import User


class RoleAssignmentQuerySet(models.QuerySet["RoleAssignment"]):
    def of(self, enterprise: Enterprise) -> RoleAssignmentQuerySet:
        return self.filter(enterprise=enterprise)

    def holding(self, role: AnyRole) -> RoleAssignmentQuerySet:
        return self.filter(**columns_of(role))

    def give(
        self, *, user: User, role: AnyRole, organization: Organization | None, by: User, at: datetime
    ) -> RoleAssignment:
        """Give ``user`` a role and return the assignment; the one there is when the person has it already.

        The caller has checked that ``by`` may. Raises DoesNotExist when the person, the organization or the role was
        deleted meanwhile: the enterprise's row is locked, as for every act that may take one of them away.
        """
        with transaction.atomic():
            enterprise = user.enterprise.lock()
            User.objects.of(enterprise).get(pk=user.pk)
            if organization is not None:
                Organization.objects.of(enterprise).get(pk=organization.pk)
            if isinstance(role, CustomRole):
                role = CustomRole.objects.of(enterprise).get(pk=role.pk)
            assignment, _new = self.get_or_create(
                enterprise=enterprise,
                user=user,
                organization=organization,
                **columns_of(role),
                defaults={"given_by": by, "given_at": at},
            )
        return assignment

    def give_each(
        self, users: Iterable[User], *, role: AnyRole, organization: Organization | None, by: User, at: datetime
    ) -> list[RoleAssignment]:
        """Give each of ``users`` a role they do not have yet: one statement, however many they are.

        The caller holds the enterprise's lock, and has read them, and checked that ``by`` may, since.
        """
        return RoleAssignment.objects.bulk_create(
            RoleAssignment(
                enterprise_id=user.enterprise_id, user=user, organization=organization, given_by=by, given_at=at,
                **columns_of(role),
            )
            for user in users
        )  # fmt: skip


class RoleAssignmentManager(models.Manager.from_queryset(RoleAssignmentQuerySet)):  # type: ignore[misc]
    """Reads a custom role with the row that gives it: whoever asks for a role wants its name or what it permits."""

    def get_queryset(self) -> RoleAssignmentQuerySet:
        queryset: RoleAssignmentQuerySet = super().get_queryset().select_related("custom_role")
        return queryset


class RoleAssignment(models.Model):
    """A role given to a user, for one organization or, when that is None, enterprise-wide.

    Either ``role``, a built-in one, or ``custom_role``; ``held`` is whichever it is.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="role_assignments")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="role_assignments")
    role = models.CharField(_("role"), max_length=20, choices=Role.choices, blank=True)
    custom_role = models.ForeignKey(
        CustomRole, on_delete=models.RESTRICT, null=True, blank=True, related_name="role_assignments"
    )
    organization = models.ForeignKey(
        Organization, on_delete=models.RESTRICT, null=True, blank=True, related_name="role_assignments"
    )
    given_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    given_at = models.DateTimeField(default=timezone.now)

    objects = RoleAssignmentManager()

    class Meta:
        ordering = ["given_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "role", "custom_role", "organization"], nulls_distinct=False, name="role_once_per_place"
            ),
            models.CheckConstraint(
                condition=Q(role="", custom_role__isnull=False) | (~Q(role="") & Q(custom_role=None)),
                name="built_in_or_custom_role",
            ),
            models.CheckConstraint(
                condition=~Q(role="enterprise_admin") | Q(organization=None),
                name="enterprise_admin_is_enterprise_wide",
            ),
        ]
        indexes = [models.Index(fields=["enterprise", "role"], name="assignment_by_role")]

    def __str__(self) -> str:
        return f"{self.get_role_display()}, {self.place}"

    @property
    def held(self) -> AnyRole:
        return self.custom_role or Role(self.role)

    def get_role_display(self) -> str:  # type: ignore[no-redef]
        """The role's name; Django's own would know the built-in ones only."""
        return str(self.held.label)

    @property
    def standing(self) -> tuple[int, str, str]:
        """Where it stands among several: the built-in ones, the highest first, then the enterprise's own by name."""
        rank = self.held.rank if isinstance(self.held, Role) else 0
        return -rank, self.get_role_display(), self.place

    @property
    def place(self) -> str:
        """Where the role holds, in words."""
        return self.organization.name if self.organization else str(_("whole enterprise"))

    @property
    def is_everywhere(self) -> bool:
        return self.organization_id is None

    def revoke(self) -> None:
        """Take the role back. Raises LastAdminError when nobody could administer the enterprise any more.

        Raises BreakGlassError when no break-glass account could: with the provider down, nobody would repair it.
        """
        with transaction.atomic():
            enterprise = self.enterprise.lock()
            self.delete()
            keep_an_admin(enterprise)
            is_way_in = self.role == Role.ENTERPRISE_ADMIN and self.user.is_break_glass
            if is_way_in and not enterprise_admins(enterprise).filter(is_break_glass=True).exists():
                raise BreakGlassError
