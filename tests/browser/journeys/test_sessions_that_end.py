"""Two minutes before a session ends, in every tab; and what was typed when it has ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.browser.journeys.house import House, Visitor
from tests.cast import Cast
from tests.processes import wait_until
from users.models import Session, User

pytestmark = pytest.mark.browser

PROFILE = "/account/profile/"


def ends_in(user: User, seconds: float) -> None:
    """Let the session of ``user`` be as far from its idle limit as if it had not been used for a while."""
    user.sessions.update(idle_until=timezone.now() + timedelta(seconds=seconds))


def idle_until(user: User):  # type: ignore[no-untyped-def]
    return Session.objects.get(user=user).idle_until


def banner(visitor: Visitor):  # type: ignore[no-untyped-def]
    return visitor.page.locator("[data-ending]")


@pytest.fixture
def cast(house: House) -> Cast:
    return Cast.assemble()


@pytest.fixture
def aiko(cast: Cast, visitor: Callable[[], Visitor]) -> Visitor:
    aiko = visitor()
    aiko.comes_back(cast.aiko)
    return aiko


def test_the_banner_comes_in_time_and_one_key_puts_the_end_off(cast: Cast, aiko: Visitor) -> None:
    """visual.md 6: announced, by keyboard, without taking the focus from what is being typed."""
    aiko.open(PROFILE)
    expect(banner(aiko)).to_be_hidden()
    ends_in(cast.aiko, 122)
    aiko.open(PROFILE)
    aiko.page.get_by_label("Name", exact=True).focus()
    expect(banner(aiko)).to_be_visible()
    expect(banner(aiko)).to_contain_text("You will be signed out at ")
    expect(aiko.page.locator("[data-announcer]")).to_contain_text("You will be signed out at ")
    expect(aiko.page.get_by_label("Name", exact=True)).to_be_focused()
    aiko.look()
    before = idle_until(cast.aiko)
    aiko.page.wait_for_timeout(1500)
    assert idle_until(cast.aiko) == before, "the page itself keeps nothing alive"
    aiko.page.get_by_label("Name", exact=True).focus()
    aiko.page.keyboard.press("Tab")
    expect(aiko.page.get_by_role("button", name="Stay signed in")).to_be_focused()
    aiko.page.keyboard.press("Enter")
    expect(banner(aiko)).to_be_hidden()
    expect(aiko.page.locator("[data-announcer]")).to_contain_text("You stay signed in until ")
    expect(aiko.page.get_by_label("Name", exact=True)).to_be_focused()
    assert idle_until(cast.aiko) > timezone.now() + timedelta(minutes=59)


def test_tabs_agree(house: House, cast: Cast, aiko: Visitor) -> None:
    ends_in(cast.aiko, 121)
    aiko.open(PROFILE)
    other = Visitor(house.origin, aiko.page.context.new_page())
    other.open("/account/")
    expect(banner(aiko)).to_be_visible()
    expect(banner(other)).to_be_visible()
    other.press("Stay signed in")
    expect(banner(other)).to_be_hidden()
    expect(banner(aiko)).to_be_hidden()


def test_it_is_within_reach_over_an_open_dialog(cast: Cast, aiko: Visitor) -> None:
    """All else is inert then."""
    ends_in(cast.aiko, 123)
    aiko.open("/users/")
    aiko.follow("Invite people")
    dialog = aiko.dialog("Invite people")
    dialog.get_by_label("Email addresses").fill("lena@halden.example")
    expect(banner(aiko)).to_be_visible()
    aiko.look()
    aiko.press("Stay signed in")
    expect(banner(aiko)).to_be_hidden()
    expect(dialog.get_by_label("Email addresses")).to_have_value("lena@halden.example")


def test_the_absolute_limit_is_only_announced(cast: Cast, aiko: Visitor) -> None:
    began = timezone.now() - timedelta(hours=12) + timedelta(seconds=121)
    cast.aiko.sessions.update(created_at=began, expire_date=began + timedelta(hours=12))
    aiko.open(PROFILE)
    expect(banner(aiko)).to_contain_text("A session lasts")
    expect(banner(aiko)).to_contain_text("what you have typed is kept when you send it")
    expect(aiko.page.get_by_role("button", name="Stay signed in")).to_have_count(0)
    aiko.look()
    aiko.press("Dismiss")
    expect(banner(aiko)).to_be_hidden()


def test_what_was_typed_goes_on_after_signing_in_again(cast: Cast, aiko: Visitor) -> None:
    """R8: sent too late, it has no effect, and it is not lost."""
    ends_in(cast.aiko, 4)
    aiko.open(PROFILE)
    expect(banner(aiko)).to_contain_text("You will be signed out at ")
    aiko.fill("Name", "Aiko Tanaka-Lund")
    expect(banner(aiko)).to_contain_text("You are signed out.", timeout=15_000)
    aiko.look()
    aiko.press("Save profile")
    aiko.has_heading("Sign in to Halden Freight")
    cast.aiko.refresh_from_db()
    assert cast.aiko.name == "Aiko Tanaka"
    aiko.enters(cast.aiko)
    aiko.sees("Continue where you were")
    aiko.reads("Your account")
    aiko.press("Continue")
    aiko.has_heading("Your account")
    cast.aiko.refresh_from_db()
    assert cast.aiko.name == "Aiko Tanaka-Lund"


def test_somebody_else_who_signs_in_there_sees_nothing_of_it(cast: Cast, aiko: Visitor) -> None:
    aiko.open(PROFILE)
    ends_in(cast.aiko, -1)
    aiko.fill("Name", "Aiko Tanaka-Lund")
    aiko.press("Save profile")
    aiko.has_heading("Sign in to Halden Freight")
    aiko.enters(cast.marcus)
    aiko.has_heading("Dashboard")
    cast.aiko.refresh_from_db()
    cast.marcus.refresh_from_db()
    assert (cast.aiko.name, cast.marcus.name) == ("Aiko Tanaka", "Marcus Feld")


def test_signing_in_again_in_another_tab_is_enough(house: House, cast: Cast, aiko: Visitor) -> None:
    """The form stays as it is, and is sent as if nothing had been."""
    ends_in(cast.aiko, 4)
    aiko.open(PROFILE)
    aiko.fill("Name", "Aiko Tanaka-Lund")
    expect(banner(aiko)).to_contain_text("You are signed out.", timeout=15_000)
    with aiko.page.context.expect_page() as tab:
        aiko.page.get_by_role("link", name="Sign in again").click()
    again = Visitor(house.origin, tab.value, aiko.apps)
    again.has_heading("Sign in to Halden Freight")
    again.enters(cast.aiko)
    again.has_heading("Dashboard")
    expect(banner(aiko)).to_be_hidden()
    aiko.press("Save profile")
    aiko.has_heading("Your account")
    cast.aiko.refresh_from_db()
    wait_until(lambda: User.objects.get(pk=cast.aiko.pk).name == "Aiko Tanaka-Lund")


def test_somebody_else_in_another_tab_is_said(house: House, cast: Cast, aiko: Visitor) -> None:
    aiko.open(PROFILE)
    other = Visitor(house.origin, aiko.page.context.new_page())
    other.open("/users/")
    other.sign_out()
    other.open("/e/halden/local/")
    other.enters(cast.marcus)
    other.has_heading("Dashboard")
    expect(banner(aiko)).to_contain_text("Somebody else has signed in with this browser.")
    aiko.look()
