"""A role is made, given to people picked by name, changed under them, taken back and deleted; all of it by pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.journeys.house import House, Visitor
from tests.cast import Cast

pytestmark = pytest.mark.browser


def test_a_role_from_its_making_to_its_end(house: House, visitor: Callable[[], Visitor]) -> None:
    cast = Cast.assemble()
    aiko, tomas = visitor(), visitor()
    aiko.comes_back(cast.aiko)
    tomas.comes_back(cast.tomas)

    aiko.go("Roles")
    aiko.sees("Roles")
    aiko.follow("Create a role")
    aiko.sees("Create a role")
    aiko.press("Create role")
    aiko.reads("Enter a name.")
    aiko.fill("Name", "Terminal lead")
    aiko.page.get_by_label("Description").fill("Runs a terminal.")
    aiko.page.get_by_label("Disable, enable and delete people").check()
    aiko.press("Create role")
    aiko.sees("Terminal lead")
    aiko.reads("Nobody has it.")

    aiko.follow("Give to people")
    aiko.sees("Who gets Terminal lead?")
    search = aiko.page.get_by_role("searchbox", name="Name or email")
    search.press_sequentially("herrera")
    expect(aiko.row("Marcus Feld")).to_have_count(0)
    aiko.page.get_by_label("Choose Tomás Herrera").check()
    search.fill("")
    search.press_sequentially("marcus")
    aiko.page.get_by_label("Choose Marcus Feld").check()
    aiko.reads("2 chosen")
    aiko.look()
    aiko.press("Go on…")
    aiko.sees("Give Terminal lead to 2 people?")
    aiko.press("Give it to 2 people")
    aiko.reads("This field is required.")
    aiko.page.get_by_label("Where").select_option("Oslo terminal")
    aiko.press("Give it to 2 people")
    aiko.sees("2 people have it now")

    tomas.open("/users/")
    tomas.reads("Oluwaseun Adeyemi")
    tomas.look()

    aiko.follow("Back to the role")
    aiko.follow("Change")
    aiko.sees("Change Terminal lead")
    aiko.page.get_by_label("See the dashboard").uncheck()
    aiko.page.get_by_label("Invite people, and send").check()
    aiko.press("Go on…")
    aiko.sees("Change Terminal lead for 2 people?")
    aiko.reads("They can no longer")
    aiko.press("Change the role for 2 people")
    aiko.reads("It holds at once, for 2 people.")

    aiko.page.get_by_label("Choose Marcus Feld").check()
    aiko.press("Revoke the role…")
    aiko.sees("Revoke Terminal lead from 1 person?")
    aiko.press("Revoke it from 1 person")
    aiko.sees("1 person lost it")
    aiko.follow("Back to the role")
    aiko.follow("Revoke from 1 person…")
    aiko.sees("Revoke Terminal lead from 1 person?")
    aiko.press("Revoke from 1 person")
    aiko.follow("Delete…")
    aiko.sees("Delete Terminal lead?")
    aiko.press("Delete Terminal lead")
    aiko.sees("Roles")
    aiko.reads("The role Terminal lead is deleted.")

    tomas.page.reload()
    expect(tomas.row("Oluwaseun Adeyemi")).to_have_count(0)


def test_who_can_do_what_is_asked_by_a_menu(house: House, visitor: Callable[[], Visitor]) -> None:
    cast = Cast.assemble()
    aiko = visitor()
    aiko.comes_back(cast.aiko)
    aiko.go("Users")
    aiko.follow("Who can do what")
    aiko.sees("Who can do what")
    aiko.press("What")
    aiko.page.get_by_role("link", name="Invite people, and send invitations again").click()
    aiko.sees("Who can do this")
    aiko.reads("Invite people, and send invitations again: 4 people can.")
    aiko.press("For which organization")
    aiko.page.get_by_role("link", name="Oslo terminal").click()
    aiko.reads("2 people can, for Oslo terminal.")
    aiko.follow("Ingrid Solberg")
    aiko.sees("Ingrid Solberg")
    aiko.reads("Enterprise Admin")
