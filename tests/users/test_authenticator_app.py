"""A second factor from an authenticator app: a code works once, for a short while, and only after the password."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection as database

from audit.models import Event, Result
from tests.cast import Browser, Cast
from tests.factors import App, enter_password, factor_page, give_app, sign_in_with
from users.models import AuthenticatorApp, FactorRefused, Session
from users.models.factor import STEP
from users.sealing import SealBroken

pytestmark = pytest.mark.servers

START = datetime(2026, 11, 23, 12, 0, 15, tzinfo=UTC)  # In the middle of a step.


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def app(cast: Cast) -> App:
    return give_app(cast.aiko)


def halfway(cast: Cast) -> Browser:
    """A browser in which Aiko's password was right."""
    browser = Browser(cast.halden)
    assert enter_password(browser, cast.aiko)["Location"] == factor_page(cast.aiko)
    return browser


def try_code(browser: Browser, cast: Cast, code: str) -> str:
    """Return where it leads, or what the page says is wrong."""
    answer = browser.post(factor_page(cast.aiko), {"code": code})
    if answer.status_code == 302:
        return answer["Location"]
    form = answer.context["form"]
    return " ".join(str(error) for errors in form.errors.values() for error in errors)


WRONG = "This is not the code that the app shows now. Look once more, also at the clock of the phone."
USED = "This code has been used. The next one comes within 30 seconds."


def test_the_code_of_now_signs_in(cast: Cast, app: App) -> None:
    browser = Browser(cast.halden)
    assert sign_in_with(app, browser, cast.aiko, next="/users/")["Location"] == "/users/"
    assert browser.get("/users/").status_code == 200
    event = Event.objects.of(cast.halden).get(action="session:started")
    assert (event.actor, event.details["second_factor"]) == (cast.aiko, "authenticator_app")


def test_the_password_alone_opens_nothing(cast: Cast, app: App) -> None:
    """T13."""
    browser = halfway(cast)
    assert not Session.objects.exists()
    assert browser.get("/account/")["Location"].startswith("/login/")


def test_a_code_works_once(cast: Cast, app: App, clock: time_machine.Traveller) -> None:
    """Replayed, by somebody who looked over the shoulder and knows the password: refused."""
    code = app.code()
    assert try_code(halfway(cast), cast, code) == "/"
    assert try_code(halfway(cast), cast, code) == USED
    assert Session.objects.count() == 1
    event = Event.objects.of(cast.halden).get(action="session:refused")
    assert (event.result, event.reason, event.target_label) == (Result.REFUSED, "code_used", cast.aiko.label)


def test_a_code_from_before_one_that_was_used_is_used_up_too(
    cast: Cast, app: App, clock: time_machine.Traveller
) -> None:
    before = app.code(-1)
    assert try_code(halfway(cast), cast, app.code()) == "/"
    assert try_code(halfway(cast), cast, before) == USED


@pytest.mark.parametrize(("ahead", "counts"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_wrong_by_one_step_and_no_more(
    cast: Cast, app: App, clock: time_machine.Traveller, ahead: int, counts: bool
) -> None:
    assert try_code(halfway(cast), cast, app.code(ahead)) == ("/" if counts else WRONG)


def test_a_code_ends_with_the_step_after_its_own(cast: Cast, app: App, clock: time_machine.Traveller) -> None:
    code = app.code()
    clock.shift(timedelta(seconds=STEP + 14.9))
    assert app.code(-1) == code
    clock.shift(timedelta(seconds=STEP))
    assert try_code(halfway(cast), cast, code) == WRONG


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12345a", "１２３４５６", "123 4\x005", "ААААAA", "-12345"])
def test_what_is_no_code_is_said_to_be_none_and_costs_no_try(cast: Cast, app: App, typed: str) -> None:
    browser = halfway(cast)
    for _ in range(8):
        said = try_code(browser, cast, typed)
    assert said in ("Enter the code.", "A code has six digits.", "Null characters are not allowed.")


def test_a_code_may_have_a_space_in_the_middle(cast: Cast, app: App) -> None:
    code = app.fresh_code()
    assert try_code(halfway(cast), cast, f" {code[:3]} {code[3:]} ") == "/"


@pytest.mark.django_db(transaction=True)
def test_of_two_who_bring_the_same_code_at_once_one_gets_in() -> None:
    """On real connections, five times."""
    cast = Cast.assemble()
    for _ in range(5):
        AuthenticatorApp.objects.all().delete()
        app = give_app(cast.aiko)
        browsers, code = [halfway(cast) for _ in range(2)], app.code()
        start, led_to = threading.Barrier(2), list[str]()

        def attempt(browser: Browser, code: str = code, start: threading.Barrier = start, led_to=led_to) -> None:  # type: ignore[no-untyped-def]
            start.wait(timeout=10)
            try:
                led_to.append(try_code(browser, cast, code))
            finally:
                database.close()

        threads = [threading.Thread(target=attempt, args=(browser,)) for browser in browsers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert sorted(led_to) == ["/", USED]


def test_the_secret_is_sealed_to_its_row(cast: Cast, app: App) -> None:
    """R10: a copy of the table shows no secret, and one put into another's row does not open."""
    other = give_app(cast.marcus)
    mine, theirs = AuthenticatorApp.objects.get(user=cast.aiko), AuthenticatorApp.objects.get(user=cast.marcus)
    assert app.secret not in mine.secret_sealed
    theirs.secret_sealed = mine.secret_sealed
    with pytest.raises(SealBroken):
        theirs.accept(other.code(), datetime.now(UTC))


def test_another_persons_code_is_wrong(cast: Cast, app: App) -> None:
    assert try_code(halfway(cast), cast, give_app(cast.marcus).code()) == WRONG


def test_a_refused_code_changes_nothing(cast: Cast, app: App) -> None:
    row = AuthenticatorApp.objects.get()
    with pytest.raises(FactorRefused):
        row.accept("000000" if app.code() != "000000" else "000001", datetime.now(UTC))
    row.refresh_from_db()
    assert row.last_step == 0
