"""Administrators see where somebody is signed in, and end it."""

from __future__ import annotations

import pytest

from audit.models import Event
from tests.cast import Cast, browser_of

pytestmark = pytest.mark.servers


def test_one_session_is_ended_and_the_others_stay(cast: Cast) -> None:
    here, there = browser_of(cast.tomas), browser_of(cast.tomas)
    ended = cast.tomas.sessions.order_by("created_at").first()
    answer = browser_of(cast.aiko).post(f"/users/{cast.tomas.pk}/sessions/{ended.handle}/end/")
    assert answer.status_code == 302
    assert here.get("/users/").status_code == 302
    assert there.get("/users/").status_code == 200
    assert Event.objects.of(cast.halden).get(action="session:ended").details == {"sessions": 1}


def test_all_sessions_are_ended(cast: Cast) -> None:
    browsers = [browser_of(cast.tomas) for _ in range(3)]
    browser_of(cast.aiko).post(f"/users/{cast.tomas.pk}/sessions/end/")
    assert {browser.get("/users/").status_code for browser in browsers} == {302}


def test_ones_own_session_in_use_is_spared(cast: Cast) -> None:
    """Signing out is what ends it."""
    other, mine = browser_of(cast.aiko), browser_of(cast.aiko)
    mine.post(f"/users/{cast.aiko.pk}/sessions/end/")
    assert mine.get("/users/").status_code == 200
    assert other.get("/users/").status_code == 302


def test_the_page_shows_devices_to_those_who_look_after_the_person_only(cast: Cast) -> None:
    browser_of(cast.tomas)
    assert "Firefox on Windows" in browser_of(cast.marcus).get(f"/users/{cast.tomas.pk}/").content.decode()
    assert "Firefox on Windows" not in browser_of(cast.tomas).get(f"/users/{cast.marcus.pk}/").content.decode()


def test_a_session_of_somebody_else_is_not_ended_through_this_person(cast: Cast) -> None:
    theirs = browser_of(cast.ingrid)
    session = cast.ingrid.sessions.get()
    assert browser_of(cast.marcus).post(f"/users/{cast.tomas.pk}/sessions/{session.handle}/end/").status_code == 404
    assert theirs.get("/users/").status_code == 200


def test_a_stranger_gets_404_and_ends_nothing(cast: Cast) -> None:
    """T11."""
    theirs = browser_of(cast.tomas)
    handle = cast.tomas.sessions.get().handle
    browser = browser_of(cast.mallory)
    assert browser.post(f"/users/{cast.tomas.pk}/sessions/{handle}/end/").status_code == 404
    assert browser.post(f"/users/{cast.mallory.pk}/sessions/{handle}/end/").status_code == 404
    assert browser.post(f"/users/{cast.tomas.pk}/sessions/end/").status_code == 404
    assert theirs.get("/users/").status_code == 200
