"""The operator's last resort: a link to the break-glass account, for ten minutes, once, seen by everybody."""

from __future__ import annotations

import io
import re
import threading
from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.http import HttpResponse
from django.utils import timezone

from audit.models import Event, Result
from tests.cast import PASSWORD, Browser, Cast, browser_of, enable_okta
from tests.factors import enter_password, give_app, give_codes, give_passkey, key_to_copy
from tests.smtp import Sink, text_of
from users import tasks
from users.models import BreakGlassRecovery, Factors, Method, OutgoingEmail, User

pytestmark = pytest.mark.servers

REASON = "Ticket 4711: called back Ingrid at the number on the contract"
NEW = "a new sentence for the safe"


def issue(*more: str, slug: str = "halden", reason: str = REASON) -> str:
    """Run the command and return the path of the link it prints."""
    out = io.StringIO()
    call_command("recover_enterprise", slug, "--reason", reason, *more, stdout=out, stderr=io.StringIO())
    return out.getvalue().strip().removeprefix("http://eu.localhost:8000")


def recover(browser: Browser, path: str, password: str = NEW) -> HttpResponse:
    browser.get(path)
    return browser.post("/recovery/", {"password": password})


@pytest.fixture
def lost(cast: Cast) -> Cast:
    """Halden's Okta is gone, and so is everything of Ingrid's."""
    enable_okta(cast.halden, cast.aiko)
    give_app(cast.ingrid)
    give_passkey(cast.ingrid)
    give_codes(cast.ingrid)
    browser_of(cast.ingrid)
    return cast


def test_the_link_leads_to_a_new_password_a_new_second_factor_and_in(lost: Cast, smtp_sink: Sink) -> None:
    browser = Browser(lost.halden)
    path = issue()
    assert browser.get(path)["Location"] == "/recovery/"
    page = browser.get("/recovery/")
    assert "Every Enterprise Admin is told." in page.content.decode()
    assert browser.post("/recovery/", {"password": NEW})["Location"] == "/e/halden/local/enrol/"
    assert not lost.ingrid.sessions.exists()
    enrol = browser.get("/e/halden/local/enrol/")
    assert browser.post("/e/halden/local/enrol/", {"code": key_to_copy(enrol).fresh_code()}).context["codes"]
    assert lost.ingrid.sessions.get().method == Method.BREAK_GLASS
    assert browser.get("/advanced/identity-provider/").status_code == 200
    user = User.objects.get(pk=lost.ingrid.pk)
    assert user.check_password(NEW)
    assert not user.passkeys.exists()
    alarms = Event.objects.of(lost.halden).filter(result=Result.ALARM).order_by("at")
    assert [event.action for event in alarms] == [
        "break-glass:recovery-issued", "break-glass:recovered", "break-glass:used",
    ]  # fmt: skip
    assert alarms[0].details == {"stated_reason": REASON}
    tasks.sweep()
    told = {str(message["To"]) for message in smtp_sink.messages if "recovery link" in str(message["Subject"])}
    assert told == {lost.ingrid.email, lost.aiko.email}
    assert any(REASON in text_of(message).replace("\n", " ") for message in smtp_sink.messages)


def test_opening_the_link_changes_nothing(lost: Cast) -> None:
    """Scanners open links."""
    path = issue()
    for _ in range(3):
        scanner = Browser(lost.halden)
        scanner.get(path)
        assert scanner.get("/recovery/").status_code == 200
    assert Factors(lost.ingrid)
    assert User.objects.get(pk=lost.ingrid.pk).check_password(PASSWORD)
    assert BreakGlassRecovery.objects.get().used_at is None


def test_it_works_once(lost: Cast) -> None:
    path = issue()
    assert recover(Browser(lost.halden), path).status_code == 302
    answer = recover(Browser(lost.halden), path, "yet another sentence here")
    assert answer.status_code == 410
    assert "older than ten minutes" in answer.content.decode()
    assert User.objects.get(pk=lost.ingrid.pk).check_password(NEW)


def test_it_works_for_ten_minutes(lost: Cast) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        path = issue()
        clock.shift(timedelta(minutes=9, seconds=59))
        browser = Browser(lost.halden)
        browser.get(path)
        assert browser.get("/recovery/").status_code == 200
        clock.shift(timedelta(seconds=1))
        assert browser.post("/recovery/", {"password": NEW}).status_code == 410
        assert recover(Browser(lost.halden), path).status_code == 410


def test_the_newest_link_ends_the_one_before(lost: Cast) -> None:
    first, second = issue(), issue()
    assert recover(Browser(lost.halden), first).status_code == 410
    assert recover(Browser(lost.halden), second).status_code == 302


def test_the_token_is_kept_hashed_and_told_nowhere(lost: Cast) -> None:
    token = issue().split("/")[2]
    kept = [BreakGlassRecovery, Event, OutgoingEmail]
    assert not any(token in str(list(model.objects.values())) for model in kept)
    assert re.fullmatch("[0-9a-f]{64}", BreakGlassRecovery.objects.get().token_hash)


@pytest.mark.parametrize("token", ["x", "A" * 43, "%00", "..", "ä" * 50])
def test_other_tokens_open_nothing(lost: Cast, token: str) -> None:
    issue()
    assert recover(Browser(lost.halden), f"/recovery/{token}/").status_code == 410


def test_a_weak_password_is_refused_and_the_link_stays_good(lost: Cast) -> None:
    path, browser = issue(), Browser(lost.halden)
    assert "Add 7 more" in recover(browser, path, "short").content.decode()
    assert recover(browser, path).status_code == 302


def test_an_account_that_is_no_break_glass_account_any_more_is_not_recovered(lost: Cast) -> None:
    path = issue()
    User.objects.filter(pk=lost.ingrid.pk).update(is_break_glass=False)
    assert recover(Browser(lost.halden), path).status_code == 410


@pytest.mark.django_db(transaction=True)
def test_of_two_who_hold_the_link_one_gets_in() -> None:
    cast = Cast.assemble()
    give_app(cast.ingrid)
    path, start, answers = issue(), threading.Barrier(2), list[int]()
    browsers = [Browser(cast.halden) for _ in range(2)]
    for browser in browsers:
        browser.get(path)

    def attempt(number: int) -> None:
        start.wait(timeout=10)
        try:
            answers.append(browsers[number].post("/recovery/", {"password": f"{NEW} {number}"}).status_code)
        finally:
            database.close()

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(answers) == [302, 410]


def test_the_command_says_what_is_wrong(lost: Cast) -> None:
    for arguments, said in (
        ({"slug": "nobody"}, "no enterprise at nobody"),
        ({"reason": "because"}, "10 to 200 characters"),
    ):
        with pytest.raises(CommandError, match=said):
            issue(**arguments)
    with pytest.raises(CommandError, match="no such break-glass account"):
        issue("--account", lost.marcus.email)
    lost.aiko.become_break_glass()
    with pytest.raises(CommandError, match="two break-glass accounts"):
        issue()
    assert not BreakGlassRecovery.objects.exists()
    assert recover(Browser(lost.halden), issue("--account", lost.aiko.email)).status_code == 302
    assert enter_password(Browser(lost.halden), lost.ingrid)["Location"] == "/e/halden/local/factor/"
