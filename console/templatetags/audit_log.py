"""How events of the audit log read."""

from __future__ import annotations

from django import template
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from audit.actions import phrase
from audit.models import Event, Result
from identity.refused import REASONS, reason_of
from identity.sign_in_log import SIGN_INS
from identity.told import told

register = template.Library()

ICONS = {
    "session": "log-in",
    "connection": "key-round",
    "credential": "key-round",
    "secret": "key-round",
    "key": "key-round",
    "keys": "key-round",
    "invitation": "mail-plus",
    "batch": "arrow-left-right",
    "switch": "arrow-left-right",
    "role": "id-card",
    "user": "user",
    "organization": "building-2",
    "email": "mail",
    "password": "key-round",
    "break-glass": "life-buoy",
    "enterprise": "building-2",
    "audit": "download",
}


@register.filter
def event_icon(event: Event) -> str:
    """The lucide name of what ``event`` is about; a refusal has its own."""
    if event.result == Result.REFUSED:
        return "circle-x"
    return ICONS.get(event.action.partition(":")[0], "circle-dot")


@register.filter
def event_phrase(event: Event) -> str:
    """What stands between who did it and what it was done to: “invited”, “gave a role to”."""
    return phrase(event.action, has_target=bool(event.target_label))


@register.filter
def event_object(event: Event) -> str:
    """Whom or what it was done to; empty when it was done to nothing."""
    return event.target_label


@register.filter
def event_reason(event: Event) -> str:
    """Why it was refused, or how it came about, in a few words; empty when there is nothing to say."""
    return told(event)


@register.filter
def event_url(event: Event) -> str:
    """Where all there is to know about it stands: a sign-in's own page, or its line in the log."""
    if event.action in SIGN_INS:
        return reverse("identity:sign_in_entry", args=[event.pk])
    return f"{reverse('console:audit')}?q={event.reference}"


@register.filter
def event_fix(event: Event) -> str:
    """What an administrator can do about a sign-in that was refused or ended; empty for everything else."""
    reason = reason_of(event.reason)
    if reason is None:
        return ""
    names = {"provider": _("the provider"), "expected": "—", "got": "—"}
    names |= {name: str(event.details[name]) for name in names if event.details.get(name)}
    return capfirst(str(REASONS[reason].fix) % names)


@register.filter
def detail_words(value: object) -> str:
    """A value of an event's details in one line: lists with commas, dictionaries as ``key=value``."""
    if isinstance(value, dict):
        return ", ".join(f"{key}={inner}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(str(inner) for inner in value)
    return str(value)
