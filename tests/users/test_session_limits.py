"""How long sessions last is the enterprise's to say, within bounds; shorter limits hold for sessions that are open."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone

from audit.models import Event
from tests.cast import Browser, Cast, browser_of
from tests.factors import give_app, sign_in_with
from tests.identity.setting_up import words
from tests.proving import confirm, is_asked
from users.models import Enterprise, Session, User
from users.models.session import CLAIM_LASTS

pytestmark = pytest.mark.servers

PAGE = "/advanced/sessions/"
AS_IT_IS = {"idle_minutes": "60", "session_hours": "12", "reprove_minutes": "5", "reauthenticate_minutes": "60"}


def session_of(user: User, *, began: timedelta = timedelta(), seen: timedelta = timedelta()) -> Browser:
    """A browser in which ``user`` signed in so long ago, and was last seen so long ago."""
    browser = browser_of(user)
    row = user.sessions.latest("created_at")
    row.created_at, row.last_seen_at = row.created_at - began, row.last_seen_at - seen
    row.expire_date, row.idle_until = row.created_at + row.absolute_limit, row.last_seen_at + row.idle_limit
    row.save()
    return browser


def saved(browser: Browser, **limits: str) -> str:
    """Save ``limits``; return what is said afterwards."""
    answer = browser.post(PAGE, AS_IT_IS | limits)
    assert answer.status_code == 302, words(answer)
    return words(browser.get(PAGE))


def test_the_page_says_for_how_many_sessions_it_is(cast: Cast) -> None:
    aiko = browser_of(cast.aiko)
    browser_of(cast.marcus)
    browser_of(cast.mallory)
    page = words(aiko.get(PAGE))
    assert "2 sessions are open now." in page
    assert "Ends after 15 minutes without use, and after 60 minutes in any case" in page


def test_others_are_saved_after_a_proof_and_the_same_without(cast: Cast) -> None:
    """T5: whoever finds a browser open does not make its session last a week."""
    aiko = browser_of(cast.aiko)
    cast.aiko.sessions.update(proved_at=timezone.now() - timedelta(minutes=20))
    assert not is_asked(aiko.post(PAGE, AS_IT_IS))
    question = aiko.post(PAGE, AS_IT_IS | {"session_hours": "168"})
    assert is_asked(question)
    assert Enterprise.objects.get(pk=cast.halden.pk).session_hours == 12
    assert confirm(aiko, question).status_code == 302
    assert Enterprise.objects.get(pk=cast.halden.pk).session_hours == 168


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("idle_minutes", ["4", "1441", "0", "-5", "", "ten", "5.5", "1e9", "٥٥٥٥٥٥", "\x00"]),
        ("session_hours", ["0", "169", "99999999999999999999"]),
        ("reprove_minutes", ["0", "61"]),
        ("reauthenticate_minutes", ["14", "1441"]),
    ],
)
def test_limits_have_bounds(cast: Cast, field: str, wrong: list[str]) -> None:
    browser = browser_of(cast.aiko)
    for value in wrong:
        answer = browser.post(PAGE, AS_IT_IS | {field: value})
        assert answer.status_code == 422
        assert "Enter a whole number from" in words(answer)
    cast.halden.refresh_from_db()
    assert (cast.halden.idle_minutes, cast.halden.session_hours) == (60, 12)


def test_the_bounds_themselves_are_fine(cast: Cast) -> None:
    browser = browser_of(cast.aiko)
    saved(browser, idle_minutes="1440", session_hours="168", reprove_minutes="60", reauthenticate_minutes="1440")
    saved(browser, idle_minutes="5", session_hours="1", reprove_minutes="1", reauthenticate_minutes="15")
    cast.halden.refresh_from_db()
    assert cast.halden.idle_limit == timedelta(minutes=5)
    assert cast.halden.reprove_interval == timedelta(minutes=1)


def test_an_idle_limit_beyond_the_end_is_pointed_out(cast: Cast) -> None:
    answer = browser_of(cast.aiko).post(PAGE, AS_IT_IS | {"idle_minutes": "61", "session_hours": "1"})
    assert answer.status_code == 422
    assert "A session ends after 1 hour anyway: 60 minutes at most." in words(answer)


def test_what_ends_sessions_is_asked_about_first_with_their_number(cast: Cast) -> None:
    aiko = browser_of(cast.aiko)
    early = session_of(cast.marcus, seen=timedelta(minutes=40))
    late = session_of(cast.tomas, seen=timedelta(minutes=10))
    shorter = AS_IT_IS | {"idle_minutes": "30"}
    asked = aiko.post(PAGE, shorter)
    assert asked.status_code == 200
    assert "This ends 1 session at once. 2 more end earlier than they would have. Nothing is saved yet." in words(asked)
    assert early.get("/account/").status_code == 200
    # Meanwhile another one has become idle for too long: asked again, with the new number.
    Session.objects.filter(user=cast.marcus).update(last_seen_at=timezone.now() - timedelta(minutes=40))
    session_of(cast.oluwaseun, seen=timedelta(minutes=40))
    assert "This ends 2 sessions at once." in words(aiko.post(PAGE, shorter | {"ending": "1"}))
    assert aiko.post(PAGE, shorter | {"ending": "2"}).status_code == 302
    assert "2 sessions have ended. 2 open sessions end earlier." in words(aiko.get(PAGE))
    assert [browser.get("/account/").status_code for browser in (early, late, aiko)] == [302, 200, 200]


def test_a_shorter_end_holds_for_sessions_that_are_open(cast: Cast) -> None:
    aiko, old = browser_of(cast.aiko), session_of(cast.marcus, began=timedelta(hours=3))
    stranger = session_of(cast.mallory, began=timedelta(hours=3))
    assert aiko.post(PAGE, AS_IT_IS | {"session_hours": "2", "ending": "1"}).status_code == 302
    assert old.get("/account/").status_code == 302
    assert stranger.get("/account/").status_code == 200
    own = cast.aiko.sessions.get()
    assert own.expire_date == own.created_at + timedelta(hours=2)


def test_it_is_on_record(cast: Cast) -> None:
    aiko = browser_of(cast.aiko)
    session_of(cast.marcus, began=timedelta(hours=3))
    aiko.post(PAGE, AS_IT_IS | {"session_hours": "2", "ending": "1"})
    event = Event.objects.of(cast.halden).get(action="session-limits:changed")
    assert event.actor == cast.aiko
    assert event.details == {"session_hours": "12 → 2", "sessions_ended": 1, "sessions_shortened": 1}


def test_saving_what_is_there_changes_nothing(cast: Cast) -> None:
    assert "Nothing has changed." in saved(browser_of(cast.aiko))
    assert not Event.objects.of(cast.halden).exists()


def test_whoever_ends_the_own_session_is_told_so(cast: Cast) -> None:
    aiko = session_of(cast.aiko, began=timedelta(hours=3))
    shorter = AS_IT_IS | {"session_hours": "2"}
    assert "This ends your own session at once." in words(aiko.post(PAGE, shorter))
    assert aiko.post(PAGE, shorter | {"ending": "1"}).status_code == 302
    assert aiko.get(PAGE)["Location"].startswith("/login/")


def test_longer_limits_are_for_sessions_that_begin_from_then_on(cast: Cast) -> None:
    aiko = browser_of(cast.aiko)
    before = cast.aiko.sessions.get().expire_date
    assert "The limits are saved." in saved(aiko, session_hours="48")
    assert cast.aiko.sessions.get().expire_date == before
    browser_of(cast.marcus)
    row = cast.marcus.sessions.get()
    assert row.expire_date - row.created_at == timedelta(hours=12)  # This Halden was read before.
    cast.marcus.enterprise.refresh_from_db()
    browser_of(cast.marcus)
    row = cast.marcus.sessions.latest("created_at")
    assert row.expire_date - row.created_at == timedelta(hours=48)


def test_break_glass_stays_shorter(cast: Cast) -> None:
    ingrid = browser_of(cast.ingrid)
    saved(ingrid, idle_minutes="600", session_hours="48")
    row = cast.ingrid.sessions.get()
    assert row.expire_date - row.created_at == timedelta(hours=1)
    assert row.idle_until - row.last_seen_at == timedelta(minutes=15)
    saved(ingrid, idle_minutes="5")
    row = cast.ingrid.sessions.get()
    assert row.idle_until - row.last_seen_at == timedelta(minutes=5)


def test_a_session_that_was_begun_by_older_limits_is_not_served_beyond_the_new_ones(cast: Cast) -> None:
    """A sign-in may have read the limits just before they were shortened."""
    browser = browser_of(cast.aiko)
    cast.halden.session_hours = 1
    cast.halden.save()
    with time_machine.travel(timezone.now() + timedelta(minutes=59)):
        Session.objects.update(last_seen_at=timezone.now(), idle_until=timezone.now() + timedelta(hours=1))
        assert browser.get("/account/").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        Session.objects.update(last_seen_at=timezone.now(), idle_until=timezone.now() + timedelta(hours=1))
        assert browser.get("/account/").status_code == 302


def test_the_cookie_lasts_as_long_as_its_session_is_remembered(cast: Cast) -> None:
    browser = Browser(cast.halden)
    cast.halden.session_hours = 48
    cast.halden.save()
    answer = sign_in_with(give_app(cast.aiko), browser, cast.aiko)
    assert int(answer.cookies[settings.SESSION_COOKIE_NAME]["max-age"]) >= 48 * 3600


def test_asking_more_often_holds_for_sessions_that_are_open_but_never_overtakes_a_claim(cast: Cast) -> None:
    """R11: somebody may be asking just now, and has to be the only one."""
    aiko = browser_of(cast.aiko)
    now = timezone.now()
    rows = []
    for user, by, due in (
        (cast.marcus, None, timedelta(minutes=50)),
        (cast.tomas, now + timedelta(hours=2), timedelta(minutes=50)),
        (cast.oluwaseun, None, CLAIM_LASTS),
    ):
        browser_of(user)
        row = user.sessions.get()
        row.vouched_at, row.vouch_due_at, row.vouch_by = now - timedelta(minutes=10), now + due, by
        row.save()
        rows.append(row)
    saved(aiko, reprove_minutes="2", reauthenticate_minutes="15")
    for row in rows:
        row.refresh_from_db()
    # Long due, but not before whoever may have claimed it is done.
    assert now + CLAIM_LASTS <= rows[0].vouch_due_at <= timezone.now() + CLAIM_LASTS
    assert rows[1].vouch_due_at == now + timedelta(minutes=5)
    assert rows[2].vouch_due_at == now + CLAIM_LASTS
