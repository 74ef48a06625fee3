"""The one gate: which role permits what, and where."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from users.models import Enterprise, Organization, Role, RoleAssignment, User

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from users.models.user import UserQuerySet


class Permission(models.TextChoices):
    SEE_DASHBOARD = "see_dashboard", _("See the dashboard")
    SEE_PEOPLE = "see_people", _("See people")
    INVITE_PEOPLE = "invite_people", _("Invite people, and send invitations again")
    MANAGE_PEOPLE = (
        "manage_people",
        _("Disable, enable and delete people, change their email, end their sessions"),
    )
    GIVE_ROLES = "give_roles", _("Give and revoke roles")
    MANAGE_ORGANIZATIONS = "manage_organizations", _("Create, rename and delete organizations")
    MANAGE_CONNECTIONS = "manage_connections", _("Set up, test, enable and disable identity providers")
    MIGRATE_PEOPLE = "migrate_people", _("Move people to the identity provider")
    SEE_AUDIT_LOG = "see_audit_log", _("See and download the audit log")


_VIEWER = frozenset({Permission.SEE_DASHBOARD, Permission.SEE_PEOPLE})
_MANAGER = _VIEWER | {Permission.INVITE_PEOPLE}
_ORGANIZATION_ADMIN = _MANAGER | {Permission.MANAGE_PEOPLE, Permission.GIVE_ROLES}

# The table of the README, and of the test that walks every route with every role.
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.MANAGER: _MANAGER,
    Role.ORGANIZATION_ADMIN: _ORGANIZATION_ADMIN,
    Role.ENTERPRISE_ADMIN: frozenset(Permission),
}
# The highest role each may give to others, within the places it holds for.
MAY_GIVE_UP_TO: dict[Role, Role | None] = {
    Role.VIEWER: None,
    Role.MANAGER: Role.VIEWER,
    Role.ORGANIZATION_ADMIN: Role.ORGANIZATION_ADMIN,
    Role.ENTERPRISE_ADMIN: Role.ENTERPRISE_ADMIN,
}


class Access:
    """What one person may do in the enterprise of the session. Read once per request."""

    def __init__(self, user: User, assignments: Iterable[RoleAssignment]) -> None:
        self.user = user
        self.assignments = list(assignments)
        self._places: dict[Permission, set[str | None]] = {}
        for assignment in self.assignments:
            for permission in PERMISSIONS[Role(assignment.role)]:
                self._places.setdefault(permission, set()).add(assignment.organization_id)

    @classmethod
    def of(cls, user: User | AnonymousUser) -> Access:
        """Read the roles of ``user`` (one query) and return what they permit; nothing for an anonymous visitor."""
        if not isinstance(user, User) and not user.is_authenticated:
            return cls(user, ())  # type: ignore[arg-type]
        return cls(user, user.role_assignments.all())

    def may(self, permission: Permission, organization: Organization | None = None) -> bool:
        """Return whether ``permission`` is held: anywhere, or, when one is named, for that organization."""
        places = self._places.get(permission, set())
        if organization is None:
            return bool(places)
        return None in places or organization.pk in places

    def everywhere(self, permission: Permission) -> bool:
        """Return whether ``permission`` is held enterprise-wide."""
        return None in self._places.get(permission, set())

    def people(self, permission: Permission = Permission.SEE_PEOPLE) -> UserQuerySet:
        """Return the users this person may see, or, with another permission, act on.

        For an organization that means: somebody with a role there. To act on somebody, *every* role of that person
        must be within reach and not above one's own.
        """
        users = User.objects.of(self.user.enterprise)
        if self.everywhere(permission) and self._rank_everywhere() >= Role.ENTERPRISE_ADMIN.rank:
            return users
        places = self._places.get(permission, set())
        if None not in places:
            users = users.filter(role_assignments__organization__in=[p for p in places if p]).distinct()
        if permission != Permission.SEE_PEOPLE:
            beyond = RoleAssignment.objects.of(self.user.enterprise).exclude(self._within_reach())
            users = users.exclude(role_assignments__in=beyond).exclude(is_break_glass=True)
        return users

    def may_act_on(self, permission: Permission, user: User) -> bool:
        return self.people(permission).filter(pk=user.pk).exists()

    def giveable_roles(self, organization: Organization | None) -> list[Role]:
        """Return the roles this person may give for ``organization`` (None: enterprise-wide), the highest first."""
        here = {None, organization.pk if organization else None}
        gifts = [MAY_GIVE_UP_TO[Role(a.role)] for a in self.assignments if a.organization_id in here]
        highest = max((role.rank for role in gifts if role), default=0)
        roles = [role for role in Role if role.rank <= highest]
        return [r for r in roles if organization is None or r != Role.ENTERPRISE_ADMIN]

    def may_give(self, role: Role, organization: Organization | None) -> bool:
        return role in self.giveable_roles(organization)

    def may_revoke(self, assignment: RoleAssignment) -> bool:
        return self.may(Permission.GIVE_ROLES) and self.may_give(Role(assignment.role), assignment.organization)

    def organizations(self, permission: Permission) -> models.QuerySet[Organization]:
        """Return the organizations for which ``permission`` is held."""
        organizations = Organization.objects.of(self.user.enterprise)
        if self.everywhere(permission):
            return organizations
        return organizations.filter(pk__in=[p for p in self._places.get(permission, set()) if p])

    def _rank_everywhere(self) -> int:
        return max((Role(a.role).rank for a in self.assignments if a.organization_id is None), default=0)

    def _within_reach(self) -> models.Q:
        """Match role assignments this person could give: what is beyond it makes its holder untouchable."""
        reach = models.Q(pk__in=[])
        for assignment in self.assignments:
            highest = MAY_GIVE_UP_TO[Role(assignment.role)]
            if highest is None:
                continue
            roles = [role for role in Role if role.rank <= highest.rank]
            place = (
                models.Q() if assignment.organization_id is None else models.Q(organization=assignment.organization_id)
            )
            reach |= models.Q(role__in=roles) & place
        return reach


def allowed(
    permission: Permission,
) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Let a view be called only by somebody who holds ``permission`` somewhere; others of the enterprise get 403."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @functools.wraps(view)
        def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.access.may(permission):  # type: ignore[attr-defined]
                raise PermissionDenied
            return view(request, *args, **kwargs)

        gate.permission = permission  # type: ignore[attr-defined]  # The test that walks the routes reads it.
        return gate

    return decorate


def person_or_404(request: HttpRequest, pk: str, permission: Permission = Permission.SEE_PEOPLE) -> User:
    """Return the user ``pk`` of this enterprise, or raise Http404: also for people this person may not see.

    Somebody who may be seen but not acted on raises PermissionDenied when another permission is asked for.
    """
    access: Access = request.access  # type: ignore[attr-defined]
    user = access.people().select_related("connection").filter(pk=pk).first()
    if user is None:
        raise Http404
    user.enterprise = access.user.enterprise
    if permission != Permission.SEE_PEOPLE and not access.may_act_on(permission, user):
        raise PermissionDenied
    return user


def organization_or_404(enterprise: Enterprise, pk: str) -> Organization:
    organization = Organization.objects.of(enterprise).filter(pk=pk).first()
    if organization is None:
        raise Http404
    return organization
