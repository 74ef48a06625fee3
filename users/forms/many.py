"""Giving a role to several people at once, and taking it back from them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.actions import Action
from audit.ids import is_id
from audit.models import Result, record, record_each
from users.access import Access, Permission, is_administrative, is_for_enterprise_only
from users.forms.acts import REFUSALS, fresh_access
from users.forms.fields import RoleField
from users.forms.roles import EVERYWHERE, for_enterprise_only
from users.http import ConsoleRequest
from users.models import (
    AnyRole,
    BreakGlassError,
    LastAdminError,
    Organization,
    RoleAssignment,
    RoleChangedError,
    User,
)

# As many as a page of the list shows.
MOST_AT_ONCE = 50


@dataclass
class Chosen:
    """One of several people something is to be done to; why not, if not; and whether it was done."""

    person: User
    obstacle: str = ""
    is_done: bool = False


def chosen_among(request: ConsoleRequest, ids: list[str], permission: Permission) -> list[Chosen]:
    """Return the people behind ``ids``, as far as they may be seen; who cannot be acted on has an obstacle."""
    ids = [pk for pk in ids if is_id(pk)][:MOST_AT_ONCE]
    within_reach = set(request.access.people(permission).filter(pk__in=ids).values_list("pk", flat=True))
    people = request.access.people().filter(pk__in=ids).select_related("connection")
    chosen = []
    for person in people.prefetch_related("role_assignments__organization").order_by("listed_as", "id"):
        person.enterprise = request.enterprise
        obstacle = "" if person.pk in within_reach else _("Out of your reach: has a role you cannot give.")
        chosen.append(Chosen(person, obstacle))
    return chosen


class RoleForMany(forms.Form):
    """One role, one place, several people: each is judged alone, and told about alone.

    ``asked`` is the key of the role in the address, where the page is about one; then there is nothing to choose.
    """

    action: Action

    role = RoleField(label=gettext_lazy("Role"))
    place = forms.ChoiceField(label=gettext_lazy("Where"))

    def __init__(self, request: ConsoleRequest, ids: list[str], asked: str = "") -> None:
        super().__init__(data=request.POST if request.method == "POST" else None)
        self.request = request
        self.is_refused = False
        self.chosen = chosen_among(request, ids, Permission.GIVE_ROLES)
        self.organizations = {o.pk: o for o in request.access.organizations(Permission.GIVE_ROLES)}
        field: RoleField = self.fields["role"]  # type: ignore[assignment]
        field.offer(request.access, self.organizations.values(), Permission.GIVE_ROLES)
        self.fixed: AnyRole | None = request.access.role_or_404(asked) if asked else None
        if self.fixed:
            if not request.access.may_give_somewhere(self.fixed):
                raise PermissionDenied
            field.widget = forms.HiddenInput()
        self.fields["place"].choices = self._places()  # type: ignore[attr-defined]

    def _places(self) -> list[tuple[str, str]]:
        whole = [(EVERYWHERE, _("Whole enterprise"))] if self.request.access.everywhere(Permission.GIVE_ROLES) else []
        of_organizations = [] if self.fixed and is_for_enterprise_only(self.fixed) else self.organizations.values()
        return [*whole, *((o.pk, o.name) for o in of_organizations)]

    def clean(self) -> dict[str, Any]:
        if self.fixed and "role" in self.errors:
            # What was shown is no role there is now; the page shows how it is, and has to be sent anew.
            del self.errors["role"]
            self._refuse_changed_role()
        return self.cleaned_data

    def _refuse_changed_role(self) -> None:
        reason, sentence = REFUSALS[RoleChangedError]
        self.is_refused = True
        record(
            self.action, enterprise=self.request.enterprise, request=self.request, result=Result.REFUSED,
            reason=reason, people=len(self.to_do),
        )  # fmt: skip
        self.add_error(None, str(sentence))

    @property
    def ways(self) -> list[tuple[str, str, bool]]:
        """What can become of these people's roles: its words, its address, and whether it is what this form does."""
        these = urlencode([("user", one.person.pk) for one in self.chosen])
        return [
            (_("Give a role"), f"{reverse('users:bulk_give_role')}?{these}", self.action == Action.ROLE_GIVEN),
            (_("Revoke a role"), f"{reverse('users:bulk_revoke_role')}?{these}", self.action == Action.ROLE_REVOKED),
        ]

    @property
    def needs_proof(self) -> bool:
        """Whether, once it is valid, it asks for a recent sign-in (``users.step_up``)."""
        return False

    @property
    def to_do(self) -> list[Chosen]:
        return [one for one in self.chosen if not one.obstacle]

    @property
    def done(self) -> list[Chosen]:
        return [one for one in self.chosen if one.is_done]

    @property
    def organization(self) -> Organization | None:
        return self.organizations.get(self.cleaned_data["place"])

    def save(self) -> bool:
        """Act on everyone there is no obstacle for, and note on each what became of it.

        Everything is asked again under the enterprise's lock: who may, what the role permits, who is within reach.
        Return False, with an error of the form, when the role is not what was shown.
        """
        try:
            with transaction.atomic():
                access = fresh_access(self.request, self.request.enterprise.lock(), Permission.GIVE_ROLES)
                role = access.role_as_shown(self.cleaned_data["role"].as_shown)
                ids = [one.person.pk for one in self.to_do]
                within_reach = set(access.people(Permission.GIVE_ROLES).filter(pk__in=ids).values_list("pk", flat=True))
                for one in self.to_do:
                    if one.person.pk not in within_reach:
                        one.obstacle = _("Out of your reach: has a role you cannot give.")
                self.act(role, access, timezone.now())
        except RoleChangedError:
            self._refuse_changed_role()
        return not self.is_refused

    @abstractmethod
    def act(self, role: AnyRole, access: Access, at: datetime) -> None: ...

    def record_each(self, users: list[User], role: str) -> None:
        if users:
            record_each(self.action, enterprise=self.request.enterprise, request=self.request, targets=users, role=role)


class GiveToMany(RoleForMany):
    action = Action.ROLE_GIVEN

    @property
    def needs_proof(self) -> bool:
        return is_administrative(self.cleaned_data["role"])

    def _places(self) -> list[tuple[str, str]]:
        places = super()._places()
        # With a choice there is no default: it would be the whole enterprise.
        return [("", _("Choose where")), *places] if len(places) > 1 else places

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if "role" not in data or "place" not in data:
            return data
        role = data["role"]
        if self.organization and is_for_enterprise_only(role):
            self.add_error("place", for_enterprise_only(role))
        elif not self.request.access.may_give(role, self.organization, Permission.GIVE_ROLES):
            self.add_error("place" if self.fixed else "role", _("You cannot give this role there."))
        return data

    def act(self, role: AnyRole, access: Access, at: datetime) -> None:
        organization = self.organization
        if not access.may_give(role, organization, Permission.GIVE_ROLES):
            raise PermissionDenied
        if organization and not access.organizations(Permission.GIVE_ROLES).filter(pk=organization.pk).exists():
            raise PermissionDenied
        there = RoleAssignment.objects.of(self.request.enterprise).holding(role).filter(organization=organization)
        have_it = set(there.filter(user__in=[one.person for one in self.to_do]).values_list("user", flat=True))
        for one in self.to_do:
            if one.person.pk in have_it:
                one.obstacle = _("Has this role there already.")
        given = RoleAssignment.objects.give_each(
            [one.person for one in self.to_do], role=role, organization=organization, by=access.user, at=at
        )
        if given:
            self.record_each([one.person for one in self.to_do], str(given[0]))
        for one in self.to_do:
            one.is_done = True


class RevokeFromMany(RoleForMany):
    action = Action.ROLE_REVOKED

    WHEREVER = "wherever"

    def __init__(self, request: ConsoleRequest, ids: list[str], asked: str = "") -> None:
        super().__init__(request, ids, asked)
        if self.fixed:
            for one in self.to_do:
                if not any(given.held == self.fixed for given in one.person.role_assignments.all()):
                    one.obstacle = _("Does not have this role.")

    def _places(self) -> list[tuple[str, str]]:
        return [(self.WHEREVER, _("Wherever they have it")), *super()._places()]

    def act(self, role: AnyRole, access: Access, at: datetime) -> None:
        given = RoleAssignment.objects.of(self.request.enterprise).holding(role).select_related("organization")
        if self.cleaned_data["place"] != self.WHEREVER:
            given = given.filter(organization=self.organization)
        for one in self.to_do:
            theirs = [a for a in given.filter(user=one.person) if access.may_revoke(a)]
            one.obstacle = _revoked(theirs, one.person) if theirs else _("Does not have this role there.")
            if not one.obstacle:
                one.is_done = True
                for assignment in theirs:
                    self.record_each([one.person], str(assignment))


def _revoked(assignments: list[RoleAssignment], person: User) -> str:
    """Take back ``assignments`` of ``person``, all or none, and return why not; empty when it was done."""
    try:
        with transaction.atomic():
            for assignment in assignments:
                assignment.user = person
                assignment.revoke()
    except (LastAdminError, BreakGlassError) as error:
        return str(REFUSALS[type(error)][1]) % {"name": person.label}
    return ""
