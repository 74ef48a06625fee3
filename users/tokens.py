"""Links in emails to oneself: made when the email is sent, good for an hour, and only until they have been used."""

from __future__ import annotations

from django.contrib.auth.tokens import PasswordResetTokenGenerator

from users.models import User


class _EmailedToken(PasswordResetTokenGenerator):
    """Django's generator, bound also to the address: a link sent to the old address ends when the email changes."""

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}{user.email_folded}{user.email_confirmed_at}"


class _ConfirmationToken(_EmailedToken):
    key_salt = "users.tokens.confirmation"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        """Unlike a new password, a confirmation outlives a sign-in: one signs up, and then reads the mail."""
        return f"{user.pk}{timestamp}{user.email_folded}{user.email_confirmed_at}"


class _ResetToken(_EmailedToken):
    key_salt = "users.tokens.reset"


confirmation_token = _ConfirmationToken()
reset_token = _ResetToken()
