"""The one gate: which role permits what, and where."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from audit.compiled import compiled
from audit.ids import is_id
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
    SET_SESSION_LIMITS = "set_session_limits", _("Set how long sessions last")
    MIGRATE_PEOPLE = "migrate_people", _("Move people to the identity provider")
    SEE_AUDIT_LOG = "see_audit_log", _("See and download the audit log")
    CLOSE_ENTERPRISE = "close_enterprise", _("Export everything, and close the enterprise")


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


@compiled
def _roles_of(user: User) -> models.QuerySet[RoleAssignment]:
    return RoleAssignment.objects.filter(user=user).order_by()


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
        return cls(user, _roles_of(user))

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

        To see somebody, one of that person's roles must be within the organizations one sees; enterprise-wide roles
        see everyone. To act on somebody, *every* role of that person must be one that the permission lets one give:
        who also has a role elsewhere, or a higher one, is out of reach. Break-glass accounts are for Enterprise
        Admins alone.
        """
        users = User.objects.of(self.user.enterprise)
        if not self.may(permission):
            return users.none()
        if not self.everywhere(permission):
            # Subqueries instead of joins: a person with three roles here is still one row.
            here = RoleAssignment.objects.filter(
                user=models.OuterRef("pk"), organization__in=[place for place in self._places[permission] if place]
            )
            users = users.filter(models.Exists(here))
        if permission == Permission.SEE_PEOPLE or Role.ENTERPRISE_ADMIN in self.giveable_roles(None, permission):
            return users
        beyond = RoleAssignment.objects.filter(user=models.OuterRef("pk")).exclude(self.reach(permission))
        return users.filter(~models.Exists(beyond), is_break_glass=False)

    def may_act_on(self, permission: Permission, user: User) -> bool:
        return self.people(permission).filter(pk=user.pk).exists()

    def person_or_404(self, pk: str, permission: Permission = Permission.SEE_PEOPLE) -> User:
        """See the function of this name."""
        user = self.people().select_related("connection").filter(pk=pk).first() if is_id(pk) else None
        if user is None:
            raise Http404
        user.enterprise = self.user.enterprise
        if permission != Permission.SEE_PEOPLE and not self.may_act_on(permission, user):
            raise PermissionDenied
        return user

    def through(self, permission: Permission) -> list[RoleAssignment]:
        """Return the role assignments that carry ``permission``."""
        return [a for a in self.assignments if permission in PERMISSIONS[Role(a.role)]]

    def giveable_roles(
        self, organization: Organization | None, permission: Permission = Permission.INVITE_PEOPLE
    ) -> list[Role]:
        """Return the roles this person may give for ``organization`` (None: enterprise-wide), the highest first.

        By default to people being invited; with ``Permission.GIVE_ROLES`` to people who are here, which Managers may
        not. Only roles that carry the permission count, so being Manager here and Organization Admin there adds up
        to no more than either.
        """
        return self._roles_for(organization.pk if organization else None, permission)

    def may_give(
        self, role: Role, organization: Organization | None, permission: Permission = Permission.INVITE_PEOPLE
    ) -> bool:
        return role in self.giveable_roles(organization, permission)

    def may_revoke(self, assignment: RoleAssignment) -> bool:
        return Role(assignment.role) in self._roles_for(assignment.organization_id, Permission.GIVE_ROLES)

    def organizations(self, permission: Permission) -> models.QuerySet[Organization]:
        """Return the organizations for which ``permission`` is held."""
        organizations = Organization.objects.of(self.user.enterprise)
        if self.everywhere(permission):
            return organizations
        return organizations.filter(pk__in=[p for p in self._places.get(permission, set()) if p])

    def _gifts(self, permission: Permission) -> list[tuple[str | None, list[Role]]]:
        """Return, per role held that carries ``permission``: where it holds, and which roles it may give there."""
        gifts = []
        for assignment in self.assignments:
            highest = MAY_GIVE_UP_TO[Role(assignment.role)]
            if highest and permission in PERMISSIONS[Role(assignment.role)]:
                gifts.append((assignment.organization_id, [role for role in Role if role.rank <= highest.rank]))
        return gifts

    def _roles_for(self, place: str | None, permission: Permission) -> list[Role]:
        given = {role for where, roles in self._gifts(permission) if where in (None, place) for role in roles}
        # Enterprise Admin is for the whole enterprise or not at all.
        return [role for role in Role if role in given and (place is None or role != Role.ENTERPRISE_ADMIN)]

    def reach(self, permission: Permission) -> models.Q:
        """Match the role assignments that ``permission`` lets this person give, or invitations to such roles."""
        matches = models.Q(pk__in=[])
        for place, roles in self._gifts(permission):
            matches |= models.Q(role__in=roles) & (models.Q(organization=place) if place else models.Q())
        return matches


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


View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def serves_closed(view: View) -> View:
    """Let a view be called in a closed enterprise, too; every other one leads to the page that says so (R7)."""
    view.serves_closed = True  # type: ignore[attr-defined]
    return view


def person_or_404(request: HttpRequest, pk: str, permission: Permission = Permission.SEE_PEOPLE) -> User:
    """Return the user ``pk`` of this enterprise, or raise Http404: also for people this person may not see.

    Somebody who may be seen but not acted on raises PermissionDenied when another permission is asked for.
    """
    return request.access.person_or_404(pk, permission)  # type: ignore[attr-defined]


def organization_or_404(enterprise: Enterprise, pk: str) -> Organization:
    organization = Organization.objects.of(enterprise).filter(pk=pk).first()
    if organization is None:
        raise Http404
    return organization
