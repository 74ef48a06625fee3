"""T14: delays that grow, are capped, expire, and never keep the owner out of a browser of theirs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection as database
from django.http import HttpResponse

from tests.cast import PASSWORD, Browser, Cast, make_enterprise, make_user
from tests.factors import give_passkey, sign_in_with
from users.models import Throttle, TooManyTries

pytestmark = pytest.mark.servers

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
HERE, THERE = "198.51.100.24", "203.0.113.77"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def guess(browser: Browser, email: str, password: str = "not the password", address: str = HERE) -> HttpResponse:
    return browser.post("/e/halden/local/", {"email": email, "password": password}, REMOTE_ADDR=address)


def guess_until_blocked(browser: Browser, email: str, address: str = HERE) -> HttpResponse:
    for _ in range(6):
        assert guess(browser, email, address=address).status_code == 200
    response = guess(browser, email, address=address)
    assert response.status_code == 429
    return response


def test_five_tries_are_free_and_then_the_delay_doubles_up_to_fifteen_minutes(
    cast: Cast, clock: time_machine.Traveller
) -> None:
    browser, waits = Browser(cast.halden), []
    response = guess_until_blocked(browser, cast.aiko.email)
    for _ in range(13):
        waits.append(int(response["Retry-After"]))
        clock.shift(waits[-1])
        assert guess(browser, cast.aiko.email).status_code == 200
        response = guess(browser, cast.aiko.email)
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]


def test_the_page_says_how_long_to_wait(cast: Cast, clock: time_machine.Traveller) -> None:
    browser = Browser(cast.halden)
    assert "Try again in 2 seconds." in guess_until_blocked(browser, cast.aiko.email).content.decode()
    Throttle.objects.update(blocked_until=START + timedelta(minutes=7, seconds=1))
    assert "Try again in 8 minutes." in guess(browser, cast.aiko.email).content.decode()


def test_while_waiting_the_right_password_is_not_looked_at_and_nothing_is_counted(
    cast: Cast, clock: time_machine.Traveller
) -> None:
    browser = Browser(cast.halden)
    guess_until_blocked(browser, cast.aiko.email)
    before = list(Throttle.objects.order_by("key").values())
    for _ in range(20):
        assert guess(browser, cast.aiko.email, PASSWORD).status_code == 429
    assert list(Throttle.objects.order_by("key").values()) == before
    clock.shift(2)
    assert guess(browser, cast.aiko.email, PASSWORD).status_code == 302


def test_unknown_accounts_wait_just_as_long(cast: Cast, clock: time_machine.Traveller) -> None:
    """T12: whether there is an account does not show in when the waiting begins."""
    response = guess_until_blocked(Browser(cast.halden), "nobody@halden.example")
    assert response["Retry-After"] == "2"


def test_mixed_case_and_full_width_letters_are_the_same_account(cast: Cast, clock: time_machine.Traveller) -> None:
    browser = Browser(cast.halden)
    for email in ("aiko.tanaka@halden.example", "AIKO.tanaka@halden.example", "aiko.TANAKA@ｈalden.example") * 2:
        assert guess(browser, email).status_code == 200
    assert guess(browser, "Aiko.Tanaka@Halden.Example").status_code == 429


def test_a_success_forgets_the_failures_of_the_owner(cast: Cast, clock: time_machine.Traveller) -> None:
    browser = Browser(cast.halden)
    for _ in range(5):
        guess(browser, cast.aiko.email)
    assert guess(browser, cast.aiko.email, PASSWORD).status_code == 302
    browser.logout()
    guess_until_blocked(browser, cast.aiko.email)


def test_a_day_later_everything_is_forgotten(cast: Cast, clock: time_machine.Traveller) -> None:
    browser = Browser(cast.halden)
    guess_until_blocked(browser, cast.aiko.email)
    clock.shift(timedelta(hours=24, seconds=1))
    guess_until_blocked(browser, cast.aiko.email)
    clock.shift(timedelta(hours=24, seconds=1))
    Throttle.forget(datetime.now(UTC))
    assert not Throttle.objects.exists()


def test_an_attackers_tries_do_not_keep_the_owner_out_of_a_browser_known_to_them(
    cast: Cast, clock: time_machine.Traveller
) -> None:
    own, key = Browser(cast.halden), give_passkey(cast.aiko)
    assert sign_in_with(key, own, cast.aiko, HERE)["Location"] == "/"
    for number in range(60):  # From many networks, and from the owner's.
        guess(Browser(cast.halden), cast.aiko.email, address=f"203.0.113.{number}")
        guess(Browser(cast.halden), cast.aiko.email)
    assert guess(Browser(cast.halden), cast.aiko.email, PASSWORD).status_code == 429
    assert guess(Browser(cast.halden), cast.aiko.email, PASSWORD, THERE).status_code == 429
    assert guess(own, cast.aiko.email, PASSWORD).status_code == 302
    assert guess(own, cast.aiko.email, PASSWORD, THERE).status_code == 302


def test_a_known_browser_has_delays_of_its_own(cast: Cast, clock: time_machine.Traveller) -> None:
    own = Browser(cast.halden)
    sign_in_with(give_passkey(cast.aiko), own, cast.aiko, HERE)
    guess_until_blocked(own, cast.aiko.email)
    assert guess(Browser(cast.halden), cast.aiko.email, PASSWORD).status_code == 302


def test_a_browser_is_known_for_the_accounts_that_signed_in_there_and_cannot_claim_others(
    cast: Cast, clock: time_machine.Traveller
) -> None:
    browser = Browser(cast.halden)
    sign_in_with(give_passkey(cast.marcus), browser, cast.marcus, HERE)
    guess_until_blocked(browser, cast.aiko.email)
    assert guess(Browser(cast.halden), cast.aiko.email, PASSWORD).status_code == 429
    cookie = browser.cookies["browser"].value
    browser.cookies["browser"] = cookie[:-1] + ("A" if cookie[-1] != "A" else "B")
    assert guess(browser, cast.aiko.email, PASSWORD).status_code == 429


def test_many_accounts_tried_from_one_network_make_the_network_wait(cast: Cast, clock: time_machine.Traveller) -> None:
    for number in range(51):
        assert guess(Browser(cast.halden), f"person{number}@halden.example").status_code == 200
    assert guess(Browser(cast.halden), cast.tomas.email, PASSWORD).status_code == 429
    assert guess(Browser(cast.halden), cast.tomas.email, PASSWORD, THERE).status_code == 302


def test_an_office_that_signs_in_all_day_does_not_make_its_network_wait(
    cast: Cast, clock: time_machine.Traveller
) -> None:
    for _ in range(60):
        assert guess(Browser(cast.halden), cast.tomas.email, PASSWORD).status_code == 302


def test_addresses_of_one_ipv6_network_are_one(cast: Cast, clock: time_machine.Traveller) -> None:
    for number in range(6):
        assert guess(Browser(cast.halden), cast.aiko.email, address=f"2001:db8:1:2::{number}").status_code == 200
    assert guess(Browser(cast.halden), cast.aiko.email, address="2001:db8:1:2:ffff::1").status_code == 429
    assert guess(Browser(cast.halden), cast.aiko.email, PASSWORD, "2001:db8:1:3::1").status_code == 302


def test_an_account_of_the_same_email_elsewhere_is_not_concerned(cast: Cast, clock: time_machine.Traveller) -> None:
    other = make_enterprise("Other", "other")
    make_user(other, "Aiko", cast.aiko.email)
    guess_until_blocked(Browser(cast.halden), cast.aiko.email)
    response = Browser(other).post(
        "/e/other/local/", {"email": cast.aiko.email, "password": PASSWORD}, REMOTE_ADDR=HERE
    )
    assert response.status_code == 302


@pytest.mark.django_db(transaction=True)
def test_tries_at_the_same_moment_are_counted_one_by_one() -> None:
    """A hundred parallel guesses are not a hundred free ones."""
    start, admitted = threading.Barrier(12), list[bool]()

    def attempt() -> None:
        start.wait(timeout=10)
        try:
            Throttle.admit({"a": 5, "b": 50}, START)
            admitted.append(True)
        except TooManyTries:
            admitted.append(False)
        finally:
            database.close()

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(admitted) == [False] * 6 + [True] * 6


@pytest.mark.django_db(transaction=True)
def test_whoever_tries_while_another_is_forgiven_is_counted_and_not_broken() -> None:
    """Four threads make and delete the same row, over and over: a row that is gone again is made anew."""
    start, broken = threading.Barrier(4), list[BaseException]()

    def come_and_go() -> None:
        start.wait(timeout=10)
        try:
            for _ in range(100):
                Throttle.failed(["key"], START)
                Throttle.succeeded(["key"])
        except Exception as error:  # noqa: BLE001 - whatever it is, it fails the test
            broken.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert broken == []
