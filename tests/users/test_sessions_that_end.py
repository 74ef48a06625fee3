"""What the banner knows before a session ends, and that asking for it keeps nothing alive."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from tests.cast import Browser, Cast, browser_of
from users.models import Session

pytestmark = pytest.mark.servers

LEFT, STAY = "/account/session/", "/account/session/stay/"


@pytest.fixture
def aiko(cast: Cast) -> Browser:
    return browser_of(cast.aiko)


def of(cast: Cast) -> Session:
    return cast.aiko.sessions.get()


def test_it_says_when_and_for_how_long(cast: Cast, aiko: Browser) -> None:
    cast.aiko.time_zone = "Asia/Tokyo"
    cast.aiko.save()
    at = timezone.now().replace(hour=5, minute=21, second=30)
    began = at - timedelta(minutes=30)
    Session.objects.update(created_at=began, last_seen_at=began, idle_until=at, expire_date=at + timedelta(hours=2))
    with time_machine.travel(at - timedelta(seconds=100), tick=False):
        said = aiko.get(LEFT).json()
    assert (said["who"], said["seconds"], said["can_go_on"]) == (cast.aiko.pk, 100, True)
    assert said["fact"] == "You will be signed out at 14:21.", "in the zone of the person"


def test_asking_puts_nothing_off(cast: Cast, aiko: Browser) -> None:
    """A page that is left open asks; the session ends all the same."""
    until = of(cast).idle_until
    with time_machine.travel(until - timedelta(minutes=2), tick=False):
        assert aiko.get(LEFT).json()["seconds"] == 120
    assert of(cast).idle_until == until
    with time_machine.travel(until + timedelta(seconds=1), tick=False):
        assert aiko.get(LEFT).json() == {"over": True}
        assert aiko.get("/account/").status_code == 302


def test_the_button_puts_the_end_off(cast: Cast, aiko: Browser) -> None:
    until = of(cast).idle_until
    with time_machine.travel(until - timedelta(minutes=1), tick=False):
        said = aiko.post(STAY).json()
    assert said["seconds"] == 3600
    assert said["stays"].startswith("You stay signed in until ")
    assert of(cast).idle_until == until - timedelta(minutes=1) + timedelta(hours=1)


def test_the_button_counts_at_once(cast: Cast, aiko: Browser) -> None:
    """Use is written down once a minute; what somebody has asked for is not held up by that."""
    Session.objects.update(idle_until=timezone.now() + timedelta(seconds=30), last_seen_at=timezone.now())
    assert aiko.post(STAY).json()["seconds"] > 3500


def test_the_absolute_limit_cannot_be_put_off_and_it_says_so(cast: Cast, aiko: Browser) -> None:
    row = of(cast)
    with time_machine.travel(row.expire_date - timedelta(seconds=90), tick=False):
        Session.objects.update(last_seen_at=timezone.now(), idle_until=timezone.now() + timedelta(minutes=30))
        said = aiko.get(LEFT).json()
        assert (said["seconds"], said["can_go_on"]) == (90, False)
        assert said["text"].startswith("A session lasts 12 hours at most. Sign in again then")
        assert aiko.post(STAY).json()["seconds"] == 90
    assert of(cast).expire_date == row.expire_date


def test_a_provider_that_vouches_for_less_is_named(cast: Cast, aiko: Browser) -> None:
    Session.objects.update(expire_date=timezone.now() + timedelta(seconds=90))
    assert aiko.get(LEFT).json()["text"].startswith("Your sign-in at the identity provider ends then.")


def test_a_limit_that_was_shortened_counts(cast: Cast, aiko: Browser) -> None:
    type(cast.halden).objects.update(idle_minutes=5)
    assert aiko.get(LEFT).json()["seconds"] <= 300


def test_after_the_end_the_button_does_nothing(cast: Cast, aiko: Browser) -> None:
    """R8: a script is answered 401."""
    until = of(cast).idle_until
    with time_machine.travel(until + timedelta(seconds=1), tick=False):
        answer = aiko.post(STAY, headers={"x-requested-with": "fetch"})
        assert answer.status_code == 401
    assert of(cast).idle_until == until


def test_a_link_cannot_keep_anybody_signed_in(cast: Cast, aiko: Browser) -> None:
    assert aiko.get(STAY).status_code == 405
    strict = Browser(cast.halden, enforce_csrf_checks=True).sign_in(cast.aiko)
    assert strict.post(STAY).status_code == 403


def test_who_is_not_signed_in_learns_nothing(cast: Cast) -> None:
    assert Browser(cast.halden).get(LEFT).json() == {"over": True}
    browser = browser_of(cast.aiko)
    cast.aiko.disable(timezone.now())
    assert browser.get(LEFT).json() == {"over": True}


def test_every_page_inside_brings_the_banner_and_no_page_outside_does(cast: Cast, aiko: Browser) -> None:
    page = aiko.get("/account/").content.decode()
    assert f'data-who="{cast.aiko.pk}"' in page
    assert 'data-seconds="3' in page
    assert "data-ending" not in Browser(cast.halden).get("/e/halden/local/").content.decode()
