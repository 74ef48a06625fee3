"""Many requests at once, and somebody who ends the session meanwhile: on real connections to the database (R11)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection as database
from django.utils import timezone

from audit.models import Event
from identity.models import Connection, Grant
from tests.cast import Browser, Cast
from tests.identity.journey import Journey
from tests.provider import Provider, Reply, Request, Said, as_said
from users.models import Session, User
from users.models.session import CLAIM_LASTS

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]

AT_ONCE = 20


@pytest.fixture
def journey(transactional_db: None, provider: Provider) -> Journey:
    journey = Journey(Cast.assemble(), provider)
    journey.sign_in()
    journey.make_due()
    provider.requests.clear()
    return journey


def opens(journey: Journey, path: str = "/account/") -> int:
    """Open a page in a tab of its own, and return the status."""
    tab = Browser(journey.cast.halden)
    tab.cookies[settings.SESSION_COOKIE_NAME] = journey.browser.cookies[settings.SESSION_COOKIE_NAME].value
    try:
        return tab.get(path).status_code
    finally:
        database.close()


def all_at_once(journey: Journey, pool: ThreadPoolExecutor) -> list[int]:
    barrier = threading.Barrier(AT_ONCE)

    def one(_number: int) -> int:
        barrier.wait(10)
        return opens(journey)

    return list(pool.map(one, range(AT_ONCE)))


def tokens_used(journey: Journey) -> list[str]:
    return [request.form["refresh_token"] for request in journey.provider.refreshes()]


def test_twenty_requests_on_a_session_that_is_due_make_one_token_request(journey: Journey) -> None:
    """R11: and each of them is answered, ten times over; no token is ever used twice."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for turn in range(1, 11):
            assert all_at_once(journey, pool) == [200] * AT_ONCE
            assert len(tokens_used(journey)) == turn
            journey.make_due()
    assert len(set(tokens_used(journey))) == 10


def test_nobody_waits_for_whoever_asks(journey: Journey) -> None:
    """The one that asks waits for the provider; the others are answered meanwhile."""
    asked, answer = threading.Event(), threading.Event()

    def wait(said: Said, request: Request) -> Said:
        asked.set()
        answer.wait(4)
        return said

    journey.provider.on_token = wait
    with ThreadPoolExecutor(2) as pool:
        asking = pool.submit(opens, journey)
        assert asked.wait(5)
        assert [opens(journey) for _ in range(5)] == [200] * 5
        assert not asking.done()
        answer.set()
        assert asking.result() == 200
    assert len(tokens_used(journey)) == 1


def test_no_transaction_is_open_while_the_provider_is_asked(journey: Journey) -> None:
    seen: list[tuple[int]] = []

    def look(said: Said, request: Request) -> Said:
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
                " AND pid <> pg_backend_pid()"
            )
            seen.append(cursor.fetchone())
        database.close()
        return said

    journey.provider.on_token = look
    assert opens(journey) == 200
    assert seen == [(0,)]


def test_the_providers_no_reaches_everybody_and_is_heard_once(journey: Journey) -> None:
    """Whoever asked gets the page that says why; the others were served before or are signed out."""
    journey.provider.withdraw()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = all_at_once(journey, pool)
    assert answers.count(403) == 1
    assert set(answers) <= {200, 302, 403}
    assert len(tokens_used(journey)) == 1
    assert opens(journey) == 302
    assert Event.objects.filter(action="session:ended-by-provider").count() == 1


def test_whoever_dies_while_asking_holds_up_nobody(journey: Journey) -> None:
    """Its claim lapses; the answer it did not live to see is asked for again, within the provider's grace."""
    (row,) = journey.sessions()
    assert row.put_off_vouch(timezone.now() + CLAIM_LASTS)
    Grant.objects.update(asked_at=timezone.now())
    assert opens(journey) == 200
    assert not tokens_used(journey)
    journey.make_due()
    assert opens(journey) == 200
    assert len(tokens_used(journey)) == 1
    assert journey.grant().asked_at is None


def test_an_answer_that_comes_when_the_claim_has_lapsed_changes_nothing(journey: Journey) -> None:
    """A process that was frozen in between must not undo what the next one did."""

    def lapse(said: Said, request: Request) -> Said:
        journey.provider.on_token = as_said
        journey.provider.grace = 60
        try:
            journey.make_due()
            assert opens(journey) == 200
            Session.objects.update(vouch_due_at=timezone.now() + timedelta(minutes=4))
        finally:
            database.close()
        return said

    journey.provider.on_token = lapse
    assert opens(journey) == 200
    first, second = tokens_used(journey)
    assert first == second
    newest = journey.grant().kept()[0]
    (row,) = journey.sessions()
    assert row.vouch_due_at < timezone.now() + timedelta(minutes=4)
    journey.make_due()
    assert opens(journey) == 200
    assert tokens_used(journey)[-1] == newest


def test_somebody_disabled_while_the_provider_is_asked_stays_out(journey: Journey) -> None:
    """T17: the provider says yes a moment later, and that changes nothing."""

    def disable(said: Said, request: Request) -> Said:
        User.objects.get(pk=journey.dana.pk).disable(timezone.now())
        database.close()
        return said

    journey.provider.on_token = disable
    assert opens(journey) == 302
    assert not journey.sessions()


def test_a_session_that_was_ended_meanwhile_stays_so(journey: Journey) -> None:
    def end(said: Said, request: Request) -> Said:
        Session.objects.all().delete()
        database.close()
        return said

    journey.provider.on_token = end
    assert opens(journey) == 302
    assert not journey.sessions()


def test_a_connection_disabled_meanwhile_vouches_for_nobody(journey: Journey) -> None:
    def disable(said: Said, request: Request) -> Said:
        Connection.objects.get(pk=journey.connection.pk).disable(timezone.now())
        database.close()
        return said

    journey.provider.on_token = disable
    assert opens(journey) == 302
    assert not journey.sessions()


def test_a_provider_that_comes_and_goes_throws_nobody_out(journey: Journey) -> None:
    """Every fault there is, one after the other, with requests at once: the session lives, and so does its token."""
    journey.provider.grace = 60
    faults = [Reply(503), Reply(raw=True), Reply(200, b"<"), Reply.json({"error": "invalid_client"}, 401), Reply(429)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for fault in faults:
            for answer in (fault, None):
                journey.provider.on_token = (lambda said, request, fault=fault: fault) if answer else as_said
                journey.make_due()
                before = len(tokens_used(journey))
                assert all_at_once(journey, pool) == [200] * AT_ONCE
                assert len(tokens_used(journey)) == before + 1
    assert journey.grant().asked_at is None
