"""Local sign-in: email and password within one enterprise."""

from __future__ import annotations

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from users.models import Enterprise, User


class PasswordBackend(BaseBackend):
    """Finds the account within the enterprise whose page is used, and checks its Argon2id hash."""

    def authenticate(  # type: ignore[override]
        self,
        request: HttpRequest | None,
        enterprise: Enterprise | None = None,
        email: str | None = None,
        password: str | None = None,
    ) -> User | None:
        """Return the active user, or None: the same work whether the address is unknown or the password wrong.

        ``enterprise`` may be None with an email and a password (an address nobody has): the work is done all the same.
        """
        if email is None or password is None:
            return None
        user = User.objects.of(enterprise).with_email(email).first() if enterprise else None
        if user is None or not user.signs_in_with_password or not user.has_usable_password():
            User().set_password(password)  # As slow as a real check, so that time tells nothing (T12).
            return None
        if not user.check_password(password) or not user.is_active:
            return None
        return user
