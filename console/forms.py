"""How forms are drawn, and the audit log's filter."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django import forms
from django.db.models import Q
from django.forms.renderers import TemplatesSetting
from django.utils.translation import gettext_lazy as _

from audit.actions import OPERATORS, Action
from audit.ids import reference_as_typed
from audit.models import Event, EventQuerySet, Result
from users.models import Enterprise, fold_email


class Renderer(TemplatesSetting):
    """Django's own form rendering, with our field and form templates."""

    form_template_name = "components/form.html"
    field_template_name = "components/field.html"


class AuditFilter(forms.Form):
    """What of the audit log to show. Lives in the address, so that a view of it can be sent to somebody."""

    q = forms.CharField(required=False, max_length=100, label=_("Person, action or reference"))
    action = forms.ChoiceField(required=False, label=_("Action"))
    result = forms.ChoiceField(required=False, label=_("Result"), choices=[("", _("Any result")), *Result.choices])
    person = forms.CharField(required=False, max_length=12, widget=forms.HiddenInput)
    since = forms.DateField(required=False, label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label=_("To"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        actions = [(action.value, action.value) for action in Action if action not in OPERATORS]
        self.fields["action"].choices = [("", _("Any action")), *actions]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("since") and data.get("until") and data["since"] > data["until"]:
            self.add_error("until", _("This is before the day it begins. Swap the two."))
        return data

    def events(self, enterprise: Enterprise, zone: zoneinfo.ZoneInfo) -> EventQuerySet:
        """Return the events of ``enterprise`` that match, newest first. Days are days in ``zone``."""
        events = Event.objects.of(enterprise).newest_first()
        wanted = self.cleaned_data
        if wanted.get("q"):
            text = wanted["q"].strip()
            events = events.filter(
                Q(actor_label__icontains=text)
                | Q(actor__email_folded__contains=fold_email(text))
                | Q(target_label__icontains=text)
                | Q(action__icontains=text)
                | Q(reason__icontains=text)
                | Q(reference=reference_as_typed(text) or None)
            )
        if wanted.get("action"):
            events = events.filter(action=wanted["action"])
        if wanted.get("result"):
            events = events.filter(result=wanted["result"])
        if wanted.get("person"):
            events = events.filter(Q(actor=wanted["person"]) | Q(target_id=wanted["person"]))
        return events.on_days(wanted.get("since"), wanted.get("until"), zone)
