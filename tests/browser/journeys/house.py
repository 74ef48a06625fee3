"""The house that journeys go through, and the people who go through it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.message import EmailMessage

from django.conf import settings
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import findings
from tests.cast import PASSWORD, browser_of
from tests.factors import App, give_app
from tests.processes import wait_until
from tests.provider import Provider
from tests.smtp import Sink, link_in
from users.middleware import LAST_ENTERPRISE_COOKIE
from users.models import AuthenticatorApp, User

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 800}


@dataclass
class House:
    """The console at ``origin``, the mail server it sends to, and the provider that plays the enterprise's Okta."""

    origin: str
    sink: Sink
    okta: Provider
    apps: dict[str, App] = field(default_factory=dict)

    def link_mailed_to(self, address: str, subject: str) -> str:
        """Return the path of the link in the newest email to ``address`` whose subject contains ``subject``.

        Waits for it: the worker sends when it gets to it.
        """

        wait_until(lambda: self.mails_to(address, subject))
        return link_in(self.mails_to(address, subject)[-1])

    def mails_to(self, address: str, subject: str) -> list[EmailMessage]:
        return [message for message in self.sink.to(address) if subject in str(message["Subject"])]

    def at_okta(self, name: str, local: str = "") -> None:
        """From now on ``name`` is who is signed in at Okta, in every browser, as ``local``@halden.example."""
        local = local or name.lower().replace(" ", ".")
        self.okta.person = {"sub": f"00u{local}", "email": f"{local}@halden.example", "name": name}


@dataclass
class Visitor:
    """Somebody at a browser. Finds things by role and name, as people with a screen reader do too."""

    origin: str
    page: Page
    # The authenticator apps on people's phones, by email.
    apps: dict[str, App] = field(default_factory=dict)

    def open(self, path: str) -> None:
        self.page.goto(self.origin + path)

    def signs_in_with_a_password(self, user: User) -> None:
        self.open(f"/e/{user.enterprise.slug}/local/")
        self.enters(user)
        self.has_heading("Dashboard")

    def comes_back(self, user: User) -> None:
        """Open the dashboard with a session of ``user``, who has an app on their phone."""
        self.apps[user.email] = give_app(user)
        cookies = {
            settings.SESSION_COOKIE_NAME: browser_of(user).cookies[settings.SESSION_COOKIE_NAME].value,
            LAST_ENTERPRISE_COOKIE: user.enterprise.slug,
        }
        self.page.context.add_cookies(
            [{"name": name, "value": value, "url": self.origin} for name, value in cookies.items()]
        )
        self.open("/")

    def enters(self, user: User) -> None:
        """Give ``user``'s email and password to the form that asks for them, and then the second factor."""
        self.gives_password(user)
        if self.page.url.endswith("/enrol/"):
            self.sets_up_an_app(user.email)
            self.follow("I have stored them: go on")
        else:
            self.fill("Code", self.shown_by_app(user.email))
            self.press("Sign in")

    def gives_password(self, user: User) -> None:
        self.page.get_by_label("Email").focus()
        self.type(user.email, PASSWORD)
        self.page.wait_for_url(re.compile("/local/(factor|enrol)/$"))

    def sets_up_an_app(self, email: str) -> None:
        """Copy the key into an app, and enter the code that shows; stop at the recovery codes."""
        app = self.apps[email] = App(self.page.locator("#app-key").inner_text().replace(" ", ""))
        self.fill("Code from the app", app.fresh_code())
        self.press("Go on")
        self.has_heading("Your recovery codes")

    def shown_by_app(self, email: str) -> str:
        """The code that the app of ``email`` shows, as if half a minute had passed since the one before was used."""
        AuthenticatorApp.objects.filter(user__email=email).update(last_step=0)
        return self.apps[email].code()

    def has_heading(self, heading: str) -> None:
        """The page's one first-level heading is ``heading``."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)

    def sees(self, heading: str) -> None:
        """The page has this heading, and nothing is wrong with it (``look``)."""
        self.has_heading(heading)
        self.look()

    def look(self) -> None:
        """Fail on whatever axe finds. Dark and on a phone pages are looked at elsewhere, each one, and all parts."""
        assert findings(self.page) == []

    def reads(self, text: str | re.Pattern[str]) -> None:
        """``text`` is somewhere on the page, to be seen."""
        expect(self.page.get_by_text(text).locator("visible=true").first).to_be_visible()

    def announced(self, text: str) -> None:
        """Those who do not see the page are told ``text``."""
        expect(self.page.locator("[data-announcer]")).to_have_text(text)

    def press(self, name: str, *, within: Locator | None = None) -> None:
        """Press the button with this name."""
        (within or self.page).get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str, *, within: Locator | None = None) -> None:
        """Follow the link with this name."""
        (within or self.page).get_by_role("link", name=name, exact=True).click()

    def go(self, name: str) -> None:
        """Choose ``name`` in the main navigation."""
        self.follow(name, within=self.page.get_by_role("navigation", name="Main"))

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).fill(text)

    def type(self, *keys: str) -> None:
        """Type texts one after the other, each followed by Tab; the last by Enter."""
        for number, text in enumerate(keys, 1):
            self.page.keyboard.type(text)
            self.page.keyboard.press("Enter" if number == len(keys) else "Tab")

    def row(self, text: str) -> Locator:
        """The one row of a table with ``text`` in it."""
        return self.page.get_by_role("row").filter(has_text=text)

    def dialog(self, name: str) -> Locator:
        return self.page.get_by_role("dialog", name=name)

    def sign_out(self) -> None:
        self.page.get_by_role("button", name=re.compile(": your account$")).click()
        self.press("Sign out", within=self.page.locator("#person-menu"))
        # Here, or at the provider and back.
        self.page.wait_for_url(re.compile(r"/e/[^/]+/(local/)?$|/logout/done/"))
