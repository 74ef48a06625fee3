"""Break-glass: the provider is down, and the people who can repair that get in, seen by everybody who should."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.journeys.house import House, Visitor
from tests.cast import Cast
from tests.identity.journey import connect
from tests.processes import wait_until

pytestmark = pytest.mark.browser


def test_an_outage_is_said_at_once_and_the_break_glass_account_repairs_it(
    house: House, visitor: Callable[[], Visitor]
) -> None:
    """M1, M9: a plain page instead of a wait, local credentials beside it, an alarm to every Enterprise Admin."""
    cast = Cast.assemble()
    connect(cast.halden, house.okta, cast.ingrid)
    house.okta.close()
    ingrid = visitor()
    ingrid.open("/e/halden/")
    began = time.monotonic()
    with ingrid.page.expect_response(lambda response: "/start/" in response.url) as answer:
        ingrid.follow("Continue with Okta")
    ingrid.has_heading("Okta does not answer")
    assert time.monotonic() - began < 5
    assert answer.value.status == 503
    ingrid.look()

    ingrid.follow("local credentials")
    ingrid.sees("Sign in to Halden Freight")
    ingrid.enters(cast.ingrid)
    ingrid.sees("Dashboard")
    ingrid.reads("You are signed in with the break-glass account.")
    for admin in (cast.ingrid, cast.aiko):
        wait_until(lambda admin=admin: house.mails_to(admin.email, "break-glass account of Halden Freight was used"))
    assert house.sink.to(cast.marcus.email) == []

    ingrid.open("/account/")
    ingrid.sees("Your account")
    expect(ingrid.row("This one, now")).to_contain_text("Break-glass")

    ingrid.go("Identity provider")
    ingrid.sees("Identity provider")
    ingrid.follow("Okta")
    ingrid.sees("Okta")
    ingrid.press("Check")
    ingrid.reads("Not checked: the issuer did not answer.")
    ingrid.look()
