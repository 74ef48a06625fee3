"""How long sessions last in an enterprise, and how often its identity provider is asked about them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.actions import Action
from audit.models import record
from users.access import Permission
from users.forms.acts import fresh_access
from users.http import ConsoleRequest
from users.models import Enterprise, Session
from users.models.enterprise import IDLE_MINUTES, REAUTHENTICATE_MINUTES, REPROVE_MINUTES, SESSION_HOURS

LIMITS = ("idle_minutes", "session_hours", "reprove_minutes", "reauthenticate_minutes")


class WholeNumberField(forms.IntegerField):
    """A number of minutes or hours, within bounds that its error names."""

    def __init__(self, bounds: tuple[int, int], unit: str | Promise, **kwargs: Any) -> None:
        least, most = bounds
        self.unit = unit
        within = format_lazy(gettext_lazy("Enter a whole number from {least} to {most}."), least=least, most=most)
        messages = dict.fromkeys(("required", "invalid", "min_value", "max_value"), within)
        super().__init__(min_value=least, max_value=most, error_messages=messages, **kwargs)


@dataclass(frozen=True)
class Effect:
    """What new limits do to the sessions that are open: how many end at once, this one among them, or end earlier."""

    ending: int
    is_own_ending: bool
    earlier: int


class SessionLimitsForm(forms.ModelForm):
    """Shorter limits hold for sessions that are open, too; longer ones for those that begin from now on."""

    idle_minutes = WholeNumberField(
        IDLE_MINUTES,
        gettext_lazy("minutes"),
        label=gettext_lazy("Without use, a session ends after"),
        help_text=gettext_lazy("5 to 1440. Every page that is opened begins the count anew."),
    )
    session_hours = WholeNumberField(
        SESSION_HOURS,
        gettext_lazy("hours"),
        label=gettext_lazy("In any case, a session ends after"),
        help_text=gettext_lazy("1 to 168. However much it is used, and also while the identity provider is down."),
    )
    reprove_minutes = WholeNumberField(
        REPROVE_MINUTES,
        gettext_lazy("minutes"),
        label=gettext_lazy("With a refresh token, ask every"),
        help_text=gettext_lazy("1 to 60. Gatehouse asks by itself while a session is used; nobody notices."),
    )
    reauthenticate_minutes = WholeNumberField(
        REAUTHENTICATE_MINUTES,
        gettext_lazy("minutes"),
        label=gettext_lazy("Without one, ask every"),
        help_text=gettext_lazy("15 to 1440. The browser goes there and back when a page is opened; nothing is typed."),
    )

    class Meta:
        model = Enterprise
        fields = LIMITS

    def __init__(self, request: ConsoleRequest) -> None:
        self.request, self.at = request, timezone.now()
        self.done = _("Nothing has changed.")
        self.before = {name: getattr(request.enterprise, name) for name in LIMITS}
        super().__init__(
            data=request.POST if request.method == "POST" else None,
            # A copy: what is typed holds for nobody before it is saved.
            instance=copy.copy(Enterprise.objects.get(pk=request.enterprise.pk)),
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        idle, hours = cleaned.get("idle_minutes"), cleaned.get("session_hours")
        if idle and hours and idle > hours * 60:
            problem = ngettext(
                "A session ends after %(hours)d hour anyway: %(minutes)d minutes at most.",
                "A session ends after %(hours)d hours anyway: %(minutes)d minutes at most.",
                hours,
            )
            self.add_error("idle_minutes", problem % {"hours": hours, "minutes": hours * 60})
        return cleaned

    @property
    def effect(self) -> Effect:
        """Return what saving would do, now that the form is valid."""
        sessions, wanted = Session.objects.of(self.instance), self.instance
        ending, own = sessions.over(wanted, self.at), self.request.session.row
        is_own = own is not None and ending.filter(pk=own.pk).exists()
        return Effect(ending.count(), is_own, sessions.ending_later(wanted, self.at).count() - ending.count())

    def is_confirmed(self, effect: Effect) -> bool:
        """Whether whoever sent this was told how many sessions it ends, if it ends any."""
        return not effect.ending or self.data.get("ending") == str(effect.ending)

    def save(self, commit: bool = True) -> Any:
        """Save, and have the sessions that are open keep within the new limits."""
        wanted = self.instance
        changed: dict[str, Any] = {name: f"{self.before[name]} → {getattr(wanted, name)}" for name in self.changed_data}
        if not changed:
            return wanted
        with transaction.atomic():
            fresh_access(self.request, wanted.lock(), Permission.SET_SESSION_LIMITS)
            effect = self.effect
            wanted.save(update_fields=LIMITS)
            sessions = Session.objects.of(wanted)
            ending = list(sessions.over(wanted, self.at).values_list("pk", flat=True))
            sessions.cut(wanted, self.at)
            sessions.filter(pk__in=ending).delete()
            record(
                Action.SESSION_LIMITS_CHANGED,
                enterprise=wanted,
                request=self.request,
                target=wanted,
                sessions_ended=len(ending),
                sessions_shortened=effect.earlier,
                **changed,
            )
        self.done = _done(len(ending), effect.earlier)
        return wanted


def _done(ended: int, earlier: int) -> str:
    said = [_("The limits are saved.")]
    if ended:
        said.append(ngettext("%(n)d session has ended.", "%(n)d sessions have ended.", ended) % {"n": ended})
    if earlier:
        said.append(
            ngettext("%(n)d open session ends earlier.", "%(n)d open sessions end earlier.", earlier) % {"n": earlier}
        )
    return " ".join(said)
