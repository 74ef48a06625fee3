"""At the entrance: find the enterprise, sign in with a password, ask for a new one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.models import Result, record
from users.backends import PasswordBackend
from users.forms.fields import CurrentPasswordField, EmailField
from users.models import Enterprise, Throttle, TooManyTries, User, fold_email
from users.models.enterprise import slug_validator
from users.tasks import ask
from users.throttling import Guess, limit

QUESTIONS_OF_A_NETWORK = 20
QUESTIONS_ABOUT_AN_ADDRESS = 3


def _ask(request: HttpRequest, name: str, email: str, enterprise: Enterprise | None = None) -> None:
    """Leave the question to a worker. The same work whether or not the address is known here (T12).

    An address that was asked about too often gets no more email for a while; who asks is not told, since it may be
    somebody else who has filled the mailbox. Raises TooManyTries for a network that asks too often.
    """
    now = timezone.now()
    limit(request, name, QUESTIONS_OF_A_NETWORK, now)
    about = Throttle.key_for(name, enterprise.pk if enterprise else "", fold_email(email))
    try:
        Throttle.admit({about: QUESTIONS_ABOUT_AN_ADDRESS}, now)
    except TooManyTries:
        return
    ask(name, email=email, enterprise=enterprise)


class FindEnterpriseForm(forms.Form):
    """One field for both ways: an enterprise's address, or an email. Afterwards one of ``slug`` and ``email`` is set.

    The address is not looked up here: whether it exists shows on the page it leads to, which is public. An email is
    answered by email only.
    """

    where = forms.CharField(
        label=_("Enterprise address or work email"),
        help_text=_("The address is the last part of the sign-in page, such as halden in /e/halden."),
        max_length=300,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )
    slug = email = ""

    def clean_where(self) -> str:
        where: str = self.cleaned_data["where"]
        if "@" in where:
            self.email = EmailField().clean(where)
            return where
        # Also the whole address, as copied from the browser.
        try:
            path = urlsplit(where).path if "://" in where else where
            slug = (path.rstrip("/").partition("/e/")[2].partition("/")[0] or path.strip("/")).strip()
            slug_validator(slug.lower())
        except (ValidationError, ValueError):
            raise ValidationError(_("This is neither an address such as halden nor an email."), "invalid") from None
        self.slug = slug.lower()
        return where

    def ask(self, request: HttpRequest) -> None:
        """Have the sign-in pages of this email's enterprises sent to it. Raises TooManyTries."""
        _ask(request, "find_enterprise", self.email)


class ForgottenPasswordForm(forms.Form):
    email = EmailField(label=_("Email"), widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}))

    def ask(self, request: HttpRequest, enterprise: Enterprise) -> None:
        """Have a way back in sent to this address, if it has an account. Raises TooManyTries."""
        _ask(request, "forgotten_password", self.cleaned_data["email"], enterprise)


class LocalSignInForm(forms.Form):
    """Email and password of an account in one enterprise (M9, T13, T14)."""

    email = EmailField(label=_("Email"), widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}))
    password = CurrentPasswordField()

    error_messages = {
        # The same words for everything that can be wrong, and for people who sign in another way.
        "wrong": _("This email and this password do not fit together."),
        "provider_required": _(
            "Passwords are no longer used here. Go back and continue with your identity provider; if that says no, "
            "ask an administrator to switch your account."
        ),
    }

    def __init__(self, *args: Any, request: HttpRequest, enterprise: Enterprise, **kwargs: Any) -> None:
        self.request, self.enterprise = request, enterprise
        self.user: User | None = None
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        """Raises TooManyTries, which is not about the form."""
        data = super().clean() or {}
        if self.errors:
            return data
        self.guess = Guess(self.request, self.enterprise, data["email"])
        self.guess.admit(timezone.now())
        # This backend and no other: a password is of no concern to identity providers.
        user = PasswordBackend().authenticate(
            self.request, enterprise=self.enterprise, email=data["email"], password=data["password"]
        )
        if user is None:
            record(
                "session:refused",
                enterprise=self.enterprise,
                request=self.request,
                target=self.enterprise.users.with_email(data["email"]).first(),
                result=Result.REFUSED,
                reason="wrong_credentials",
                email=data["email"],
            )
            raise ValidationError(self.error_messages["wrong"], "wrong")
        user.enterprise = self.enterprise
        if user.must_use_provider(timezone.now()):
            # Whoever knows the password may know this, too.
            record(
                "session:refused", enterprise=self.enterprise, request=self.request, target=user,
                result=Result.REFUSED, reason="provider_required",
            )  # fmt: skip
            raise ValidationError(self.error_messages["provider_required"], "provider_required")
        self.user = user
        return data

    def passed(self) -> User:
        """Return whose password it was; the tries of this visitor are forgotten."""
        if self.user is None:
            raise ValueError("the form is not valid")
        self.guess.succeeded()
        return self.user
