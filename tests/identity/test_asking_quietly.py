"""Without a refresh token the browser asks, there and back, and nobody types anything; never in somebody's way."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.utils import timezone

from audit.models import Event, Result
from identity.providers import door
from identity.views.quiet import SENT_EVERY
from tests.cast import Browser
from tests.identity.journey import Journey, attempt_cookies, sent_to
from tests.identity.setting_up import words
from tests.provider import Reply, as_said
from users.models import HeldForm, Session

pytestmark = pytest.mark.servers

HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def journey(journey: Journey) -> Journey:
    """Dana is signed in without a refresh token (K4), and it is time to ask about her session."""
    journey.provider.on_token = lambda said, request: {k: v for k, v in said.items() if k != "refresh_token"}
    journey.sign_in()
    journey.make_due()
    forget_pulse(journey)
    journey.provider.requests.clear()
    return journey


def forget_pulse(journey: Journey) -> None:
    door()._pulses.pop(journey.provider.issuer, None)


def there(journey: Journey, answer: HttpResponse) -> str:
    """Follow the page that moves on to the provider; return where that sends the browser back to."""
    return journey.at_provider(sent_to(answer))


def there_and_back(journey: Journey, path: str = "/account/") -> HttpResponse:
    return journey.browser.get(there(journey, journey.browser.get(path)))


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def ending(journey: Journey) -> Event:
    return Event.objects.of(journey.cast.halden).get(action="session:ended-by-provider")


def test_opening_a_page_leads_there_and_back_to_it(journey: Journey) -> None:
    answer = journey.browser.get("/account/?tab=1")
    assert answer.status_code == 200
    assert "Asking Okta" in words(answer)
    assert (answer["Cache-Control"], answer["Referrer-Policy"]) == ("no-store", "no-referrer")
    url = sent_to(answer)
    asked = query(url)
    assert asked["prompt"] == "none"
    assert asked["login_hint"] == journey.dana.email
    assert (asked["code_challenge_method"], "max_age" in asked) == ("S256", False)
    before = journey.sessions()[0]
    back = journey.browser.get(there(journey, answer))
    assert (back.status_code, back["Location"]) == (302, "/account/?tab=1")
    (row,) = journey.sessions()
    assert row.pk == before.pk  # The same session, under the same key.
    assert row.vouched_at > before.vouched_at
    assert row.vouch_due_at - row.vouched_at == timedelta(minutes=60)
    assert row.vouch_by - row.vouch_due_at == HALF_AN_HOUR
    assert not attempt_cookies(journey.browser)
    for _ in range(3):
        assert "Your account" in words(journey.browser.get("/account/"))
    assert not Event.objects.filter(action__in=("session:ended", "session:ended-by-provider")).exists()


def test_within_the_interval_nobody_is_asked(journey: Journey) -> None:
    Session.objects.update(vouch_due_at=timezone.now() + timedelta(minutes=1))
    assert "Your account" in words(journey.browser.get("/account/"))
    assert not journey.provider.requests


def test_a_refresh_token_that_comes_along_is_used_from_then_on(journey: Journey) -> None:
    journey.provider.on_token = as_said
    assert there_and_back(journey).status_code == 302
    (row,) = journey.sessions()
    assert row.vouch_by is None
    assert row.vouch_due_at - row.vouched_at == timedelta(minutes=5)
    journey.make_due()
    assert journey.browser.get("/account/").status_code == 200
    assert len(journey.provider.refreshes()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"hx-request": "true"},
        {"x-requested-with": "fetch"},
        {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
        {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-purpose": "prefetch;prerender", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    ],
)
def test_only_a_page_that_is_opened_is_worth_it(journey: Journey, headers: dict[str, str]) -> None:
    answer = journey.browser.get("/account/", headers=headers)
    assert "Your account" in words(answer)
    assert not journey.provider.requests
    assert "Asking Okta" in words(
        journey.browser.get("/account/", headers={"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"})
    )


def test_a_form_that_is_filled_in_is_never_in_its_way(journey: Journey) -> None:
    """What is sent is acted on; the page that follows is the one that asks, and what it has to say waits for it."""
    answer = journey.browser.post("/account/profile/", {"name": "Dana W."})
    assert answer["Location"] == "/account/"
    journey.dana.refresh_from_db()
    assert journey.dana.name == "Dana W."
    back = there_and_back(journey)
    assert "Your profile is saved." in words(journey.browser.get(back["Location"]))


def test_an_address_too_long_to_come_back_to_is_left_alone(journey: Journey) -> None:
    assert "Your account" in words(journey.browser.get("/account/?q=" + "x" * 1000))


def test_not_signed_in_there_means_not_here(journey: Journey) -> None:
    journey.provider.is_signed_in = False
    answer = there_and_back(journey, "/account/?tab=1")
    assert answer.status_code == 403
    event = ending(journey)
    assert (event.reason, event.details["channel"], event.result) == ("login_required", "quiet", Result.DONE)
    assert "Okta wants you to sign in again" in words(answer)
    assert event.reference in words(answer)
    assert f'/sso/{journey.connection.pk}/start/?next=%2Faccount%2F%3Ftab%3D1"' in answer.text
    assert not journey.sessions()
    # And from there: the provider asks for a password, and leads back to the page.
    journey.provider.is_signed_in = True
    assert journey.sign_in(next="/account/?tab=1")["Location"] == "/account/?tab=1"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("interaction_required", "interaction_required"),
        ("account_selection_required", "interaction_required"),
        ("consent_required", "consent_required"),
        ("access_denied", "access_denied"),
    ],
)
def test_other_ways_to_say_no(journey: Journey, error: str, reason: str) -> None:
    journey.provider.on_authorize = lambda said, request: {
        "state": said["state"], "iss": said["iss"], "error": error,
    }  # fmt: skip
    assert there_and_back(journey).status_code == 403
    assert ending(journey).reason == reason


def test_whoever_is_not_assigned_any_more_is_out(journey: Journey) -> None:
    """K6."""
    journey.provider.person = None
    answer = there_and_back(journey)
    assert "Okta no longer vouches for you" in words(answer)
    assert ending(journey).reason == "not_assigned"


def test_somebody_else_who_is_signed_in_there_does_not_take_it_over(journey: Journey) -> None:
    """H18."""
    journey.provider.person = {"sub": "00u1ingrid", "email": "ingrid.solberg@halden.example"}
    answer = there_and_back(journey)
    assert answer.status_code == 403
    assert "You are signed in to Okta as somebody else now" in words(answer)
    assert ending(journey).reason == "signed_in_as_another"
    assert not Session.objects.filter(user=journey.dana).exists()


def test_a_token_that_proves_nothing_ends_it_with_an_alarm(journey: Journey) -> None:
    """H18."""
    journey.provider.on_id_token = lambda said, request: said | {"iss": "https://evil.example"}
    assert there_and_back(journey).status_code == 403
    assert (ending(journey).reason, ending(journey).result) == ("issuer_mismatch", Result.ALARM)


# ---- While it cannot be asked


def test_a_browser_is_not_sent_to_a_provider_that_is_down(journey: Journey) -> None:
    """It would be left standing there. Nothing ends, also not long after."""
    journey.provider.close()
    for ago in (timedelta(seconds=1), timedelta(hours=3)):
        journey.make_due(ago)
        assert "Your account" in words(journey.browser.get("/account/"))
        assert journey.browser.post("/account/profile/", {"name": "Dana W."}).status_code == 302
    event = Event.objects.of(journey.cast.halden).get(action="session:not-reproved")
    assert event.reason == "provider_unreachable"
    assert journey.sessions()


def test_a_browser_that_does_not_come_back_is_not_sent_again_at_once(journey: Journey) -> None:
    """No loops: whoever goes back finds the page, and is asked about a few minutes later."""
    assert "Asking Okta" in words(journey.browser.get("/account/"))
    for _ in range(3):
        assert "Your account" in words(journey.browser.get("/account/"))
    (row,) = journey.sessions()
    assert row.vouch_due_at <= timezone.now() + SENT_EVERY


@pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error", "invalid_request", "strange"])
def test_an_error_that_is_not_about_the_person_ends_nothing_for_a_while(journey: Journey, error: str) -> None:
    """A provider may know no ``prompt=none``. But whoever holds the browser can make that up, so not for long."""
    journey.provider.on_authorize = lambda said, request: {
        "state": said["state"], "iss": said["iss"], "error": error,
    }  # fmt: skip
    answer = there_and_back(journey)
    assert answer["Location"] == "/account/"
    assert "Your account" in words(journey.browser.get("/account/"))
    assert Event.objects.of(journey.cast.halden).get(action="session:not-reproved").result == Result.REFUSED
    journey.make_due(HALF_AN_HOUR + timedelta(seconds=1))
    assert there_and_back(journey).status_code == 403
    assert not journey.sessions()


def test_an_outage_we_see_ourselves_ends_nothing_however_late(journey: Journey) -> None:
    journey.make_due(timedelta(hours=3))
    away = journey.browser.get("/account/")
    back = there(journey, away)
    journey.provider.on_token = lambda said, request: Reply(503)
    assert journey.browser.get(back)["Location"] == "/account/"
    assert "Your account" in words(journey.browser.get("/account/"))


# ---- When it was put off for too long


def test_after_half_an_hour_nothing_is_served_before_it_has_answered(journey: Journey) -> None:
    """Whoever stole a session and does not follow to the provider has no use of it for long."""
    late = HALF_AN_HOUR + timedelta(seconds=1)
    journey.make_due(late)
    for _ in range(3):
        assert "Asking Okta" in words(journey.browser.get("/account/"))
    referrer = {"referer": f"{journey.cast.halden.origin}/account/profile/"}
    answer = journey.browser.post("/account/profile/", {"name": "Somebody"}, headers=referrer)
    assert "Asking Okta" in words(answer)
    journey.dana.refresh_from_db()
    assert journey.dana.name == "Dana Whitfield"
    # What was typed waits, and goes on by one press.
    back = journey.browser.get(there(journey, answer))
    assert back["Location"] == "/account/held/"
    held = HeldForm.objects.get()
    assert "Continue where you were" in words(journey.browser.get("/account/held/"))
    assert journey.browser.post(held.path, {"held": held.pk}).status_code == 302
    journey.dana.refresh_from_db()
    assert journey.dana.name == "Somebody"


def test_a_button_that_is_pressed_then_is_to_be_pressed_again(journey: Journey) -> None:
    journey.make_due(HALF_AN_HOUR + timedelta(seconds=1))
    referrer = {"referer": f"{journey.cast.halden.origin}/account/"}
    back = journey.browser.get(there(journey, journey.browser.post("/account/sessions/end/", headers=referrer)))
    assert back["Location"] == "/account/"
    page = words(journey.browser.get("/account/"))
    assert "Nothing was done: your session had to be checked first. Do it again." in page


@pytest.mark.parametrize("headers", [{"hx-request": "true"}, {"x-requested-with": "fetch"}, {"sec-fetch-mode": "cors"}])
def test_then_a_script_gets_401_and_opens_the_page_that_asks(journey: Journey, headers: dict[str, str]) -> None:
    """R8."""
    journey.make_due(HALF_AN_HOUR + timedelta(seconds=1))
    page = {"hx-current-url": f"{journey.cast.halden.origin}/account/profile/"}
    answer = journey.browser.post("/account/profile/", {"name": "Somebody"}, headers=headers | page)
    assert (answer.status_code, answer["HX-Redirect"]) == (401, "/account/held/")
    assert not attempt_cookies(journey.browser)
    journey.dana.refresh_from_db()
    assert journey.dana.name == "Dana Whitfield"


@pytest.mark.parametrize("referrer", ["//evil.example/", "/\\evil.example", "https://evil.example/x"])
def test_nobody_is_led_to_another_site(journey: Journey, referrer: str) -> None:
    journey.make_due(HALF_AN_HOUR + timedelta(seconds=1))
    origin = "" if referrer.startswith("https") else journey.cast.halden.origin
    answer = journey.browser.post("/account/sessions/end/", headers={"referer": origin + referrer})
    assert journey.browser.get(there(journey, answer))["Location"] == "/"


# ---- What comes back


def test_an_answer_for_a_session_that_has_ended_begins_none(journey: Journey) -> None:
    back = there(journey, journey.browser.get("/account/"))
    Session.objects.all().delete()
    assert journey.browser.get(back)["Location"] == "/account/"
    assert not Session.objects.exists()
    assert journey.browser.get("/account/")["Location"].startswith("/login/")


def test_nor_does_it_touch_another_session(journey: Journey) -> None:
    """Somebody else has signed in here meanwhile, in the same browser."""
    back = there(journey, journey.browser.get("/account/"))
    journey.browser.sign_in(journey.cast.aiko)
    assert journey.browser.get(back)["Location"] == "/account/"
    assert not journey.cast.aiko.sessions.get().vouched_at
    assert not journey.provider.requests_to("/token")


def test_an_error_made_up_without_the_state_ends_nothing(journey: Journey) -> None:
    """R6."""
    journey.browser.get("/account/")
    forged = f"/sso/{journey.connection.pk}/callback/?error=login_required&state={'A' * 43}"
    assert journey.browser.get(forged).status_code == 400
    assert journey.sessions()


def test_another_browsers_answer_ends_nothing(journey: Journey) -> None:
    journey.provider.is_signed_in = False
    back = there(journey, journey.browser.get("/account/"))
    assert Browser(journey.cast.halden).get(back).status_code == 400
    assert journey.sessions()


def test_settings_that_change_meanwhile_are_asked_by_next_time(journey: Journey) -> None:
    """R1: the answer was for other terms."""
    back = there(journey, journey.browser.get("/account/"))
    now = timezone.now()
    values = journey.connection.latest.values | {"scopes": "openid email offline_access"}
    new = journey.connection.revise(by=journey.cast.ingrid, at=now, secret=None, **values)
    new.mark_tested(by=journey.cast.ingrid, at=now)
    journey.connection.enable(new, now)
    assert journey.browser.get(back)["Location"] == "/account/"
    assert not journey.provider.requests_to("/token")
    assert journey.sessions()
    journey.make_due()
    assert there_and_back(journey).status_code == 302
    assert journey.grant().revision == 2


def test_tabs_that_are_opened_at_once_do_not_disturb_each_other(journey: Journey) -> None:
    """Past the half hour each of them asks; the first answer is good for all."""
    journey.make_due(HALF_AN_HOUR + timedelta(seconds=1))
    backs = [there(journey, journey.browser.get(f"/account/?tab={n}")) for n in range(3)]
    assert [journey.browser.get(back)["Location"] for back in backs] == [f"/account/?tab={n}" for n in range(3)]
    assert journey.sessions()
