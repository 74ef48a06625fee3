"""Who is counted together when passwords and second factors are guessed (T14).

Three counters: the account as tried from one network, the account from everywhere, and the network whatever it
tries. A browser in which the owner has signed in before brings a signed cookie and has one counter of its own
instead, so that nobody else's tries, not even those of the next desk, keep the owner out of it.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime

from django.conf import settings
from django.core import signing
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import get_random_string

from audit.models import client_address
from users.models import Enterprise, Throttle, fold_email

COOKIE = f"{settings.COOKIE_PREFIX}browser"
SALT = "users.throttling.browser"
REMEMBERED_FOR = 365 * 24 * 60 * 60  # seconds
MOST_ACCOUNTS = 10

# Free tries before delays begin. Many people share a network.
FROM_ONE_NETWORK = 5
FROM_EVERYWHERE = 20
OF_A_NETWORK = 50


def network(request: HttpRequest) -> str:
    """Return what one visitor can hardly change: an IPv4 address, or the /64 an IPv6 address is in."""
    address = client_address(request)
    if address is None:
        return "unknown"
    ip = ipaddress.ip_address(address)
    return str(ipaddress.ip_network(f"{ip}/64", strict=False)) if ip.version == 6 else str(ip)


def limit(request: HttpRequest, what: str, free: int, at: datetime) -> None:
    """Count one ``what`` of this network; raises TooManyTries after ``free`` of them."""
    Throttle.admit({Throttle.key_for(what, network(request)): free}, at)


class Guess:
    """One try at the password of ``email`` in ``enterprise``, whether or not there is such an account."""

    at = "password"

    def __init__(self, request: HttpRequest, enterprise: Enterprise, email: str) -> None:
        self.account = Throttle.key_for("account", enterprise.pk, fold_email(email))
        self.browser, self.accounts = _remembered(request)
        if self.account in self.accounts:
            self._own = {self._key("browser", self.browser, self.account): FROM_ONE_NETWORK}
            self._shared = {}
        else:
            self._own = {self._key("account", self.account, network(request)): FROM_ONE_NETWORK}
            self._shared = {
                self._key("account", self.account): FROM_EVERYWHERE,
                self._key("network", network(request)): OF_A_NETWORK,
            }

    def _key(self, *parts: str) -> str:
        return Throttle.key_for(self.at, *parts)

    def admit(self, at: datetime) -> None:
        """Count the try. Raises TooManyTries."""
        Throttle.admit({**self._own, **self._shared}, at)

    def succeeded(self) -> None:
        Throttle.succeeded(list(self._own))
        for key in self._shared:
            Throttle.give_back(key)

    def remember(self, response: HttpResponse) -> None:
        """Let this browser be known as one in which the owner of the account has signed in."""
        accounts = [self.account, *(account for account in self.accounts if account != self.account)][:MOST_ACCOUNTS]
        response.set_cookie(
            COOKIE,
            signing.dumps([self.browser, *accounts], salt=SALT, compress=True),
            max_age=REMEMBERED_FOR,
            secure=settings.HTTPS,
            httponly=True,
            samesite="Lax",
        )


class FactorGuess(Guess):
    """One try at the second factor of an account whose password is known already.

    It is counted apart, so that whoever has the password does not wipe out the count by entering that once more.
    """

    at = "second factor"

    @property
    def tries(self) -> int:
        """How many tries at this account are counted, as this visitor's or as everybody's, this one included."""
        keys = [*self._own, self._key("account", self.account)]
        most = Throttle.objects.filter(key__in=keys).aggregate(most=models.Max("failures"))["most"]
        return most or 0


def _remembered(request: HttpRequest) -> tuple[str, list[str]]:
    """Return the browser's random name and the accounts whose owners have signed in there."""
    try:
        browser, *accounts = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=REMEMBERED_FOR)
    except signing.BadSignature:
        return get_random_string(22), []
    return browser, accounts
