"""The list of people and a person's page in a real browser: search as one types, choose, ask, act."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.conftest import findings
from tests.cast import Cast, browser_of
from users.models import User

pytestmark = [pytest.mark.browser, pytest.mark.servers]


def _as(page: Page, live_server: LiveServer, user: User) -> Page:
    name = settings.SESSION_COOKIE_NAME
    value = browser_of(user).cookies[name].value
    page.context.add_cookies([{"name": name, "value": value, "url": live_server.url}])
    return page


def test_people_found_by_typing_are_chosen_and_disabled(
    live_server: LiveServer, cast: Cast, new_page: Callable[..., Page]
) -> None:
    page = _as(new_page(), live_server, cast.aiko)
    page.goto(f"{live_server.url}/users/")
    page.get_by_role("searchbox").press_sequentially("herrera")
    expect(page.get_by_role("link", name="Marcus Feld")).to_have_count(0)
    expect(page).to_have_url(f"{live_server.url}/users/?q=herrera")
    page.get_by_label("Choose everyone on this page").check()
    expect(page.get_by_text("1 chosen")).to_be_visible()
    assert findings(page) == []
    page.get_by_role("button", name="Disable…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Disable 1 person?")
    page.get_by_role("button", name="Disable 1 person").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 person is disabled")
    assert findings(page) == []


def test_a_role_is_given_in_a_dialog_and_all_are_revoked_before_the_account_goes(
    live_server: LiveServer, cast: Cast, new_page: Callable[..., Page]
) -> None:
    """M6, from the page of the person."""
    page = _as(new_page(), live_server, cast.aiko)
    page.goto(f"{live_server.url}/users/{cast.tomas.pk}/")
    page.get_by_role("button", name="Give a role").click()
    assert findings(page) == []
    page.get_by_label("Role", exact=True).select_option("Viewer")
    page.get_by_label("Where", exact=True).select_option("Oslo terminal")
    page.get_by_role("button", name="Give role").click()
    page.get_by_role("button", name="Revoke 2 roles…").click()
    expect(page.get_by_role("button", name="Keep the roles")).to_be_focused()
    page.get_by_role("button", name="Revoke 2 roles", exact=True).click()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete Tomás Herrera").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Users")
    expect(page.get_by_role("link", name="Tomás Herrera")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 320])
def test_the_pages_have_no_findings_and_nothing_scrolls_sideways(
    live_server: LiveServer, cast: Cast, new_page: Callable[..., Page], width: int
) -> None:
    page, pk = _as(new_page(width), live_server, cast.aiko), cast.tomas.pk
    for path in (
        "users/", f"users/{pk}/", f"users/{pk}/abilities/", f"users/{pk}/activity/", f"users/{pk}/email/",
        f"users/{pk}/delete/", "organizations/", f"organizations/{cast.oslo.pk}/delete/",
    ):  # fmt: skip
        page.goto(f"{live_server.url}/{path}")
        assert findings(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_stranger_finds_nobody_of_halden(live_server: LiveServer, cast: Cast, new_page: Callable[..., Page]) -> None:
    """T11."""
    page = _as(new_page(), live_server, cast.mallory)
    page.goto(f"{live_server.url}/users/?q=herrera")
    expect(page.get_by_text("No one matches.")).to_be_visible()
