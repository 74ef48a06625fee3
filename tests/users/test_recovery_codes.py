"""Recovery codes: ten, hashed, shown once, and each works once."""

from __future__ import annotations

import re
import threading

import pytest
from django.db import connection as database
from django.http import HttpResponse

from audit.models import Event
from tests.cast import Browser, Cast, browser_of
from tests.factors import enter_password, factor_page, give_app, give_codes
from tests.smtp import Sink, text_of
from users import tasks
from users.models import RecoveryCode, Session, User
from users.models.factor import RecoveryHasher

pytestmark = pytest.mark.servers

WRONG = "This is not one of the recovery codes of this account."
USED = "This recovery code has been used. Each works once: take another one."


@pytest.fixture
def codes(cast: Cast) -> list[str]:
    give_app(cast.aiko)
    return give_codes(cast.aiko)


def try_code(user: User, code: str) -> HttpResponse:
    browser = Browser(user.enterprise)
    enter_password(browser, user)
    return browser.post(f"{factor_page(user)}?recovery", {"code": code})


def said(response: HttpResponse) -> str:
    assert response.status_code == 200
    return " ".join(str(error) for errors in response.context["form"].errors.values() for error in errors)


def test_there_are_ten_different_ones_and_only_hashes_are_kept(cast: Cast, codes: list[str]) -> None:
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([2-9a-z]{4}-){2}[2-9a-z]{4}", code) for code in codes)
    stored = str(list(RecoveryCode.objects.values()))
    assert not any(code in stored or code.replace("-", "") in stored for code in codes)
    assert all(row.hash.startswith("argon2$argon2id$") for row in RecoveryCode.objects.all())


def test_they_are_hashed_no_weaker_than_recommended() -> None:
    """T13. The other tests use a quicker one; this is the product's."""
    assert RecoveryHasher.time_cost >= 2
    assert RecoveryHasher.memory_cost >= 19 * 1024  # KiB


def test_a_code_signs_in_once_and_the_owner_is_told(cast: Cast, codes: list[str], smtp_sink: Sink) -> None:
    assert try_code(cast.aiko, codes[3])["Location"] == "/"
    assert said(try_code(cast.aiko, codes[3])) == USED
    assert Session.objects.count() == 1
    event = Event.objects.of(cast.halden).get(action="recovery-code:used")
    assert (event.actor, event.details) == (cast.aiko, {"left": 9})
    tasks.sweep()
    mail = smtp_sink.newest()
    assert mail["To"] == cast.aiko.email
    assert mail["Subject"] == "A recovery code of your account in Halden Freight was used"
    assert "9 are left." in text_of(mail)
    assert codes[3] not in text_of(mail)


def test_every_one_of_them_works(cast: Cast) -> None:
    for code in give_codes(cast.aiko):
        RecoveryCode.objects.spend(cast.aiko, code, cast.aiko.created_at)
    assert not cast.aiko.recovery_codes.unused().exists()


@pytest.mark.parametrize("change", [str.upper, lambda c: c.replace("-", ""), lambda c: f"  {c.replace('-', ' ')} "])
def test_it_may_be_typed_in_any_way(cast: Cast, codes: list[str], change: object) -> None:
    assert try_code(cast.aiko, change(codes[0]))["Location"] == "/"  # type: ignore[operator]


@pytest.mark.parametrize("code", ["aaaa-bbbb-cccc", "a", "000000", "²³", "x" * 40])
def test_another_code_is_refused(cast: Cast, codes: list[str], code: str) -> None:
    assert said(try_code(cast.aiko, code)) == WRONG


def test_a_code_of_somebody_else_is_refused(cast: Cast, codes: list[str]) -> None:
    assert said(try_code(cast.aiko, give_codes(cast.marcus)[0])) == WRONG
    assert cast.marcus.recovery_codes.unused().count() == 10


@pytest.mark.django_db(transaction=True)
def test_of_two_who_bring_the_same_code_at_once_one_gets_in() -> None:
    """On real connections, five times."""
    cast = Cast.assemble()
    give_app(cast.aiko)
    for code in give_codes(cast.aiko)[:5]:
        start, answers = threading.Barrier(2), list[int]()

        def attempt(code: str = code, start: threading.Barrier = start, answers: list[int] = answers) -> None:
            browser = Browser(cast.halden)
            try:
                enter_password(browser, cast.aiko)
                start.wait(timeout=20)
                answers.append(browser.post(f"{factor_page(cast.aiko)}?recovery", {"code": code}).status_code)
            finally:
                database.close()

        threads = [threading.Thread(target=attempt) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        assert sorted(answers) == [200, 302]


def test_new_ones_end_the_older_ones_and_are_shown_once(cast: Cast, codes: list[str], smtp_sink: Sink) -> None:
    browser = browser_of(cast.aiko)
    assert "10 of the ten you have are unused." in browser.get("/account/recovery-codes/").content.decode()
    answer = browser.post("/account/recovery-codes/")
    new = re.findall(r"<li>([2-9a-z-]{14})\n", answer.content.decode())
    assert len(new) == 10
    assert "no-store" in answer["Cache-Control"]
    assert not any(code in browser.get("/account/").content.decode() for code in new)
    assert cast.aiko.recovery_codes.count() == 10
    assert said(try_code(cast.aiko, codes[0])) == WRONG
    assert try_code(cast.aiko, new[0])["Location"] == "/"
    assert "9 of 10 left." in browser.get("/account/").content.decode()
    tasks.sweep()
    subjects = [message["Subject"] for message in smtp_sink.messages]
    assert "You have new recovery codes for Halden Freight" in subjects
    assert Event.objects.of(cast.halden).get(action="recovery-codes:issued").details == {"number": 10}


def test_without_a_second_factor_there_are_none_to_make(cast: Cast) -> None:
    assert browser_of(cast.aiko).post("/account/recovery-codes/").status_code == 404


def test_none_is_told_in_the_audit_log(cast: Cast, codes: list[str]) -> None:
    try_code(cast.aiko, codes[0])
    try_code(cast.aiko, "zzzz-zzzz-zzzz")
    told = str(list(Event.objects.values()))
    assert codes[0] not in told
    assert "zzzz" not in told
