"""Who has which role, and where."""

from __future__ import annotations

from datetime import datetime

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from users.models.enterprise import Enterprise, Organization
from users.models.role import Role
from users.models.user import BreakGlassError, User, enterprise_admins, keep_an_admin


class RoleAssignmentQuerySet(models.QuerySet["RoleAssignment"]):
    def of(self, enterprise: Enterprise) -> RoleAssignmentQuerySet:
        return self.filter(enterprise=enterprise)

    def give(
        self, *, user: User, role: Role, organization: Organization | None, by: User, at: datetime
    ) -> RoleAssignment:
        """Give ``user`` a role and return the assignment; the one there is when the person has it already.

        The caller has checked that ``by`` may. Raises DoesNotExist when the person or the organization was deleted
        meanwhile: the enterprise's row is locked, as for every act that may take either away.
        """
        with transaction.atomic():
            enterprise = user.enterprise.lock()
            User.objects.of(enterprise).get(pk=user.pk)
            if organization is not None:
                Organization.objects.of(enterprise).get(pk=organization.pk)
            assignment, _new = self.get_or_create(
                enterprise=enterprise,
                user=user,
                role=role,
                organization=organization,
                defaults={"given_by": by, "given_at": at},
            )
        return assignment


class RoleAssignment(models.Model):
    """A role given to a user, for one organization or, when that is None, enterprise-wide."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="role_assignments")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="role_assignments")
    role = models.CharField(_("role"), max_length=20, choices=Role.choices)
    organization = models.ForeignKey(
        Organization, on_delete=models.RESTRICT, null=True, blank=True, related_name="role_assignments"
    )
    given_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    given_at = models.DateTimeField(default=timezone.now)

    objects = RoleAssignmentQuerySet.as_manager()

    class Meta:
        ordering = ["given_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "role", "organization"], nulls_distinct=False, name="role_once_per_place"
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
