"""The main job, end to end: an enterprise signs up, connects Okta, invites a person, and they sign in."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.journeys.house import House, Visitor

pytestmark = pytest.mark.browser

INGRID = "ingrid.solberg@halden.example"
PIOTR = "piotr.nowak@halden.example"


def test_an_enterprise_comes_and_its_people_sign_in_with_okta(house: House, visitor: Callable[[], Visitor]) -> None:
    """M1–M5, M8, M9, in a browser: nothing is prepared, everything is done on the pages and by email."""
    ingrid = visitor()
    sign_up(ingrid)
    confirm_email(ingrid, house.link_mailed_to(INGRID, "Confirm"))
    connect_okta(ingrid, house)
    invite(ingrid, PIOTR)

    piotr = visitor()
    house.at_okta("Piotr Nowak")
    accept(piotr, house.link_mailed_to(PIOTR, "invites you"))

    give_another_role(ingrid)
    sign_out_and_in_again(piotr)


def sign_up(ingrid: Visitor) -> None:
    """All of it by keyboard."""
    ingrid.open("/signup/")
    ingrid.sees("Create your enterprise")
    ingrid.page.get_by_label("Enterprise name").focus()
    ingrid.type("Halden Freight", "halden", "", "Ingrid Solberg", INGRID, "the harbour at six in the morning")
    ingrid.sees("Add a second factor")
    ingrid.reads("Halden Freight is created.")
    ingrid.sets_up_an_app(INGRID)
    ingrid.look()
    ingrid.follow("I have stored them: go on")
    ingrid.sees("Dashboard")
    ingrid.reads("Confirm your email.")


def confirm_email(ingrid: Visitor, link: str) -> None:
    ingrid.open(link)
    ingrid.sees("Confirm your email")
    ingrid.press("Confirm this email")
    expect(ingrid.page.get_by_text("Confirm your email.")).to_have_count(0)


def connect_okta(ingrid: Visitor, house: House) -> None:
    page = ingrid.page
    ingrid.go("Identity provider")
    ingrid.sees("Identity provider")
    page.get_by_role("radio", name="Okta").check()
    ingrid.press("Continue to set-up")
    ingrid.sees("Set up Okta")
    ingrid.press("Copy Sign-in redirect URI")
    ingrid.announced("Sign-in redirect URI copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith(f"{house.origin}/sso/")

    # The address of the discovery document in place of the issuer: refused, with the very button that puts it right.
    ingrid.fill("Issuer URI", house.okta.issuer + "/.well-known/openid-configuration")
    ingrid.fill("Client ID", "gatehouse")
    ingrid.fill("Client secret", house.okta.clients["gatehouse"])
    ingrid.press("Save")
    ingrid.reads("This is the address of the discovery document.")
    ingrid.look()
    ingrid.press(f"Use {house.okta.issuer}")
    ingrid.fill("Client secret", house.okta.clients["gatehouse"])
    ingrid.press("Save")

    ingrid.press("Check")
    ingrid.reads("nothing stands in the way")
    ingrid.look()

    house.at_okta("Ingrid Solberg")
    with page.context.expect_page() as tab:
        page.get_by_role("link", name="Test sign-in").click()
    tester = Visitor(ingrid.origin, tab.value)
    tester.sees("The test worked")
    tester.reads("00uingrid.solberg")
    tester.reads("Today this Okta person would be refused.")
    tab.value.close()

    page.reload()
    ingrid.press("Enable Okta")
    ingrid.sees("Okta")
    # Nothing is wrong, so nothing warns: there was no other way in when this session began.
    expect(page.get_by_text("You are signed in with the break-glass account.")).to_have_count(0)


def invite(ingrid: Visitor, email: str) -> None:
    ingrid.go("Invitations")
    ingrid.sees("Invitations")
    ingrid.follow("Invite people")
    ingrid.sees("Invite people")
    ingrid.fill("Email addresses", email)
    ingrid.page.get_by_label("Role").select_option("Viewer")
    ingrid.press("Invite people")
    expect(ingrid.row(email)).to_be_visible()


def accept(piotr: Visitor, link: str) -> None:
    piotr.open(link)
    piotr.sees("Join Halden Freight on Gatehouse")
    piotr.press("Accept with Okta")
    piotr.sees("Dashboard")


def give_another_role(ingrid: Visitor) -> None:
    ingrid.go("Users")
    ingrid.sees("Users")
    expect(ingrid.row("Piotr Nowak")).to_contain_text("Active")
    ingrid.follow("Piotr Nowak")
    ingrid.sees("Piotr Nowak")
    ingrid.press("Give a role")
    form = ingrid.dialog("Give")
    ingrid.look()
    form.get_by_label("Role").select_option("Manager")
    form.get_by_role("button", name=re.compile("^Give")).click()
    expect(ingrid.row("Manager")).to_contain_text("Whole enterprise")


def sign_out_and_in_again(piotr: Visitor) -> None:
    piotr.sign_out()
    piotr.open("/e/halden/")
    piotr.sees("Sign in to Halden Freight")
    piotr.follow("Continue with Okta")
    piotr.sees("Dashboard")
