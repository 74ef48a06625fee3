"""What a password has to be (ASVS 6.2): long enough, not a common one, no composition rules."""

from __future__ import annotations

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

SHORTEST = 12
LONGEST = 128


class LengthValidator:
    """Between 12 and 128 characters; the limit above keeps hashing bounded."""

    def validate(self, password: str, user: object = None) -> None:
        missing = SHORTEST - len(password)
        if missing > 0:
            raise ValidationError(
                ngettext(
                    "%(length)d characters. Add %(missing)d more.",
                    "%(length)d characters. Add %(missing)d more.",
                    missing,
                ) % {"length": len(password), "missing": missing},
                code="password_too_short",
            )  # fmt: skip
        if len(password) > LONGEST:
            raise ValidationError(
                _("%(length)d characters. At most %(longest)d can be used.")
                % {"length": len(password), "longest": LONGEST},
                code="password_too_long",
            )

    def get_help_text(self) -> str:
        return _("At least 12 characters. Anything you like: a sentence works well.")


class CommonValidator(CommonPasswordValidator):
    """Not one of the 20,000 that are tried first."""

    def get_error_message(self) -> str:
        return _("This password is one of those tried first. Choose another: a sentence works well.")
