"""A second factor that cannot be phished: passkeys, verified to the letter (WebAuthn)."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection as database
from django.http import HttpResponse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.models import Event, Result
from tests.authenticator import PRESENT, Authenticator
from tests.cast import Browser, Cast
from tests.factors import asked_for_passkey, enter_password, factor_page, give_passkey, passkey_answer, sign_in_with
from tests.smtp import Sink, text_of
from users import tasks
from users.models import FactorRefused, Passkey, Session
from users.passkeys import host, registered, to_register

pytestmark = pytest.mark.servers

REFUSED = "This passkey was not accepted. Try again, or use another way."
OVER = "This took longer than ten minutes, or was sent before. Try again."


@pytest.fixture
def key(cast: Cast) -> Authenticator:
    return give_passkey(cast.aiko)


def halfway(cast: Cast) -> Browser:
    browser = Browser(cast.halden)
    enter_password(browser, cast.aiko)
    return browser


def answer(browser: Browser, cast: Cast, key: Authenticator, **changes: Any) -> HttpResponse:
    page = browser.get(factor_page(cast.aiko))
    return browser.post(factor_page(cast.aiko), passkey_answer(key, page, **changes))


def said(response: HttpResponse) -> str:
    assert response.status_code == 200
    return " ".join(response.context["form"].non_field_errors())


def reasons(cast: Cast) -> list[str]:
    return list(Event.objects.of(cast.halden).filter(action="session:refused").values_list("reason", flat=True))


def test_password_and_passkey_sign_in(cast: Cast, key: Authenticator) -> None:
    assert sign_in_with(key, Browser(cast.halden), cast.aiko)["Location"] == "/"
    assert Event.objects.of(cast.halden).get(action="session:started").details["second_factor"] == "passkey"
    passkey = cast.aiko.passkeys.get()
    assert passkey.sign_count == key.count == 2
    assert passkey.last_used_at is not None


def test_the_page_asks_for_the_passkeys_of_this_account_at_this_region(cast: Cast, key: Authenticator) -> None:
    """R9: the relying party is the region's host as configured; attestation is not asked for, nor a PIN insisted on."""
    give_passkey(cast.marcus)
    options = json.loads(asked_for_passkey(halfway(cast).get(factor_page(cast.aiko)))[0])
    assert options["rpId"] == "eu.localhost"
    assert [one["id"] for one in options["allowCredentials"]] == [cast.aiko.passkeys.get().credential_id]
    assert options["userVerification"] == "preferred"
    made = json.loads(to_register(cast.aiko, cast.aiko.passkeys.all(), b"x" * 32))
    assert (made["rp"]["id"], made["attestation"]) == ("eu.localhost", "none")
    assert cast.aiko.email not in made["user"]["id"]
    assert [one["id"] for one in made["excludeCredentials"]] == [cast.aiko.passkeys.get().credential_id]


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://eu.localhost.evil.example"},
        {"origin": "http://evil.localhost:8000"},
        {"origin": "http://na.localhost:8000"},
        {"origin": "http://eu.localhost"},
        {"origin": None},
        {"rp_id": "evil.example"},
        {"rp_id": "na.localhost"},
        {"type": "webauthn.create"},
        {"challenge": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"challenge": ""},
        {"challenge": 7},
    ],
    ids=str,
)
def test_an_answer_made_for_another_page_is_refused(cast: Cast, key: Authenticator, changes: dict[str, Any]) -> None:
    """Wrong origin, relying party, kind or challenge: what a phishing page gets is worth nothing here."""
    assert said(answer(halfway(cast), cast, key, **changes)) == REFUSED
    assert reasons(cast) == ["passkey_refused"]
    assert not Session.objects.exists()
    assert cast.aiko.passkeys.get().last_used_at is None


def test_an_answer_without_a_touch_is_refused(cast: Cast, key: Authenticator) -> None:
    key.flags = 0
    assert said(answer(halfway(cast), cast, key)) == REFUSED


def test_a_touch_is_enough(cast: Cast, key: Authenticator) -> None:
    """The password was asked for just before, so a security key without a PIN will do."""
    key.flags = PRESENT
    assert answer(halfway(cast), cast, key)["Location"] == "/"


def test_a_signature_of_another_key_is_refused(cast: Cast, key: Authenticator) -> None:
    forged = Authenticator(key.origin, count=40, id=key.id)
    assert said(answer(halfway(cast), cast, forged)) == REFUSED


def test_a_forged_answer_that_counts_backwards_raises_no_alarm(cast: Cast, key: Authenticator) -> None:
    """An alarm rests on a genuine signature: anybody could send a low number."""
    forged = Authenticator(key.origin, count=-1, id=key.id)
    assert said(answer(halfway(cast), cast, forged)) == REFUSED
    assert not Event.objects.filter(result=Result.ALARM).exists()


def test_somebody_elses_passkey_is_refused(cast: Cast, key: Authenticator) -> None:
    other = give_passkey(cast.marcus)
    assert "not one of this account" in said(answer(halfway(cast), cast, other))
    assert reasons(cast) == ["passkey_unknown"]


def test_a_passkey_that_counts_backwards_is_refused_alarmed_and_told(
    cast: Cast, key: Authenticator, smtp_sink: Sink
) -> None:
    """Two authenticators with the same key: one of them is a copy, and nobody can tell which."""
    copy = Authenticator(key.origin, count=key.count, id=key.id, key=key.key)
    assert answer(halfway(cast), cast, key)["Location"] == "/"
    tasks.sweep()
    smtp_sink.messages.clear()
    refused = answer(halfway(cast), cast, copy)
    assert "has counted backwards" in said(refused)
    assert Session.objects.count() == 1
    alarm = Event.objects.of(cast.halden).get(action="factor:copied")
    assert (alarm.result, alarm.target_label, alarm.details) == (Result.ALARM, "Aiko Tanaka", {"passkey": "Laptop"})
    assert reasons(cast) == ["passkey_copied"]
    tasks.sweep()
    told = {str(message["To"]): text_of(message) for message in smtp_sink.messages}
    assert set(told) == {cast.aiko.email, cast.ingrid.email}
    assert "remove this passkey, and add a new one" in told[cast.aiko.email]
    assert "reset the second factor of the account" in told[cast.ingrid.email]
    assert alarm.reference in told[cast.ingrid.email]


@pytest.mark.parametrize(("before", "now", "counts"), [(0, 0, True), (0, 1, True), (5, 5, False), (5, 4, False),
                                                       (5, 0, False), (5, 6, True), (5, 2**32 - 1, True)])  # fmt: skip
def test_what_counts_as_counting_on(cast: Cast, key: Authenticator, before: int, now: int, counts: bool) -> None:
    """Passkeys on several devices stay at 0; whichever has counted once has to count on."""
    passkey = cast.aiko.passkeys.get()
    passkey.sign_count = before
    if counts:
        passkey.counted(now, timezone.now())
        return
    with pytest.raises(FactorRefused):
        passkey.counted(now, timezone.now())
    assert cast.aiko.passkeys.get().last_used_at is None


def test_a_passkey_that_does_not_count_signs_in_again_and_again(cast: Cast) -> None:
    key = give_passkey(cast.aiko, counts=False)
    for _ in range(3):
        assert answer(halfway(cast), cast, key)["Location"] == "/"


def test_an_answer_is_taken_once(cast: Cast) -> None:
    """A challenge is used up by the first answer to it, and so is the sign-in it belonged to."""
    key = give_passkey(cast.aiko, counts=False)
    browser = halfway(cast)
    before = browser.cookies.output()
    sent = passkey_answer(key, browser.get(factor_page(cast.aiko)))
    assert browser.post(factor_page(cast.aiko), sent)["Location"] == "/"
    replaying = Browser(cast.halden)
    replaying.cookies.load(before.replace("Set-Cookie: ", ""))
    assert said(replaying.post(factor_page(cast.aiko), sent)) == OVER
    assert Session.objects.count() == 1


def test_a_challenge_is_used_up_by_a_wrong_answer_too(cast: Cast, key: Authenticator) -> None:
    browser = halfway(cast)
    page = browser.get(factor_page(cast.aiko))
    assert (
        said(browser.post(factor_page(cast.aiko), passkey_answer(key, page, origin="http://evil.example"))) == REFUSED
    )
    assert said(browser.post(factor_page(cast.aiko), passkey_answer(key, page))) == OVER


def test_a_challenge_of_another_sign_in_is_not_taken(cast: Cast, key: Authenticator) -> None:
    """It is bound to the sign-in that asked: an answer caught elsewhere cannot be brought to this one."""
    elsewhere = halfway(cast)
    sent = passkey_answer(key, elsewhere.get(factor_page(cast.aiko)))
    assert said(halfway(cast).post(factor_page(cast.aiko), sent)) == OVER
    assert elsewhere.post(factor_page(cast.aiko), sent)["Location"] == "/"


def test_a_challenge_lasts_ten_minutes(cast: Cast, key: Authenticator) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        browser = halfway(cast)
        clock.shift(timedelta(minutes=9))
        browser.get(factor_page(cast.aiko))
        sent = passkey_answer(key, browser.get(factor_page(cast.aiko)))
        clock.shift(timedelta(minutes=1, seconds=1))
        answer = browser.post(factor_page(cast.aiko), sent)
    assert answer["Location"] == "/e/halden/local/"


@pytest.mark.django_db(transaction=True)
def test_of_two_who_send_the_same_answer_at_once_one_gets_in() -> None:
    cast = Cast.assemble()
    for _ in range(5):
        Passkey.objects.all().delete()
        key = give_passkey(cast.aiko, counts=False)
        browser = halfway(cast)
        sent = passkey_answer(key, browser.get(factor_page(cast.aiko)))
        copies = [Browser(cast.halden) for _ in range(2)]
        for copy in copies:
            copy.cookies = browser.cookies.copy()
        start, answers = threading.Barrier(2), list[int]()

        def attempt(copy: Browser, sent: Any = sent, start: Any = start, answers: Any = answers) -> None:
            start.wait(timeout=10)
            try:
                answers.append(copy.post(factor_page(cast.aiko), sent).status_code)
            finally:
                database.close()

        threads = [threading.Thread(target=attempt, args=(copy,)) for copy in copies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert sorted(answers) == [200, 302]


def make(cast: Cast, key: Authenticator, **changes: Any) -> str:
    return key.create(to_register(cast.aiko, [], b"c" * 32), **changes)


@pytest.mark.parametrize(
    "changes", [{"origin": "http://evil.example"}, {"type": "webauthn.get"}, {"challenge": "AAAA"}], ids=str
)
def test_a_passkey_made_for_another_page_is_not_registered(cast: Cast, changes: dict[str, Any]) -> None:
    key = Authenticator(cast.halden.origin)
    with pytest.raises(FactorRefused):
        registered(make(cast, key, **changes), enterprise=cast.halden, challenge=b"c" * 32)
    registered(make(cast, key), enterprise=cast.halden, challenge=b"c" * 32)


def test_a_passkey_of_another_region_is_not_registered(cast: Cast) -> None:
    """R9: the relying party's id is this region's host."""
    key = Authenticator(cast.halden.origin)
    options = json.loads(to_register(cast.aiko, [], b"c" * 32))
    options["rp"]["id"] = "na.localhost"
    with pytest.raises(FactorRefused):
        registered(key.create(json.dumps(options)), enterprise=cast.halden, challenge=b"c" * 32)
    assert host(cast.halden) == "eu.localhost"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.binary(max_size=60).map(lambda b: b.hex()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nonsense_is_refused_and_nothing_else(cast: Cast, key: Authenticator, data: st.DataObject) -> None:
    """Whatever stands in an answer: a deliberate no, never an error."""
    from users.passkeys import claimed_id, proven_count

    passkey = cast.aiko.passkeys.get()
    options = json.dumps({"rpId": "eu.localhost", "challenge": "Y" * 43})
    good = json.loads(data.draw(st.sampled_from([make(cast, key), key.get(options)])))
    place = good if data.draw(st.booleans()) else good["response"]
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JUNK)
    sent = data.draw(st.sampled_from([json.dumps(good), json.dumps(data.draw(JUNK)), "{", "[" * 3000, "\x00", ""]))
    for take in (
        lambda: registered(sent, enterprise=cast.halden, challenge=b"d" * 32),
        lambda: proven_count(sent, passkey=passkey, enterprise=cast.halden, challenge=b"d" * 32),
        lambda: claimed_id(sent),
    ):
        try:
            take()
        except FactorRefused:
            continue
