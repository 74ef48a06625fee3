"""Everyone has to use Okta: not before it is known to work, not at once, and not for good (T16)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.browser.journeys.house import House, Visitor
from tests.cast import PASSWORD, Cast
from tests.factors import give_app
from tests.identity.journey import connect, link
from users.models import Enterprise, User

pytestmark = pytest.mark.browser

PAGE = "/advanced/identity-provider/required/"


def test_it_is_proved_announced_begun_and_taken_back(house: House, visitor: Callable[[], Visitor]) -> None:
    """Aiko requires it, Marcus is told and then kept out, Ingrid's break-glass account gets in throughout."""
    cast = Cast.assemble()
    okta = connect(cast.halden, house.okta, cast.ingrid)
    link(okta, cast.aiko, "00uaiko.tanaka")
    for person in (cast.ingrid, cast.marcus):
        house.apps[person.email] = give_app(person)
    house.at_okta("Aiko Tanaka")
    aiko, marcus = visitor(), visitor()

    # Signed in through Okta, and still something is missing.
    comes_through_okta(aiko)
    aiko.go("Identity provider")
    aiko.follow("Who has to use it")
    aiko.reads("No break-glass account of an Enterprise Admin was tested in the last 90 days.")
    aiko.sees("Who has to use it")
    for name in ("Marcus Feld", "Oluwaseun Adeyemi", "Tomás Herrera"):
        aiko.reads(name)

    # The drill is what was missing.
    aiko.follow("Test a break-glass account")
    aiko.follow("Test Ingrid Solberg now")
    aiko.gives_password(cast.ingrid)
    aiko.fill("Code", aiko.shown_by_app(cast.ingrid.email))
    aiko.press("Test the account")
    aiko.has_heading("The break-glass account works")
    aiko.open(PAGE)
    aiko.reads("The break-glass account of Ingrid Solberg was tested in the last 90 days.")
    aiko.page.get_by_label("7 days").check()
    aiko.press("Require it of everyone")
    aiko.reads("Passwords stop working on")
    aiko.sees("Who has to use it")

    # Whom it concerns is told by email and on every page, and goes on as before.
    assert house.link_mailed_to(cast.marcus.email, "stops working soon") == "/e/halden/"
    marcus.signs_in_with_a_password(cast.marcus)
    marcus.reads("Passwords stop working on")
    marcus.look()

    # The day comes.
    Enterprise.objects.filter(pk=cast.halden.pk).update(provider_required_from=timezone.now() - timedelta(minutes=1))
    marcus.open("/users/")
    marcus.has_heading("Sign in to Halden Freight")
    marcus.open("/e/halden/local/")
    marcus.page.get_by_label("Email").focus()
    marcus.type(cast.marcus.email, PASSWORD)
    marcus.reads("Passwords are no longer used here.")
    marcus.look()
    visitor().signs_in_with_a_password(cast.ingrid)
    aiko.open(PAGE)
    aiko.reads("Passwords have not worked since")

    # And is taken back.
    aiko.press("Let passwords go on")
    aiko.announced("People with a password go on with it. New people use the provider.")
    assert house.link_mailed_to(cast.marcus.email, "goes on working") == "/e/halden/"
    marcus.signs_in_with_a_password(User.objects.get(pk=cast.marcus.pk))


def comes_through_okta(visitor: Visitor) -> None:
    visitor.open("/e/halden/")
    visitor.follow("Continue with Okta")
    visitor.has_heading("Dashboard")
