"""One's own account: name, time zone, password."""

from __future__ import annotations

import zoneinfo
from functools import cache
from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.models import client_address, printable, record
from users.forms.fields import CurrentPasswordField, NameField, NewPasswordField
from users.models import AccountChangedError, Session, Throttle, User
from users.sessions import device_name
from users.tasks import post_email, tell_of_break_glass

TRIES_AT_THE_CURRENT_PASSWORD = 5


@cache
def _time_zones() -> list[tuple[str, str]]:
    """Every zone with a place, ``Area/City``, and UTC, which is the one nobody has chosen."""
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [("", "UTC"), *((name, name.replace("_", " ").replace("/", ", ")) for name in names)]


class ProfileForm(forms.Form):
    name = NameField(label=_("Name"), widget=forms.TextInput(attrs={"autocomplete": "name"}))
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        help_text=_("Times on every page and in every email to you are given in it."),
        required=False,
    )

    def __init__(self, data: QueryDict | None = None, *, user: User) -> None:
        self.user = user
        super().__init__(data, initial={"name": user.name, "time_zone": user.time_zone})
        self.fields["time_zone"].choices = _time_zones()  # type: ignore[attr-defined]

    def save(self, request: HttpRequest) -> None:
        self.user.name, self.user.time_zone = self.cleaned_data["name"], self.cleaned_data["time_zone"]
        with transaction.atomic():
            self.user.save(update_fields=["name", "time_zone"])
            record(
                "profile:changed",
                enterprise=self.user.enterprise,
                request=request,
                actor=self.user,
                target=self.user,
                fields=self.changed_data,
            )


class NewPasswordForm(forms.Form):
    """Choosing a password, behind an emailed link."""

    password = NewPasswordField(label=_("New password"))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, self.user)
        return password

    def save(self, request: HttpRequest, *, keep: Session | None = None) -> None:
        """Set the password, end every session but ``keep``, and tell the owner by email.

        Every Enterprise Admin is told of a break-glass account's. Raises AccountChangedError when the account is not as
        it was when the link, or the password before, was looked at.
        """
        with transaction.atomic():
            user = self.user.lock_unchanged()
            user.set_password(self.cleaned_data["password"])
            user.save(update_fields=["password"])
            others = user.sessions.exclude(pk=keep.pk) if keep else user.sessions.all()
            ended, _rows = others.live(timezone.now()).count(), others.delete()
            record(
                "password:changed",
                enterprise=user.enterprise,
                request=request,
                actor=user,
                target=user,
                sessions_ended=ended,
            )
            address = client_address(request)
            if user.is_break_glass:
                tell_of_break_glass(user, "password_changed", address=address)
            post_email(
                "password_changed",
                user=user,
                address=address,
                device=printable(device_name(request.headers.get("User-Agent", "")), 120),
            )


class ResetPasswordForm(NewPasswordForm):
    def save(self, request: HttpRequest, *, keep: Session | None = None) -> None:
        """As above; whoever has read the email has also confirmed the address."""
        with transaction.atomic():
            if self.user.lock_unchanged().email_folded != self.user.email_folded:
                raise AccountChangedError  # What was read is no email to the address it is now.
            super().save(request, keep=keep)
            if not self.user.is_email_confirmed:
                self.user.email_confirmed_at = timezone.now()
                self.user.save(update_fields=["email_confirmed_at"])


class ChangePasswordForm(NewPasswordForm):
    """Choosing another password while signed in: asks for the current one, with the same delays as a sign-in."""

    current = CurrentPasswordField(label=_("Current password"))

    field_order = ["current", "password"]

    def clean_current(self) -> str:
        """Raises TooManyTries, which is not about the form."""
        current: str = self.cleaned_data["current"]
        key = Throttle.key_for("current-password", self.user.pk)
        Throttle.admit({key: TRIES_AT_THE_CURRENT_PASSWORD}, timezone.now())
        if not self.user.check_password(current):
            raise ValidationError(_("This is not your current password."), "wrong")
        Throttle.succeeded([key])
        return current
