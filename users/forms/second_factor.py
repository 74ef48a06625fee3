"""Proving a second factor: a code of the app, a passkey, or a recovery code. With delays, like a password."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.actions import Action
from audit.models import Result, record
from users import challenges, passkeys
from users.models import FactorRefused, Factors, RecoveryCode, User, admins_to_tell
from users.notices import tell_owner
from users.passkeys import LONGEST_ANSWER
from users.tasks import post_email
from users.throttling import FactorGuess

# So many wrong ones after the right password, and the owner hears of it.
TRIES_UNTIL_THE_OWNER_IS_TOLD = 3

SENTENCES = {
    "wrong_code": _("This is not the code that the app shows now. Look once more, also at the clock of the phone."),
    "code_used": _("This code has been used. The next one comes within 30 seconds."),
    "wrong_recovery_code": _("This is not one of the recovery codes of this account."),
    "recovery_code_used": _("This recovery code has been used. Each works once: take another one."),
    "passkey_unknown": _("This passkey is not one of this account. Use another one."),
    "passkey_refused": _("This passkey was not accepted. Try again, or use another way."),
    "passkey_copied": _(
        "This passkey has counted backwards, as a copy of it would. It is refused, and your administrators are told. "
        "Use another way."
    ),
    "challenge_over": _("This took longer than ten minutes, or was sent before. Try again."),
}


class FactorKind(models.TextChoices):
    APP = "authenticator_app", _("Authenticator app")
    PASSKEY = "passkey", _("Passkey")
    RECOVERY_CODE = "recovery_code", _("Recovery code")


class Proof(forms.Form):
    """One try to prove that ``user`` is here. ``bound_to`` names the session or the sign-in it is for."""

    kind: FactorKind

    def __init__(
        self,
        request: HttpRequest,
        user: User,
        factors: Factors,
        bound_to: str,
        *,
        is_tried: bool = False,
        **told: str,
    ) -> None:
        super().__init__(request.POST if is_tried else None)
        self.told: dict[str, Any] = dict(told)  # In the audit log, of a try that is refused.
        self.request, self.user, self.factors, self.bound_to = request, user, factors, bound_to

    def clean(self) -> dict[str, Any]:
        """Raises TooManyTries, which is not about the form."""
        data = super().clean() or {}
        if self.errors:
            return data
        now = timezone.now()
        guess = FactorGuess(self.request, self.user.enterprise, self.user.email)
        guess.admit(now)
        try:
            self.use(now)
        except FactorRefused as refusal:
            self._refused(refusal.reason, guess)
            said = ValidationError(SENTENCES[refusal.reason], refusal.reason)
            self.add_error("code" if "code" in self.fields else None, said)
            return data
        guess.succeeded()
        return data

    @abstractmethod
    def use(self, at: datetime) -> None:
        """Use up what was brought, or raise FactorRefused."""

    def _refused(self, reason: str, guess: FactorGuess) -> None:
        enterprise = self.user.enterprise
        with transaction.atomic():
            record(
                Action.SESSION_REFUSED,
                enterprise=enterprise,
                request=self.request,
                target=self.user,
                result=Result.REFUSED,
                reason=reason,
                second_factor=self.kind,
                **self.told,
            )
            if guess.tries == TRIES_UNTIL_THE_OWNER_IS_TOLD:
                tell_owner(self.user, "guessed", self.request)


class CodeProof(Proof):
    kind = FactorKind.APP

    code = forms.CharField(
        label=_("Code"),
        help_text=_("Six digits, from your authenticator app."),
        max_length=20,
        error_messages={"required": _("Enter the code.")},
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "class": "machine", "autofocus": True}
        ),
    )

    def clean_code(self) -> str:
        return six_digits(self.cleaned_data["code"])

    def use(self, at: datetime) -> None:
        if self.factors.app is None:
            raise FactorRefused("wrong_code")
        self.factors.app.accept(self.cleaned_data["code"], at)


def six_digits(typed: str) -> str:
    """Return the digits of a code as typed, with or without a space in the middle; raises ValidationError."""
    code = "".join(typed.split())
    if not (len(code) == 6 and code.isascii() and code.isdigit()):
        raise ValidationError(_("A code has six digits."), "not_a_code")
    return code


class RecoveryProof(Proof):
    kind = FactorKind.RECOVERY_CODE

    code = forms.CharField(
        label=_("Recovery code"),
        help_text=_("One of the ten you printed or stored. It works once."),
        max_length=40,
        error_messages={"required": _("Enter the code.")},
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "class": "machine",
                   "autofocus": True}
        ),
    )  # fmt: skip

    def use(self, at: datetime) -> None:
        with transaction.atomic():
            RecoveryCode.objects.spend(self.user, self.cleaned_data["code"], at)
            left = self.factors.codes_left
            record(
                Action.RECOVERY_CODE_USED,
                enterprise=self.user.enterprise,
                request=self.request,
                actor=self.user,
                target=self.user,
                left=left,
            )
            tell_owner(self.user, "code_used", self.request, left=left)


class PasskeyProof(Proof):
    """What the browser brings back from a passkey, and the challenge it was asked with, sealed."""

    kind = FactorKind.PASSKEY

    passkey = forms.CharField(max_length=LONGEST_ANSWER, widget=forms.HiddenInput)
    challenge = forms.CharField(max_length=1000, widget=forms.HiddenInput)

    def use(self, at: datetime) -> None:
        answer = self.cleaned_data["passkey"]
        challenge = challenges.take(self.cleaned_data["challenge"], purpose(self.bound_to), at)
        claimed = passkeys.claimed_id(answer)
        try:
            self._count(claimed, answer, challenge, at)
        except FactorRefused as refusal:
            if refusal.reason == "passkey_copied":
                self._alarm(claimed)
            raise

    def _count(self, claimed: str, answer: str, challenge: bytes, at: datetime) -> None:
        with transaction.atomic():
            passkey = self.user.passkeys.select_for_update().filter(credential_id=claimed).first()
            if passkey is None:
                raise FactorRefused("passkey_unknown")
            enterprise = self.user.enterprise
            count = passkeys.proven_count(answer, passkey=passkey, enterprise=enterprise, challenge=challenge)
            passkey.counted(count, at)

    def _alarm(self, credential_id: str) -> None:
        """Two authenticators hold the same key: the owner and every Enterprise Admin are told."""
        passkey = self.user.passkeys.get(credential_id=credential_id)
        enterprise = self.user.enterprise
        with transaction.atomic():
            event = record(
                Action.FACTOR_COPIED,
                enterprise=enterprise,
                request=self.request,
                target=self.user,
                result=Result.ALARM,
                passkey=passkey.name,
            )
            told = {self.user.pk: self.user} | {admin.pk: admin for admin in admins_to_tell(enterprise)}
            for person in told.values():
                person.enterprise = enterprise
                post_email(
                    "passkey_copied",
                    user=person,
                    account=self.user.label,
                    passkey=passkey.name,
                    is_own=person.pk == self.user.pk,
                    reference=event.reference,
                )


def purpose(bound_to: str) -> str:
    return f"{bound_to}/use"


class Asked:
    """The ways to prove that ``user`` is here, as a page offers them, and the one that was tried, if any."""

    def __init__(self, request: HttpRequest, user: User, factors: Factors, bound_to: str, **told: str) -> None:
        self.user, self.factors, self.bound_to = user, factors, bound_to
        is_tried, with_passkey = request.method == "POST", bool(request.POST.get("passkey"))
        self.is_recovery = "recovery" in request.GET or not (factors.app or factors.passkeys)
        kind = RecoveryProof if self.is_recovery else CodeProof
        self.tried: Proof = (PasskeyProof if with_passkey else kind)(
            request, user, factors, bound_to, is_tried=is_tried, **told
        )
        self._untried = kind(request, user, factors, bound_to)

    def context(self, *, is_over: bool = True) -> dict[str, Any]:
        """Return what ``users/ways_to_prove.html`` needs; a new challenge each time.

        To draw a form that was sent is to try it, which uses up what is in it: unless ``is_over``, it is left alone.
        """
        is_typed = is_over and not isinstance(self.tried, PasskeyProof)
        return {
            "form": self.tried if is_over else self._untried,
            "code": self.tried if is_typed else self._untried,
            "factors": self.factors,
            "is_recovery": self.is_recovery,
            "passkey": self._ask_for_passkey(),
        }

    def _ask_for_passkey(self) -> dict[str, str]:
        """Return the options and the sealed challenge; nothing without passkeys."""
        if not self.factors.passkeys:
            return {}
        challenge, sealed = challenges.new(purpose(self.bound_to), timezone.now())
        return {
            "options": passkeys.to_use(self.user.enterprise, self.factors.passkeys, challenge),
            "challenge": sealed,
        }
