"""Fields for what people type about themselves."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from users.access import Access, Permission
from users.emails import is_deliverable
from users.models import Organization, Role
from users.passwords import LONGEST

# Zero-width joiners belong to the spelling of names in several scripts; every other invisible character is refused.
_JOINERS = "\u200c\u200d"
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def refuse_invisible(text: str) -> None:
    """Raise ValidationError for control characters, direction marks and others that show nothing."""
    if any(unicodedata.category(c) in _INVISIBLE and c not in _JOINERS for c in text):
        raise ValidationError(_("This has invisible characters in it. Type it instead of pasting it."), "invisible")


class NameField(forms.CharField):
    """A name of a person or a thing: one line, without invisible characters, at most 100 characters."""

    default_error_messages = {"required": _("Enter a name.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 100, **kwargs})

    def to_python(self, value: Any) -> str:
        text = unicodedata.normalize("NFC", super().to_python(value) or "")
        refuse_invisible(text)
        text = " ".join(text.split())
        if text and not any(c.isalnum() for c in text):
            raise ValidationError(_("Use at least one letter or digit."), "no_letter")
        return text


class EmailField(forms.EmailField):
    """An email address, kept as it was typed; it is compared folded (``fold_email``)."""

    default_error_messages = {
        "required": _("Enter an email address."),
        "invalid": _("This is not an email address. One looks like name@example.com."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 254, **kwargs})

    def run_validators(self, value: Any) -> None:
        refuse_invisible(value)
        try:
            super().run_validators(value)
        except ValidationError as error:
            # Django's validator brings its own words.
            invalid = [e for e in error.error_list if e.code == "invalid"]
            raise ValidationError(self.error_messages["invalid"], "invalid") if invalid else error from None
        if not is_deliverable(value):
            raise ValidationError(self.error_messages["invalid"], "invalid")


class RoleField(forms.TypedChoiceField):
    """One of the roles that may be given, by ``as_shown``: a role that was changed since it was looked at is none."""

    default_error_messages = {
        "required": _("Choose a role."),
        "invalid_choice": _("Choose one of these roles. One that was changed or deleted a moment ago has to be "
                            "looked at again."),
    }  # fmt: skip

    def offer(self, access: Access, organizations: Iterable[Organization], permission: Permission) -> None:
        """Offer what ``access`` may give somewhere: built-in roles, the least first, then the enterprise's own."""
        places = [None, *organizations]
        giveable = {role.as_shown for place in places for role in access.giveable_roles(place, permission)}
        # Who gives more than the least has chosen to.
        built_in = [(role.as_shown, role.label) for role in reversed(Role) if role.as_shown in giveable]
        own = [(role.as_shown, role.label) for role in access.custom_roles if role.as_shown in giveable]
        self.choices = [(_("Built-in"), built_in), (_("Your own"), own)] if built_in and own else [*built_in, *own]
        self.coerce = access.role_as_shown


class NewPasswordField(forms.CharField):
    """A password that is being chosen. What it has to be is checked by the form, which knows whose it is."""

    default_error_messages = {"required": _("Enter a password.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{
                "label": _("Password"),
                "strip": False,
                "widget": forms.PasswordInput(attrs={"autocomplete": "new-password", "maxlength": False}),
                "help_text": _("At least 12 characters. Anything you like: a sentence works well."),
                **kwargs,
            }
        )


class CurrentPasswordField(forms.CharField):
    """A password that is there already. It may be wrong in any way, within reason."""

    default_error_messages = {"required": _("Enter the password.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{
                "label": _("Password"),
                "strip": False,
                "max_length": 8 * LONGEST,
                "widget": forms.PasswordInput(attrs={"autocomplete": "current-password", "maxlength": False}),
                **kwargs,
            }
        )
