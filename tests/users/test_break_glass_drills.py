"""T13, T16: a drill proves both factors and signs nobody in; who has not done one for 90 days is reminded."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection as database
from django.http import HttpResponse
from django.utils import timezone

from audit.models import Event, Result
from tests.cast import Browser, Cast, browser_of, enable_okta
from tests.factors import App, enter_password, factor_page, give_app, give_passkey, passkey_answer, sign_in_with
from tests.smtp import Sink, text_of
from users import tasks
from users.models import Method, OutgoingEmail, Session, User

pytestmark = pytest.mark.servers

DRILL = "/e/halden/local/?drill"


@pytest.fixture
def app(cast: Cast) -> App:
    enable_okta(cast.halden, cast.aiko)
    return give_app(cast.ingrid)


def begin(browser: Browser, user: User) -> HttpResponse:
    return enter_password(browser, user, path=DRILL)


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def test_both_factors_are_proved_nobody_is_signed_in_and_everyone_is_told(
    cast: Cast, app: App, smtp_sink: Sink
) -> None:
    browser = Browser(cast.halden)
    assert "This signs nobody in." in browser.get(DRILL).content.decode()
    assert begin(browser, cast.ingrid)["Location"] == factor_page(cast.ingrid)
    page = browser.post(factor_page(cast.ingrid), {"code": app.fresh_code()})
    assert "The break-glass account works" in page.content.decode()
    assert not Session.objects.exists()
    ingrid = fresh(cast.ingrid)
    assert ingrid.break_glass_tested_at is not None
    assert ingrid.break_glass_used_at is None
    event = Event.objects.of(cast.halden).get(action="break-glass:tested")
    assert (event.actor, event.result, event.details) == (
        cast.ingrid, Result.DONE, {"second_factor": "authenticator_app"},
    )  # fmt: skip
    assert not Event.objects.filter(action__in=["break-glass:used", "session:started"]).exists()
    tasks.sweep()
    assert {str(m["To"]) for m in smtp_sink.messages} == {cast.ingrid.email, cast.aiko.email}
    assert smtp_sink.newest()["Subject"] == "A drill: the break-glass account of Halden Freight works"
    assert "nobody was signed in" in text_of(smtp_sink.newest())
    assert browser.get(factor_page(cast.ingrid))["Location"] == "/e/halden/local/", "it is over"


def test_whoever_is_signed_in_stays_so(cast: Cast, app: App) -> None:
    browser = browser_of(cast.aiko)
    begin(browser, cast.ingrid)
    page = browser.post(factor_page(cast.ingrid), {"code": app.fresh_code()})
    assert "Back to the break-glass accounts" in page.content.decode()
    assert browser.get("/advanced/break-glass/").status_code == 200
    assert Session.objects.get().user == cast.aiko


def test_a_passkey_will_do(cast: Cast, app: App) -> None:
    key, browser = give_passkey(cast.ingrid), Browser(cast.halden)
    begin(browser, cast.ingrid)
    page = browser.get(factor_page(cast.ingrid))
    assert "Test the account" in page.content.decode()
    browser.post(factor_page(cast.ingrid), passkey_answer(key, page))
    assert fresh(cast.ingrid).break_glass_tested_at is not None


def test_the_password_alone_tests_nothing(cast: Cast, app: App) -> None:
    browser = Browser(cast.halden)
    begin(browser, cast.ingrid)
    assert browser.post(factor_page(cast.ingrid), {"code": app.code(7)}).status_code == 200
    assert fresh(cast.ingrid).break_glass_tested_at is None


def test_other_accounts_have_nothing_to_test(cast: Cast, app: App) -> None:
    give_app(cast.aiko)
    answer = begin(Browser(cast.halden), cast.aiko)
    assert "no break-glass account" in answer.content.decode()
    assert not Session.objects.exists()


def test_without_a_second_factor_there_is_nothing_to_test_yet(cast: Cast) -> None:
    """It is led to setting one up, which is a sign-in like any other."""
    assert begin(Browser(cast.halden), cast.ingrid)["Location"] == "/e/halden/local/enrol/"


def test_a_sign_in_is_a_test_too_and_a_use(cast: Cast, app: App) -> None:
    sign_in_with(app, Browser(cast.halden), cast.ingrid)
    ingrid = fresh(cast.ingrid)
    assert ingrid.break_glass_used_at == ingrid.break_glass_tested_at != None  # noqa: E711
    assert Session.objects.get().method == Method.BREAK_GLASS


def test_before_there_was_a_provider_a_sign_in_is_a_test_and_no_use(cast: Cast) -> None:
    sign_in_with(give_app(cast.ingrid), Browser(cast.halden), cast.ingrid)
    assert fresh(cast.ingrid).break_glass_tested_at is not None
    assert fresh(cast.ingrid).break_glass_used_at is None


# ---- Reminders


def untested_for(user: User, days: float) -> None:
    User.objects.filter(pk=user.pk).update(break_glass_tested_at=timezone.now() - timedelta(days=days))


def reminders() -> int:
    return OutgoingEmail.objects.filter(name="break_glass_changed", context__what="untested").count()


def test_after_ninety_days_every_enterprise_admin_is_reminded_once(cast: Cast, app: App, smtp_sink: Sink) -> None:
    untested_for(cast.ingrid, 89.9)
    tasks.remind_of_break_glass()
    assert reminders() == 0
    untested_for(cast.ingrid, 90.1)
    for _ in range(3):
        tasks.remind_of_break_glass()
    assert reminders() == 2, "Ingrid and Aiko, once each"
    tasks.sweep()
    assert smtp_sink.newest()["Subject"] == "Test the break-glass account of Halden Freight"
    assert "Nobody has tested Ingrid Solberg for 90 days" in text_of(smtp_sink.newest())


def test_they_are_reminded_again_after_another_ninety_days(cast: Cast, app: App) -> None:
    untested_for(cast.ingrid, 181)
    User.objects.filter(pk=cast.ingrid.pk).update(break_glass_reminded_at=timezone.now() - timedelta(days=89))
    tasks.remind_of_break_glass()
    assert reminders() == 0
    User.objects.filter(pk=cast.ingrid.pk).update(break_glass_reminded_at=timezone.now() - timedelta(days=91))
    tasks.remind_of_break_glass()
    assert reminders() == 2


def test_a_drill_ends_the_reminding(cast: Cast, app: App) -> None:
    untested_for(cast.ingrid, 100)
    aiko = browser_of(cast.aiko)
    assert "Ingrid Solberg was not tested for 90 days." in aiko.get("/advanced/break-glass/").content.decode()
    assert "Test the break-glass account" in aiko.get("/").content.decode()
    browser = Browser(cast.halden)
    begin(browser, cast.ingrid)
    browser.post(factor_page(cast.ingrid), {"code": app.fresh_code()})
    tasks.remind_of_break_glass()
    assert reminders() == 0
    assert "was not tested" not in aiko.get("/advanced/break-glass/").content.decode()
    assert "Test the break-glass account" not in aiko.get("/").content.decode()


def test_one_that_was_never_tested_is_counted_from_its_first_day(cast: Cast, app: App) -> None:
    User.objects.filter(pk=cast.ingrid.pk).update(joined_at=timezone.now() - timedelta(days=91))
    tasks.remind_of_break_glass()
    assert reminders() == 2


def test_without_a_provider_nobody_is_reminded(cast: Cast) -> None:
    untested_for(cast.ingrid, 100)
    tasks.remind_of_break_glass()
    assert reminders() == 0


@pytest.mark.django_db(transaction=True)
def test_two_clocks_at_once_remind_once() -> None:
    cast = Cast.assemble()
    enable_okta(cast.halden, cast.aiko)
    untested_for(cast.ingrid, 100)
    start = threading.Barrier(4)

    def remind() -> None:
        start.wait(timeout=10)
        try:
            tasks.remind_of_break_glass()
        finally:
            database.close()

    threads = [threading.Thread(target=remind) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert reminders() == 2
