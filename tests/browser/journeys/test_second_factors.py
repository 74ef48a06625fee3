"""Second factors as people meet them: an app, a passkey, a copied passkey, recovery codes, and a lost phone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.journeys.house import House, Visitor
from tests.browser.virtual_authenticator import VirtualAuthenticator
from tests.cast import Cast
from tests.processes import wait_until

pytestmark = pytest.mark.browser


def test_from_the_first_sign_in_to_a_lost_phone(house: House, visitor: Callable[[], Visitor]) -> None:
    """Issue 4, 6: enrolled at the first sign-in, used in every way, lost, reset, enrolled anew."""
    cast = Cast.assemble()
    aiko, ingrid = visitor(), visitor()
    device = VirtualAuthenticator(aiko.page)
    codes = sets_up(aiko, cast)
    adds_a_passkey(aiko, house, cast)
    signs_in_with_the_passkey(aiko, cast)
    is_refused_with_a_copy(aiko, ingrid, house, cast, device)
    signs_in_with_a_recovery_code(aiko, cast, codes[0])
    loses_everything(aiko, ingrid, house, cast)


def begins(aiko: Visitor, cast: Cast) -> None:
    aiko.open("/e/halden/local/")
    aiko.gives_password(cast.aiko)


def sets_up(aiko: Visitor, cast: Cast) -> list[str]:
    begins(aiko, cast)
    aiko.sees("Add a second factor")
    aiko.fill("Code from the app", "000000")
    aiko.press("Go on")
    aiko.reads("The app would show another code now.")
    expect(aiko.page.get_by_label("Code from the app")).to_be_focused()
    aiko.look()
    aiko.press("Copy Key")
    copied = aiko.page.evaluate("navigator.clipboard.readText()")
    assert copied == aiko.page.locator("#app-key").inner_text()
    aiko.sets_up_an_app(cast.aiko.email)
    aiko.look()
    codes = aiko.page.get_by_role("listitem").all_inner_texts()
    assert len(codes) == 10
    aiko.press("Copy")
    aiko.announced("Recovery codes copied")
    assert aiko.page.evaluate("navigator.clipboard.readText()").split() == codes
    with aiko.page.expect_download() as download:
        aiko.follow("Download")
    assert all(code in download.value.path().read_text() for code in codes)
    aiko.page.emulate_media(media="print")
    expect(aiko.page.get_by_role("button", name="Copy")).to_be_hidden()
    expect(aiko.page.get_by_text(codes[9])).to_be_visible()
    expect(aiko.page.get_by_text(cast.aiko.email)).to_be_visible()
    aiko.page.emulate_media(media="screen")
    aiko.follow("I have stored them: go on")
    aiko.sees("Dashboard")
    return codes


def adds_a_passkey(aiko: Visitor, house: House, cast: Cast) -> None:
    aiko.open("/account/")
    aiko.follow("Add a passkey")
    aiko.sees("Add a passkey")
    aiko.fill("Name", "Office laptop")
    aiko.press("Create the passkey")
    aiko.sees("Your account")
    aiko.reads("Office laptop")
    house.link_mailed_to(cast.aiko.email, "A second factor was added")
    aiko.follow("Rename Office laptop")
    aiko.fill("Name", "Laptop in Oslo")
    aiko.press("Save")
    aiko.reads("The passkey is now called Laptop in Oslo.")
    aiko.sign_out()


def signs_in_with_the_passkey(aiko: Visitor, cast: Cast) -> None:
    begins(aiko, cast)
    aiko.sees("Second factor")
    aiko.press("Use a passkey")
    aiko.sees("Dashboard")
    aiko.sign_out()


def is_refused_with_a_copy(
    aiko: Visitor, ingrid: Visitor, house: House, cast: Cast, device: VirtualAuthenticator
) -> None:
    device.turn_back()
    begins(aiko, cast)
    aiko.press("Use a passkey")
    aiko.reads("This passkey has counted backwards, as a copy of it would.")
    aiko.look()
    for person in (cast.aiko, cast.ingrid):
        wait_until(lambda person=person: house.mails_to(person.email, "may have been copied"))
    ingrid.signs_in_with_a_password(cast.ingrid)
    ingrid.go("Audit log")
    expect(ingrid.row("factor:copied")).to_contain_text("Alarm")


def signs_in_with_a_recovery_code(aiko: Visitor, cast: Cast, code: str) -> None:
    begins(aiko, cast)
    aiko.follow("Use a recovery code")
    aiko.sees("Use a recovery code")
    aiko.fill("Recovery code", code)
    aiko.press("Sign in")
    aiko.sees("Dashboard")
    aiko.open("/account/")
    aiko.reads("9 of 10 left.")


def loses_everything(aiko: Visitor, ingrid: Visitor, house: House, cast: Cast) -> None:
    ingrid.go("Users")
    ingrid.follow("Aiko Tanaka")
    ingrid.sees("Aiko Tanaka")
    ingrid.press("Reset…")
    question = ingrid.dialog("Reset the second factor of Aiko Tanaka?")
    expect(question.get_by_role("button", name="Keep it")).to_be_focused()
    ingrid.look()
    ingrid.press("Reset the second factor", within=question)
    ingrid.reads("Aiko Tanaka has none yet. The next sign-in sets one up.")
    house.link_mailed_to(cast.aiko.email, "was reset")
    aiko.page.reload()
    aiko.has_heading("Sign in to Halden Freight")
    aiko.gives_password(cast.aiko)
    aiko.has_heading("Add a second factor")
    aiko.page.get_by_role("link", name=re.compile("^Use a passkey instead")).click()
    aiko.sees("Add a passkey")
    aiko.press("Create the passkey")
    aiko.sees("Your recovery codes")


def test_where_nobody_answers_the_page_says_so_and_the_other_ways_stay(
    house: House, visitor: Callable[[], Visitor]
) -> None:
    """A passkey that is not at hand is no dead end."""
    cast = Cast.assemble()
    aiko = visitor()
    device = VirtualAuthenticator(aiko.page)
    begins(aiko, cast)
    aiko.page.get_by_role("link", name=re.compile("^Use a passkey instead")).click()
    device.refuse()
    aiko.press("Create the passkey")
    aiko.reads("The browser did not get an answer from a passkey.")
    aiko.look()
    device.refuse(False)
    aiko.press("Create the passkey")
    aiko.sees("Your recovery codes")
