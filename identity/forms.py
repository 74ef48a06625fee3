"""Choosing a provider, and the values people bring back from it."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit.actions import Action
from audit.models import record
from identity import rotation
from identity.issuers import WrongIssuer, read_issuer
from identity.models import EDITED, ClientAuthentication, Connection, Provider
from identity.permitted import permitted
from identity.revising import Saved, changed_of, keep, scope_name
from users.forms.fields import EmailField
from users.http import ConsoleRequest
from users.models import Organization

# RFC 6749, appendix A: what a client ID, a secret and a scope are made of.
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MASKS = frozenset("•●∙·*…")

# Thirty days. Nobody has a use for older sign-ins.
MOST_MINUTES = 43_200

# How long secrets of a provider are good for.
_HOW_LONG = {
    Provider.OKTA: _("Secrets of Okta do not expire: leave it empty."),
    Provider.GOOGLE: _("Secrets of Google do not expire: leave it empty."),
    Provider.ENTRA: _("Entra names the day beside the secret: 6 months from now unless you chose another."),
}
_HOW_LONG_ELSEWHERE = _("Empty if it does not. You are reminded 30, 14, 7 and 1 days before.")
MACHINE = {
    "class": "machine",
    "autocomplete": "off",
    "autocapitalize": "none",
    "autocorrect": "off",
    "spellcheck": "false",
}


class ChooseForm(forms.Form):
    """Which provider, and who will use it. Saving makes a draft, so that its redirect URI can be shown."""

    provider = forms.ChoiceField(
        choices=Provider.choices, initial=Provider.OKTA, label=_("Provider"), widget=forms.RadioSelect
    )
    scope = forms.ChoiceField(
        choices=[("enterprise", _("The whole enterprise")), ("organization", _("One organization"))],
        initial="enterprise",
        label=_("Who will use it"),
        widget=forms.RadioSelect,
    )
    organization: forms.ModelChoiceField[Organization] = forms.ModelChoiceField(
        None, required=False, label=_("Organization"), empty_label=_("Choose one")
    )

    def __init__(self, request: ConsoleRequest, data: QueryDict | None = None) -> None:
        super().__init__(data)
        self.request = request
        self.fields["organization"].queryset = request.enterprise.organizations.all()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("scope") == "organization":
            if not cleaned.get("organization") and "organization" not in self.errors:
                self.add_error("organization", _("Choose the organization whose people will use it."))
        else:
            cleaned["organization"] = None
        return cleaned

    @transaction.atomic
    def save(self) -> Connection:
        """Make the draft, on record. Raises PermissionDenied for somebody who may not by now."""
        permitted(self.request)
        connection = Connection.objects.create(
            enterprise=self.request.enterprise,
            provider=self.cleaned_data["provider"],
            organization=self.cleaned_data["organization"],
            created_by=self.request.user,
        )
        record(
            Action.CONNECTION_CREATED,
            enterprise=connection.enterprise,
            request=self.request,
            target=connection,
            scope=scope_name(connection),
        )
        return connection


class WayInForm(forms.Form):
    """Whom to look for: how would this person sign in?"""

    email = EmailField(
        label=_("Email"),
        widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


def _not_past(day: date | None) -> date | None:
    if day is not None and day < timezone.now().date():
        raise ValidationError(_("This day is over. Enter the one the provider names."))
    return day


def _day(label: Any) -> forms.DateField:
    return forms.DateField(
        required=False,
        label=label,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": _("This is no day. Write it like 2027-03-31.")},
    )


class ExpiryForm(forms.Form):
    """When a secret that is kept already ends. Empty means that it does not."""

    expires_on = _day(_("Expires on"))

    def clean_expires_on(self) -> date | None:
        return _not_past(self.cleaned_data["expires_on"])


class SettingsForm(forms.Form):
    """The values brought back from the provider. Every save with a change is a new revision (T5).

    The secret is write-only: an empty field keeps the one there is, unless the issuer changes (T6).
    """

    issuer = forms.CharField(
        label=_("Issuer URI"),
        max_length=2000,
        error_messages={"required": _("Paste the issuer URI.")},
        widget=forms.TextInput(attrs=MACHINE | {"inputmode": "url"}),
    )
    client_id = forms.CharField(
        label=_("Client ID"),
        max_length=1000,
        error_messages={"required": _("Paste the client ID.")},
        widget=forms.TextInput(attrs=MACHINE),
    )
    client_secret = forms.CharField(
        label=_("Client secret"),
        required=False,
        strip=False,
        max_length=2000,
        widget=forms.PasswordInput(attrs={"class": "machine", "autocomplete": "off", "spellcheck": "false"}),
    )
    secret_expires_on = _day(_("When does it expire?"))
    organization: forms.ModelChoiceField[Organization] = forms.ModelChoiceField(
        None, required=False, label=_("Who will use it"), empty_label=_("The whole enterprise")
    )
    scopes = forms.CharField(
        label=_("OAuth scopes"),
        max_length=500,
        help_text=_("Asked for at every sign-in, separated by spaces. openid has to be among them."),
        widget=forms.TextInput(attrs=MACHINE),
    )
    client_authentication = forms.ChoiceField(
        label=_("Client authentication"),
        help_text=_("How the secret travels. The header works with nearly every provider."),
        widget=forms.Select,
    )
    max_age_minutes = forms.IntegerField(
        label=_("Oldest sign-in, in minutes"),
        required=False,
        min_value=0,
        max_value=MOST_MINUTES,
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"), _("Enter a whole number from 0 to 43200, or nothing.")
        ),
        help_text=_("Who signed in there longer ago is asked again (max_age). 0 asks everybody, each time."),
    )
    acr_values = forms.CharField(
        label=_("Authentication contexts"),
        required=False,
        max_length=500,
        help_text=_(
            "How strongly one proves who one is, in the provider's words (acr). One of these has to come back."
        ),
        widget=forms.TextInput(attrs=MACHINE),
    )

    def __init__(self, request: ConsoleRequest, connection: Connection, data: QueryDict | None = None) -> None:
        self.request, self.connection, self.latest = request, connection, connection.latest
        self.provider = Provider(connection.provider)
        self.issuer_suggestion = ""
        self.notes: list[str] = []
        if data is not None and data.get("use_issuer"):
            # The button beside the error: what it says is what is meant now, whatever the field still holds.
            data = data.copy()
            data["issuer"] = str(data["use_issuer"])
        super().__init__(data, initial=self._initial())
        organizations = self.fields["organization"]
        organizations.queryset = request.enterprise.organizations.all()  # type: ignore[attr-defined]
        # People sign in by it: whom it is for changes only while it is not in use.
        organizations.disabled = connection.is_enabled
        ways = self.fields["client_authentication"]
        if self.provider.takes_keys:
            ways.widget = forms.RadioSelect()
        ways.choices = self.provider.ways  # type: ignore[attr-defined]
        self.fields["secret_expires_on"].help_text = _HOW_LONG.get(self.provider, _HOW_LONG_ELSEWHERE)
        if "required" in self.fields["client_secret"].widget.attrs:
            del self.fields["client_secret"].widget.attrs["required"]

    def _initial(self) -> dict[str, object]:
        if self.latest:
            return {**self.latest.values, "organization": self.connection.organization_id}
        return {
            "issuer": "https://accounts.google.com" if self.provider == Provider.GOOGLE else "",
            "scopes": self.provider.default_scopes,
            "client_authentication": ClientAuthentication.BASIC,
            "organization": self.connection.organization_id,
        }

    @property
    def has_secret(self) -> bool:
        return self.latest is not None and self.latest.has_secret

    @property
    def is_secret_lost(self) -> bool:
        """Whether a secret was typed that is not on the page any more, since pages never hold one."""
        return bool(self.errors and self.data.get("client_secret") and "client_secret" not in self.errors)

    def clean_issuer(self) -> str:
        typed = self.cleaned_data["issuer"]
        try:
            issuer = read_issuer(typed, self.provider)
        except WrongIssuer as wrong:
            self.issuer_suggestion = wrong.suggestion
            raise
        if issuer != typed:
            self.notes.append(
                gettext("The host name was put into its usual spelling: %(issuer)s.") % {"issuer": issuer}
            )
        return issuer

    def clean_client_id(self) -> str:
        client_id: str = self.cleaned_data["client_id"]
        if len(client_id) > 255:
            raise ValidationError(_("This is longer than any client ID: 255 characters at most."))
        if "://" in client_id:
            raise ValidationError(_("This is an address. The client ID is a word of letters and digits."))
        if not _VISIBLE.fullmatch(client_id):
            raise ValidationError(_("There is a space, or a character that no client ID has. Copy it again."))
        return client_id

    def clean_client_secret(self) -> str:
        typed: str = self.cleaned_data["client_secret"]
        secret = typed.strip()
        if not secret:
            return ""
        if set(secret) <= _MASKS:
            raise ValidationError(
                _("These are the dots shown in place of the secret. Use the copy button beside it in %(provider)s.")
                % {"provider": self.connection.label}
            )
        if len(secret.split()) > 1:
            raise ValidationError(
                _("There is a space or a line break inside. A secret has none: copy it again, and only the secret.")
            )
        if not _VISIBLE.fullmatch(secret):
            raise ValidationError(_("There is a character that no client secret has. Copy it again."))
        if len(secret) > 512:
            raise ValidationError(_("This is longer than any client secret: 512 characters at most."))
        if self.provider == Provider.ENTRA and _GUID.fullmatch(secret):
            raise ValidationError(_("This is the Secret ID. What is needed is the Value, in the column before it."))
        if secret != typed:
            self.notes.append(gettext("Spaces around the client secret were left out."))
        return secret

    def clean_secret_expires_on(self) -> date | None:
        return _not_past(self.cleaned_data["secret_expires_on"])

    def clean_scopes(self) -> str:
        scopes = list(dict.fromkeys(self.cleaned_data["scopes"].replace(",", " ").split()))
        wrong = [scope for scope in scopes if not _SCOPE.fullmatch(scope)]
        if wrong:
            raise ValidationError(_("“%(scope)s” is not a scope.") % {"scope": wrong[0]})
        if "openid" not in scopes:
            raise ValidationError(_("openid is missing. Without it the provider says nothing about who signed in."))
        return " ".join(scopes)

    def clean_acr_values(self) -> str:
        asked = list(dict.fromkeys(self.cleaned_data["acr_values"].split()))
        if any(not _VISIBLE.fullmatch(value) for value in asked):
            raise ValidationError(_("There is a character that no authentication context has. Copy it again."))
        return " ".join(asked)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("client_authentication") == ClientAuthentication.KEY:
            # What was typed beside it goes nowhere, whatever it was.
            for name in ("client_secret", "secret_expires_on"):
                self.errors.pop(name, None)
            return cleaned | {"client_secret": "", "secret_expires_on": None}
        secret = cleaned.get("client_secret")
        if secret and secret == cleaned.get("client_id"):
            self.add_error("client_secret", _("This is the client ID again. The secret stands below it."))
        elif secret == "" and not self.has_secret and not self._is_issuer_new(cleaned):
            self.add_error("client_secret", _("Paste the client secret."))
        return cleaned

    def _is_issuer_new(self, cleaned: dict[str, Any] | None = None) -> bool:
        cleaned = self.cleaned_data if cleaned is None else cleaned
        return self.latest is not None and "issuer" in cleaned and cleaned["issuer"] != self.latest.issuer

    @property
    def values(self) -> dict[str, Any]:
        # An address that was allowed was allowed for its issuer.
        same_issuer = self.latest is not None and self.latest.issuer == self.cleaned_data["issuer"]
        origins = self.latest.accepted_origins if self.latest and same_issuer else ""
        return {name: self.cleaned_data.get(name, origins) for name in EDITED}

    @property
    def secret(self) -> str | None:
        """What was typed, or None for the one there is."""
        return self.cleaned_data["client_secret"] or None

    @property
    def changes(self) -> bool:
        """Whether saving would change anything."""
        organization = self.cleaned_data["organization"]
        return bool(
            changed_of(self.connection, self.latest, self.values, secret=self.secret, organization=organization)
        )

    @transaction.atomic
    def save(self) -> Saved:
        """Keep what changed, on record and told to every Enterprise Admin. Without a change nothing happens."""
        expires_on = self.cleaned_data["secret_expires_on"]
        if self.secret is None and expires_on and self.latest and self.latest.secret and not self._is_issuer_new():
            self.latest.secret.connection = self.connection
            if rotation.set_expiry(self.request, self.latest.secret, expires_on):
                self.notes.append(gettext("When the client secret ends is noted. Nothing has to be tested for that."))
        return keep(
            self.request,
            self.connection,
            self.values,
            secret=self.secret,
            expires_on=expires_on,
            organization=self.cleaned_data["organization"],
            notes=self.notes,
        )
