"""The one gate: which role permits what, and where.

The rules, for built-in roles and for those an enterprise has made itself:

1. A role is a set of permissions. Given for an organization it permits them there, given enterprise-wide everywhere.
   What is about the enterprise as a whole (``Permission.is_of_enterprise``) is permitted enterprise-wide or not at all.
2. Nobody gives what they do not have. A role may be given by somebody with *one* role that holds for that place,
   carries the right to give (``GIVE_ROLES``, or ``INVITE_PEOPLE`` to people being invited) and permits everything the
   given one does. Two roles do not add up: Manager here and Organization Admin there is no more than either.
3. Whoever may invite but not give roles makes nobody who invites in turn: Managers invite Viewers.
4. Enterprise Admin is given by Enterprise Admins alone, and only to the whole enterprise, whatever a custom role
   permits: it permits also what is added to the catalogue later, and it alone is counted where one has to stay (M7).
5. Whoever acts on a person could become that person (a changed email is a way in): every role of theirs must be one
   that the acting role covers, as in 2.
6. Making or changing a role counts as giving it to everybody, as it was and as it becomes: it takes ``MANAGE_ROLES``
   and ``GIVE_ROLES`` in one enterprise-wide role that covers both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext_lazy as _

from audit.compiled import compiled
from audit.ids import is_id
from users.models import (
    AnyRole,
    CustomRole,
    Enterprise,
    Organization,
    Role,
    RoleAssignment,
    RoleChangedError,
    User,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from users.models.user_queryset import UserQuerySet


class Permission(models.TextChoices):
    """The catalogue: what a role can permit."""

    SEE_DASHBOARD = "see_dashboard", _("See the dashboard")
    SEE_PEOPLE = "see_people", _("See people")
    INVITE_PEOPLE = "invite_people", _("Invite people, and send invitations again")
    MANAGE_PEOPLE = (
        "manage_people",
        _("Disable, enable and delete people, change their email, end their sessions"),
    )
    GIVE_ROLES = "give_roles", _("Give and revoke roles")
    MANAGE_ROLES = "manage_roles", _("Create, change and delete roles")
    MANAGE_ORGANIZATIONS = "manage_organizations", _("Create, rename and delete organizations")
    MANAGE_CONNECTIONS = "manage_connections", _("Set up, test, enable and disable identity providers")
    SET_SESSION_LIMITS = "set_session_limits", _("Set how long sessions last")
    MIGRATE_PEOPLE = "migrate_people", _("Move people to the identity provider")
    MANAGE_SIGN_IN = (
        "manage_sign_in",
        _("Set what local accounts need to sign in, and keep break-glass accounts"),
    )
    SEE_AUDIT_LOG = "see_audit_log", _("See and download the audit log")
    CLOSE_ENTERPRISE = "close_enterprise", _("Export everything, and close the enterprise")

    @property
    def explanation(self) -> str | Promise:
        """What it comes to, in a sentence."""
        return _EXPLANATIONS.get(self, "")

    @property
    def is_of_enterprise(self) -> bool:
        """Whether it is about the enterprise as a whole, so that it cannot be limited to an organization."""
        return self not in _LIMITABLE

    @property
    def is_administrative(self) -> bool:
        """Whether it lets somebody change what others may do, or how they get in."""
        return self not in _NOT_ADMINISTRATIVE

    @property
    def needs(self) -> frozenset[Permission]:
        """What is of no use without."""
        return _NEEDS.get(self, frozenset())

    @property
    def needs_in_order(self) -> list[Permission]:
        return [permission for permission in Permission if permission in self.needs]


# Named are the harmless ones: what comes to the catalogue later concerns the whole enterprise, and administers, unless
# somebody says that it does not.
_LIMITABLE = frozenset(
    {
        Permission.SEE_DASHBOARD,
        Permission.SEE_PEOPLE,
        Permission.INVITE_PEOPLE,
        Permission.MANAGE_PEOPLE,
        Permission.GIVE_ROLES,
    }
)
_NOT_ADMINISTRATIVE = frozenset(
    {
        Permission.SEE_DASHBOARD,
        Permission.SEE_PEOPLE,
        Permission.INVITE_PEOPLE,
        Permission.MANAGE_ORGANIZATIONS,
        Permission.SEE_AUDIT_LOG,
    }
)
_NEEDS: dict[Permission, frozenset[Permission]] = {
    Permission.INVITE_PEOPLE: frozenset({Permission.SEE_PEOPLE}),
    Permission.MANAGE_PEOPLE: frozenset({Permission.SEE_PEOPLE}),
    Permission.GIVE_ROLES: frozenset({Permission.SEE_PEOPLE}),
    Permission.MANAGE_ROLES: frozenset({Permission.SEE_PEOPLE, Permission.GIVE_ROLES}),
    Permission.MIGRATE_PEOPLE: frozenset(
        {Permission.SEE_PEOPLE, Permission.INVITE_PEOPLE, Permission.MANAGE_PEOPLE, Permission.GIVE_ROLES}
    ),
}
_EXPLANATIONS: dict[Permission, str | Promise] = {
    Permission.SEE_DASHBOARD: _("Numbers and charts about the people one sees."),
    Permission.SEE_PEOPLE: _("The list of users, their pages, their roles, and who can do what."),
    Permission.INVITE_PEOPLE: _("To roles that permit no more than this one, and do not invite in turn."),
    Permission.MANAGE_PEOPLE: _("People whose every role permits no more than this one."),
    Permission.GIVE_ROLES: _("Roles that permit no more than this one, to people within reach; also by invitation."),
    Permission.MANAGE_ROLES: _("Roles that permit no more than this one. A change holds at once for all who have it."),
    Permission.MANAGE_ORGANIZATIONS: _("The parts of the enterprise that roles and connections are limited to."),
    Permission.MANAGE_CONNECTIONS: _("Decides how everyone signs in. Give it as you would give Enterprise Admin."),
    Permission.SET_SESSION_LIMITS: _("After how long people have to sign in again."),
    Permission.MANAGE_SIGN_IN: _("What is asked of people with a password, and the accounts for emergencies."),
    Permission.MIGRATE_PEOPLE: _("From a password to the provider, with their roles."),
    Permission.SEE_AUDIT_LOG: _("Everything that happened in the enterprise, with names and addresses."),
    Permission.CLOSE_ENTERPRISE: _("Everything as files. Once it is closed nobody signs in, and later all is gone."),
}

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


def permissions_of(role: AnyRole) -> frozenset[Permission]:
    """Return what ``role`` permits where it holds. What the catalogue does not know (any more) is nothing."""
    if isinstance(role, CustomRole):
        return frozenset(Permission(value) for value in role.permissions if value in Permission.values)
    return PERMISSIONS[role]


def with_what_they_need(permissions: Iterable[Permission]) -> frozenset[Permission]:
    chosen = frozenset(permissions)
    return chosen.union(*(permission.needs for permission in chosen))


def is_administrative(role: AnyRole) -> bool:
    """Return whether ``role`` lets somebody administer more than people: what Organization Admins may not."""
    return any(p.is_administrative and p not in _ORGANIZATION_ADMIN for p in permissions_of(role))


def is_for_enterprise_only(role: AnyRole) -> bool:
    """Return whether ``role`` cannot be given for one organization."""
    return role == Role.ENTERPRISE_ADMIN or any(p.is_of_enterprise for p in permissions_of(role))


def permitting(permission: Permission) -> models.Q:
    """Match the role assignments that carry ``permission``, wherever they hold."""
    built_in = [role for role in Role if permission in PERMISSIONS[role]]
    matches = models.Q(role__in=built_in) | models.Q(custom_role__permissions__contains=[permission])
    return matches & models.Q(organization=None) if permission.is_of_enterprise else matches


@dataclass(frozen=True)
class Gift:
    """What one role lets its holder give, or act on: roles that permit no more than ``most``, for ``place``."""

    place: str | None  # None is the whole enterprise, and every organization.
    most: frozenset[Permission]
    by_enterprise_admin: bool

    @classmethod
    def through(
        cls, role: AnyRole, place: str | None, permitted: frozenset[Permission], permission: Permission
    ) -> Gift:
        """Return what ``role``, which permits ``permitted`` at ``place``, lets its holder give by ``permission``."""
        if permission == Permission.INVITE_PEOPLE and Permission.GIVE_ROLES not in permitted:
            permitted -= {Permission.INVITE_PEOPLE}
        return cls(place, permitted, role == Role.ENTERPRISE_ADMIN)

    def covers(self, role: AnyRole, place: str | None) -> bool:
        if self.place not in (None, place) or (place is not None and is_for_enterprise_only(role)):
            return False
        if self.by_enterprise_admin:
            return True
        return role != Role.ENTERPRISE_ADMIN and permissions_of(role) <= self.most

    def matches(self) -> models.Q:
        """The same question as a condition for role assignments, or invitations."""
        if self.by_enterprise_admin:
            return models.Q(pk__isnull=False)
        built_in = [role for role in Role if role != Role.ENTERPRISE_ADMIN and PERMISSIONS[role] <= self.most]
        roles = models.Q(role__in=built_in) | models.Q(custom_role__permissions__contained_by=sorted(self.most))
        return roles & models.Q(organization=self.place) if self.place else roles


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
            for permission in _permitted_by(assignment):
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

    @property
    def is_enterprise_admin(self) -> bool:
        return any(assignment.held == Role.ENTERPRISE_ADMIN for assignment in self.assignments)

    def people(self, permission: Permission = Permission.SEE_PEOPLE) -> UserQuerySet:
        """Return the users this person may see, or, with another permission, act on.

        To see somebody, one of that person's roles must be within the organizations one sees; enterprise-wide roles
        see everyone. To act on somebody, *every* role of that person must be one that the permission lets one give:
        who also has a role elsewhere, or one that permits more, is out of reach. Break-glass accounts are for
        Enterprise Admins alone.
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
        if permission == Permission.SEE_PEOPLE or self.is_enterprise_admin:
            return users
        return users.filter(~models.Exists(self.beyond(permission)), is_break_glass=False)

    def beyond(self, permission: Permission, of: str = "pk") -> models.QuerySet[RoleAssignment]:
        """Return the roles of ``of``, a user in an outer query, that ``permission`` does not let this person give."""
        return RoleAssignment.objects.filter(user=models.OuterRef(of)).exclude(self.reach(permission))

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
        return [a for a in self.assignments if permission in _permitted_by(a)]

    @cached_property
    def custom_roles(self) -> list[CustomRole]:
        """The roles the enterprise has made itself, by name; one query, and only where roles are offered."""
        return list(CustomRole.objects.of(self.user.enterprise))

    @property
    def roles(self) -> list[AnyRole]:
        """Every role there is: the built-in ones, the highest first, then the enterprise's own."""
        return [*Role, *self.custom_roles]

    def role_or_404(self, key: str) -> AnyRole:
        if key in Role.values:
            return Role(key)
        role = CustomRole.objects.of(self.user.enterprise).filter(pk=key).first() if is_id(key) else None
        if role is None:
            raise Http404
        role.enterprise = self.user.enterprise
        return role

    def role_as_shown(self, shown: str) -> AnyRole:
        """Return the role that a form sent (``as_shown``). Raises RoleChangedError when it is not so any more."""
        if shown in Role.values:
            return Role(shown)
        role = next((role for role in self.custom_roles if role.as_shown == shown), None)
        if role is None:
            raise RoleChangedError
        return role

    def giveable_roles(
        self, organization: Organization | None, permission: Permission = Permission.INVITE_PEOPLE
    ) -> list[AnyRole]:
        """Return the roles this person may give for ``organization`` (None: enterprise-wide).

        By default to people being invited; with ``Permission.GIVE_ROLES`` to people who are here, which Managers may
        not.
        """
        gifts, place = self._gifts(permission), organization.pk if organization else None
        return [role for role in self.roles if any(gift.covers(role, place) for gift in gifts)]

    def may_give(
        self, role: AnyRole, organization: Organization | None, permission: Permission = Permission.INVITE_PEOPLE
    ) -> bool:
        return self._may_give_at(role, organization.pk if organization else None, permission)

    def may_give_somewhere(self, role: AnyRole) -> bool:
        """Return whether there is a place for which this person may give ``role`` to people who are here."""
        places = {assignment.organization_id for assignment in self.through(Permission.GIVE_ROLES)}
        return any(self._may_give_at(role, place, Permission.GIVE_ROLES) for place in places)

    def may_revoke(self, assignment: RoleAssignment) -> bool:
        return self._may_give_at(assignment.held, assignment.organization_id, Permission.GIVE_ROLES)

    def _may_give_at(self, role: AnyRole, place: str | None, permission: Permission) -> bool:
        return any(gift.covers(role, place) for gift in self._gifts(permission))

    def may_define(self, permissions: Iterable[Permission]) -> bool:
        """Return whether this person may make a role of ``permissions``, or change one that has them."""
        wanted = frozenset(permissions)
        return any(wanted <= most for most in self.definable)

    @property
    def definable(self) -> list[frozenset[Permission]]:
        """The most that a role made or changed by this person may permit, once for each role that lets them."""
        gifts = self._gifts(Permission.MANAGE_ROLES)
        return [gift.most for gift in gifts if gift.place is None and Permission.GIVE_ROLES in gift.most]

    def organizations(self, permission: Permission) -> models.QuerySet[Organization]:
        """Return the organizations for which ``permission`` is held."""
        organizations = Organization.objects.of(self.user.enterprise)
        if self.everywhere(permission):
            return organizations
        return organizations.filter(pk__in=[p for p in self._places.get(permission, set()) if p])

    def _gifts(self, permission: Permission) -> list[Gift]:
        """Return, for each role held that carries ``permission``, what it lets this person give."""
        return [Gift.through(a.held, a.organization_id, _permitted_by(a), permission) for a in self.through(permission)]

    def reach(self, permission: Permission) -> models.Q:
        """Match the role assignments that ``permission`` lets this person give, or invitations to such roles."""
        return functools.reduce(
            lambda matches, gift: matches | gift.matches(), self._gifts(permission), models.Q(pk__in=[])
        )


def _permitted_by(assignment: RoleAssignment) -> frozenset[Permission]:
    """Return what a role permits where it was given."""
    permitted = permissions_of(assignment.held)
    if assignment.is_everywhere:
        return permitted
    return frozenset(p for p in permitted if not p.is_of_enterprise)


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
