"""People, the one registered app, and sittings: who signed in when, in which browser."""

from __future__ import annotations

import re
from hashlib import sha256

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone
from django.utils.crypto import get_random_string
from oauth2_provider.models import AbstractApplication

from demo.okta.people import names_from, subject_of

CALLBACK = re.compile(r"http://[a-z0-9-]+\.localhost(:\d{1,5})?/sso/[0-9A-Za-z_-]+/callback/")
KEYS = re.compile(r"http://[a-z0-9-]+\.localhost(:\d{1,5})?/sso/[0-9A-Za-z_-]+/keys\.json")
SIGNED_OUT = re.compile(r"http://[a-z0-9-]+\.localhost(:\d{1,5})?/[0-9A-Za-z_/-]*")


class People(BaseUserManager["Person"]):
    """Everyone this Okta knows."""

    def named(self, email: str) -> Person:
        """Return the person with this address, taken on today if there is none."""
        email = email.strip().casefold()
        given_name, family_name = names_from(email)
        person, _ = self.get_or_create(
            pk=subject_of(email),
            defaults={"email": email, "given_name": given_name, "family_name": family_name},
        )
        return person


class Person(AbstractBaseUser):
    """Somebody with an account at Halden's Okta; the key is the ``sub`` of their tokens."""

    id = models.CharField(primary_key=True, max_length=20)
    email = models.EmailField(unique=True)
    given_name = models.CharField(max_length=100)
    family_name = models.CharField(max_length=100, blank=True)
    zoneinfo = models.CharField(max_length=50, default="Europe/Oslo")
    is_assigned = models.BooleanField(default=True)

    objects = People()

    USERNAME_FIELD = "email"

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return f"{self.given_name} {self.family_name}".strip()

    @property
    def initials(self) -> str:
        return (self.given_name[:1] + self.family_name[:1]).upper()


class Application(AbstractApplication):
    """The app integration. Unlike a real Okta it need not be told each redirect URI beforehand.

    Gatehouse makes the URI when a connection is begun, which is after this one was registered, so any
    callback of a Gatehouse on this very machine is allowed; others must be in ``redirect_uris``.
    """

    # Like a real one it has two secrets at most, so that one can take the other's place.
    second_secret = models.CharField(max_length=255, blank=True)
    # Where Gatehouse publishes its keys, if it proves itself by one.
    keys_address = models.CharField(max_length=200, blank=True)

    @property
    def secrets(self) -> list[str]:
        return [secret for secret in (self.client_secret, self.second_secret) if secret]

    def add_secret(self) -> None:
        """Make a second secret, if there is one only."""
        if not self.second_secret:
            self.second_secret = get_random_string(44)
            self.save(update_fields=["second_secret"])

    def deactivate(self, secret: str) -> None:
        """Let ``secret`` be good for nothing from now on. The last one stays."""
        remaining = [kept for kept in self.secrets if kept != secret]
        if len(remaining) == 1:
            self.client_secret, self.second_secret = remaining[0], ""
            self.save(update_fields=["client_secret", "second_secret"])

    def redirect_uri_allowed(self, uri: str) -> bool:
        return CALLBACK.fullmatch(uri) is not None or super().redirect_uri_allowed(uri)

    def post_logout_redirect_uri_allowed(self, uri: str) -> bool:
        return SIGNED_OUT.fullmatch(uri) is not None or super().post_logout_redirect_uri_allowed(uri)


class SpentAssertion(models.Model):
    """The name of a client assertion that was used: each is good once (RFC 7523, section 3)."""

    jti = models.CharField(primary_key=True, max_length=255)

    def __str__(self) -> str:
        return self.jti


class Sitting(models.Model):
    """What a code or a refresh token was issued for, so that ID tokens can name the browser session."""

    handle = models.CharField(primary_key=True, max_length=64)
    sid = models.CharField(max_length=40)
    began_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.sid

    @staticmethod
    def handle_of(credential: str) -> str:
        """Return the key for a code or token, which is not kept itself."""
        return sha256(credential.encode()).hexdigest()
