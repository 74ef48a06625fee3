"""Every page of the running product, wide and on a phone, light and dark, judged by axe and by Chromium's console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Page

from tests.browser.conftest import COLOURS, findings, in_theme
from tests.browser.journeys.house import DESKTOP, PHONE, House, Visitor
from tests.browser.journeys.test_nothing_scrolls_sideways import ENTRANCE, NO_PAGES, furnished, halfway
from tests.routes import ROUTES

pytestmark = pytest.mark.browser


def test_no_page_has_a_finding(house: House, new_page: Callable[..., Page]) -> None:
    """visual.md 6: no axe finding at all; and (``new_page``) no script fails, nothing is against the page's policy."""
    world = furnished(house)
    aiko = Visitor(house.origin, new_page())
    # Each of them is looked at: axe comes with it, which is quicker than to bring it there.
    aiko.page.add_init_script(Axe().axe_script)
    wrong = [found for path in ENTRANCE for found in looked_at(aiko, path)]
    wrong += [found for path in halfway(aiko, world) for found in looked_at(aiko, path)]
    aiko.apps = world.apps
    aiko.signs_in_with_a_password(world.cast.aiko)
    for name, route in ROUTES.items():
        if "GET" in route.methods and name not in NO_PAGES:
            path = f"{reverse(name, args=route.args(world))}?{urlencode(route.query(world))}"
            wrong += [f"{name} {found}" for found in looked_at(aiko, path)]
    assert wrong == []


def looked_at(visitor: Visitor, path: str) -> Iterator[str]:
    """Open ``path`` and yield what is wrong with it, dark and wide, and what in its colours, light and on a phone.

    In the journeys it is looked at wide and light, and what it is made of in every way in the gallery.
    """
    page = visitor.page
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="dark")
    visitor.open(path)
    yield from (f"{path} dark {found}" for found in findings(page))
    page.set_viewport_size(PHONE)
    in_theme(page, "light")
    yield from (f"{path} light {found}" for found in findings(page, *COLOURS))
