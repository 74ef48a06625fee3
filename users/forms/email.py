"""Changing somebody's email."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.actions import Action
from users.access import Access
from users.forms.acts import Act
from users.forms.fields import EmailField
from users.http import ConsoleRequest
from users.models import EmailTakenError, Status, User, fold_email
from users.tasks import post_email, tell_of_break_glass


class ChangeEmail(Act):
    """Also frees the old address for somebody else, as when a break-glass account took a person's (M6)."""

    action = Action.USER_EMAIL_CHANGED
    danger = False

    email = EmailField(
        label=gettext_lazy("New email"),
        widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    @property
    def url(self) -> str:
        return reverse("users:change_email", args=[self.person.pk])

    @property
    def title(self) -> str:
        return _("Change the email of %(name)s") % {"name": self.person.label}

    @property
    def text(self) -> str:
        return _("Now %(email)s. Both addresses are told. The new one is confirmed by a link; the old one is free.") % {
            "email": self.person.email
        }

    @property
    def safe(self) -> str:
        return _("Cancel")

    @property
    def final(self) -> str:
        return _("Change email")

    @property
    def done(self) -> str:
        return _("The email is now %(email)s. A link to confirm it is on its way there.") % {
            "email": self.cleaned_data["email"]
        }

    @property
    def needs_proof(self) -> bool:
        """Whoever reads the emails to an account with a password can choose a new one."""
        return self.person.signs_in_with_password

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if email == self.person.email:
            raise forms.ValidationError(_("This is the address already."))
        if User.objects.of(self.request.enterprise).with_email(email).exclude(pk=self.person.pk).exists():
            raise forms.ValidationError(self._taken)
        return email

    @property
    def _taken(self) -> str:
        return _("Somebody in %(enterprise)s has this address.") % {"enterprise": self.request.enterprise.name}

    def clean(self) -> dict[str, Any]:
        if self.person.status == Status.INVITED:
            raise forms.ValidationError(_("The invitation went to this address. Revoke it, and invite the right one."))
        return self.cleaned_data

    def act(self, person: User, access: Access, at: datetime) -> None:
        old, new = person.email, self.cleaned_data["email"]
        is_same = fold_email(old) == fold_email(new)
        try:
            person.change_email(new)
        except EmailTakenError:  # Since the form was checked, a moment ago.
            self.is_refused = True
            self.add_error("email", self._taken)
            return
        self.record(before=old, after=new)
        if person.is_break_glass:
            tell_of_break_glass(person, "email_changed", by=access.user.label)
        told = {"before": old, "after": new, "by": access.user.label}
        for address in [new] if is_same else [old, new]:
            post_email("email_changed", user=person, to=address, **told)
        post_email("confirm_email", user=person)


class TakeProviderEmail(ChangeEmail):
    """Give the account the address that the provider names. Nothing is typed: it was heard at a proven sign-in."""

    def __init__(self, request: ConsoleRequest, person: User, **kwargs: Any) -> None:
        super().__init__(request, person, **kwargs)
        self.fields["email"].widget = forms.HiddenInput()
        if self.is_bound:
            self.data = {"email": person.provider_email}

    def add_error(self, field: str | None, error: Any) -> None:
        """Say everything about the act as a whole: there is no field to say it at."""
        super().add_error(None, error)

    @property
    def id(self) -> str:
        return "take-email"

    @property
    def url(self) -> str:
        return reverse("users:take_email", args=[self.person.pk])

    @property
    def title(self) -> str:
        return _("Use %(email)s for %(name)s?") % {"email": self.person.provider_email, "name": self.person.label}

    @property
    def safe(self) -> str:
        return _("Leave as it is")

    @property
    def final(self) -> str:
        return _("Use the new address")

    def clean(self) -> dict[str, Any]:
        if not self.person.provider_email:
            raise forms.ValidationError(_("The provider names the same address by now. Nothing is to be done."))
        return super().clean()


class KeepEmail(Act):
    """Let the difference be: it is not shown any more, until the provider names yet another address."""

    action = Action.USER_EMAIL_KEPT
    danger = False

    @property
    def url(self) -> str:
        return reverse("users:keep_email", args=[self.person.pk])

    @property
    def title(self) -> str:
        return _("Keep the email of %(name)s?") % {"name": self.person.label}

    @property
    def final(self) -> str:
        return _("Keep the one here")

    @property
    def done(self) -> str:
        return _("%(name)s keeps %(email)s.") % {"name": self.person.label, "email": self.person.email}

    def act(self, person: User, access: Access, at: datetime) -> None:
        if person.has_email_to_decide:
            person.keep_email()
            self.record(kept=person.email, at_the_provider=person.provider_email)
