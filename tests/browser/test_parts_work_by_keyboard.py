"""Menus, dialogs, the drawer and the choosing of rows, by keyboard, and what remains of them without script."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.conftest import findings

pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.browser.gallery")]


def test_a_menu_is_walked_with_arrows_and_left_with_escape(
    live_server: LiveServer, new_page: Callable[..., Page]
) -> None:
    """visual.md 6: menus with arrows and Escape; the row menu is reached without hovering."""
    page = new_page()
    page.goto(f"{live_server.url}/users/")
    opener = page.get_by_role("button", name="Acts for Yusuf Karim")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Open")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="Send the switch link again")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("button", name="Disable…")).to_be_focused()
    assert findings(page) == []
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_a_confirmation_starts_on_the_safe_button_and_returns_focus(
    live_server: LiveServer, new_page: Callable[..., Page]
) -> None:
    """visual.md 4, Dialog, and 6: focus goes back to what opened it, also when that was in a menu since closed."""
    page = new_page()
    page.goto(f"{live_server.url}/users/")
    opener = page.get_by_role("button", name="Acts for Yusuf Karim")
    opener.click()
    # A menu takes the focus once it has opened, which the browser tells a moment after the click.
    expect(page.locator(".menu:popover-open :focus")).to_have_count(1)
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep enabled")).to_be_focused()
    assert findings(page) == []
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()


def test_the_drawer_holds_focus_and_gives_it_back(live_server: LiveServer, new_page: Callable[..., Page]) -> None:
    """visual.md 3: under 1024 pixels the navigation is a drawer; focus held, Escape closes, focus returns."""
    page = new_page(390)
    page.goto(f"{live_server.url}/dashboard/")
    page.get_by_role("button", name="Menu", exact=True).click()
    drawer = page.get_by_role("dialog", name="Menu")
    expect(drawer.get_by_role("link", name="Dashboard")).to_have_attribute("aria-current", "page")
    assert findings(page) == []
    for _ in range(20):
        page.keyboard.press("Tab")
        # Between the last and the first stands the browser's own chrome, which is the body to the page.
        assert page.evaluate("document.activeElement.matches('.drawer *, .drawer, body')")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Menu", exact=True)).to_be_focused()


def test_choosing_rows_is_counted_and_undone(live_server: LiveServer, new_page: Callable[..., Page]) -> None:
    """visual.md 4, Bulk bar: it comes with the first choice, counts, and goes with its cross."""
    page = new_page()
    page.goto(f"{live_server.url}/users/")
    everyone = page.get_by_label("Choose everyone on this page")
    everyone.check()
    expect(page.get_by_text("8 chosen").first).to_be_visible()
    page.get_by_label("Choose Marcus Feld").uncheck()
    expect(page.locator("[data-bulk-count]")).to_have_text("7 chosen")
    assert everyone.evaluate("box => box.indeterminate")
    page.get_by_role("button", name="Choose no one").click()
    expect(page.locator(".bulk-bar")).to_be_hidden()
    expect(everyone).to_be_focused()


def test_copying_is_done_and_said(live_server: LiveServer, new_page: Callable[..., Page]) -> None:
    """visual.md 4, Copy field: a tick, Copied, and announced."""
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{live_server.url.replace('127.0.0.1', 'localhost')}/setup/")
    page.get_by_role("button", name="Copy Sign-in redirect URI").click()
    expect(page.locator("[data-announcer]")).to_have_text("Sign-in redirect URI copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "https://eu.gatehouse.example/sso/7hq2m4xk/callback/"


def test_a_form_with_an_error_starts_at_the_error(live_server: LiveServer, new_page: Callable[..., Page]) -> None:
    """visual.md 4, Field, and 6: the title says so, focus is on the field, and its error and help are tied to it."""
    page = new_page()
    page.goto(f"{live_server.url}/signup/")
    password = page.get_by_label("Password", exact=True)
    expect(page).to_have_title("Error: Create your enterprise · Halden Freight")
    expect(password).to_be_focused()
    expect(password).to_have_accessible_description(
        "At least 12 characters. Anything you like: a sentence works well. 10 characters. Add 2 more."
    )
    page.get_by_role("button", name="Show the password").click()
    expect(password).to_have_attribute("type", "text")


def test_a_form_is_sent_once(live_server: LiveServer, new_page: Callable[..., Page]) -> None:
    """visual.md 4, Button: while busy its words change, and a second press is ignored."""
    page = new_page()
    page.goto(f"{live_server.url}/invitation/")
    # Two presses before the page can go; the form is kept from going, so that the button can be looked at.
    words = page.get_by_role("button", name="Accept with Okta").evaluate(
        """button => {
          button.form.addEventListener("submit", (event) => { window.went = (window.went || 0) + 1; });
          window.addEventListener("submit", (event) => { if (!event.defaultPrevented) event.preventDefault(); });
          button.click();
          button.click();
          return [button.innerText, button.getAttribute("aria-busy"), window.went];
        }"""
    )
    assert words == ["Going to Okta…", "true", 1]


def test_without_script_menus_dialogs_and_the_drawer_open(
    live_server: LiveServer, new_page: Callable[..., Page]
) -> None:
    """design.md 7: everything works without JavaScript."""
    page = new_page(390, java_script_enabled=False)
    page.goto(f"{live_server.url}/users/")
    page.get_by_role("button", name="Menu", exact=True).click()
    expect(page.locator("#drawer").get_by_role("link", name="Audit log")).to_be_visible()
    page.get_by_role("button", name="Close the menu").click()
    page.get_by_role("button", name="Acts for Marcus Feld").click()
    page.locator("#menu-2").get_by_role("button", name="Disable…").click()
    expect(page.get_by_role("button", name="Disable Yusuf Karim")).to_be_visible()
    page.get_by_role("button", name="Keep enabled").click()
    expect(page.get_by_role("button", name="Disable Yusuf Karim")).to_be_hidden()
    expect(page.locator(".bulk-bar")).to_be_visible()
