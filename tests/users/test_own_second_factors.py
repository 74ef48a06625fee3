"""The second factors of one's own account: add, name, replace, remove; the last one stays where it is needed."""

from __future__ import annotations

import threading

import pytest
from django.db import connection as database
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from audit.models import Event
from tests.authenticator import Authenticator
from tests.cast import Browser, Cast, browser_of, enable_okta
from tests.factors import (
    App,
    enter_password,
    factor_page,
    give_app,
    give_codes,
    give_passkey,
    key_to_copy,
    passkey_answer,
    sign_in_with,
)
from tests.smtp import Sink, text_of
from users import tasks
from users.models import Factors, OutgoingEmail, Passkey
from users.models.factor import MOST_PASSKEYS

pytestmark = pytest.mark.servers

APP, PASSKEY = "/account/app/", "/account/passkeys/add/"


@pytest.fixture
def app(cast: Cast) -> App:
    give_codes(cast.aiko)
    return give_app(cast.aiko)


@pytest.fixture
def browser(cast: Cast, app: App) -> Browser:
    return browser_of(cast.aiko)


def add_passkey(browser: Browser, key: Authenticator, name: str = "Yubikey") -> HttpResponse:
    return browser.post(PASSKEY, {"name": name, **passkey_answer(key, browser.get(PASSKEY))})


def test_several_passkeys_each_with_a_name(cast: Cast, browser: Browser, smtp_sink: Sink) -> None:
    keys = {name: Authenticator(cast.halden.origin) for name in ("Yubikey", "Phone")}
    for name, key in keys.items():
        assert add_passkey(browser, key, name)["Location"] == "/account/"
    page = browser.get("/account/").content.decode()
    assert all(name in page for name in ("Yubikey", "Phone", "Authenticator app", "10 of 10 left."))
    for key in keys.values():
        assert sign_in_with(key, Browser(cast.halden), cast.aiko)["Location"] == "/"
    tasks.sweep()
    assert "The passkey “Yubikey” was added to aiko.tanaka@halden.example" in text_of(smtp_sink.messages[0])
    added = Event.objects.of(cast.halden).filter(action="factor:added").order_by("at")
    assert [event.details for event in added] == [{"factor": "passkey", "name": n} for n in ("Yubikey", "Phone")]


def test_the_first_one_from_here_brings_recovery_codes_too(cast: Cast) -> None:
    """Where none is required, people add one by themselves."""
    browser = browser_of(cast.marcus)
    assert len(add_passkey(browser, Authenticator(cast.halden.origin)).context["codes"]) == 10


def test_the_same_passkey_is_not_added_twice(cast: Cast, browser: Browser) -> None:
    key = Authenticator(cast.halden.origin)
    add_passkey(browser, key)
    assert "This passkey is here already." in add_passkey(browser, key).content.decode()
    assert "This passkey is here already." in add_passkey(browser_of(cast.marcus), key).content.decode()
    assert Passkey.objects.count() == 1


def test_a_challenge_for_using_a_passkey_does_not_register_one(cast: Cast, browser: Browser) -> None:
    """What for is bound in, as well as whose."""
    key, other = Authenticator(cast.halden.origin), browser_of(cast.aiko)
    sent = passkey_answer(key, other.get(PASSKEY))
    assert "sent before" in browser.post(PASSKEY, {"name": "x", **sent}).content.decode()
    assert not Passkey.objects.exists()


def test_there_is_an_end_to_passkeys(cast: Cast, browser: Browser) -> None:
    for number in range(MOST_PASSKEYS):
        give_passkey(cast.aiko, f"Key {number}")
    assert "There are 10 passkeys already." in add_passkey(browser, Authenticator(cast.halden.origin)).content.decode()


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\u202eb", "\x00", "—"])
def test_a_name_is_one_that_can_be_read(cast: Cast, browser: Browser, name: str) -> None:
    passkey = give_passkey(cast.aiko) and cast.aiko.passkeys.get()
    assert browser.post(f"/account/passkeys/{passkey.pk}/rename/", {"name": name}).status_code == 200
    assert add_passkey(browser, Authenticator(cast.halden.origin), name).status_code == 200
    assert cast.aiko.passkeys.get().name == "Laptop"


def test_a_passkey_gets_another_name(cast: Cast, browser: Browser) -> None:
    give_passkey(cast.aiko)
    browser.post(f"/account/passkeys/{cast.aiko.passkeys.get().pk}/rename/", {"name": " Work  laptop "})
    assert cast.aiko.passkeys.get().name == "Work laptop"
    event = Event.objects.of(cast.halden).get(action="factor:renamed")
    assert event.details == {"before": "Laptop", "after": "Work laptop"}


def test_another_app_takes_the_place_of_the_first(cast: Cast, browser: Browser, app: App) -> None:
    new = key_to_copy(browser.get(APP))
    assert new.secret != app.secret
    assert browser.post(APP, {"code": new.fresh_code()})["Location"] == "/account/"
    half = Browser(cast.halden)
    enter_password(half, cast.aiko)
    assert half.post(factor_page(cast.aiko), {"code": app.fresh_code()}).status_code == 200
    assert half.post(factor_page(cast.aiko), {"code": new.fresh_code()})["Location"] == "/"


def test_one_of_two_is_removed_and_other_sessions_end(cast: Cast, browser: Browser, smtp_sink: Sink) -> None:
    give_passkey(cast.aiko)
    elsewhere = browser_of(cast.aiko)
    page = f"/account/passkeys/{cast.aiko.passkeys.get().pk}/remove/"
    assert "1 other second factor stays." in browser.get(page).content.decode()
    assert browser.post(page)["Location"] == "/account/"
    assert not cast.aiko.passkeys.exists()
    assert browser.get("/account/").status_code == 200
    assert elsewhere.get("/account/").status_code == 302
    event = Event.objects.of(cast.halden).get(action="factor:removed")
    assert event.details == {"factor": "passkey", "name": "Laptop", "sessions_ended": 1}
    tasks.sweep()
    assert smtp_sink.newest()["Subject"] == "A second factor of your account in Halden Freight was removed"


def test_the_last_one_stays_while_one_is_needed(cast: Cast, browser: Browser) -> None:
    assert "Add another one first." in browser.get("/account/app/remove/").content.decode()
    assert browser.post("/account/app/remove/").status_code == 409
    assert Factors(cast.aiko).app
    assert not Event.objects.filter(action="factor:removed").exists()


def test_where_none_is_required_the_last_one_goes_and_the_codes_with_it(cast: Cast, browser: Browser) -> None:
    cast.halden.is_second_factor_required = False
    cast.halden.save()
    assert browser.post("/account/app/remove/")["Location"] == "/account/"
    assert not cast.aiko.recovery_codes.exists()
    assert "Your password alone opens this account." in browser.get("/account/").content.decode()


def test_of_a_break_glass_account_the_last_one_stays_whatever_is_required(cast: Cast) -> None:
    cast.halden.is_second_factor_required = False
    cast.halden.save()
    give_app(cast.ingrid)
    assert browser_of(cast.ingrid).post("/account/app/remove/").status_code == 409


@pytest.mark.django_db(transaction=True)
def test_of_two_that_are_removed_at_once_one_stays() -> None:
    """On real connections: each of the two would leave the other one."""
    cast = Cast.assemble()
    for _ in range(10):
        Factors(cast.aiko).reset()
        give_app(cast.aiko)
        give_passkey(cast.aiko)
        paths = ["/account/app/remove/", f"/account/passkeys/{cast.aiko.passkeys.get().pk}/remove/"]
        browsers, start = [browser_of(cast.aiko) for _ in paths], threading.Barrier(2)

        def remove(browser: Browser, path: str, start: threading.Barrier = start) -> None:
            start.wait(timeout=10)
            try:
                browser.post(path)
            finally:
                database.close()

        threads = [threading.Thread(target=remove, args=pair) for pair in zip(browsers, paths, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert len(Factors(cast.aiko)) == 1


def test_somebody_elses_passkey_is_not_there(cast: Cast, browser: Browser) -> None:
    """T11."""
    give_passkey(cast.ingrid)
    give_passkey(cast.mallory)
    for other in Passkey.objects.all():
        for act in ("rename", "remove"):
            assert browser.get(f"/account/passkeys/{other.pk}/{act}/").status_code == 404
            assert browser.post(f"/account/passkeys/{other.pk}/{act}/", {"name": "mine"}).status_code == 404


def test_whoever_signs_in_through_a_provider_has_none_of_this(cast: Cast) -> None:
    cast.marcus.connection = enable_okta(cast.halden, cast.ingrid)
    cast.marcus.save()
    browser = browser_of(cast.marcus)
    for path in (APP, PASSKEY, "/account/app/remove/", "/account/recovery-codes/"):
        assert browser.get(path).status_code == 404
    assert "Second factor" not in browser.get("/account/").content.decode()


def test_the_account_page_reads_little(cast: Cast, browser: Browser) -> None:
    for number in range(5):
        give_passkey(cast.aiko, f"Key {number}")
    browser.get("/account/")
    with CaptureQueriesContext(database) as queries:
        browser.get("/account/")
    assert len(queries) <= 7


def test_no_email_or_event_holds_a_secret(cast: Cast, browser: Browser) -> None:
    new = key_to_copy(browser.get(APP))
    code = new.fresh_code()
    browser.post(APP, {"code": code})
    kept = str(list(Event.objects.values())) + str(list(OutgoingEmail.objects.values()))
    assert new.secret not in kept
    assert code not in kept
