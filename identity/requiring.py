"""Having everyone use the provider, and letting that go: only after proof that both ways in work (T16)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django import forms
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.actions import Action
from audit.models import Result, record
from identity.models import Connection
from users.access import Permission
from users.forms.acts import fresh_access
from users.http import ConsoleRequest
from users.models import Enterprise, LastAdminError, Method, User, enterprise_admins, keep_an_admin
from users.models.break_glass import TEST_LASTS
from users.tasks import post_to_all

# So many of those who would be locked out are named on the page; more are a number and a link.
MOST_SHOWN = 8


@dataclass(frozen=True)
class Condition:
    """One thing that has to be so before everyone can be required to use the provider; with the way to get there."""

    holds: bool
    text: str
    url: str = ""
    link: str = ""


class RequireProvider(forms.Form):
    """The date from which passwords open nothing any more, but for break-glass accounts."""

    grace = forms.ChoiceField(
        label=gettext_lazy("Passwords stop working in"),
        choices=[(str(days), gettext_lazy("%(n)d days") % {"n": days}) for days in (7, 14, 30)],
        initial="14",
        widget=forms.RadioSelect,
    )

    def __init__(self, request: ConsoleRequest) -> None:
        super().__init__(request.POST if request.method == "POST" else None)
        self.request, self.enterprise, self.now = request, request.enterprise, timezone.now()

    @cached_property
    def connection(self) -> Connection | None:
        """The enabled connection that serves the whole enterprise."""
        return Connection.objects.of(self.enterprise).fitting(None).first()

    @cached_property
    def barred(self) -> int:
        """How many people would be locked out if it began now."""
        return User.objects.of(self.enterprise).barred_by_requirement().count()

    @cached_property
    def barred_first(self) -> list[User]:
        """The first of them by name, to be shown."""
        people = User.objects.of(self.enterprise).barred_by_requirement()
        return list(people.order_by("listed_as", "pk")[:MOST_SHOWN])

    @property
    def barred_others(self) -> int:
        return max(self.barred - MOST_SHOWN, 0)

    @property
    def has_begun(self) -> bool:
        return self.enterprise.requires_provider(self.now)

    @cached_property
    def conditions(self) -> list[Condition]:
        return [self._connection_serves(), self._just_signed_in(), self._break_glass_works()]

    @property
    def is_possible(self) -> bool:
        return all(condition.holds for condition in self.conditions)

    def _connection_serves(self) -> Condition:
        if self.connection:
            return Condition(True, _("%(provider)s is enabled for the whole enterprise.") % self._said)
        text = _("No connection is enabled for the whole enterprise.")
        return Condition(False, text, reverse("identity:connections"), _("Set one up"))

    def _just_signed_in(self) -> Condition:
        """The acting administrator has come through that very connection, a moment ago."""
        row = self.request.session.row
        if self.connection is None or row is None:
            return Condition(False, _("You have not signed in through it."))
        through = row.method == Method.CONNECTION and row.grant.connection_id == self.connection.pk
        if through and row.is_recently_proved(self.now):
            return Condition(True, _("You signed in through %(provider)s a moment ago.") % self._said)
        text = _("Sign in through %(provider)s once more, yourself: then it is known to work.") % self._said
        here = {"next": reverse("identity:requiring")}
        if through:
            url = reverse("identity:step_up", query=here)
        else:
            url = reverse("identity:start", args=[self.connection.pk], query=here | {"prompt": "login"})
        return Condition(False, text, url, _("Sign in with %(provider)s") % self._said)

    def _break_glass_works(self) -> Condition:
        # Whoever has lost the role gets in, and can repair nothing.
        accounts = enterprise_admins(self.enterprise).break_glass_tested(self.now - TEST_LASTS)
        if tested := accounts.order_by("-break_glass_tested_at").first():
            return Condition(
                True, _("The break-glass account of %(name)s was tested in the last 90 days.") % {"name": tested.label}
            )
        text = _(
            "No break-glass account of an Enterprise Admin was tested in the last 90 days. "
            "Test one, to know that it works."
        )
        return Condition(False, text, reverse("users:break_glass"), _("Test a break-glass account"))

    @property
    def _said(self) -> dict[str, str]:
        return {"provider": self.connection.label if self.connection else ""}

    def save(self) -> bool:
        """Require it, tell everyone whom it concerns, and return whether it was done; a no is an error of the form."""
        try:
            with transaction.atomic():
                enterprise = self.enterprise.lock()
                access = fresh_access(self.request, enterprise, Permission.MANAGE_CONNECTIONS)
                if enterprise.provider_required_from is not None:
                    return self._refuse("required_already", self._required_already(enterprise))
                if not self.is_possible:
                    return self._refuse("not_proved", _("Not everything that has to be so is so. See what is missing."))
                begins = self.now + timedelta(days=int(self.cleaned_data["grace"]))
                enterprise.require_provider(begins)
                keep_an_admin(enterprise)
                people = User.objects.of(enterprise).barred_by_requirement()
                told = post_to_all(
                    "provider_required", people.iterator(), enterprise=enterprise, by=access.user.label,
                    provider=self._said["provider"],
                )  # fmt: skip
                self._record(Action.PROVIDER_REQUIRED, begins=begins.isoformat(), people_told=told)
        except LastAdminError:
            sentence = _("Then no Enterprise Admin could sign in. Switch one of them to the provider first.")
            return self._refuse("last_admin", sentence)
        return True

    def _required_already(self, enterprise: Enterprise) -> str:
        said = {"date": date_format(timezone.localtime(enterprise.provider_required_from))}
        return _("It is required of everyone from %(date)s. Take that back first, to give another time.") % said

    def _refuse(self, reason: str, sentence: str | Promise) -> bool:
        self._record(Action.PROVIDER_REQUIRED, result=Result.REFUSED, reason=reason)
        self.add_error(None, str(sentence))
        return False

    def _record(self, action: Action, **details: object) -> None:
        record(action, enterprise=self.enterprise, request=self.request, target=self.enterprise, **details)  # type: ignore[arg-type]


def release(request: ConsoleRequest) -> datetime | None:
    """Let passwords go on, on record; return from when they would not have, or None when nothing was required."""
    with transaction.atomic():
        enterprise = request.enterprise.lock()
        fresh_access(request, enterprise, Permission.MANAGE_CONNECTIONS)
        was = enterprise.provider_required_from
        if was is not None:
            enterprise.release_from_provider()
            passwords_go_on(request, enterprise)
    return was


def passwords_go_on(request: ConsoleRequest, enterprise: Enterprise) -> None:
    """Put it on record, and tell those who had been told that theirs would end; within the caller's transaction."""
    record(Action.PROVIDER_RELEASED, enterprise=enterprise, request=request, target=enterprise)
    people = User.objects.of(enterprise).barred_by_requirement()
    post_to_all("provider_released", people.iterator(), enterprise=enterprise, by=request.user.label)
