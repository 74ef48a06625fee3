"""A session is proved again while it is used: by its refresh token, once, and without anybody noticing (R11)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection as database
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event, Result
from identity.models import Grant
from identity.providers import door
from tests.cast import Browser, browser_of
from tests.identity.journey import Journey
from tests.identity.setting_up import words
from tests.provider import Reply, Said, SigningKey, as_said
from users.models import Session

pytestmark = pytest.mark.servers


@pytest.fixture
def journey(journey: Journey) -> Journey:
    """Dana is signed in, and it is time to ask about her session."""
    journey.sign_in()
    journey.make_due()
    journey.provider.requests.clear()
    return journey


def assert_ended(journey: Journey, answer: HttpResponse, reason: str, result: Result = Result.DONE) -> Event:
    """The session is over, on record, and the page says so with the reference."""
    event = Event.objects.of(journey.cast.halden).get(action="session:ended-by-provider")
    assert (event.reason, event.result, event.actor) == (reason, result, journey.dana)
    assert event.details["channel"] == "refresh"
    assert answer.status_code == 403
    assert event.reference in words(answer)
    assert answer["Cache-Control"] == "no-store"
    assert not journey.sessions()
    assert journey.browser.get("/account/").status_code == 302
    return event


def assert_goes_on(journey: Journey) -> None:
    assert journey.browser.get("/account/").status_code == 200
    assert journey.sessions()


def test_it_is_asked_once_and_then_not_before_the_interval_is_over(journey: Journey) -> None:
    journey.cast.halden.reprove_minutes = 7
    journey.cast.halden.save()
    before = journey.grant().kept()
    for _ in range(3):
        assert_goes_on(journey)
    (request,) = journey.provider.refreshes()
    assert request.form == {"grant_type": "refresh_token", "refresh_token": before[0]}
    (row,) = journey.sessions()
    assert row.vouch_due_at - row.vouched_at == timedelta(minutes=7)
    # The new token is in place of the old one, which is good for nothing any more.
    grant = journey.grant()
    assert grant.kept()[0] not in ("", before[0])
    assert grant.kept()[1] == before[1]
    assert grant.asked_at is None
    journey.make_due()
    assert_goes_on(journey)
    assert [request.form["refresh_token"] for request in journey.provider.refreshes()] == [before[0], grant.kept()[0]]


def test_a_token_that_is_not_replaced_is_used_again(journey: Journey) -> None:
    """K4: rotation is the provider's to decide."""
    journey.provider.grace = 60
    journey.provider.on_token = lambda said, request: {k: v for k, v in said.items() if k != "refresh_token"}
    for _ in range(2):
        assert_goes_on(journey)
        journey.make_due()
    first, second = journey.provider.refreshes()
    assert first.form == second.form


def test_within_the_interval_a_request_costs_nothing_more(journey: Journey) -> None:
    journey.browser.get("/account/")
    with CaptureQueriesContext(database) as captured:
        assert_goes_on(journey)
    assert len([query for query in captured if "identity_" in query["sql"] and "FROM" in query["sql"]]) <= 1
    assert len(journey.provider.refreshes()) == 1
    with CaptureQueriesContext(database) as captured:
        assert journey.browser.get("/account/").status_code == 200
    assert len(captured) == 3  # Session with user and enterprise; sessions; roles. As for a password.


def test_what_is_for_everyone_asks_nobody(journey: Journey) -> None:
    for path in ("/healthz", "/login/?other", "/e/halden/", "/nowhere/"):
        journey.browser.get(path)
    assert not journey.provider.requests


def test_a_password_asks_nobody(journey: Journey) -> None:
    browser = browser_of(journey.cast.aiko)
    with time_machine.travel(timezone.now() + timedelta(minutes=30)):
        assert browser.get("/account/").status_code == 200
    assert not journey.provider.requests


def test_a_form_is_asked_about_before_it_is_acted_on(journey: Journey) -> None:
    """R8: what somebody sends whom the provider has let go has no effect."""
    journey.provider.withdraw()
    answer = journey.browser.post("/account/profile/", {"name": "Somebody"})
    assert_ended(journey, answer, "not_vouched_for")
    journey.dana.refresh_from_db()
    assert journey.dana.name == "Dana Whitfield"


def test_the_providers_no_ends_it_at_once_with_a_page_that_says_why(journey: Journey) -> None:
    journey.provider.withdraw()
    answer = journey.browser.get("/account/?tab=1")
    event = assert_ended(journey, answer, "not_vouched_for")
    page = words(answer)
    assert "Okta no longer vouches for you" in page
    assert "Sign in again. You come back to the page you were on." in page
    assert f'/sso/{journey.connection.pk}/start/?next=%2Faccount%2F%3Ftab%3D1"' in answer.text
    assert event.target_id == journey.connection.pk
    # The refresh is not tried again, and the way back in is as it always was.
    assert len(journey.provider.refreshes()) == 1
    assert journey.sign_in()["Location"] == "/"


@pytest.mark.parametrize("header", ["hx-request", "x-requested-with"])
def test_a_script_gets_401_and_the_words_wait_at_the_sign_in(journey: Journey, header: str) -> None:
    """R8."""
    journey.provider.withdraw()
    headers = {header: "true", "hx-current-url": f"{journey.cast.halden.origin}/account/?x=1"}
    answer = journey.browser.post("/account/profile/", {"name": "Somebody"}, headers=headers)
    assert answer.status_code == 401
    assert answer["HX-Redirect"].startswith("/e/halden/?next=%2F")
    assert not journey.sessions()
    page = journey.browser.get(answer["HX-Redirect"])
    assert "Okta no longer vouches for you." in words(page)
    assert "Continue with Okta" in words(page)


@pytest.mark.parametrize(
    ("error", "title"),
    [
        ("access_denied", "Okta no longer vouches for you"),
        ("interaction_required", "Okta wants you to sign in again"),
        ("login_required", "Okta wants you to sign in again"),
        ("consent_required", "Okta wants you to sign in again"),
    ],
)
def test_other_ways_to_say_no(journey: Journey, error: str, title: str) -> None:
    """Policies of large providers answer like that at the token endpoint."""
    journey.provider.on_token = lambda said, request: Reply.json({"error": error}, 400)
    answer = journey.browser.get("/account/")
    assert_ended(journey, answer, error)
    assert title in words(answer)


@pytest.mark.parametrize("error", ["unauthorized_client", "unsupported_grant_type", "invalid_scope"])
def test_a_provider_that_takes_no_refresh_tokens_leaves_it_to_the_browser(journey: Journey, error: str) -> None:
    journey.provider.on_token = lambda said, request: Reply.json({"error": error}, 400)
    journey.browser.post("/account/profile/", {"name": "Dana W."})
    assert journey.grant().refresh_sealed == ""
    (row,) = journey.sessions()
    assert row.vouch_by is not None
    assert len(journey.provider.refreshes()) == 1


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(503), "provider_unavailable"),
        (Reply(429), "provider_unavailable"),
        (Reply.json({"error": "temporarily_unavailable"}, 400), "provider_unavailable"),
        (Reply.json({"error": "invalid_client"}, 401), "invalid_client"),
        (Reply.json({"error": "invalid_request"}, 400), "invalid_request"),
        (Reply.json({"error": "strange"}, 400), "provider_error"),
        (Reply(200, b"<html>"), "bad_token_response"),
        (Reply(302, headers={"Location": "https://elsewhere.example/"}), "provider_redirected"),
        (Reply(raw=True), "provider_unreachable"),
    ],
)
def test_an_outage_and_a_no_to_us_end_nothing(journey: Journey, reply: Reply, reason: str) -> None:
    """R11: it is told to the administrators, once, with what to do; and asked again a little later."""
    journey.provider.on_token = lambda said, request: reply
    for _ in range(4):
        assert_goes_on(journey)
    assert len(journey.provider.refreshes()) == 1
    (row,) = journey.sessions()
    assert timezone.now() < row.vouch_due_at <= timezone.now() + timedelta(minutes=1)
    for _ in range(3):
        journey.make_due()
        assert_goes_on(journey)
    event = Event.objects.of(journey.cast.halden).get(action="session:not-reproved")
    assert (event.reason, event.result) == (reason, Result.REFUSED)


def test_an_outage_never_extends_the_end(journey: Journey) -> None:
    """R11: the absolute limit holds, whatever the provider does or does not."""
    (row,) = journey.sessions()
    journey.provider.close()
    assert_goes_on(journey)
    (after,) = journey.sessions()
    assert after.expire_date == row.expire_date
    assert after.vouched_at == row.vouched_at
    with time_machine.travel(row.expire_date + timedelta(seconds=1)):
        Session.objects.update(last_seen_at=timezone.now(), idle_until=timezone.now() + timedelta(hours=1))
        assert journey.browser.get("/account/").status_code == 302


def test_a_provider_that_is_left_alone_costs_no_waiting(journey: Journey) -> None:
    """T3: five failures in a row, and nobody waits any more."""
    key = journey.connection.pk
    for _ in range(5):
        door().egress.breaker.failed(key)
    began = time.monotonic()
    assert_goes_on(journey)
    assert time.monotonic() - began < 0.5
    assert not journey.provider.requests
    assert journey.grant().asked_at is None  # Nothing was sent: no answer can have been lost.
    door().egress.breaker.succeeded(key)
    journey.make_due()
    assert_goes_on(journey)
    assert len(journey.provider.refreshes()) == 1


def test_a_slow_provider_is_waited_for_five_seconds_and_no_longer(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identity.vouching.LONGEST_SECONDS", 0.4)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    journey.provider.on_token = lambda said, request: Reply(body=head + b"x" * 100, raw=True, pause=0.1)
    began = time.monotonic()
    assert_goes_on(journey)
    assert time.monotonic() - began < 1.5


# ---- A lost answer


def lose_the_answer(journey: Journey) -> None:
    """Have the provider take the token and rotate it, and its answer get lost on the way."""
    journey.provider.on_token = lambda said, request: Reply(raw=True)
    assert_goes_on(journey)
    assert journey.grant().asked_at is not None
    journey.provider.on_token = as_said


def test_a_lost_answer_is_asked_for_again_with_the_old_token(journey: Journey) -> None:
    """R11: within the provider's grace."""
    journey.provider.grace = 30
    lose_the_answer(journey)
    (row,) = journey.sessions()
    assert row.vouch_due_at <= timezone.now() + timedelta(seconds=10)
    journey.make_due()
    assert_goes_on(journey)
    first, second = journey.provider.refreshes()
    assert first.form == second.form
    assert journey.grant().asked_at is None
    assert journey.grant().kept()[0] != first.form["refresh_token"]


def test_a_token_is_never_sent_twice_in_one_go(journey: Journey) -> None:
    """Also not when a kept connection closes without a word: a provider may take the second for a theft."""
    journey.provider.on_token = lambda said, request: Reply(raw=True)
    assert_goes_on(journey)
    assert len(journey.provider.refreshes()) == 1


def test_after_a_lost_answer_a_no_is_not_believed_but_asked_about_in_the_browser(journey: Journey) -> None:
    """The token may have been taken the first time. Nobody is thrown out for that; nor does it go on unasked."""
    lose_the_answer(journey)
    journey.make_due()
    journey.browser.post("/account/profile/", {"name": "Dana W."})
    (row,) = journey.sessions()
    assert journey.grant().refresh_sealed == ""
    assert row.vouch_due_at <= timezone.now()
    assert row.vouch_by <= timezone.now() + timedelta(minutes=30)


def test_a_new_token_is_kept_even_if_the_rest_of_the_answer_cannot_be_checked_now(journey: Journey) -> None:
    """Rotation-safe: the keys cannot be had just now, and the old token is gone already."""
    journey.provider.rotate("second")
    journey.provider.on_keys = lambda said, request: Reply(503)
    before = journey.grant().kept()[0]
    assert_goes_on(journey)
    assert journey.grant().kept()[0] != before
    (row,) = journey.sessions()
    assert row.vouched_at < row.vouch_due_at
    journey.provider.on_keys = as_said
    door().cache.forget(journey.provider.issuer)
    journey.make_due()
    assert_goes_on(journey)
    assert journey.sessions()[0].vouched_at > row.vouched_at


# ---- Whose answer it is


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sub": "00u1ingrid"}, "subject_changed"),
        ({"sub": "00U1DANA"}, "subject_changed"),
        ({"iss": "https://evil.example"}, "issuer_mismatch"),
        ({"aud": "another-client"}, "audience_mismatch"),
        ({"aud": ["gatehouse", "another"]}, "audience_mismatch"),
        ({"nonce": "another"}, "nonce_mismatch"),
        ({"exp": 1}, "absurd_time"),
        ({"at_hash": "wrong"}, "at_hash_mismatch"),
        ({"session_expiry": "soon"}, "bad_claim"),
    ],
)
def test_another_identity_ends_it_with_an_alarm(journey: Journey, changes: Said, reason: str) -> None:
    """H18: refresh-token-invalid-issuer, -invalid-sub; R11."""
    journey.provider.on_id_token = lambda said, request: said | changes
    answer = journey.browser.get("/account/")
    assert_ended(journey, answer, reason, Result.ALARM)
    assert "did not pass our checks" in words(answer)


def test_a_signature_that_is_not_the_providers_ends_it_with_an_alarm(journey: Journey) -> None:
    journey.provider.on_id_token = lambda said, request: SigningKey("forger").sign(said, kid="first")
    assert_ended(journey, journey.browser.get("/account/"), "bad_signature", Result.ALARM)


@pytest.mark.parametrize("gone", ["id_token", "nonce"])
def test_less_is_fine(journey: Journey, gone: str) -> None:
    """Core, section 12.2: a refresh need not bring an ID token, nor that a nonce."""
    if gone == "nonce":
        journey.provider.on_id_token = lambda said, request: {k: v for k, v in said.items() if k != gone}
    else:
        journey.provider.on_token = lambda said, request: {k: v for k, v in said.items() if k != gone}
    before = journey.sessions()[0].vouched_at
    assert_goes_on(journey)
    assert journey.sessions()[0].vouched_at > before


# ---- How long it may last


def test_the_provider_says_when_it_ends(journey: Journey) -> None:
    """IPSIE: ``session_expiry`` at sign-in and at every refresh; sooner or later than said before, never past ours."""
    (row,) = journey.sessions()
    limit = row.created_at + timedelta(hours=12)
    for offset in (timedelta(hours=1), timedelta(hours=2), timedelta(days=30)):
        expiry = int((row.created_at + offset).timestamp())
        journey.provider.on_id_token = lambda said, request, expiry=expiry: said | {"session_expiry": expiry}
        journey.make_due()
        assert_goes_on(journey)
        (row,) = journey.sessions()
        assert row.expire_date == min(datetime.fromtimestamp(expiry, UTC), limit)


def test_a_sign_in_begins_with_the_providers_end(journey: Journey) -> None:
    expiry = int(time.time()) + 900
    journey.provider.on_id_token = lambda said, request: said | {"session_expiry": expiry}
    browser = Browser(journey.cast.halden)
    journey.sign_in(browser)
    row = Session.objects.latest("created_at")
    assert row.expire_date.timestamp() == expiry
    with time_machine.travel(row.expire_date + timedelta(seconds=1)):
        assert browser.get("/account/").status_code == 302


@pytest.mark.parametrize("expiry", [2**39, 1e300, 253402300800])
def test_an_end_beyond_all_dates_is_no_end(journey: Journey, expiry: float) -> None:
    """R4: nor a 500."""
    journey.provider.on_id_token = lambda said, request: said | {"session_expiry": expiry}
    answer = journey.browser.get("/account/")
    assert answer.status_code in (200, 403)


def test_an_end_that_has_passed_ends_it(journey: Journey) -> None:
    journey.provider.on_id_token = lambda said, request: said | {"session_expiry": said["iat"] - 1}
    answer = journey.browser.get("/account/")
    assert_ended(journey, answer, "session_over")
    assert "Your session at Okta has run out" in words(answer)


def test_nor_does_one_begin_that_is_over(journey: Journey) -> None:
    journey.provider.on_id_token = lambda said, request: said | {"session_expiry": said["iat"]}
    assert journey.sign_in(Browser(journey.cast.halden)).status_code == 403
    assert journey.refusal().reason == "session_over"


def test_people_see_when_it_was_confirmed_and_when_it_ends(journey: Journey) -> None:
    """Their own, and administrators everybody's; a password has nobody to confirm it."""
    journey.browser.get("/account/")
    Session.objects.filter(user=journey.dana).update(vouched_at=timezone.now() - timedelta(minutes=3))
    page = words(journey.browser.get("/account/"))
    assert "Okta Confirmed 3 minutes ago" in page
    assert "This one ends after 60 minutes without use, and " in page
    aiko = browser_of(journey.cast.aiko)
    assert "Okta Confirmed 3 minutes ago" in words(aiko.get(f"/users/{journey.dana.pk}/"))
    assert "Confirmed" not in words(aiko.get("/account/"))


# ---- What else may have changed meanwhile


def test_another_revision_of_the_same_client_goes_on_with_the_token(journey: Journey) -> None:
    """R1: issuer and client are what the token was given for. A new secret does not even change the terms."""
    now = timezone.now()
    journey.provider.clients["gatehouse"] = "another secret of the same client"
    revision = journey.connection.revise(
        by=journey.cast.ingrid, at=now, secret="another secret of the same client",
        **journey.connection.latest.values | {"scopes": "openid email offline_access"},
    )  # fmt: skip
    revision.mark_tested(by=journey.cast.ingrid, at=now)
    journey.connection.enable(revision, now)
    assert_goes_on(journey)
    assert len(journey.provider.refreshes()) == 1
    assert journey.grant().revision == 2


def test_another_client_cannot_use_it_and_leaves_it_to_the_browser(journey: Journey) -> None:
    now = timezone.now()
    values = journey.connection.latest.values | {"client_id": "another"}
    revision = journey.connection.revise(by=journey.cast.ingrid, at=now, secret="s", **values)
    revision.mark_tested(by=journey.cast.ingrid, at=now)
    journey.connection.enable(revision, now)
    journey.browser.post("/account/profile/", {"name": "Dana W."})
    assert not journey.provider.refreshes()
    assert journey.grant().refresh_sealed == ""


def test_another_issuer_no_longer_vouches(journey: Journey) -> None:
    """R1: the old issuer's word counts for nothing once another one serves."""
    serving = journey.connection.serving
    serving.issuer = "https://another.example"
    serving.save()
    answer = journey.browser.get("/account/")
    assert_ended(journey, answer, "connection_changed")
    assert "has changed how people sign in" in words(answer)
    assert not journey.provider.refreshes()


def test_a_token_that_does_not_open_any_more_leaves_it_to_the_browser(journey: Journey) -> None:
    """R10: its key was taken away, or it was moved here from another row."""
    Grant.objects.update(refresh_sealed="gone.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    journey.browser.post("/account/profile/", {"name": "Dana W."})
    assert journey.sessions()
    assert not journey.provider.refreshes()
