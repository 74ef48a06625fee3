"""Every way a sign-in is refused: no session, no account, a page, and an entry in the audit log with a reason."""

from __future__ import annotations

import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.utils import timezone

from audit.models import Event, Result
from identity.models import Subject
from identity.providers import door
from tests.cast import Browser, browser_of
from tests.identity.journey import Journey, attempt_cookies, connect, is_signed_in
from tests.provider import Reply
from users.models import Session, User

pytestmark = pytest.mark.servers


def assert_refused(journey: Journey, answer: HttpResponse, reason: str, status: int) -> Event:
    """R4: coded, on record, with a page that has a reference; and nothing has come of it."""
    event = journey.refusal()
    assert event.reason == reason
    assert event.result == Result.REFUSED
    assert event.details["connection"] == journey.connection.pk
    assert answer.status_code == status
    assert event.reference in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"
    assert not Session.objects.filter(user__connection=journey.connection).exists()
    return event


def seen(answer: HttpResponse, event: Event) -> str:
    """What one sees of the page, apart from the reference."""
    return re.sub(r'"x-csrftoken": "\w+"', "", answer.content.decode().replace(event.reference, ""))


@pytest.fixture
def page(journey: Journey) -> str:
    """An address at the provider, as ``start`` gave it."""
    return str(journey.start()["Location"])


def test_a_forged_state(journey: Journey, page: str) -> None:
    """H23: refused, and nobody asked the provider for a token."""
    back = journey.at_provider(page)
    forged = back.replace(parse_qs(urlsplit(back).query)["state"][0], "A" * 43)
    assert_refused(journey, journey.browser.get(forged), "attempt_unknown", 400)
    assert not journey.provider.requests_to("/token")


@pytest.mark.parametrize("state", ["", "x", "A" * 43 + "\x00", "é" * 43, "../" * 20, "A" * 5000])
def test_a_state_that_is_none(journey: Journey, state: str) -> None:
    answer = journey.browser.get(f"/sso/{journey.connection.pk}/callback/", {"state": state, "code": "x"})
    assert_refused(journey, answer, "attempt_unknown", 400)


def test_a_replayed_answer(journey: Journey, page: str) -> None:
    """H23: what signed somebody in once signs nobody in again, and their session goes on (R6)."""
    back = journey.at_provider(page)
    journey.browser.get(back)
    answer = journey.browser.get(back)
    assert answer.status_code == 400
    assert journey.refusal().reason == "attempt_unknown"
    assert is_signed_in(journey.browser, journey.dana)
    assert len(journey.provider.requests_to("/token")) == 1


def test_another_browsers_answer(journey: Journey, page: str) -> None:
    """H23: an attacker who makes somebody finish the attacker's sign-in gets nowhere."""
    answer = Browser(journey.cast.halden).get(journey.at_provider(page))
    assert_refused(journey, answer, "attempt_unknown", 400)
    assert not journey.provider.requests_to("/token")


def test_a_cookie_moved_to_another_state_does_not_open(journey: Journey, page: str) -> None:
    """R10: an attempt is sealed for its own state."""
    other = journey.at_provider(journey.start()["Location"])
    first, second = attempt_cookies(journey.browser)
    cookies = journey.browser.cookies
    cookies[first], cookies[second] = cookies[second].value, cookies[first].value
    assert_refused(journey, journey.browser.get(other), "attempt_unknown", 400)


def test_an_attempt_that_lay_open_for_too_long(journey: Journey, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    back = journey.at_provider(page)
    late = time.time() + 601
    monkeypatch.setattr("identity.attempts.time.time", lambda: late)
    assert_refused(journey, journey.browser.get(back), "attempt_expired", 400)
    assert not journey.provider.requests_to("/token")


def test_started_at_one_connection_and_finished_at_another(journey: Journey, page: str) -> None:
    """R1: refused with no token request."""
    journey.connection.disable(timezone.now())
    journey.connection.refresh_from_db()
    other = connect(journey.cast.halden, journey.provider, journey.cast.ingrid)
    back = journey.at_provider(page).replace(journey.connection.pk, other.pk)
    answer = journey.browser.get(back)
    assert answer.status_code == 400
    assert journey.refusal().reason == "attempt_unknown"
    assert not journey.provider.requests_to("/token")


def test_settings_edited_in_between(journey: Journey, page: str) -> None:
    """R1: the same after a settings edit, once it serves."""
    back, now, by = journey.at_provider(page), timezone.now(), journey.cast.ingrid
    values = {"issuer": journey.provider.issuer, "client_id": "gatehouse", "scopes": "openid email"}
    newer = journey.connection.revise(by=by, at=now, secret=None, **values)
    newer.tested_at = now
    newer.save()
    journey.connection.enable(newer, now)
    assert_refused(journey, journey.browser.get(back), "connection_changed", 409)
    assert not journey.provider.requests_to("/token")


def test_an_edit_that_does_not_serve_yet_disturbs_nobody(journey: Journey, page: str) -> None:
    """T5: the old revision serves until the new one is tested and enabled."""
    values = {"issuer": journey.provider.issuer, "client_id": "another", "scopes": "openid"}
    journey.connection.revise(by=journey.cast.ingrid, at=timezone.now(), secret="x" * 20, **values)
    assert journey.browser.get(journey.at_provider(page))["Location"] == "/"


def test_a_connection_disabled_in_between(journey: Journey, page: str) -> None:
    back = journey.at_provider(page)
    journey.connection.disable(timezone.now())
    assert_refused(journey, journey.browser.get(back), "connection_disabled", 403)
    assert not journey.provider.requests_to("/token")


def test_a_connection_that_is_not_enabled(journey: Journey) -> None:
    journey.connection.disable(timezone.now())
    answer = journey.start()
    assert_refused(journey, answer, "connection_disabled", 403)
    assert not answer.cookies.get("attempt")


def test_not_assigned_at_the_provider(journey: Journey, page: str) -> None:
    """K6: a page that says whom to ask, and the administrator sees it in the log."""
    journey.provider.person = None
    answer = journey.browser.get(journey.at_provider(page))
    event = assert_refused(journey, answer, "not_assigned", 403)
    assert "User is not assigned to the client application" in event.details["got"]
    html = answer.content.decode()
    assert "Okta has not been told you may use this" in html
    assert "<b>Gatehouse for Halden Freight</b>" in html
    assert "User is not assigned" not in html
    log = browser_of(journey.cast.ingrid).get("/audit/").content.decode()
    assert "Assign this person, or a group of theirs, to the app in Okta." in log


def test_an_error_is_heard_only_with_an_attempt(journey: Journey) -> None:
    """R6: and it never ends a session that is there."""
    browser = browser_of(journey.cast.aiko)
    answer = browser.get(f"/sso/{journey.connection.pk}/callback/", {"error": "access_denied"})
    assert answer.status_code == 400
    assert journey.refusal().reason == "attempt_unknown"
    assert is_signed_in(browser, journey.cast.aiko)


def test_an_error_with_an_attempt_ends_that_and_not_the_session(journey: Journey) -> None:
    """R6."""
    browser = browser_of(journey.cast.aiko)
    journey.provider.person = None
    answer = journey.sign_in(browser)
    assert answer.status_code == 403
    assert journey.refusal().reason == "not_assigned"
    assert is_signed_in(browser, journey.cast.aiko)
    assert attempt_cookies(browser) == []


@pytest.mark.parametrize("said", ["<script>alert(1)</script>", "a\r\nSet-Cookie: b=c", "\u202egnp.exe", "x" * 10000])
def test_an_error_in_strange_words(journey: Journey, page: str, said: str) -> None:
    """H30: escaped, shortened, on one line."""
    journey.provider.on_authorize = lambda params, request: {
        "state": params["state"], "iss": params["iss"], "error": said, "error_description": said,
    }  # fmt: skip
    answer = journey.browser.get(journey.at_provider(page))
    event = assert_refused(journey, answer, "provider_error", 400)
    assert len(event.details["got"]) <= 160
    assert "\n" not in event.details["got"]
    assert "\u202e" not in event.details["got"]
    assert "<script>alert" not in answer.content.decode()


def test_an_answer_of_another_issuer(journey: Journey, page: str) -> None:
    """H22: the token endpoint is never called, and an error in it is not heard either."""
    journey.provider.on_authorize = lambda params, request: params | {"iss": "https://evil.example", "error": "x"}
    assert_refused(journey, journey.browser.get(journey.at_provider(page)), "response_issuer_mismatch", 400)
    assert not journey.provider.requests_to("/token")


def test_an_answer_with_neither_code_nor_error(journey: Journey, page: str) -> None:
    journey.provider.on_authorize = lambda params, request: {k: v for k, v in params.items() if k != "code"}
    assert_refused(journey, journey.browser.get(journey.at_provider(page)), "response_incomplete", 400)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"iss": "https://evil.example"}, "issuer_mismatch"),
        ({"aud": "another"}, "audience_mismatch"),
        ({"nonce": "another"}, "nonce_mismatch"),
        ({"exp": 1}, "absurd_time"),
        ({"sub": ""}, "bad_subject"),
    ],
)
def test_a_token_that_proves_nothing(journey: Journey, page: str, change: dict[str, object], reason: str) -> None:
    """R2, R4: the reason is on record; the page says that it was not believed, and no more."""
    journey.provider.on_id_token = lambda claims, request: claims | change
    assert_refused(journey, journey.browser.get(journey.at_provider(page)), reason, 400)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b'{"id_token": 1}', b"<html>", b'{"error": {}}'])
@pytest.mark.parametrize("status", [200, 400, 302])
def test_a_token_endpoint_that_talks_nonsense(journey: Journey, page: str, body: bytes, status: int) -> None:
    """R4: nothing the provider returns can cause a 500."""
    journey.provider.on_token = lambda said, request: Reply(status, body, {"Location": "/elsewhere"})
    assert 400 <= journey.browser.get(journey.at_provider(page)).status_code < 500


def test_a_secret_the_provider_does_not_take(journey: Journey, page: str) -> None:
    journey.provider.clients["gatehouse"] = "replaced-over-there"
    assert_refused(journey, journey.browser.get(journey.at_provider(page)), "invalid_client", 400)


def test_a_stored_secret_that_does_not_open(journey: Journey) -> None:
    """R10: moved from another connection, say."""
    secret = journey.connection.secrets.get()
    secret.sealed = secret.sealed[:-6] + "AAAAAA"
    secret.save()
    assert_refused(journey, journey.start(), "secret_unreadable", 400)


def test_a_provider_that_is_down(journey: Journey, page: str) -> None:
    """T3: 503 at once, with the way in that still works; nobody waits for the next one either."""
    back = journey.at_provider(page)
    journey.provider.close()
    began = time.monotonic()
    answer = journey.browser.get(back)
    assert_refused(journey, answer, "provider_unreachable", 503)
    assert f"/e/{journey.cast.halden.slug}/local/" in answer.content.decode()
    assert time.monotonic() - began < 3


def test_a_provider_that_is_down_before_anybody_has_asked_it(journey: Journey) -> None:
    door().cache.forget(journey.provider.issuer)
    journey.provider.close()
    for _ in range(7):
        answer = journey.start()
        assert answer.status_code == 503
    assert journey.refusal().reason in ("provider_unreachable", "provider_paused")


def test_a_disabled_user(journey: Journey, page: str) -> None:
    """R7: and the log says who it was."""
    journey.dana.disable(timezone.now())
    event = assert_refused(journey, journey.browser.get(journey.at_provider(page)), "account_disabled", 403)
    assert event.actor == journey.dana


def test_somebody_nobody_has_invited(journey: Journey, page: str) -> None:
    journey.is_piotr()
    people = User.objects.count()
    event = assert_refused(journey, journey.browser.get(journey.at_provider(page)), "no_account", 403)
    assert event.details["claims"]["email"] == "piotr.nowak@halden.example"
    assert "nonce" not in event.details["claims"]
    assert User.objects.count() == people


@pytest.mark.parametrize(
    "email", ["aiko.tanaka@halden.example", "AIKO.TANAKA@halden.example", "ingrid.solberg@halden.example"]
)
def test_an_email_that_somebody_else_has_opens_nothing(journey: Journey, page: str, email: str) -> None:
    """T7, T8: never a match by email alone; break-glass accounts never link; the page tells neither."""
    journey.provider.person = {"sub": "00u1new", "email": email, "email_verified": True}
    answer = journey.browser.get(journey.at_provider(page))
    event = assert_refused(journey, answer, "account_not_linked", 403)
    assert not Subject.objects.filter(sub="00u1new").exists()
    journey.provider.person = {"sub": "00u1new", "email": "nobody@halden.example"}
    assert seen(journey.sign_in(), journey.refusal()) == seen(answer, event)


def test_another_subject_with_danas_email(journey: Journey, page: str) -> None:
    """T7: an address that was given to somebody new at the provider is not the account."""
    journey.provider.person = {"sub": "00u2", "email": journey.dana.email, "email_verified": True}
    assert_refused(journey, journey.browser.get(journey.at_provider(page)), "account_not_linked", 403)


def test_the_same_subject_with_another_email(journey: Journey, page: str) -> None:
    """T7: a new address at the provider changes nothing here."""
    journey.provider.person = {"sub": "00u1dana", "email": "dana.married@halden.example"}
    journey.browser.get(journey.at_provider(page))
    assert is_signed_in(journey.browser, journey.dana)
    journey.dana.refresh_from_db()
    assert journey.dana.email == "dana.whitfield@halden.example"


def test_a_refusal_in_a_strangers_browser_does_not_name_the_stranger(journey: Journey) -> None:
    """T11: Mallory's name is not for Halden's log."""
    browser = browser_of(journey.cast.mallory)
    browser.get(f"/sso/{journey.connection.pk}/callback/", {"state": "x"})
    event = journey.refusal()
    assert event.actor is None
    assert event.actor_label == ""
