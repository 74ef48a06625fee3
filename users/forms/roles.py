"""Giving roles to a person, and taking them back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.actions import Action
from users.access import Access, Permission, is_administrative, is_for_enterprise_only
from users.forms.acts import Act, consequence
from users.forms.fields import RoleField
from users.http import ConsoleRequest
from users.models import AnyRole, Organization, Role, RoleAssignment, User

EVERYWHERE = "everywhere"


def for_enterprise_only(role: AnyRole) -> str:
    """Say why ``role`` cannot be given for one organization."""
    if role == Role.ENTERPRISE_ADMIN:
        return _("An Enterprise Admin is one for the whole enterprise. Choose that, or another role.")
    return _("%(role)s permits what concerns the whole enterprise. Choose that, or another role.") % {
        "role": role.label
    }


class GiveRole(Act):
    action = Action.ROLE_GIVEN
    permission = Permission.GIVE_ROLES
    danger = False

    role = RoleField(label=gettext_lazy("Role"))
    place = forms.ChoiceField(label=gettext_lazy("Where"))

    def __init__(self, request: ConsoleRequest, person: User, **kwargs: Any) -> None:
        super().__init__(request, person, **kwargs)
        access = request.access
        self.organizations = {o.pk: o for o in access.organizations(self.permission)}
        whole = [(EVERYWHERE, _("Whole enterprise"))] if access.everywhere(self.permission) else []
        # With a choice there is no default: it would be the whole enterprise.
        choose = [("", _("Choose where"))] if whole and self.organizations else []
        places = choose + whole + [(o.pk, o.name) for o in self.organizations.values()]
        self.fields["place"].choices = places  # type: ignore[attr-defined]
        self.fields["role"].offer(access, self.organizations.values(), self.permission)  # type: ignore[attr-defined]

    @property
    def url(self) -> str:
        return reverse("users:give_role", args=[self.person.pk])

    @property
    def title(self) -> str:
        return _("Give %(name)s a role") % {"name": self.person.label}

    @property
    def safe(self) -> str:
        return _("Cancel")

    @property
    def final(self) -> str:
        return _("Give role")

    @property
    def done(self) -> str:
        return _("%(name)s is now %(role)s, %(place)s.") % {
            "name": self.person.label,
            "role": self.given.get_role_display(),
            "place": self.given.place,
        }

    @property
    def needs_proof(self) -> bool:
        return is_administrative(self.cleaned_data["role"])

    @property
    def organization(self) -> Organization | None:
        return self.organizations.get(self.cleaned_data["place"])

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if "role" not in data or "place" not in data:
            return data
        role = data["role"]
        if self.organization and is_for_enterprise_only(role):
            self.add_error("place", for_enterprise_only(role))
        elif not self.request.access.may_give(role, self.organization, self.permission):
            self.add_error("role", _("You cannot give this role there."))
        elif self.person.role_assignments.holding(role).filter(organization=self.organization).exists():
            self.add_error("role", _("%(name)s has this role there already.") % {"name": self.person.label})
        return data

    def act(self, person: User, access: Access, at: datetime) -> None:
        role = access.role_as_shown(self.cleaned_data["role"].as_shown)
        if not access.may_give(role, self.organization, self.permission):
            raise PermissionDenied
        try:
            self.given = RoleAssignment.objects.give(
                user=person, role=role, organization=self.organization, by=access.user, at=at
            )
        except Organization.DoesNotExist as error:
            raise Http404 from error
        self.record(role=str(self.given))


class RevokeRoles(Act):
    """Take back one role, or all of them so that the account can be deleted (M6)."""

    action = Action.ROLE_REVOKED
    permission = Permission.GIVE_ROLES

    def __init__(
        self, request: ConsoleRequest, person: User, only: RoleAssignment | None = None, **kwargs: Any
    ) -> None:
        super().__init__(request, person, **kwargs)
        self.only = only
        self.assignments = [only] if only else person.ranked_roles

    @property
    def id(self) -> str:
        return f"revoke-{self.only.pk}" if self.only else "revoke-roles"

    @property
    def url(self) -> str:
        if self.only:
            return reverse("users:revoke_role", args=[self.person.pk, self.only.pk])
        return reverse("users:revoke_roles", args=[self.person.pk])

    @property
    def title(self) -> str:
        if self.only:
            return _("Revoke %(role)s?") % {"role": self.only}
        number = len(self.assignments)
        return ngettext(
            "Revoke the role of %(name)s?", "Revoke all %(n)d roles of %(name)s?", number
        ) % {"n": number, "name": self.person.label}  # fmt: skip

    @property
    def text(self) -> str:
        if self.is_own:
            return _("This is your own role. What it let you do ends at once, and only somebody else can give it back.")
        if self.only:
            return _("What it let %(name)s do ends at once. The account, and its other roles, stay.") % {
                "name": self.person.label
            }
        return ngettext(
            "What it lets %(name)s do ends at once. Then the account can be deleted, and the person invited again.",
            "What they let %(name)s do ends at once. Then the account can be deleted, and the person invited again.",
            len(self.assignments),
        ) % {"name": self.person.label}

    @property
    def consequences(self) -> list[dict[str, Any]]:
        lost = [] if self.only else [consequence(str(assignment), holds=False) for assignment in self.assignments]
        if self._leaves_sight:
            lost.append(
                consequence(
                    _("With no role left, %(name)s is out of your sight. An Enterprise Admin can delete the account.")
                    % {"name": self.person.label},
                    holds=False,
                )
            )
        return lost

    @property
    def _leaves_sight(self) -> bool:
        """Whoever looks after some organizations sees the people with a role there, and nobody else."""
        everywhere = self.request.access.everywhere(Permission.SEE_PEOPLE)
        return not everywhere and len(self.assignments) == len(self.person.ranked_roles)

    @property
    def safe(self) -> str:
        return ngettext("Keep the role", "Keep the roles", len(self.assignments))

    @property
    def final(self) -> str:
        number = len(self.assignments)
        return ngettext("Revoke %(n)d role", "Revoke %(n)d roles", number) % {"n": number}

    @property
    def done(self) -> str:
        number = len(self.assignments)
        return ngettext(
            "%(n)d role of %(name)s is revoked.", "%(n)d roles of %(name)s are revoked.", number
        ) % {"n": number, "name": self.person.label}  # fmt: skip

    def act(self, person: User, access: Access, at: datetime) -> None:
        for assignment in person.role_assignments.filter(pk__in=[a.pk for a in self.assignments]):
            if not access.may_revoke(assignment):
                raise PermissionDenied
            self.record(role=str(assignment))
            assignment.revoke()
