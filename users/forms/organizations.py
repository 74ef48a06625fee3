"""Creating, renaming and deleting organizations."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit.actions import Action
from audit.models import Result, record
from users.access import Permission
from users.forms.acts import fresh_access
from users.forms.fields import NameField
from users.http import ConsoleRequest
from users.models import NotEmptyError, Organization


def _may_still(request: ConsoleRequest) -> None:
    fresh_access(request, request.enterprise.lock(), Permission.MANAGE_ORGANIZATIONS)


class OrganizationForm(forms.ModelForm):
    """Creates an organization, or renames the one it is given."""

    class Meta:
        model = Organization
        fields = ["name"]
        field_classes = {"name": NameField}
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "off"})}

    def __init__(self, request: ConsoleRequest, organization: Organization | None = None, **kwargs: Any) -> None:
        super().__init__(
            data=request.POST if request.method == "POST" else None,
            instance=organization or Organization(enterprise=request.enterprise, created_at=timezone.now()),
            **kwargs,
        )
        self.request = request
        self.is_new = organization is None
        self.before = self.instance.name

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if (
            Organization.objects.of(self.request.enterprise)
            .filter(name__iexact=name)
            .exclude(pk=self.instance.pk)
            .exists()
        ):
            raise forms.ValidationError(self._taken)
        return name

    @property
    def _taken(self) -> str:
        return _("There is an organization with this name already.")

    @property
    def done(self) -> str:
        if self.is_new:
            return _("%(name)s is created. Roles and connections can be limited to it.") % {"name": self.instance.name}
        return _("%(before)s is now called %(name)s.") % {"before": self.before, "name": self.instance.name}

    def save(self, commit: bool = True) -> Any:
        """Save and record it. Return False when somebody has taken the name since it was checked.

        Raises PermissionDenied for somebody who may not by now.
        """
        action = Action.ORGANIZATION_CREATED if self.is_new else Action.ORGANIZATION_RENAMED
        details = {} if self.is_new else {"before": self.before, "after": self.instance.name}
        try:
            with transaction.atomic():
                _may_still(self.request)
                self.instance.save()
                record(
                    action,
                    enterprise=self.request.enterprise,
                    request=self.request,
                    target=self.instance,
                    **details,
                )
        except IntegrityError:
            self.add_error("name", self._taken)
            return False
        return True


class DeleteOrganization(forms.Form):
    def __init__(self, request: ConsoleRequest, organization: Organization) -> None:
        super().__init__(data=request.POST if request.method == "POST" else None)
        self.request, self.organization = request, organization
        self.obstacles = organization.obstacles()

    @property
    def in_the_way(self) -> list[str]:
        """What has to go first, counted; empty when nothing does."""
        people, connections, invitations = (
            self.obstacles.people,
            self.obstacles.connections,
            self.obstacles.invitations,
        )
        said = []
        if people:
            said.append(
                ngettext("%(n)d person has a role here.", "%(n)d people have a role here.", people) % {"n": people}
            )
        if connections:
            said.append(
                ngettext("%(n)d connection is for it.", "%(n)d connections are for it.", connections)
                % {"n": connections}
            )
        if invitations:
            said.append(
                ngettext("%(n)d invitation to it is open.", "%(n)d invitations to it are open.", invitations)
                % {"n": invitations}
            )
        return said

    @property
    def done(self) -> str:
        return _("%(name)s is deleted.") % {"name": self.organization.name}

    def save(self) -> bool:
        """Delete it, and return whether it was; a deliberate no is an error of the form, and in the audit log.

        Raises PermissionDenied for somebody who may not by now.
        """
        try:
            with transaction.atomic():
                _may_still(self.request)
                self._record()
                self.organization.remove()
        except NotEmptyError:
            self._record(result=Result.REFUSED, reason="not_empty")
            self.obstacles = self.organization.obstacles()
            self.add_error(None, _("%(name)s is not empty.") % {"name": self.organization.name})
            return False
        return True

    def _record(self, **details: Any) -> None:
        record(
            Action.ORGANIZATION_DELETED,
            enterprise=self.request.enterprise,
            request=self.request,
            target=self.organization,
            **details,
        )
