"""Every page at 320 pixels, with names as long as people have them: the document never scrolls sideways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from tests.browser.journeys.house import House, Visitor
from tests.cast import Cast
from tests.factors import give_passkey
from tests.identity.journey import connect
from tests.routes import ROUTES, World

pytestmark = pytest.mark.browser

# Files, part of a page, and the way to the provider.
NO_PAGES = {
    "console:audit_download",
    "console:export",
    "identity:test",
    "invitations:batch_progress",
    "invitations:dry_run_download",
}
ENTRANCE = (
    "/signup/",
    "/login/",
    "/e/halden/",
    "/e/halden/local/",
    "/e/halden/local/?drill",
    "/e/halden/local/forgotten/",
    "/e/nobody/",
)


def test_no_page_is_wider_than_the_phone(house: House, new_page: Callable[..., Page]) -> None:
    """visual.md 3: never sideways. Every route of the console that shows a page, as an Enterprise Admin sees it."""
    world = furnished(house)
    aiko = Visitor(house.origin, new_page(320))
    wide = [path for path in ENTRANCE if is_wide(aiko, path)]
    wide += [path for path in halfway(aiko, world) if is_wide(aiko, path)]
    aiko.apps = world.apps
    aiko.signs_in_with_a_password(world.cast.aiko)
    for name, route in ROUTES.items():
        if "GET" in route.methods and name not in NO_PAGES:
            path = reverse(name, args=route.args(world))
            if is_wide(aiko, f"{path}?{urlencode(route.query(world))}"):
                wide.append(name)
    assert wide == []


def furnished(house: House) -> World:
    cast = Cast.assemble()
    world = World.build(cast)
    connect(cast.halden, house.okta, cast.ingrid)
    cast.halden.name = "Halden Freight International Forwarding and Customs Brokerage"
    cast.halden.save()
    cast.rotterdam.name = "Rotterdam-Maasvlakte-Containerterminal-und-Zollabfertigung"
    cast.rotterdam.save()
    world.chloe.name = "Chloé Anne-Sophie Martin-Desrosiers de la Bretonnière"
    world.chloe.email = "chloe.anne-sophie.martin-desrosiers.de.la.bretonniere@containerterminal.halden.example"
    world.chloe.save()
    give_passkey(cast.aiko, "The laptop that stands in the office of Rotterdam-Maasvlakte")
    return world


def halfway(visitor: Visitor, world: World) -> Iterator[str]:
    """Yield the pages between password and console, with the password of whom they are for given in time."""
    first, second = ("enrol/", "enrol/passkey/"), ("factor/", "factor/?recovery")
    for user, pages in ((world.cast.oluwaseun, first), (world.cast.aiko, second)):
        visitor.open("/e/halden/local/")
        visitor.gives_password(user)
        yield from (f"/e/halden/local/{page}" for page in pages)


def is_wide(visitor: Visitor, path: str) -> bool:
    visitor.open(path)
    return bool(visitor.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
