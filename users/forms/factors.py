"""Adding, naming and removing one's own second factors, and resetting somebody else's."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.actions import Action
from audit.models import record
from users import challenges, passkeys
from users.access import Access
from users.enrolment import Enrolment
from users.forms.acts import Act, consequence
from users.forms.fields import NameField
from users.forms.second_factor import SENTENCES, FactorKind, six_digits
from users.models import (
    AuthenticatorApp,
    FactorRefused,
    Factors,
    FactorTakenError,
    LastFactorError,
    Passkey,
    RecoveryCode,
    Session,
    User,
)
from users.models.factor import MOST_PASSKEYS, step_of
from users.notices import tell_owner
from users.passkeys import LONGEST_ANSWER, Registered
from users.sessions import device_name
from users.tasks import tell_of_break_glass


class AddFactor(forms.Form):
    """Setting up one more second factor, or the first one.

    The first is added by somebody who is halfway through a sign-in and has proven a password only: with
    ``is_first`` an account that has one by now is left alone, whoever else was quicker.
    """

    kind: FactorKind

    def __init__(self, request: HttpRequest, user: User, *, is_first: bool = False, **kwargs: Any) -> None:
        super().__init__(request.POST if request.method == "POST" else None, **kwargs)
        self.request, self.user, self.is_first = request, user, is_first

    def save(self) -> list[str]:
        """Add it; return new recovery codes if the account had none. Raises FactorTakenError."""
        now = timezone.now()
        with transaction.atomic():
            factors = Factors(self.user.lock())
            if self.is_first and factors:
                raise FactorTakenError
            name = self.add(factors, now)
            record(
                Action.FACTOR_ADDED,
                enterprise=self.user.enterprise,
                request=self.request,
                actor=self.user,
                target=self.user,
                factor=self.kind,
                name=name,
            )
            tell_owner(self.user, "added", self.request, kind=self.kind, passkey=name)
            return [] if factors.codes_left else _issue_codes(self.request, self.user, now)

    @abstractmethod
    def add(self, factors: Factors, at: datetime) -> str:
        """Add it to ``factors`` and return what it is called, if it has a name."""


def _issue_codes(request: HttpRequest, user: User, at: datetime) -> list[str]:
    codes = RecoveryCode.objects.issue(user, at)
    record(
        Action.RECOVERY_CODES_ISSUED, enterprise=user.enterprise, request=request, actor=user, target=user,
        number=len(codes),
    )  # fmt: skip
    return codes


class AddApp(AddFactor):
    kind = FactorKind.APP

    code = forms.CharField(
        label=gettext_lazy("Code from the app"),
        help_text=gettext_lazy("Six digits. They prove that the app is set up."),
        max_length=20,
        error_messages={"required": gettext_lazy("Enter the code.")},
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "class": "machine"}),
    )

    def __init__(self, request: HttpRequest, enrolment: Enrolment, *, is_first: bool = False) -> None:
        super().__init__(request, enrolment.user, is_first=is_first)
        self.enrolment = enrolment

    def clean_code(self) -> str:
        code = six_digits(self.cleaned_data["code"])
        step = step_of(self.enrolment.secret, code, timezone.now())
        if step is None:
            raise ValidationError(
                _("The app would show another code now. Scan the QR code again, and look at the phone’s clock."),
                "wrong_code",
            )
        self.step = step
        return code

    def add(self, factors: Factors, at: datetime) -> str:
        factors.add_app(self.enrolment.secret, self.step, at)
        return ""


class AddPasskey(AddFactor):
    kind = FactorKind.PASSKEY

    name = NameField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("So that you know it among others later: the device, or the key on your key ring."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    passkey = forms.CharField(
        max_length=LONGEST_ANSWER,
        widget=forms.HiddenInput,
        error_messages={"required": gettext_lazy("No passkey came with this. Press the button once more.")},
    )
    challenge = forms.CharField(max_length=1000, widget=forms.HiddenInput)

    def __init__(self, request: HttpRequest, user: User, bound_to: str, *, is_first: bool = False) -> None:
        super().__init__(
            request,
            user,
            is_first=is_first,
            initial={"name": device_name(request.headers.get("User-Agent", "")) or _("My passkey")},
        )
        self.bound_to = f"{bound_to}/register"
        self.registered: Registered | None = None

    def ask(self) -> dict[str, str]:
        """Return what the page needs to have one made: the options, and the sealed challenge."""
        challenge, sealed = challenges.new(self.bound_to, timezone.now())
        known = self.user.passkeys.all()
        return {"options": passkeys.to_register(self.user, known, challenge), "challenge": sealed}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        try:
            challenge = challenges.take(data["challenge"], self.bound_to, timezone.now())
            self.registered = passkeys.registered(data["passkey"], enterprise=self.user.enterprise, challenge=challenge)
        except FactorRefused as refusal:
            raise ValidationError(SENTENCES[refusal.reason], refusal.reason) from refusal
        if self.user.passkeys.count() >= MOST_PASSKEYS:
            raise ValidationError(_("There are %(n)d passkeys already. Remove one first.") % {"n": MOST_PASSKEYS})
        return data

    def add(self, factors: Factors, at: datetime) -> str:
        if self.registered is None:
            raise ValueError("the form is not valid")
        return factors.add_passkey(self.cleaned_data["name"], self.registered, at).name


class RenamePasskey(forms.Form):
    name = NameField(label=gettext_lazy("Name"), widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, request: HttpRequest, passkey: Passkey) -> None:
        super().__init__(request.POST if request.method == "POST" else None, initial={"name": passkey.name})
        self.request, self.passkey = request, passkey

    def save(self) -> None:
        before, self.passkey.name = self.passkey.name, self.cleaned_data["name"]
        user = self.passkey.user
        with transaction.atomic():
            self.passkey.save(update_fields=["name"])
            record(
                Action.FACTOR_RENAMED,
                enterprise=user.enterprise,
                request=self.request,
                target=user,
                before=before,
                after=self.passkey.name,
            )


class RemoveFactor(forms.Form):
    """Removing one's own app or passkey. All other sessions end, since one of them may be why."""

    def __init__(self, request: HttpRequest, factor: AuthenticatorApp | Passkey) -> None:
        super().__init__(request.POST if request.method == "POST" else None)
        self.request, self.factor = request, factor

    @property
    def kind(self) -> FactorKind:
        return FactorKind.PASSKEY if isinstance(self.factor, Passkey) else FactorKind.APP

    def save(self, user: User, keep: Session) -> bool:
        """Remove it, and return whether that was done: the only one stays while the account needs one."""
        name = self.factor.name if isinstance(self.factor, Passkey) else ""
        try:
            with transaction.atomic():
                Factors(user.lock()).remove(self.factor)
                ended, _rows = user.sessions.exclude(pk=keep.pk).delete()
                record(
                    Action.FACTOR_REMOVED,
                    enterprise=user.enterprise,
                    request=self.request,
                    target=user,
                    factor=self.kind,
                    name=name,
                    sessions_ended=ended,
                )
                tell_owner(user, "removed", self.request, kind=self.kind, passkey=name)
        except LastFactorError:
            self.add_error(
                None,
                _("This is your only second factor, and your account needs one. Add another one first."),
            )
            return False
        return True


class NewCodes(forms.Form):
    """Ten new recovery codes in place of the older ones."""

    def save(self, request: HttpRequest, user: User) -> list[str]:
        with transaction.atomic():
            user.lock()
            codes = _issue_codes(request, user, timezone.now())
            tell_owner(user, "codes_issued", request)
        return codes


class ResetFactors(Act):
    """For somebody who has lost them: they are gone, sessions end, and the next sign-in sets up new ones."""

    action = Action.FACTOR_RESET
    is_for_own_account = False

    @property
    def url(self) -> str:
        return reverse("users:reset_factors", args=[self.person.pk])

    @property
    def title(self) -> str:
        return _("Reset the second factor of %(name)s?") % {"name": self.person.label}

    @property
    def text(self) -> str:
        return _(
            "For a phone or a key that is lost. Make sure that it is %(name)s who asks: until the next sign-in the "
            "password alone opens the account. %(email)s is told."
        ) % {"name": self.person.label, "email": self.person.email}

    @property
    def consequences(self) -> list[dict[str, Any]]:
        number = self.person.sessions.live(timezone.now()).count()
        sessions = ngettext("%(n)d session ends at once.", "%(n)d sessions end at once.", number) % {"n": number}
        return [
            consequence(_("Every authenticator app, passkey and recovery code stops working."), holds=False),
            *([consequence(sessions, holds=False)] if number else []),
            consequence(
                _("The password and the roles stay. The next sign-in sets up a new second factor."), holds=True
            ),
        ]

    @property
    def safe(self) -> str:
        return _("Keep it")

    @property
    def final(self) -> str:
        return _("Reset the second factor")

    @property
    def done(self) -> str:
        return _("The second factor of %(name)s is reset. The next sign-in sets up a new one.") % {
            "name": self.person.label
        }

    def act(self, person: User, access: Access, at: datetime) -> None:
        factors = Factors(person.lock())
        kinds = ([FactorKind.APP.value] if factors.app else []) + [FactorKind.PASSKEY.value] * len(factors.passkeys)
        if not factors.reset():
            return
        person.sessions.all().delete()
        self.record(factors=kinds)
        tell_owner(person, "reset", self.request, by=access.user.label)
        if person.is_break_glass:
            tell_of_break_glass(person, "factors_reset", by=access.user.label)
