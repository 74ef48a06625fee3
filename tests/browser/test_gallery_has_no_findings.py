"""Every component and layout, in both themes, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from tests.browser.conftest import COLOURS, findings, in_theme

PAGES = sorted(page.stem for page in (Path(__file__).parent / "pages").glob("*.html"))
pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.browser.gallery")]


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_to_find(live_server: LiveServer, new_page: Callable[..., Page], width: int) -> None:
    """visual.md 6: no axe finding at all, in either theme, and nothing refused by the content security policy."""
    page = new_page(width)
    for name in ["gallery", *PAGES]:
        page.emulate_media(color_scheme="light")
        page.goto(f"{live_server.url}/{name}/")
        assert findings(page) == [], name
        in_theme(page, "dark")
        assert findings(page, *COLOURS) == [], name


def test_nothing_scrolls_sideways_at_320_pixels(live_server: LiveServer, new_page: Callable[..., Page]) -> None:
    """visual.md 3: never sideways."""
    page = new_page(320)
    for name in ["gallery", *PAGES]:
        page.goto(f"{live_server.url}/{name}/")
        assert page.evaluate("document.documentElement.scrollWidth") == 320, name
