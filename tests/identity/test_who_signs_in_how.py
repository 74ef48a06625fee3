"""Which connection serves whom, and how one person would sign in: what is said is what a sign-in comes to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from identity.models import Connection
from invitations.models import Invitation
from tests.cast import PASSWORD, Browser, browser_of, make_user
from tests.identity.journey import Journey, connect, is_signed_in
from users.models import Role, User

pytestmark = pytest.mark.servers

PAGE = "/advanced/identity-provider/ways-in/"


def said(journey: Journey, email: str) -> str:
    response = browser_of(journey.cast.aiko).get(PAGE, {"email": email})
    assert response.status_code == 200
    way = response.context["way"]
    return f"{way.fact} {way.text}"


def test_somebody_who_signs_in_through_okta(journey: Journey) -> None:
    assert said(journey, "Dana.Whitfield@halden.example") == (
        "Dana Whitfield signs in through Okta. Known there as 00u1dana."
    )
    journey.sign_in()
    assert is_signed_in(journey.browser, journey.dana)


def test_somebody_whom_the_serving_issuer_does_not_know(journey: Journey) -> None:
    journey.dana.subjects.update(issuer="https://old.okta.example")
    assert "the next sign-in is refused" in said(journey, journey.dana.email)
    journey.sign_in()
    assert not is_signed_in(journey.browser, journey.dana)


def test_a_connection_that_is_disabled(journey: Journey) -> None:
    Connection.objects.update(enabled_at=None, disabled_at=timezone.now())
    assert "It is disabled, so nobody gets in through it." in said(journey, journey.dana.email)


def test_somebody_with_a_password_and_the_break_glass_account(journey: Journey) -> None:
    assert "Aiko Tanaka signs in with a password. That stays so" in said(journey, journey.cast.aiko.email)
    assert "always: it is a break-glass account." in said(journey, journey.cast.ingrid.email)
    User.objects.filter(pk=journey.cast.aiko.pk).update(switching_to=journey.connection)
    assert "Until the first sign-in through Okta" in said(journey, journey.cast.aiko.email)


def test_somebody_whose_password_opens_nothing_any_more(journey: Journey) -> None:
    """T16. What is said is what happens at the local page."""
    aiko, tomas = browser_of(journey.cast.aiko), journey.cast.tomas
    User.objects.filter(pk=journey.cast.aiko.pk).update(connection=journey.connection)
    journey.cast.halden.require_provider(timezone.now() - timedelta(days=1))
    way = aiko.get(PAGE, {"email": tomas.email}).context["way"]
    assert not way.is_open
    assert "opens nothing any more" in way.fact
    assert "Switch the account to the provider" in way.text
    entered = Browser(journey.cast.halden).post("/e/halden/local/", {"email": tomas.email, "password": PASSWORD})
    assert "Passwords are no longer used here." in entered.text
    User.objects.filter(pk=tomas.pk).update(switching_to=journey.connection)
    way = aiko.get(PAGE, {"email": tomas.email}).context["way"]
    assert way.is_open
    assert "the link that was emailed: it leads to Okta" in way.text
    assert aiko.get(PAGE, {"email": journey.cast.ingrid.email}).context["way"].is_open


def test_a_break_glass_account_whose_password_is_still_to_be_chosen(journey: Journey) -> None:
    User.objects.filter(pk=journey.cast.ingrid.pk).update(password=make_password(None))
    assert "Ingrid Solberg has no password yet. The link to choose one was emailed." in said(
        journey, journey.cast.ingrid.email
    )


def test_somebody_on_the_way_from_one_connection_to_another(journey: Journey) -> None:
    other = connect(journey.cast.halden, journey.provider, journey.cast.aiko)
    User.objects.filter(pk=journey.dana.pk).update(switching_to=other)
    assert "Known there as 00u1dana. That ends with the first sign-in through" in said(journey, journey.dana.email)


def test_somebody_whose_inviter_may_not_give_the_role_any_more(journey: Journey) -> None:
    """T10."""
    invitation = journey.invite("piotr.nowak@halden.example")
    invitation.invited_by.role_assignments.all().delete()
    way = browser_of(journey.cast.ingrid).get(PAGE, {"email": "piotr.nowak@halden.example"}).context["way"]
    assert not way.is_open
    assert "Whoever sent it may no longer give this role: send it again." in way.text


def test_somebody_who_is_disabled(journey: Journey) -> None:
    User.objects.filter(pk=journey.dana.pk).update(disabled_at=timezone.now())
    assert "No way in works" in said(journey, journey.dana.email)


def test_somebody_who_is_invited(journey: Journey) -> None:
    invitation = journey.invite("piotr.nowak@halden.example")
    assert "The page behind it leads to Okta." in said(journey, "piotr.nowak@halden.example")
    Invitation.objects.filter(pk=invitation.pk).update(expires_at=timezone.now())
    assert "the invitation has ended. Send it again." in said(journey, "piotr.nowak@halden.example")


def test_nobody_with_this_address_also_when_another_enterprise_knows_it(journey: Journey) -> None:
    """T11."""
    assert "Nobody here has this address." in said(journey, journey.cast.mallory.email)


def test_an_organization_with_a_connection_of_its_own_uses_that_and_others_the_enterprises(journey: Journey) -> None:
    cast = journey.cast
    own = connect(cast.halden, journey.provider, cast.aiko, enabled=False)
    own.organization = cast.rotterdam
    own.save()
    revision = own.latest
    assert revision
    revision.mark_tested(by=cast.aiko, at=timezone.now())
    own.enable(revision, timezone.now())
    places = browser_of(cast.aiko).get(PAGE).context["places"]
    assert [(place.name, place.connection) for place in places] == [
        ("The whole enterprise", journey.connection),
        ("Rotterdam", own),
    ]
    for organization, connection in (
        (cast.rotterdam, own),
        (cast.oslo, journey.connection),
        (None, journey.connection),
    ):
        invitation = Invitation.issue(
            enterprise=cast.halden, email=f"x{organization and organization.pk}@halden.example", role=Role.VIEWER,
            organization=organization, connection=None, by=cast.aiko, at=timezone.now(),
        )  # fmt: skip
        assert invitation.way_in() == connection
    door = Browser(cast.halden).get("/e/halden/").content.decode()
    assert door.index("Continue with Okta<") < door.index("Continue with Okta for Rotterdam<")


def test_nonsense_is_said_at_the_field_and_others_may_not_ask(journey: Journey) -> None:
    response = browser_of(journey.cast.aiko).get(PAGE, {"email": "not an email"})
    assert response.status_code == 422
    assert "This is not an email address." in response.content.decode()
    assert browser_of(journey.cast.marcus).get(PAGE, {"email": "x@halden.example"}).status_code == 403


def test_the_number_of_statements_does_not_grow(journey: Journey, django_assert_max_num_queries: object) -> None:
    for number in range(10):
        make_user(journey.cast.halden, f"P{number}", f"p{number}@halden.example")
    browser = browser_of(journey.cast.aiko)
    with django_assert_max_num_queries(10):  # type: ignore[operator]
        browser.get(PAGE, {"email": "dana.whitfield@halden.example"})
