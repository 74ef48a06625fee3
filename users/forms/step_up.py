"""Proving once more who one is, within a session."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.actions import Action
from audit.models import Result, record
from users.backends import PasswordBackend
from users.forms.fields import CurrentPasswordField
from users.forms.second_factor import Asked
from users.http import ConsoleRequest
from users.models import Factors
from users.sessions import prove
from users.throttling import Guess


class ProveForm(forms.Form):
    """Proves a local person again, with the same delays and the same record as at the sign-in (T14).

    Whoever has a second factor gives that as well; it is looked at, and used up, only after the right password.
    """

    password = CurrentPasswordField(label=_("Your password"))

    def __init__(self, request: ConsoleRequest) -> None:
        super().__init__(request.POST if request.method == "POST" else None)
        self.request = request
        self.factors = Factors(request.user)
        bound_to = request.session.row.handle  # type: ignore[union-attr]
        self.second = Asked(request, request.user, self.factors, bound_to, purpose="step_up")
        self.fields["password"].widget.attrs["autofocus"] = True

    def clean_password(self) -> str:
        """Raises TooManyTries, which is not about the form."""
        password: str = self.cleaned_data["password"]
        user = self.request.user
        self.guess = Guess(self.request, self.request.enterprise, user.email)
        self.guess.admit(timezone.now())
        found = PasswordBackend().authenticate(
            self.request, enterprise=self.request.enterprise, email=user.email, password=password
        )
        if found is None or found.pk != user.pk:
            record(
                Action.SESSION_REFUSED,
                enterprise=self.request.enterprise,
                request=self.request,
                target=user,
                result=Result.REFUSED,
                reason="wrong_credentials",
                purpose="step_up",
            )
            raise ValidationError(_("This is not your password."), "wrong")
        return password

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and self.factors and not self.second.tried.is_valid():
            for errors in self.second.tried.errors.as_data().values():
                self.add_error(None, errors)
        return data

    def save(self) -> bool:
        """Note the proof in the session. False when that has ended meanwhile, or another tab was faster."""
        self.guess.succeeded()
        return prove(self.request)
