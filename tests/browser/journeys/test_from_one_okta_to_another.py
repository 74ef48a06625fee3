"""From one Okta to another while people work: both enabled side by side, people moved in a batch, the first retired."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from identity.models import Connection
from tests.browser.journeys.house import House, Visitor
from tests.cast import Cast
from tests.identity.journey import connect, link
from tests.provider import Provider
from users.models import User

pytestmark = pytest.mark.browser

SUBJECT = "Sign in to Halden Freight with Okta"


@pytest.fixture
def successor() -> Iterator[Provider]:
    with Provider() as other:
        yield other


def is_at(provider: Provider, person: User, sub: str) -> None:
    provider.person = {"sub": sub, "email": person.email, "name": person.name}


def test_nobody_is_interrupted(house: House, visitor: Callable[[], Visitor], successor: Provider) -> None:
    """Issue 4, 2: each of two people signs in at every step, and is known by one subject, at one of the two."""
    cast = Cast.assemble()
    first = connect(cast.halden, house.okta, cast.ingrid)
    tomas, marcus = link(first, cast.tomas, "00u1tomas"), link(first, cast.marcus, "00u1marcus")
    aiko = visitor()
    aiko.comes_back(cast.aiko)
    sets_up_the_second(aiko, successor)
    second = Connection.objects.of(cast.halden).get(leads=False)
    gets_in_by_the_first(visitor, house, tomas, "00u1tomas")

    moves_both(aiko)
    gets_in_by_the_first(visitor, house, marcus, "00u1marcus")

    # Tomás comes. The other Okta knows him by another subject, and from then on that is who he is.
    his = visitor()
    is_at(successor, tomas, "00u9tomas")
    his.open(house.link_mailed_to(tomas.email, SUBJECT))
    his.sees("Sign in to Halden Freight with Okta at 127.0.0.1")
    his.press("Continue with Okta at 127.0.0.1")
    his.has_heading("Dashboard")
    his.reads("You sign in with Okta at 127.0.0.1 from now on.")
    his.page.close()
    assert [(s.connection, s.sub) for s in tomas.subjects.all()] == [(second, "00u9tomas")]
    gets_in_by_the_first(visitor, house, marcus, "00u1marcus")

    # New people use the other one from now on; Marcus still has time.
    aiko.go("Identity provider")
    aiko.sees("Identity provider")
    aiko.follow("Okta", within=aiko.row("Beside another; new users do not use it"))
    aiko.sees("Okta")
    aiko.press("Let new users use this one")
    aiko.reads("New users use Okta from now on.")
    aiko.reads("Move 1 person here…")
    gets_in_by_the_first(visitor, house, marcus, "00u1marcus")

    # Marcus comes too, and the first has nobody left.
    hers = visitor()
    is_at(successor, marcus, "00u9marcus")
    hers.open(house.link_mailed_to(marcus.email, SUBJECT))
    hers.page.get_by_role("button", name="Continue with Okta").click()
    hers.has_heading("Dashboard")
    aiko.page.reload()
    aiko.follow("Retire it…")
    aiko.look()
    aiko.press("Disable…")
    aiko.reads("Nobody signs in with it.")
    aiko.press("Disable Okta")
    aiko.reads("Okta is disabled.")
    hers.page.reload()
    hers.has_heading("Dashboard")
    is_at(successor, tomas, "00u9tomas")
    again = visitor()
    again.open("/e/halden/")
    again.follow("Continue with Okta")
    again.has_heading("Dashboard")


def sets_up_the_second(aiko: Visitor, successor: Provider) -> None:
    """Saved, checked, tested, enabled: the first serves meanwhile, and goes on to."""
    page = aiko.page
    aiko.go("Identity provider")
    aiko.follow("Add a provider")
    page.get_by_role("radio", name="Okta").check()
    aiko.press("Continue to set-up")
    aiko.fill("Issuer URI", successor.issuer)
    aiko.fill("Client ID", "gatehouse")
    aiko.fill("Client secret", successor.clients["gatehouse"])
    aiko.press("Save")
    aiko.press("Check")
    aiko.reads("nothing stands in the way")
    successor.person = {"sub": "00u9aiko", "email": "aiko.tanaka@halden.example", "name": "Aiko Tanaka"}
    with page.context.expect_page() as tab:
        page.get_by_role("link", name="Test sign-in").click()
    Visitor(aiko.origin, tab.value).has_heading("The test worked")
    tab.value.close()
    page.reload()
    aiko.reads("From then on two serve side by side: new users go on using Okta")
    aiko.look()
    aiko.press("Enable Okta")
    aiko.reads("New users go on using the other one until you let them use this.")
    aiko.sees("Okta")


def moves_both(aiko: Visitor) -> None:
    aiko.follow("Move 2 people here…")
    aiko.sees("Switch to Okta at 127.0.0.1")
    aiko.reads("2 people chosen: 2 can switch. Nothing has been sent.")
    aiko.press("Switch 2 people…")
    aiko.look()
    aiko.press("Switch 2 people", within=aiko.dialog("Switch 2 people?"))
    expect(aiko.page.get_by_text("2 waiting, still the old way")).to_be_visible()


def gets_in_by_the_first(visitor: Callable[[], Visitor], house: House, person: User, sub: str) -> None:
    is_at(house.okta, person, sub)
    somebody = visitor()
    somebody.open("/e/halden/")
    # The button of the first has the name alone while it leads, and the host as well from then on.
    somebody.page.get_by_role("link", name="Continue with Okta").and_(
        somebody.page.locator(f'[href*="{Connection.objects.get(pk=person.connection_id).pk}"]')
    ).click()
    somebody.has_heading("Dashboard")
    somebody.page.close()
