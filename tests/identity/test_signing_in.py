"""Sign-in through a connection, over HTTP, against a real provider."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings

from audit.models import Event
from identity.models import Grant
from tests.cast import Browser, browser_of
from tests.identity.journey import Journey, attempt_cookies, is_signed_in
from users.models import Method, Session

pytestmark = pytest.mark.servers


def test_somebody_known_to_the_provider_is_signed_in(journey: Journey) -> None:
    """M5: code with S256, state, nonce, and a refresh token that is kept sealed."""
    answer = journey.sign_in()
    assert answer.status_code == 302
    assert answer["Location"] == "/"
    assert is_signed_in(journey.browser, journey.dana)
    grant = Grant.objects.get(session__user=journey.dana)
    assert (grant.issuer, grant.sub, grant.revision) == (journey.provider.issuer, "00u1dana", 1)
    assert grant.sid == "session-00u1dana"
    assert grant.kept()[0] not in grant.refresh_sealed
    assert grant.session.method == Method.CONNECTION
    assert journey.browser.get("/").status_code == 200


def test_it_is_on_record(journey: Journey) -> None:
    journey.sign_in()
    event = Event.objects.get(action="session:started")
    assert (event.enterprise, event.actor, event.target_id) == (
        journey.cast.halden,
        journey.dana,
        journey.connection.pk,
    )
    assert event.details == {"method": "connection", "connection": journey.connection.pk, "revision": 1}


def test_the_request_has_everything_that_protects_it(journey: Journey) -> None:
    """R13, R9: S256 always and fresh, and the region's redirect URI."""
    asked = [parse_qs(urlsplit(journey.start()["Location"]).query) for _ in range(2)]
    for query in asked:
        assert query["code_challenge_method"] == ["S256"]
        assert query["response_type"] == ["code"]
        assert query["redirect_uri"] == [f"{journey.cast.halden.origin}/sso/{journey.connection.pk}/callback/"]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]


def test_the_session_is_a_new_one_also_for_the_same_person(journey: Journey) -> None:
    """R5: the key differs, and the session that was there before has ended."""
    journey.sign_in()
    first = journey.browser.cookies[settings.SESSION_COOKIE_NAME].value
    journey.sign_in()
    assert journey.browser.cookies[settings.SESSION_COOKIE_NAME].value != first
    assert Session.objects.filter(user=journey.dana).count() == 1


def test_nothing_of_the_attempt_stays_in_the_browser(journey: Journey) -> None:
    journey.start()
    assert len(attempt_cookies(journey.browser)) == 1
    journey.browser.cookies.clear()
    journey.sign_in()
    assert attempt_cookies(journey.browser) == []


def test_the_attempt_can_neither_be_read_nor_used_by_scripts_or_other_sites(journey: Journey) -> None:
    answer = journey.start()
    query = parse_qs(urlsplit(answer["Location"]).query)
    (cookie,) = (morsel for name, morsel in answer.cookies.items() if name.startswith("attempt-"))
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == 600
    for secret in (query["state"][0], query["nonce"][0]):
        assert secret not in cookie.OutputString()


def test_tabs_do_not_disturb_each_other(journey: Journey) -> None:
    """Two sign-ins under way in one browser both end well, in any order."""
    first, second = journey.start()["Location"], journey.start()["Location"]
    for url in (second, first):
        assert journey.browser.get(journey.at_provider(url))["Location"] == "/"


def test_the_sixth_attempt_drops_the_first(journey: Journey) -> None:
    urls = [journey.start()["Location"] for _ in range(6)]
    assert len(attempt_cookies(journey.browser)) == 5
    assert journey.browser.get(journey.at_provider(urls[0])).status_code == 400
    assert journey.browser.get(journey.at_provider(urls[1]))["Location"] == "/"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "http:///evil.example",
        "https://eu.localhost:8000@evil.example/",
        "/users/\r\nSet-Cookie: a=b",
        "/" + "x" * 2000,
    ],
)
def test_next_never_leads_elsewhere(journey: Journey, elsewhere: str) -> None:
    location = journey.sign_in(next=elsewhere)["Location"]
    assert urlsplit(location).netloc in ("", urlsplit(journey.cast.halden.origin).netloc)
    assert "evil" not in urlsplit(location).netloc
    assert "\n" not in location
    assert len(location) < 1000


def test_next_leads_where_one_was_going(journey: Journey) -> None:
    assert journey.sign_in(next="/users/?q=oslo")["Location"] == "/users/?q=oslo"


def test_another_account_is_asked_for_when_wanted(journey: Journey) -> None:
    query = parse_qs(urlsplit(journey.start(prompt="login")["Location"]).query)
    assert query["prompt"] == ["login"]
    query = parse_qs(urlsplit(journey.start(prompt="none")["Location"]).query)
    assert "prompt" not in query


def test_a_sign_in_at_another_region_moves_home_first(journey: Journey) -> None:
    """R9, M8: the redirect URI never comes from the Host header."""
    host = settings.REGION_ORIGINS["na"].split("://")[1]
    answer = journey.browser.get(f"/sso/{journey.connection.pk}/start/?next=/users/", headers={"host": host})
    assert answer["Location"] == f"{journey.cast.halden.origin}/sso/{journey.connection.pk}/start/?next=/users/"
    assert not answer.cookies


def test_a_host_that_is_not_ours_is_refused(journey: Journey) -> None:
    """R9: a hostile Host header gets nothing at all."""
    for host in ("evil.example", "eu.localhost.evil.example"):
        assert journey.browser.get(f"/sso/{journey.connection.pk}/start/", headers={"host": host}).status_code == 400


def test_an_address_without_a_connection_is_not_found(journey: Journey) -> None:
    for path in ("start", "callback"):
        assert journey.browser.get(f"/sso/nobodyhasit0/{path}/").status_code == 404


def test_callback_pages_are_kept_by_nobody(journey: Journey) -> None:
    """T18."""
    refused = journey.browser.get(f"/sso/{journey.connection.pk}/callback/")
    for answer, policy in (
        (journey.start(), "no-referrer"),
        (journey.sign_in(), "no-referrer"),
        (refused, "strict-origin"),
    ):
        assert answer["Cache-Control"] == "no-store"
        assert answer["Referrer-Policy"] == policy
    assert b'<meta name="referrer" content="strict-origin">' in answer.content
    assert b"//" not in answer.content.replace(b"<!doctype html>", b"").replace(b"https://", b"//").split(b"<body")[0]


def test_a_sign_in_ends_the_session_of_whoever_was_here_before(journey: Journey) -> None:
    """R5: Aiko leaves the browser to Dana; nothing of hers is left in it."""
    browser = browser_of(journey.cast.aiko)
    journey.sign_in(browser)
    assert is_signed_in(browser, journey.dana)
    assert not Session.objects.filter(user=journey.cast.aiko).exists()


def test_the_way_back_takes_no_post(journey: Journey) -> None:
    assert journey.browser.post(f"/sso/{journey.connection.pk}/callback/").status_code == 405


def test_the_stranger_signs_in_at_home_only(journey: Journey) -> None:
    """T11, H32: Mallory's provider may claim Halden's people; it changes nothing at Halden."""
    from tests.identity.journey import connect

    theirs = connect(journey.cast.stranger, journey.provider, journey.cast.mallory)
    browser = Browser(journey.cast.stranger)
    start = browser.get(f"/sso/{theirs.pk}/start/")
    query = urlsplit(start["Location"])
    back = journey.provider.code_for(query.geturl())
    answer = browser.get(f"/sso/{theirs.pk}/callback/", back)
    assert answer.status_code == 403
    assert not Session.objects.filter(enterprise=journey.cast.halden).exists()
    assert not Event.objects.of(journey.cast.halden).filter(action__startswith="session:").exists()


@pytest.mark.parametrize("word", ["nowhere", "users:list", "a.b"])
def test_next_that_is_no_path_is_dropped(journey: Journey, word: str) -> None:
    """Such a word would be looked up among our routes when one is back, and found nowhere."""
    assert journey.sign_in(next=word)["Location"] == "/"
