"""Making, changing and deleting roles of the enterprise's own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.actions import Action
from audit.models import Result, record, record_each
from users.access import Access, Permission, permissions_of, with_what_they_need
from users.forms.acts import REFUSALS, fresh_access
from users.forms.fields import NameField, refuse_invisible
from users.http import ConsoleRequest
from users.models import (
    MOST_CUSTOM_ROLES,
    AnyRole,
    CustomRole,
    Role,
    RoleAssignment,
    RoleChangedError,
    RoleInUseError,
    User,
)
from users.models.role_assignment import RoleAssignmentQuerySet


class TooManyRolesError(Exception):
    """The enterprise has as many roles of its own as it may. Nothing was created."""


class HeldInOneOrganizationError(Exception):
    """What concerns the whole enterprise was added to a role that somebody has for an organization only."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.sentence = ngettext(
            "%(n)d person has this role for an organization only, and what you added concerns the whole enterprise. "
            "Give that by another role.",
            "%(n)d people have this role for an organization only, and what you added concerns the whole enterprise. "
            "Give that by another role.",
            number,
        ) % {"n": number}


@dataclass(frozen=True)
class Offer:
    """One permission to tick, or not to be had."""

    permission: Permission
    is_ticked: bool
    is_lacked: bool  # By whoever makes the role; nobody gives what they do not have.


class RoleForm(forms.Form):
    """Creates a role, perhaps beginning as a copy of ``copied``, or changes ``role``.

    A change of what it permits is a change for everybody who has it, so it is asked twice: ``confirmed`` says that the
    people were counted.
    """

    name = NameField(label=gettext_lazy("Name"), max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    description = forms.CharField(
        label=gettext_lazy("Description"),
        help_text=gettext_lazy("Who it is for, in a sentence."),
        max_length=300,
        required=False,
        validators=[refuse_invisible],
    )
    permissions = forms.MultipleChoiceField(
        label=gettext_lazy("What it permits"),
        choices=Permission.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Tick at least one thing.")},
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, request: ConsoleRequest, role: CustomRole | None = None, copied: AnyRole | None = None) -> None:
        self.request, self.role, self.copied = request, role, copied
        self.is_refused = False
        super().__init__(data=request.POST if request.method == "POST" else None, initial=self._initial())

    def _initial(self) -> dict[str, Any]:
        if self.role:
            return {
                "name": self.role.name,
                "description": self.role.description,
                "permissions": self.role.permissions,
                "version": self.role.version,
            }
        if self.copied:
            return {
                "name": (_("Copy of %(role)s") % {"role": self.copied.label})[:60],
                "description": self.copied.description if isinstance(self.copied, CustomRole) else "",
                "permissions": [p.value for p in permissions_of(self.copied) if p in self._had],
            }
        return {"permissions": [Permission.SEE_DASHBOARD.value, Permission.SEE_PEOPLE.value]}

    @cached_property
    def _had(self) -> frozenset[Permission]:
        """What whoever asks may put into some role; whether all of it into one is asked of the whole."""
        return frozenset().union(*self.request.access.definable)

    # ---- What the page shows

    @property
    def left_out(self) -> list[Permission]:
        """What a copy does not get, since whoever makes it lacks it."""
        return [p for p in Permission if self.copied and p in permissions_of(self.copied) and p not in self._had]

    def _offers(self, *, of_enterprise: bool) -> list[Offer]:
        ticked = self["permissions"].value() or []
        return [
            Offer(p, p.value in ticked, p not in self._had) for p in Permission if p.is_of_enterprise is of_enterprise
        ]

    @property
    def offers(self) -> list[tuple[str, str, list[Offer]]]:
        return [
            (_("People"), _("Everywhere, or in one organization: that is chosen when the role is given."),
             self._offers(of_enterprise=False)),
            (_("The whole enterprise"), _("A role with any of these can be given for the whole enterprise only."),
             self._offers(of_enterprise=True)),
        ]  # fmt: skip

    @cached_property
    def people(self) -> int:
        """How many people a change is for."""
        return self.role.uses().people if self.role else 0

    @cached_property
    def chosen(self) -> frozenset[Permission]:
        return with_what_they_need(Permission(value) for value in self.cleaned_data["permissions"])

    @property
    def _before(self) -> frozenset[Permission]:
        return permissions_of(self.role) if self.role else frozenset()

    @property
    def added(self) -> list[Permission]:
        return [p for p in Permission if p in self.chosen - self._before]

    @property
    def removed(self) -> list[Permission]:
        return [p for p in Permission if p in self._before - self.chosen]

    @property
    def has_to_be_confirmed(self) -> bool:
        """Whether the change is one for people, and they have not been counted yet."""
        changes = bool(self.role and (self.added or self.removed))
        return changes and bool(self.people) and not self.cleaned_data["confirmed"]

    @property
    def needs_proof(self) -> bool:
        """Whether, once it is valid, it asks for a recent sign-in (``users.step_up``)."""
        return any(permission.is_administrative for permission in self.chosen | self._before)

    @property
    def done(self) -> str:
        name = self.cleaned_data["name"]
        if self.role is None:
            return _("The role %(name)s is created. Nobody has it yet.") % {"name": name}
        if not self.people:
            return _("The role %(name)s is changed.") % {"name": name}
        return ngettext(
            "The role %(name)s is changed. It holds at once, for %(n)d person.",
            "The role %(name)s is changed. It holds at once, for %(n)d people.",
            self.people,
        ) % {"name": name, "n": self.people}

    # ---- Judging

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name.casefold() in {str(role.label).casefold() for role in Role}:
            raise forms.ValidationError(_("This is the name of a built-in role. Choose another."))
        others = CustomRole.objects.of(self.request.enterprise).exclude(pk=self.role.pk if self.role else None)
        if others.filter(name__iexact=name).exists():
            raise forms.ValidationError(self._taken)
        return name

    @property
    def _taken(self) -> str:
        return _("There is a role with this name already.")

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("permissions") and not self.request.access.may_define(self.chosen):
            self.add_error("permissions", _("You cannot put into a role what no single role of yours permits."))
        return data

    # ---- Acting

    def save(self) -> CustomRole | None:
        """Create or change the role, and record it. None means that the form has an error now.

        Raises PermissionDenied or Http404 when the right to do it, or the role, is gone by now.
        """
        try:
            with transaction.atomic():
                enterprise = self.request.enterprise.lock()
                access = fresh_access(self.request, enterprise, Permission.MANAGE_ROLES)
                if not access.may_define(self.chosen):
                    raise PermissionDenied
                return self._change(access) if self.role else self._create(access)
        except RoleChangedError as error:
            reason, sentence = REFUSALS[type(error)]
            self._refuse(reason, str(sentence))
        except HeldInOneOrganizationError as error:
            self._refuse("held_in_one_organization", error.sentence)
        except TooManyRolesError:
            self.add_error(None, _("There are %(n)d roles of your own, as many as may be.") % {"n": MOST_CUSTOM_ROLES})
        except IntegrityError:
            self.add_error("name", self._taken)
        return None

    def _create(self, access: Access) -> CustomRole:
        if CustomRole.objects.of(self.request.enterprise).count() >= MOST_CUSTOM_ROLES:
            raise TooManyRolesError
        role = CustomRole.objects.create(
            enterprise=self.request.enterprise,
            name=self.cleaned_data["name"],
            description=self.cleaned_data["description"],
            permissions=sorted(self.chosen),
            created_by=access.user,
            created_at=timezone.now(),
        )
        copied = {"copy_of": str(self.copied.label)} if self.copied else {}
        self._record(Action.ROLE_CREATED, role, permissions=sorted(self.chosen), **copied)
        return role

    def _change(self, access: Access) -> CustomRole:
        role = CustomRole.objects.of(self.request.enterprise).filter(pk=self.role.pk).first()  # type: ignore[union-attr]
        if role is None:
            raise Http404
        if not access.may_define(permissions_of(role)):
            raise PermissionDenied
        if role.version != self.cleaned_data["version"]:
            raise RoleChangedError
        if any(p.is_of_enterprise for p in self.added):
            self._held_everywhere_or_not(role)
        values = {name: self.cleaned_data[name] for name in ("name", "description")}
        difference: dict[str, Any] = {
            name: {"before": getattr(role, name), "after": value}
            for name, value in values.items()
            if getattr(role, name) != value
        }
        difference |= {
            name: [p.value for p in permissions]
            for name, permissions in (("added", self.added), ("removed", self.removed))
            if permissions
        }
        if difference:
            role.edit(**values, permissions=self.chosen, by=access.user, at=timezone.now())
            self._record(Action.ROLE_EDITED, role, **difference, people=self.people)
        return role

    def _held_everywhere_or_not(self, role: CustomRole) -> None:
        """What concerns the whole enterprise is not for somebody who has the role for one organization."""
        people = role.role_assignments.filter(organization__isnull=False).values("user").distinct().count()
        invitations = self.request.enterprise.invitations.filter(
            custom_role=role, organization__isnull=False, accepted_at=None, revoked_at=None
        ).count()
        if people or invitations:
            raise HeldInOneOrganizationError(people or invitations)

    def _refuse(self, reason: str, sentence: str) -> None:
        self.is_refused = True
        self._record(Action.ROLE_EDITED, self.role, result=Result.REFUSED, reason=reason)  # type: ignore[arg-type]
        self.add_error(None, sentence)

    def _record(self, action: Action, role: CustomRole, **details: Any) -> None:
        record(action, enterprise=self.request.enterprise, request=self.request, target=role, **details)


class DeleteRole(forms.Form):
    def __init__(self, request: ConsoleRequest, role: CustomRole) -> None:
        super().__init__(data=request.POST if request.method == "POST" else None)
        self.request, self.role = request, role
        self.uses = role.uses()

    @property
    def done(self) -> str:
        return _("The role %(name)s is deleted.") % {"name": self.role.name}

    def save(self) -> bool:
        """Delete it, and return whether it was; a deliberate no is an error of the form, and in the audit log."""
        try:
            with transaction.atomic():
                access = fresh_access(self.request, self.request.enterprise.lock(), Permission.MANAGE_ROLES)
                role = CustomRole.objects.of(self.request.enterprise).filter(pk=self.role.pk).first()
                if role is None:
                    raise Http404
                if not access.may_define(permissions_of(role)):
                    raise PermissionDenied
                self._record(permissions=role.permissions)
                role.remove()
        except RoleInUseError:
            self._record(result=Result.REFUSED, reason="role_in_use")
            self.uses = self.role.uses()
            self.add_error(None, _("%(name)s is in use.") % {"name": self.role.name})
            return False
        return True

    def _record(self, **details: Any) -> None:
        record(
            Action.ROLE_DELETED, enterprise=self.request.enterprise, request=self.request, target=self.role, **details
        )


class RevokeFromEveryone(forms.Form):
    """Take a role of the enterprise's own back from all who have it, so that it can be deleted."""

    def __init__(self, request: ConsoleRequest, role: CustomRole) -> None:
        super().__init__(data=request.POST if request.method == "POST" else None)
        self.request, self.role = request, role
        self.people = self._revocable(request.access).values("user").distinct().count()
        self.out_of_reach = role.uses().people - self.people

    def _revocable(self, access: Access) -> RoleAssignmentQuerySet:
        """Return who has it and where, as far as ``access`` reaches."""
        given = RoleAssignment.objects.of(self.request.enterprise).holding(self.role)
        return given.filter(access.reach(Permission.GIVE_ROLES), user__in=access.people(Permission.GIVE_ROLES))

    @property
    def done(self) -> str:
        return ngettext(
            "%(name)s is revoked from %(n)d person.", "%(name)s is revoked from %(n)d people.", self.people
        ) % {"name": self.role.name, "n": self.people}  # fmt: skip

    def save(self) -> None:
        """Revoke it from everyone within reach, in as many statements as there are places."""
        with transaction.atomic():
            access = fresh_access(self.request, self.request.enterprise.lock(), Permission.GIVE_ROLES)
            given = list(self._revocable(access).select_related("user", "organization"))
            self.people = len({assignment.user_id for assignment in given})
            by_place: defaultdict[str, list[User]] = defaultdict(list)
            for assignment in given:
                by_place[str(assignment)].append(assignment.user)
            RoleAssignment.objects.filter(pk__in=[assignment.pk for assignment in given]).delete()
            for words, users in by_place.items():
                record_each(
                    Action.ROLE_REVOKED, enterprise=self.request.enterprise, request=self.request, targets=users,
                    role=words,
                )  # fmt: skip
