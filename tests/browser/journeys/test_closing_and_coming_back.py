"""An administrator exports everything, closes the enterprise, thinks better of it, and opens it again."""

from __future__ import annotations

from collections.abc import Callable
from zipfile import ZipFile

import pytest
from playwright.sync_api import Page

from tests.browser.journeys.house import House, Visitor
from tests.cast import Cast

pytestmark = pytest.mark.browser


def test_it_is_asked_twice_and_can_be_taken_back(house: House, new_page: Callable[..., Page]) -> None:
    cast = Cast.assemble()
    aiko = Visitor(house.origin, new_page(accept_downloads=True))
    aiko.comes_back(cast.aiko)
    aiko.go("Enterprise")
    aiko.sees("Halden Freight")
    with aiko.page.expect_download() as download:
        aiko.follow("Export everything")
    with ZipFile(download.value.path()) as zipped:
        assert "people.csv" in zipped.namelist()
    aiko.press("Close…")
    aiko.follow("Go on", within=aiko.dialog("Close Halden Freight?"))
    aiko.sees("Close Halden Freight?")
    aiko.fill("Name of the enterprise", "Halden")
    aiko.press("Close Halden Freight")
    aiko.reads("This is not the name. It is Halden Freight.")
    aiko.fill("Name of the enterprise", "Halden Freight")
    aiko.press("Close Halden Freight")
    aiko.sees("Halden Freight is closed")
    house.link_mailed_to(cast.ingrid.email, "is closed")
    aiko.press("Open Halden Freight again")
    aiko.has_heading("Dashboard")
    aiko.reads("Halden Freight is open again.")
