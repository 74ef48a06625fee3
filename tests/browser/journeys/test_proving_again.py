"""Step-up in a browser: a client secret is typed, a proof is asked for, and the secret is on no page on its way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from identity.models import Connection
from tests.browser.journeys.house import House, Visitor
from tests.cast import PASSWORD, Cast, long_ago, make_user
from tests.identity.journey import connect, link
from users.models import HeldForm, Role

pytestmark = pytest.mark.browser

SECRET = "canary-of-a-secret-that-is-on-no-page"


class Pages:
    """Everything a visitor's browser was sent, to be looked through for what must not be in it."""

    def __init__(self, page: Page) -> None:
        self.bodies: list[str] = []
        page.on("response", self._keep)

    def _keep(self, response) -> None:  # type: ignore[no-untyped-def]
        is_redirect = 300 <= response.status < 400
        if not is_redirect and response.request.resource_type in ("document", "xhr", "fetch"):
            self.bodies.append(response.text())

    def are_clean(self, visitor: Visitor) -> None:
        assert len(self.bodies) > 2
        assert not [body for body in self.bodies if SECRET in body]
        cookies = visitor.page.context.cookies()
        assert not [cookie for cookie in cookies if SECRET in str(cookie)]
        kept = visitor.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, location.href])")
        assert SECRET not in kept


def types_a_secret(visitor: Visitor, connection: Connection) -> Pages:
    visitor.open(f"/advanced/identity-provider/{connection.pk}/?replace#secret")
    pages = Pages(visitor.page)
    visitor.page.get_by_label("Client secret", exact=True).fill(SECRET)
    visitor.press("Save", within=visitor.page.locator("#values"))
    return pages


def newest_secret(connection: Connection) -> str:
    return Connection.objects.get(pk=connection.pk).latest.secret.open()


def test_with_the_password(house: House, visitor: Callable[[], Visitor]) -> None:
    """T5, by keyboard: the password, Enter, and what was typed is saved."""
    cast = Cast.assemble()
    connection = connect(cast.halden, house.okta, cast.ingrid)
    aiko = visitor()
    aiko.comes_back(cast.aiko)
    long_ago(cast.aiko)
    pages = types_a_secret(aiko, connection)
    aiko.sees("Confirm that it is you")
    aiko.reads("This changes who gets into Halden Freight")
    expect(aiko.page.get_by_label("Your password")).to_be_focused()
    aiko.type("a wrong one")
    aiko.reads("This is not your password.")
    aiko.look()
    aiko.page.get_by_label("Your password").fill(PASSWORD)
    aiko.page.get_by_label("Code", exact=True).focus()
    aiko.type(aiko.shown_by_app(cast.aiko.email))
    aiko.has_heading("Okta")
    aiko.reads("Revision 2 is saved.")
    assert newest_secret(connection) == SECRET
    pages.are_clean(aiko)
    aiko.page.reload()
    aiko.has_heading("Okta")
    assert HeldForm.objects.get().sealed == ""


def test_at_okta(house: House, visitor: Callable[[], Visitor]) -> None:
    """T5, K7: there and back, and one press goes on."""
    cast = Cast.assemble()
    connection = connect(cast.halden, house.okta, cast.ingrid)
    admin = (Role.ENTERPRISE_ADMIN, None)
    dana = make_user(cast.halden, "Dana Whitfield", "dana.whitfield@halden.example", admin, password="!")
    link(connection, dana, "00udana.whitfield")
    house.at_okta("Dana Whitfield")
    browser = visitor()
    browser.open("/e/halden/")
    browser.follow("Continue with Okta")
    browser.has_heading("Dashboard")
    long_ago(dana)
    pages = types_a_secret(browser, connection)
    browser.sees("Confirm that it is you")
    house.at_okta("Samir Haddad")
    browser.follow("Continue with Okta")
    browser.sees("That was another account")
    assert newest_secret(connection) != SECRET
    house.at_okta("Dana Whitfield")
    browser.follow("Try again")
    browser.sees("Continue where you were")
    browser.press("Continue")
    browser.has_heading("Okta")
    browser.reads("Revision 2 is saved.")
    assert newest_secret(connection) == SECRET
    pages.are_clean(browser)


def test_without_script(house: House, new_page: Callable[..., Page]) -> None:
    cast = Cast.assemble()
    connection = connect(cast.halden, house.okta, cast.ingrid)
    aiko = Visitor(house.origin, new_page(java_script_enabled=False))
    aiko.comes_back(cast.aiko)
    long_ago(cast.aiko)
    aiko.open(f"/advanced/identity-provider/{connection.pk}/?replace#secret")
    aiko.page.get_by_label("Client secret", exact=True).fill(SECRET)
    aiko.press("Save", within=aiko.page.locator("#values"))
    aiko.has_heading("Confirm that it is you")
    aiko.page.get_by_label("Your password").fill(PASSWORD)
    aiko.page.get_by_label("Code", exact=True).fill(aiko.shown_by_app(cast.aiko.email))
    aiko.press("Confirm and continue")
    aiko.has_heading("Okta")
    assert newest_secret(connection) == SECRET


def test_from_a_dialog(house: House, visitor: Callable[[], Visitor]) -> None:
    """htmx: the dialog's form leads to the page, and what was typed goes on from there."""
    cast = Cast.assemble()
    aiko = visitor()
    aiko.comes_back(cast.aiko)
    long_ago(cast.aiko)
    aiko.open("/users/")
    aiko.follow("Invite people")
    dialog = aiko.dialog("Invite people")
    dialog.get_by_label("Email addresses").fill("lena.fischer@halden.example")
    dialog.get_by_label("Role").select_option("Enterprise Admin")
    dialog.get_by_role("button", name="Invite people").click()
    aiko.has_heading("Confirm that it is you")
    aiko.page.get_by_label("Your password").fill(PASSWORD)
    aiko.page.get_by_label("Code", exact=True).fill(aiko.shown_by_app(cast.aiko.email))
    aiko.press("Confirm and continue")
    expect(aiko.row("lena.fischer@halden.example")).to_contain_text("Enterprise Admin")


def test_what_waits_can_be_discarded(house: House, visitor: Callable[[], Visitor]) -> None:
    cast = Cast.assemble()
    connection = connect(cast.halden, house.okta, cast.ingrid)
    aiko = visitor()
    aiko.comes_back(cast.aiko)
    long_ago(cast.aiko)
    types_a_secret(aiko, connection)
    aiko.has_heading("Confirm that it is you")
    aiko.open("/account/held/")
    aiko.sees("Continue where you were")
    aiko.press("Discard")
    aiko.has_heading("Okta")
    assert newest_secret(connection) != SECRET
    assert not HeldForm.objects.exists()
