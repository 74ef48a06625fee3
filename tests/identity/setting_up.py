"""An administrator at the set-up page: what is typed, pressed and read there."""

from __future__ import annotations

import html
import re

from django.http import HttpResponse
from django.urls import reverse

from audit.models import Event
from identity.models import Connection, Provider
from tests import provider as providers
from tests.cast import Browser, browser_of
from users.models import User

SECRET = "a-secret-of-32-characters-or-more"


class Desk:
    """``user``'s browser, and a connection being set up in it."""

    def __init__(self, user: User, provider: str = Provider.OKTA, **fields: object) -> None:
        self.user = user
        self.browser: Browser = browser_of(user)
        self.connection = Connection.objects.create(
            enterprise=user.enterprise, provider=provider, created_by=user, **fields
        )

    def url(self, name: str, *args: object) -> str:
        return reverse(f"identity:{name}", args=[self.connection.pk, *args])

    def save(self, issuer: str = "https://halden.okta.com", **values: str) -> HttpResponse:
        typed = {
            "issuer": issuer,
            "client_id": "gatehouse",
            "client_secret": SECRET,
            "scopes": "openid profile email offline_access",
            "client_authentication": "client_secret_basic",
            "organization": self.connection.organization_id or "",
        }
        return self.browser.post(self.url("setup"), typed | values)

    def saved_at(self, provider: providers.Provider) -> Desk:
        """Save the values of a real provider; the connection is then ready to be checked."""
        assert self.save(provider.issuer).status_code == 302
        return self

    def press(self, name: str, *args: object, **values: str) -> HttpResponse:
        return self.browser.post(self.url(name, *args), values)

    def page(self) -> str:
        return words(self.browser.get(self.url("setup")))

    def prove(self) -> None:
        """Note on the newest revision that it was checked and tested, as a round trip does."""
        assert self.press("check").status_code == 302
        self.connection.latest.mark_tested(by=self.user, at=self.connection.latest.created_at)

    def enabled_at(self, provider: providers.Provider) -> Desk:
        self.saved_at(provider).prove()
        assert self.press("enable", revision=str(self.connection.latest.number)).status_code == 302
        self.connection.refresh_from_db()
        return self

    def events_of(self, beginning: str) -> list[Event]:
        found = Event.objects.of(self.user.enterprise).filter(action__startswith=beginning)
        return list(found.newest_first())

    def events(self, action: str) -> list[Event]:
        return list(Event.objects.of(self.user.enterprise).filter(action=action).newest_first())


def words(page: HttpResponse) -> str:
    """Return what a page says: no tags, and every run of white space one space."""
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", page.content.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(text).split())
