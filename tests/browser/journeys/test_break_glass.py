"""Break-glass accounts as administrators meet them: a second one, a drill, and being let back in by the operator."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.urls import reverse
from playwright.sync_api import expect

from tests.browser.journeys.house import House, Visitor
from tests.cast import PASSWORD, Cast
from tests.identity.journey import connect
from tests.processes import wait_until
from tests.smtp import link_in
from users.models import User

pytestmark = pytest.mark.browser

KEEPER = "emergency@halden.example"


def test_a_second_account_is_added_tested_and_retired(house: House, visitor: Callable[[], Visitor]) -> None:
    """Issue 4, 5: the page, the keeper's link, the drill that signs nobody in, and the alarm of a real use."""
    cast = Cast.assemble()
    connect(cast.halden, house.okta, cast.ingrid)
    aiko, keeper = visitor(), visitor()
    aiko.comes_back(cast.aiko)
    aiko.go("Break-glass")
    aiko.sees("Break-glass")
    adds_one(aiko)
    takes_it_over(keeper, house)
    drills(aiko, house)
    aiko.press("Retire Ingrid Solberg…")
    question = aiko.dialog("Retire the break-glass account of Ingrid Solberg?")
    expect(question.get_by_role("button", name="Keep it")).to_be_focused()
    aiko.look()
    aiko.press("Retire the account", within=question)
    aiko.reads("Ingrid Solberg is no break-glass account any more.")
    assert list(User.objects.of(cast.halden).break_glass().values_list("email", flat=True)) == [KEEPER]


def adds_one(aiko: Visitor) -> None:
    aiko.follow("Add a second one")
    aiko.sees("Add a break-glass account")
    aiko.page.get_by_role("radio", name="A new account").check()
    aiko.fill("Name", "Emergency")
    aiko.press("Add the account")
    aiko.reads("Enter an email address.")
    aiko.look()
    aiko.fill("Email", KEEPER)
    aiko.press("Add the account")
    aiko.sees("Break-glass")
    aiko.reads("The link that was emailed waits to be opened.")


def takes_it_over(keeper: Visitor, house: House) -> None:
    """The keeper chooses the password, signs in for the first time, and sets up the second factor."""
    keeper.open(house.link_mailed_to(KEEPER, "You keep a break-glass account"))
    keeper.sees("Choose a new password")
    keeper.fill("New password", PASSWORD)
    keeper.press("Change password")
    keeper.has_heading("Sign in to Halden Freight")
    keeper.enters(User.objects.get(email=KEEPER))
    keeper.sees("Dashboard")
    keeper.reads("You are signed in with the break-glass account.")
    wait_until(lambda: house.mails_to("aiko.tanaka@halden.example", "break-glass account of Halden Freight was used"))
    keeper.sign_out()


def drills(aiko: Visitor, house: House) -> None:
    """Aiko tests it in the browser she works in, and stays signed in."""
    aiko.page.reload()
    aiko.follow("Test Emergency now")
    aiko.sees("Sign in to Halden Freight")
    aiko.reads("This signs nobody in.")
    aiko.gives_password(User.objects.get(email=KEEPER))
    aiko.sees("Second factor")
    aiko.fill("Code", aiko.shown_by_app(KEEPER))
    aiko.press("Test the account")
    aiko.sees("The break-glass account works")
    aiko.follow("Back to the break-glass accounts")
    aiko.sees("Break-glass")
    for admin in ("ingrid.solberg@halden.example", "aiko.tanaka@halden.example"):
        wait_until(lambda admin=admin: house.mails_to(admin, "A drill: the break-glass account"))


def test_the_operator_lets_an_enterprise_back_in(house: House, visitor: Callable[[], Visitor]) -> None:
    """Everything is lost; a link, for ten minutes, once; and every Enterprise Admin hears of it, twice."""
    cast = Cast.assemble()
    connect(cast.halden, house.okta, cast.ingrid)
    out = io.StringIO()
    reason = "Ticket 4711: called back at the number on the contract"
    call_command("recover_enterprise", "halden", "--reason", reason, stdout=out, stderr=io.StringIO())
    path = "/recovery/" + out.getvalue().strip().rpartition("/recovery/")[2]
    ingrid = visitor()
    ingrid.open(path)
    ingrid.sees("Recover the break-glass account")
    ingrid.fill("New password", "a new sentence for the safe")
    ingrid.press("Set the password and go on")
    ingrid.sees("Add a second factor")
    ingrid.sets_up_an_app(cast.ingrid.email)
    ingrid.follow("I have stored them: go on")
    ingrid.sees("Dashboard")
    for subject in ("A recovery link", "was recovered"):
        wait_until(lambda subject=subject: house.mails_to(cast.aiko.email, subject))
    assert link_in(house.mails_to(cast.aiko.email, "was recovered")[-1]) == reverse("users:break_glass")
    ingrid.open(path)
    ingrid.sees("This link no longer works")
