"""T14: whoever knows the password does not get to guess the second factor, nor to keep the owner out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from django.http import HttpResponse

from tests.cast import Browser, Cast
from tests.factors import (
    App,
    enter_password,
    factor_page,
    give_app,
    give_codes,
    give_passkey,
    passkey_answer,
    sign_in_with,
)
from tests.smtp import Sink, text_of
from users import tasks

pytestmark = pytest.mark.servers

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
HERE, THERE = "198.51.100.24", "203.0.113.77"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def app(cast: Cast, clock: object) -> App:
    return give_app(cast.aiko)


def halfway(cast: Cast, address: str = HERE) -> Browser:
    browser = Browser(cast.halden, REMOTE_ADDR=address)
    assert enter_password(browser, cast.aiko, address)["Location"] == factor_page(cast.aiko)
    return browser


def guess(browser: Browser, cast: Cast, app: App, *, recovery: str = "") -> HttpResponse:
    if recovery:
        return browser.post(f"{factor_page(cast.aiko)}?recovery", {"code": recovery})
    return browser.post(factor_page(cast.aiko), {"code": app.code(9)})


def test_five_are_free_and_then_the_delay_doubles_up_to_fifteen_minutes(
    cast: Cast, app: App, clock: time_machine.Traveller
) -> None:
    waits, browser = [], halfway(cast)
    for _ in range(6):
        assert guess(browser, cast, app).status_code == 200
    for _ in range(13):
        browser = halfway(cast)  # Being halfway lasts ten minutes.
        answer = guess(browser, cast, app)
        assert answer.status_code == 429
        waits.append(int(answer["Retry-After"]))
        clock.shift(waits[-1])
        assert guess(halfway(cast), cast, app).status_code == 200
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]


def test_the_password_once_more_does_not_begin_the_count_anew(cast: Cast, app: App) -> None:
    for _ in range(6):
        assert guess(halfway(cast), cast, app).status_code == 200
    assert guess(halfway(cast), cast, app).status_code == 429


def test_all_ways_are_counted_together(cast: Cast, app: App) -> None:
    key = give_passkey(cast.aiko)
    browser = halfway(cast)
    for _ in range(2):
        guess(browser, cast, app)
        guess(browser, cast, app, recovery="aaaa-bbbb-cccc")
        wrong = passkey_answer(key, browser.get(factor_page(cast.aiko)), origin="http://evil.example")
        assert browser.post(factor_page(cast.aiko), wrong).status_code == 200
    assert guess(browser, cast, app).status_code == 429


def test_while_waiting_the_right_code_is_not_looked_at(cast: Cast, app: App, clock: time_machine.Traveller) -> None:
    browser = halfway(cast)
    for _ in range(6):
        guess(browser, cast, app)
    assert browser.post(factor_page(cast.aiko), {"code": app.code()}).status_code == 429
    clock.shift(2)
    assert browser.post(factor_page(cast.aiko), {"code": app.code()})["Location"] == "/"


def test_a_guesser_does_not_keep_the_owner_out_of_a_browser_known_to_them(cast: Cast, app: App) -> None:
    """Not even from the owner's own network, and from many others at once."""
    key, own = give_passkey(cast.aiko), Browser(cast.halden)
    assert sign_in_with(key, own, cast.aiko, HERE)["Location"] == "/"
    for number in range(21):
        guess(halfway(cast, f"203.0.113.{number}"), cast, app)
    for _ in range(7):
        guess(halfway(cast), cast, app)
    assert guess(halfway(cast, "192.0.2.9"), cast, app).status_code == 429
    assert sign_in_with(key, own, cast.aiko, HERE)["Location"] == "/"
    assert sign_in_with(key, own, cast.aiko, THERE)["Location"] == "/"


def test_who_guesses_codes_does_not_make_passwords_wait(cast: Cast, app: App) -> None:
    """The two are counted apart: the sign-in page of everybody else in the building stays as it is."""
    for _ in range(7):
        guess(halfway(cast), cast, app)
    assert enter_password(Browser(cast.halden), cast.aiko, HERE).status_code == 302


def test_a_success_forgets_the_failures(cast: Cast, app: App) -> None:
    browser = halfway(cast)
    for _ in range(5):
        guess(browser, cast, app)
    codes = give_codes(cast.aiko)
    assert guess(browser, cast, app, recovery=codes[0])["Location"] == "/"
    browser = halfway(cast)
    for _ in range(5):
        assert guess(browser, cast, app).status_code == 200


def test_the_owner_hears_once_that_somebody_knows_the_password(cast: Cast, app: App, smtp_sink: Sink) -> None:
    """ASVS 6.3.5: right password, wrong second factor, three times."""
    browser = halfway(cast)
    for number in range(5):
        tasks.sweep()
        assert bool(smtp_sink.messages) == (number >= 3)
        guess(browser, cast, app)
    tasks.sweep()
    [message] = smtp_sink.messages
    assert message["To"] == cast.aiko.email
    assert message["Subject"] == "Somebody knows your password for Halden Freight"
    assert "Nobody was let in." in text_of(message)
