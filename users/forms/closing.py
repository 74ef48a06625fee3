"""Closing an enterprise, and opening it again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.db import transaction
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.actions import Action
from audit.models import Event, Result, record
from users.access import Permission
from users.forms.acts import fresh_access
from users.forms.fields import NameField
from users.http import ConsoleRequest
from users.models import ClosedError, User
from users.models.enterprise import RETURN_WITHIN
from users.tasks import tell_admins

# An export from before that is not what is in it now.
EXPORT_IS_FRESH = timedelta(hours=24)


class CloseEnterprise(forms.Form):
    """Asked twice: whoever gets here has said yes once, and now types the name."""

    name = NameField(
        label=gettext_lazy("Name of the enterprise"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": gettext_lazy("Type the name to close it.")},
    )

    def __init__(self, request: ConsoleRequest) -> None:
        super().__init__(data=request.POST if request.method == "POST" else None)
        self.request, self.enterprise = request, request.enterprise
        self.now = timezone.now()
        self.fields["name"].help_text = _("Type %(name)s to close it.") % {"name": self.enterprise.name}

    @property
    def gone_at(self) -> datetime:
        return self.now + RETURN_WITHIN

    @cached_property
    def people(self) -> int:
        return User.objects.of(self.enterprise).filter(joined_at__isnull=False).count()

    @cached_property
    def sessions(self) -> int:
        """How many sessions end, this one left out."""
        live = self.enterprise.sessions.live(self.now)
        return live.exclude(pk=self.request.session.row.pk).count()  # type: ignore[union-attr]

    @cached_property
    def exported(self) -> Event | None:
        """The newest export that still shows what is in it."""
        exports = Event.objects.of(self.enterprise).filter(action=Action.ENTERPRISE_EXPORTED)
        return exports.between(self.now - EXPORT_IS_FRESH, None).newest_first().first()

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name.casefold() != self.enterprise.name.casefold():
            raise forms.ValidationError(
                _("This is not the name. It is %(name)s.") % {"name": self.enterprise.name}, "other_name"
            )
        return name

    def clean(self) -> dict[str, Any]:
        if not self.exported:
            raise forms.ValidationError(_("Export everything first. Then it can be closed."), "not_exported")
        return self.cleaned_data

    def save(self) -> bool:
        """Close it, tell every Enterprise Admin, and return whether it was done: somebody may have been faster."""
        row = self.request.session.row
        try:
            with transaction.atomic():
                access = fresh_access(self.request, self.enterprise.lock(), Permission.CLOSE_ENTERPRISE)
                self.enterprise.close(by=access.user, at=self.now, keeping=row)
                record(
                    Action.ENTERPRISE_CLOSED,
                    enterprise=self.enterprise,
                    request=self.request,
                    target=self.enterprise,
                    result=Result.ALARM,
                    people=self.people,
                    sessions_ended=self.sessions,
                )
                tell_admins(self.enterprise, "enterprise_closed", by=access.user.label)
        except ClosedError:
            return False
        return True


class ReopenEnterprise(forms.Form):
    def __init__(self, request: ConsoleRequest) -> None:
        super().__init__(data=request.POST)
        self.request, self.enterprise = request, request.enterprise

    def save(self) -> bool:
        """Open it again, tell every Enterprise Admin, and return whether it was done."""
        try:
            with transaction.atomic():
                access = fresh_access(self.request, self.enterprise.lock(), Permission.CLOSE_ENTERPRISE)
                self.enterprise.reopen()
                record(
                    Action.ENTERPRISE_REOPENED,
                    enterprise=self.enterprise,
                    request=self.request,
                    target=self.enterprise,
                )
                tell_admins(self.enterprise, "enterprise_reopened", by=access.user.label)
        except ClosedError:
            return False
        return True
