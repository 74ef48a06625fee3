"""One's own account: profile, time zone and sessions; signing out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event
from tests.cast import Browser, Cast, browser_of
from users.models import Session

pytestmark = pytest.mark.servers


def test_the_page_shows_every_session_and_which_is_this_one(cast: Cast) -> None:
    browser = browser_of(cast.aiko)
    browser_of(cast.aiko)
    browser_of(cast.marcus)
    page = browser.get("/account/").content.decode()
    assert page.count("Firefox on Windows") == 2
    assert page.count("This one, now") == 1
    assert "127.0.0.1" in page


def test_the_page_costs_six_statements_however_many_sessions(cast: Cast) -> None:
    browser = browser_of(cast.aiko)
    for _ in range(20):
        browser_of(cast.aiko)
    with CaptureQueriesContext(connection) as queries:
        assert browser.get("/account/").status_code == 200
    # Session with user and enterprise; sessions; passkeys and recovery codes of somebody with a password; for the
    # navigation the roles and, an administrator's, the provider.
    assert len(queries) == 6


def test_one_session_can_be_ended(cast: Cast) -> None:
    here, elsewhere = browser_of(cast.aiko), browser_of(cast.aiko)
    other = Session.objects.order_by("created_at").last()
    assert other is not None
    assert here.post(f"/account/sessions/{other.handle}/end/")["Location"] == "/account/"
    assert elsewhere.get("/account/").status_code == 302
    assert here.get("/account/").status_code == 200
    event = Event.objects.of(cast.halden).get()
    assert (event.action, event.reason, event.actor) == ("session:ended", "ended_by_owner", cast.aiko)


def test_all_others_can_be_ended_at_once(cast: Cast) -> None:
    here = browser_of(cast.aiko)
    others = [browser_of(cast.aiko), browser_of(cast.aiko)]
    colleague = browser_of(cast.marcus)
    here.post("/account/sessions/end/")
    assert [b.get("/account/").status_code for b in (here, *others, colleague)] == [200, 302, 302, 200]
    assert Event.objects.filter(action="session:ended").count() == 2


def test_another_persons_session_is_not_there(cast: Cast) -> None:
    """T11."""
    browser = browser_of(cast.aiko)
    for stranger in (cast.mallory, cast.marcus):
        browser_of(stranger)
        handle = stranger.sessions.get().handle
        assert browser.post(f"/account/sessions/{handle}/end/").status_code == 404
        assert stranger.sessions.exists()


def test_signing_out_ends_the_session_and_leads_to_the_enterprises_door(cast: Cast) -> None:
    browser = browser_of(cast.aiko)
    key = browser.cookies[settings.SESSION_COOKIE_NAME].value
    response = browser.post("/logout/", follow=True)
    assert response.redirect_chain[0] == ("/e/halden/", 302)
    assert "You are signed out." in response.content.decode()
    assert not Session.objects.exists()
    browser.cookies[settings.SESSION_COOKIE_NAME] = key
    assert browser.get("/account/").status_code == 302
    assert Event.objects.of(cast.halden).get().reason == "signed_out"
    assert browser.post("/logout/")["Location"] == "/login/"


def test_a_link_cannot_sign_anyone_out(cast: Cast) -> None:
    browser = browser_of(cast.aiko)
    assert browser.get("/logout/").status_code == 405
    assert browser.get("/account/").status_code == 200


def test_an_idle_session_is_over_and_what_is_sent_then_has_no_effect(cast: Cast) -> None:
    """R8."""
    browser = browser_of(cast.aiko)
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        answer = browser.post(
            "/account/profile/", {"name": "Somebody"}, headers={"referer": "http://eu.localhost/account/?x=1"}
        )
        assert answer["Location"].startswith("/login/?next=/")
        script = browser.post("/account/profile/", {"name": "Somebody"}, headers={"hx-request": "true"})
        assert (script.status_code, script["HX-Redirect"]) == (401, "/login/?next=/account/held/")
    cast.aiko.refresh_from_db()
    assert cast.aiko.name == "Aiko Tanaka"


def test_after_an_expired_session_one_comes_back_to_the_page_something_was_sent_from(cast: Cast) -> None:
    browser = Browser(cast.halden)
    page = f"{cast.halden.origin}/account/profile/?from=1"
    answer = browser.post("/account/profile/", {"name": "x"}, headers={"referer": page})
    assert answer["Location"] == "/login/?next=/account/profile/%3Ffrom%3D1"
    answer = browser.post("/account/profile/", {"name": "x"}, headers={"referer": "https://evil.example/x"})
    assert answer["Location"] == "/login/?next=/"


def test_times_are_given_in_the_persons_zone(cast: Cast) -> None:
    browser = browser_of(cast.aiko)
    response = browser.post("/account/profile/", {"name": "Aiko T.", "time_zone": "Asia/Tokyo"})
    assert response["Location"] == "/account/"
    cast.aiko.refresh_from_db()
    assert (cast.aiko.name, cast.aiko.time_zone) == ("Aiko T.", "Asia/Tokyo")
    at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    Session.objects.update(created_at=at)
    with time_machine.travel(at + timedelta(minutes=5), tick=False):
        Session.objects.update(expire_date=at + timedelta(hours=1), idle_until=at + timedelta(hours=1))
        assert "Today, 21:00" in browser.get("/account/").content.decode()
        other = browser_of(cast.marcus)
        Session.objects.update(created_at=at)
        assert "Today, 12:00" in other.get("/account/").content.decode()
    assert Event.objects.of(cast.halden).get().details == {"fields": ["name", "time_zone"]}


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "Europe/Oslo\x00", "EST5EDT"])
def test_a_time_zone_that_is_not_one_is_refused(cast: Cast, zone: str) -> None:
    response = browser_of(cast.aiko).post("/account/profile/", {"name": "Aiko", "time_zone": zone})
    assert list(response.context["form"].errors) == ["time_zone"]


def test_a_zone_that_is_no_longer_known_reads_as_utc(cast: Cast) -> None:
    cast.aiko.time_zone = "Atlantis/Capital"
    cast.aiko.save()
    assert browser_of(cast.aiko).get("/account/").status_code == 200
