"""A forgotten password: one answer for everyone, and the way in by email to whom it concerns."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.db import connection as database
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event
from identity.models import Connection, Provider
from tests.cast import PASSWORD, Browser, Cast, browser_of, make_enterprise, make_user
from tests.factors import factor_page, give_app, give_passkey, sign_in_with
from tests.smtp import Sink, html_of, link_in, text_of
from users import tasks
from users.models import OutgoingEmail, Session, User

pytestmark = pytest.mark.servers

# The same page is never the same bytes: its token is masked anew each time.
_TOKEN = re.compile(r"\b[0-9A-Za-z]{64}\b")

NEW = "a new sentence to remember"


def ask(email: str, browser: Browser) -> HttpResponse:
    return browser.post("/e/halden/local/forgotten/", {"email": email})


@pytest.fixture
def browser(cast: Cast) -> Browser:
    return Browser(cast.halden)


def link(browser: Browser, user: User, sink: Sink) -> str:
    ask(user.email, browser)
    tasks.sweep()
    return link_in(sink.newest())


def test_the_emailed_link_leads_to_a_new_password(cast: Cast, browser: Browser, smtp_sink: Sink) -> None:
    elsewhere = browser_of(cast.aiko)
    path = link(browser, cast.aiko, smtp_sink)
    moved = browser.get(path)
    assert moved["Location"] == "/reset/"
    assert (moved["Referrer-Policy"], moved["Cache-Control"]) == ("no-referrer", "no-store")
    page = browser.get("/reset/")
    assert (page["Referrer-Policy"], page["Cache-Control"]) == ("no-referrer", "no-store")
    assert "aiko.tanaka@halden.example" in page.content.decode()
    done = browser.post("/reset/", {"password": NEW})
    assert done["Location"] == "/e/halden/local/"
    assert "Your password is changed" in browser.get(done["Location"]).content.decode()
    cast.aiko.refresh_from_db()
    assert cast.aiko.check_password(NEW)
    assert elsewhere.get("/account/").status_code == 302  # Every session has ended.
    assert browser.get("/account/").status_code == 302  # And this browser is not signed in by it.
    tasks.sweep()
    assert smtp_sink.newest()["Subject"] == "Your password for Halden Freight was changed"
    assert [e.action for e in Event.objects.of(cast.halden).order_by("at")] == [
        "password:reset-requested",
        "password:changed",
    ]


def test_opening_the_link_changes_nothing(cast: Cast, browser: Browser, smtp_sink: Sink) -> None:
    """Mail scanners open links."""
    path = link(browser, cast.aiko, smtp_sink)
    for _ in range(3):
        scanner = Browser(cast.halden)
        scanner.get(path)
        scanner.head("/reset/")
    browser.get(path)
    assert browser.post("/reset/", {"password": NEW}).status_code == 302


def test_the_secret_is_sealed_in_the_cookie(cast: Cast, browser: Browser, smtp_sink: Sink) -> None:
    """R10, R12."""
    path = link(browser, cast.aiko, smtp_sink)
    browser.get(path)
    cookie = browser.cookies["reset"]
    assert path.split("/")[3] not in cookie.value
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 3600)
    browser.cookies["reset"] = cookie.value[:-4] + "AAAA"
    assert browser.get("/reset/").status_code == 410


def test_a_link_works_once_for_an_hour_and_not_after_a_sign_in(cast: Cast, browser: Browser, smtp_sink: Sink) -> None:
    path = link(browser, cast.aiko, smtp_sink)
    browser.get(path)
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=5)):
        browser.get(path)
        assert browser.post("/reset/", {"password": NEW}).status_code == 410
    browser.get(path)
    assert browser.post("/reset/", {"password": NEW}).status_code == 302
    browser.get(path)
    over = browser.post("/reset/", {"password": "yet another sentence"})
    assert over.status_code == 410
    assert "This link no longer works" in over.content.decode()
    second = link(browser, cast.aiko, smtp_sink)
    sign_in_with(give_passkey(cast.aiko), Browser(cast.halden), cast.aiko, password=NEW)
    browser.get(second)
    assert browser.get("/reset/").status_code == 410


def test_a_new_password_has_to_be_good_and_a_second_try_is_possible(
    cast: Cast, browser: Browser, smtp_sink: Sink
) -> None:
    browser.get(link(browser, cast.aiko, smtp_sink))
    assert "5 characters. Add 7 more." in browser.post("/reset/", {"password": "short"}).content.decode()
    assert browser.post("/reset/", {"password": NEW}).status_code == 302


def test_whoever_signs_in_with_okta_is_told_so_by_email_and_gets_no_link(
    cast: Cast, browser: Browser, smtp_sink: Sink
) -> None:
    okta = Connection.objects.create(enterprise=cast.halden, provider=Provider.OKTA, enabled_at=timezone.now())
    user = make_user(cast.halden, "Lena", "lena@halden.example", connection=okta, password="!")
    ask(user.email, browser)
    tasks.sweep()
    [message] = smtp_sink.to("lena@halden.example")
    assert "it signs in with Okta" in text_of(message)
    assert link_in(message) == "/e/halden/"
    assert "/reset/" not in html_of(message)


def test_unknown_invited_disabled_and_foreign_addresses_get_nothing(
    cast: Cast, browser: Browser, smtp_sink: Sink
) -> None:
    make_user(cast.halden, "", "invited@halden.example", joined_at=None)
    make_user(cast.halden, "", "disabled@halden.example", disabled_at=timezone.now())
    for email in ("nobody@halden.example", "invited@halden.example", "disabled@halden.example", cast.mallory.email):
        ask(email, browser)
    tasks.sweep()
    assert smtp_sink.messages == []
    assert [row.context for row in OutgoingEmail.objects.all()] == [{}] * 4  # Nobody keeps what was asked.


def test_only_the_account_of_this_enterprise_is_concerned(cast: Cast, browser: Browser, smtp_sink: Sink) -> None:
    make_user(make_enterprise("Other", "other"), "Aiko", cast.aiko.email)
    ask(cast.aiko.email, browser)
    tasks.sweep()
    [message] = smtp_sink.messages
    assert message["Subject"] == "Choose a new password for Halden Freight"


def test_the_email_goes_to_the_address_on_file_and_not_to_the_one_that_was_typed(
    cast: Cast, browser: Browser, smtp_sink: Sink
) -> None:
    """Two addresses can fold to the same text; the mailbox of one must not open the account of the other."""
    ask("aiko.tanaka@ｈalden.example", browser)
    tasks.sweep()
    assert [message["To"] for message in smtp_sink.messages] == ["aiko.tanaka@halden.example"]


def test_the_answer_and_the_work_are_the_same_for_known_and_unknown(cast: Cast) -> None:
    """T12."""
    seen = set()
    for number, email in enumerate((cast.aiko.email, "nobody@halden.example")):
        browser = Browser(cast.halden, REMOTE_ADDR=f"198.51.100.{number}")
        with CaptureQueriesContext(database) as queries:
            answer = ask(email, browser)
        work = tuple(" ".join(q["sql"].split()[:3]) for q in queries if "SAVEPOINT" not in q["sql"])
        page = browser.get(answer["Location"])
        seen.add((answer.status_code, answer["Location"], _TOKEN.sub("", page.content.decode()), work))
    assert len(seen) == 1


def test_a_mailbox_is_not_filled_and_who_asks_is_not_told(cast: Cast, smtp_sink: Sink) -> None:
    for number in range(9):
        answer = ask(cast.aiko.email, Browser(cast.halden, REMOTE_ADDR=f"198.51.100.{number}"))
        assert answer.status_code == 302
    tasks.sweep()
    assert len(smtp_sink.messages) == 4


def test_a_network_that_asks_without_end_waits(cast: Cast, browser: Browser) -> None:
    for number in range(21):
        assert ask(f"person{number}@halden.example", browser).status_code == 302
    assert ask("one.more@halden.example", browser).status_code == 429


def test_a_new_password_does_not_skip_the_second_factor(cast: Cast, browser: Browser, smtp_sink: Sink) -> None:
    """T13: whoever reads the mailbox has one factor, and not the other."""
    app = give_app(cast.aiko)
    browser.get(link(browser, cast.aiko, smtp_sink))
    assert browser.post("/reset/", {"password": NEW})["Location"] == "/e/halden/local/"
    assert not Session.objects.exists()
    answer = browser.post("/e/halden/local/", {"email": cast.aiko.email, "password": NEW})
    assert answer["Location"] == factor_page(cast.aiko)
    assert browser.get("/account/").status_code == 302
    assert browser.post(factor_page(cast.aiko), {"code": app.fresh_code()})["Location"] == "/"


def test_the_old_password_is_gone(cast: Cast, browser: Browser, smtp_sink: Sink) -> None:
    browser.get(link(browser, cast.aiko, smtp_sink))
    browser.post("/reset/", {"password": NEW})
    answers = [
        browser.post("/e/halden/local/", {"email": cast.aiko.email, "password": password}).status_code
        for password in (PASSWORD, NEW)
    ]
    assert answers == [200, 302]
