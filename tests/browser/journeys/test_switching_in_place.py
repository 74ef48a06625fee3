"""The migration, as people go through it: one comes, one is switched back, one never comes. Nobody is locked out."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.journeys.house import House, Visitor
from tests.cast import PASSWORD, Cast
from tests.identity.journey import connect
from tests.processes import wait_until
from users.models import User

pytestmark = pytest.mark.browser

SUBJECT = "Sign in to Halden Freight with Okta"


def can_sign_in_with_a_password(visitor: Callable[[], Visitor], *people: User) -> None:
    """Each of them really does, in a browser of their own."""
    for person in people:
        somebody = visitor()
        somebody.signs_in_with_a_password(person)
        somebody.page.close()


def can_sign_in_with_okta(house: House, visitor: Callable[[], Visitor], person: User, local: str) -> None:
    somebody = visitor()
    house.at_okta(person.name, local)
    somebody.open("/e/halden/")
    somebody.follow("Continue with Okta")
    somebody.has_heading("Dashboard")
    somebody.page.close()


def test_one_comes_one_is_switched_back_one_never_comes(house: House, visitor: Callable[[], Visitor]) -> None:
    """M7, T7: checked by really signing in at every step."""
    cast = Cast.assemble()
    connect(cast.halden, house.okta, cast.ingrid)
    marcus, tomas, oluwaseun = cast.marcus, cast.tomas, cast.oluwaseun
    aiko = visitor()
    aiko.comes_back(cast.aiko)

    # Three are chosen in the list, and the dry run says what would happen.
    aiko.go("Users")
    for person in (marcus, tomas, oluwaseun):
        aiko.page.get_by_label(f"Choose {person.name}").check()
    aiko.press("Switch to Okta…")
    aiko.sees("Switch to Okta")
    aiko.reads("3 people chosen: 3 can switch. Nothing has been sent.")
    expect(aiko.row("Tomás Herrera")).to_contain_text("1 role, history")
    can_sign_in_with_a_password(visitor, marcus, tomas, oluwaseun)

    # It begins. Everybody signs in as before.
    aiko.press("Switch 3 people…")
    question = aiko.dialog("Switch 3 people?")
    aiko.look()
    question.get_by_label("Name of the batch").fill("Terminals")
    question.get_by_label("Message").fill("Ask the IT desk if anything is unclear.")
    aiko.press("Switch 3 people", within=question)
    aiko.has_heading("Terminals")
    links = {person: house.link_mailed_to(person.email, SUBJECT) for person in (marcus, tomas, oluwaseun)}
    # The page has followed by itself.
    expect(aiko.page.get_by_text("3 waiting, still the old way")).to_be_visible()
    expect(aiko.row("Tomás Herrera")).to_have_count(1)
    aiko.page.reload()
    aiko.sees("Terminals")
    can_sign_in_with_a_password(visitor, marcus, tomas, oluwaseun)

    # Tomás opens his link, at first as the wrong person at Okta.
    his = visitor()
    house.at_okta("Eve Else", "eve")
    his.open(links[tomas])
    his.sees("Sign in to Halden Freight with Okta")
    his.reads("Ask the IT desk if anything is unclear.")
    expect(his.page).to_have_url(re.compile("/switch/$"))
    his.press("Continue with Okta")
    his.sees("This link is for another account")
    can_sign_in_with_a_password(visitor, tomas)

    # Then as himself, and he is in, with the role he had.
    house.at_okta(tomas.name, "tomas.herrera")
    his.press("Use another Okta account")
    his.has_heading("Dashboard")
    his.reads("You sign in with Okta from now on.")
    assert [str(role) for role in tomas.role_assignments.all()] == ["Manager, Rotterdam"]
    can_sign_in_with_okta(house, visitor, tomas, "tomas.herrera")
    stranger = visitor()
    stranger.open("/e/halden/local/")
    stranger.page.get_by_label("Email").focus()
    stranger.type(tomas.email, PASSWORD)
    stranger.reads("This email and this password do not fit together.")
    can_sign_in_with_a_password(visitor, marcus, oluwaseun)
    wait_until(lambda: house.mails_to(tomas.email, "You sign in to Halden Freight with Okta now"))

    # Marcus is switched back. His link says so, and he signs in as before.
    aiko.page.reload()
    expect(aiko.row("Tomás Herrera")).to_contain_text("Done")
    aiko.row("Marcus Feld").get_by_role("button", name="Acts for Marcus Feld").click()
    aiko.press("Switch Marcus Feld back")
    expect(aiko.row("Marcus Feld")).to_contain_text("Switched back")
    aiko.look()
    hers = visitor()
    hers.open(links[marcus])
    hers.sees("You sign in as before")
    can_sign_in_with_a_password(visitor, marcus, oluwaseun)
    can_sign_in_with_okta(house, visitor, tomas, "tomas.herrera")

    # Oluwaseun never comes. The rest of the batch is undone, and everybody can still sign in.
    aiko.press("Undo for the 1 waiting…")
    question = aiko.dialog("Switch 1 person back?")
    expect(question.get_by_role("button", name="Let them go on")).to_be_focused()
    aiko.press("Switch 1 person back", within=question)
    aiko.reads("Whoever has not come yet signs in as before.")
    wait_until(lambda: not User.objects.filter(switching_to__isnull=False).exists())
    aiko.page.reload()
    aiko.reads("1 of 3 done")
    aiko.sees("Terminals")
    can_sign_in_with_a_password(visitor, marcus, oluwaseun, cast.aiko, cast.ingrid)
    can_sign_in_with_okta(house, visitor, tomas, "tomas.herrera")

    aiko.go("Users")
    for person, way in ((marcus, "Password"), (oluwaseun, "Password"), (tomas, "Okta")):
        expect(aiko.row(person.name)).to_contain_text("Active")
        expect(aiko.row(person.name)).to_contain_text(way)


def test_whoever_is_not_assigned_in_okta_is_told_and_comes_later(house: House, visitor: Callable[[], Visitor]) -> None:
    """K6: the administrator sees it, and the same link works once that is put right."""
    cast = Cast.assemble()
    connect(cast.halden, house.okta, cast.ingrid)
    aiko, tomas = visitor(), visitor()
    aiko.comes_back(cast.aiko)
    aiko.go("Users")
    aiko.follow("Tomás Herrera")
    aiko.follow("Switch to Okta…")
    aiko.press("Switch 1 person…")
    aiko.press("Switch 1 person", within=aiko.dialog("Switch 1 person?"))
    aiko.has_heading("Tomás Herrera")

    house.okta.person = None
    tomas.signs_in_with_a_password(cast.tomas)
    link = house.link_mailed_to(cast.tomas.email, SUBJECT)
    tomas.open(link)
    tomas.press("Continue with Okta")
    tomas.sees("Okta has not been told you may use this")
    tomas.reads("Nothing has changed: your password works as before.")
    tomas.open("/account/")
    tomas.has_heading("Your account")

    aiko.go("Switch to Okta")
    aiko.reads("not assigned to the app")
    aiko.sees("Switch to Okta")
    expect(aiko.page.get_by_role("navigation", name="Main").get_by_role("link", name="Switch to Okta")).to_contain_text(
        "1"
    )
    house.at_okta("Tomás Herrera", "tomas.herrera")
    tomas.open(link)
    tomas.press("Continue with Okta")
    tomas.has_heading("Dashboard")
    aiko.page.reload()
    aiko.reads("1 of 1 done")
