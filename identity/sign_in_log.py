"""Advanced → Sign-in log: every sign-in of the enterprise, how it ended, and all there is to know about one of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.actions import Action
from audit.ids import is_id, reference_as_typed
from audit.models import Event, EventQuerySet, Result
from identity import mistakes
from identity.attempts import Purpose
from identity.claims import MAIN
from identity.ended import SessionEnded
from identity.models import Connection
from identity.oidc import Code
from identity.refusal_pages import Page, Stop
from identity.refused import REASONS, Reason, reason_of
from identity.told import LOCAL, WHAT, provider_of, told
from invitations.models import Invitation
from users.models import Enterprise, Method, User, fold_email

# How each ended, as the filter names it.
KINDS: dict[str, tuple[Action, Promise]] = {
    "signed_in": (Action.SESSION_STARTED, gettext_lazy("Signed in")),
    "refused": (Action.SESSION_REFUSED, gettext_lazy("Refused")),
    "ended": (Action.SESSION_ENDED_BY_PROVIDER, gettext_lazy("Ended by the provider")),
}
SIGN_INS = tuple(action for action, _words in KINDS.values())
# Claims that are times, in seconds since 1970.
TIMES = ("exp", "iat", "nbf", "auth_time", "session_expiry")
# Ways in that are no connection, as the filter names them beside connections.
WITHOUT = (Method.PASSWORD, Method.BREAK_GLASS)
PURPOSES = {
    Purpose.SIGN_IN: gettext_lazy("Signing in"),
    Purpose.INVITATION: gettext_lazy("Accepting an invitation"),
    Purpose.TEST: gettext_lazy("Testing the connection"),
    Purpose.STEP_UP: gettext_lazy("Confirming a change"),
    Purpose.SWITCH: gettext_lazy("Switching to the provider"),
    Purpose.QUIET: gettext_lazy("Asking about a session"),
}


def sign_ins_of(enterprise: Enterprise) -> EventQuerySet:
    return Event.objects.of(enterprise).filter(action__in=SIGN_INS)


class SignInFilter(forms.Form):
    """What of the log to show. Lives in the address, so that a view of it can be sent to somebody."""

    q = forms.CharField(required=False, max_length=100, label=gettext_lazy("Person, email or reference"))
    result = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Result"),
        choices=[("", gettext_lazy("Any result")), *((kind, words) for kind, (_action, words) in KINDS.items())],
    )
    reason = forms.ChoiceField(required=False, label=gettext_lazy("Reason"))
    through = forms.ChoiceField(required=False, label=gettext_lazy("Through"))
    since = forms.DateField(required=False, label=gettext_lazy("From"), widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label=gettext_lazy("To"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, data: Any, connections: Iterable[Connection]) -> None:
        super().__init__(data)
        ways = [(connection.pk, connection.title) for connection in connections]
        ways += [(method.value, str(method.label)) for method in WITHOUT]
        self.fields["through"].choices = [("", _("Any way in")), *ways]  # type: ignore[attr-defined]
        self.fields["reason"].choices = [("", _("Any reason")), *_reasons()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("since") and data.get("until") and data["since"] > data["until"]:
            self.add_error("until", _("This is before the day it begins. Swap the two."))
        return data

    def events(self, enterprise: Enterprise, zone: ZoneInfo) -> EventQuerySet:
        """Return the sign-ins of ``enterprise`` that match. Days are days in ``zone``."""
        wanted = self.cleaned_data
        events = sign_ins_of(enterprise).on_days(wanted.get("since"), wanted.get("until"), zone)
        if text := wanted.get("q", "").strip():
            events = events.filter(
                Q(actor_label__icontains=text)
                | Q(actor__email_folded__contains=fold_email(text))
                | Q(target_label__icontains=text, target_type__in=("invitation", "user"))
                | Q(details__email__icontains=text)
                | Q(details__claims__email__icontains=text)
                | Q(reference=reference_as_typed(text) or None)
            )
        if wanted.get("result"):
            events = events.filter(action=KINDS[wanted["result"]][0])
        if wanted.get("reason"):
            events = events.filter(reason=wanted["reason"])
        if way := wanted.get("through"):
            events = events.filter(**({"details__connection": way} if is_id(way) else {"details__method": way}))
        return events


def _reasons() -> list[tuple[str, str]]:
    """Return what a sign-in can be refused for, in words, sorted by them."""
    names = {"provider": _("the provider")}
    codes = [*(code.value for code in REASONS), *LOCAL]
    return sorted(((code, capfirst(str(WHAT[code]) % names)) for code in codes), key=lambda pair: pair[1])


class Row:
    """One sign-in in the list: who, through what, and in a few words why not."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self.said: dict[str, str] = event.details.get("claims") or {}

    @property
    def who(self) -> str:
        """Return the name we know; else what the provider, the invitation or the form said; else nothing."""
        names = [self.event.actor_label, self.said.get("email"), self.event.details.get("email")]
        if self.event.target_type in ("invitation", "user"):
            names.append(self.event.target_label)
        return next((str(name) for name in names if name), "")

    @property
    def through(self) -> str:
        method = self.event.details.get("method")
        if method in WITHOUT:
            return str(Method(method).label)
        provider = self.event.details.get("provider")
        if not provider and method == Method.CONNECTION:
            provider = self.event.target_label
        return capfirst(str(provider or _("Password")))

    @property
    def kind(self) -> str:
        return next(kind for kind, (action, _words) in KINDS.items() if action == self.event.action)

    @property
    def word(self) -> str:
        return str(KINDS[self.kind][1])

    @property
    def shape(self) -> str:
        """Return the status component's kind: the shape and colour of it."""
        if self.event.result == Result.ALARM:
            return "alarm"
        return {"signed_in": "done", "refused": "refused", "ended": "disabled"}[self.kind]

    @property
    def why(self) -> str:
        return told(self.event)


class Entry(Row):
    """All that is on record about one sign-in, and the rows it names as far as they are still there.

    ``account`` is who it was; when nobody proved that, whose email was named: that is no proof of anything.
    """

    def __init__(self, event: Event, enterprise: Enterprise) -> None:
        super().__init__(event)
        self.enterprise = enterprise
        self.connection = self._connection()
        self.invitation = self._invitation()
        self.account = event.actor or self._named()

    def _connection(self) -> Connection | None:
        connections = Connection.objects.of(self.enterprise).select_related("organization", "serving")
        return connections.filter(pk=self.event.details.get("connection", "")).first()

    def _invitation(self) -> Invitation | None:
        if self.event.target_type != "invitation":
            return None
        return Invitation.objects.of(self.enterprise).filter(pk=self.event.target_id).first()

    def _named(self) -> User | None:
        users = User.objects.of(self.enterprise)
        if self.event.target_type == "user":
            return users.filter(pk=self.event.target_id).first()
        email = self.said.get("email") or self.event.details.get("email")
        return users.with_email(str(email)).first() if email else None

    @property
    def title(self) -> str:
        return self.why or self.word

    @property
    def purpose(self) -> str:
        return str(PURPOSES.get(self.event.details.get("purpose", ""), ""))

    @property
    def reason(self) -> Code | Reason | None:
        return reason_of(self.event.reason)

    @property
    def page(self) -> Page | None:
        """Return what the person read."""
        if self.reason is None:
            return None
        return SessionEnded(self.reason).page if self.kind == "ended" else REASONS[self.reason].page

    @property
    def mistake(self) -> mistakes.Mistake | None:
        """Return which check said no, with the fix; None for a sign-in that no provider had a part in."""
        if self.reason is None:
            return None
        details = self.event.details
        refusal = {"code": self.event.reason, "expected": details.get("expected", ""), "got": details.get("got", "")}
        serving = self.connection.serving if self.connection else None
        return mistakes.of(
            refusal,
            provider=provider_of(self.event),
            enterprise=self.enterprise.name,
            is_proved_by_key=serving is not None and serving.is_proved_by_key,
        )

    @property
    def provider_note(self) -> str:
        return self._note(Stop.PROVIDER)

    @property
    def house_note(self) -> str:
        return self._note(Stop.HOUSE)

    def _note(self, stop: Stop) -> str:
        """Return the small words beneath the station where it ended, if that is ``stop``."""
        return str(self.page.note) if self.page and self.page.stop is stop else ""

    @property
    def stopped(self) -> str:
        return self.page.stop.value if self.page else ""

    @property
    def read(self) -> str:
        """Return what stood above that page."""
        names = {"provider": provider_of(self.event), "enterprise": self.enterprise.name, "app": "Gatehouse"}
        return capfirst(str(self.page.title) % names) if self.page else ""

    @property
    def path_label(self) -> str:
        names = {"provider": capfirst(provider_of(self.event)), "enterprise": self.enterprise.name}
        words = {
            Stop.PROVIDER: _("The sign-in reached %(provider)s and ended there. %(enterprise)s was not reached."),
            Stop.HOUSE: _("The sign-in came back from %(provider)s, and %(enterprise)s refused it."),
            Stop.UNTRIED: _("%(provider)s was not asked, and %(enterprise)s was not reached."),
        }
        through = _("The sign-in came back from %(provider)s, and %(enterprise)s let it in.")
        return (words[self.page.stop] if self.page else through) % names

    @property
    def claims(self) -> list[tuple[str, str]]:
        """Return what the token said: what means something here first, and times also as people read them."""
        names = sorted(self.said, key=lambda name: (MAIN.index(name) if name in MAIN else len(MAIN), name))
        return [(name, _with_time(self.said[name]) if name in TIMES else str(self.said[name])) for name in names]


def _with_time(value: object) -> str:
    try:
        moment = datetime.fromtimestamp(float(str(value)), UTC)
    except (ValueError, OverflowError, OSError):
        return str(value)
    return f"{value} ({date_format(timezone.localtime(moment), 'j F Y, H:i:s')})"
