"""Front-channel sign-out: the provider opens an address of ours in a frame, and one session ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.http import HttpResponse
from django.urls import reverse

from audit.models import Event
from identity.models import Connection, Grant
from tests.cast import Browser, browser_of, make_user
from tests.identity.journey import Journey, connect, is_signed_in, link
from tests.provider import Provider
from users.models import Session

pytestmark = pytest.mark.servers


@pytest.fixture
def elsewhere() -> Iterator[Provider]:
    """A provider of somebody else's."""
    with Provider() as provider:
        yield provider


def frame(connection: Connection, method: str = "get", **query: str) -> HttpResponse:
    """What a frame gets: no cookies go along with the request."""
    return getattr(Browser(connection.enterprise), method)(
        reverse("identity:front_channel", args=[connection.pk]), query
    )


def test_it_ends_the_session_it_names_and_no_other(journey: Journey) -> None:
    """H21, K9: Dana is signed in twice, from two sessions at Okta; Aiko has a password."""
    other, aiko = Browser(journey.cast.halden), browser_of(journey.cast.aiko)
    journey.provider.on_id_token = lambda said, request: said | {"sid": "first"}
    journey.sign_in()
    journey.provider.on_id_token = lambda said, request: said | {"sid": "second"}
    journey.sign_in(other)
    answer = frame(journey.connection, iss=journey.provider.issuer, sid="first")
    assert answer.status_code == 200
    assert not is_signed_in(journey.browser, journey.dana)
    assert is_signed_in(other, journey.dana)
    assert is_signed_in(aiko, journey.cast.aiko)
    assert Grant.objects.get().sid == "second"
    assert journey.browser.get("/account/")["Location"].startswith("/login/")


def test_it_is_on_record(journey: Journey) -> None:
    journey.sign_in()
    frame(journey.connection, iss=journey.provider.issuer, sid="session-00u1dana")
    event = Event.objects.of(journey.cast.halden).get(action="session:ended-by-provider")
    assert (event.actor_id, event.target_id) == (journey.dana.pk, journey.connection.pk)
    assert event.details["channel"] == "front_channel"
    assert "session-00u1dana" not in str(event.details)


def test_only_the_issuer_may_frame_it(journey: Journey) -> None:
    """H21: at this address; every other page stays unframeable."""
    journey.sign_in()
    for sid in ("unknown", "session-00u1dana"):
        answer = frame(journey.connection, iss=journey.provider.issuer, sid=sid)
        assert f"frame-ancestors {journey.provider.issuer}" in answer["Content-Security-Policy"].split("; ")
        assert "X-Frame-Options" not in answer
        assert answer["Cache-Control"] == "no-store"
        assert answer["Referrer-Policy"] == "no-referrer"
    page = journey.browser.get(reverse("users:enterprise", args=["halden"]))
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"].split("; ")
    assert page["X-Frame-Options"] == "DENY"


GOOD = {"iss": "{issuer}", "sid": "session-00u1dana"}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"sid": "session-00u1dana"},
        {"iss": "{issuer}"},
        {"iss": "", "sid": ""},
        GOOD | {"iss": ""},
        GOOD | {"sid": ""},
        GOOD | {"iss": "{issuer}/"},
        GOOD | {"iss": "{issuer}/oauth2/default"},
        GOOD | {"iss": "https://evil.example"},
        GOOD | {"iss": "{issuer}\x00"},
        GOOD | {"iss": "x" * 100_000},
        GOOD | {"sid": "SESSION-00U1DANA"},
        GOOD | {"sid": "session-00u1dan"},
        GOOD | {"sid": "session-00u1dana "},
        GOOD | {"sid": "session-00u1dana\x00"},
        GOOD | {"sid": "%"},
        GOOD | {"sid": "' OR ''='"},
        GOOD | {"sid": "é" * 3000},
        {"iss": "{issuer}", "sub": "00u1dana"},
    ],
)
def test_a_wrong_or_missing_word_ends_nothing(journey: Journey, query: dict[str, str]) -> None:
    """H21."""
    journey.sign_in()
    said = {name: value.replace("{issuer}", journey.provider.issuer) for name, value in query.items()}
    answer = frame(journey.connection, **said)
    assert answer.status_code == 400
    assert answer["Cache-Control"] == "no-store"
    assert is_signed_in(journey.browser, journey.dana)


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_other_methods_end_nothing(journey: Journey, method: str) -> None:
    journey.sign_in()
    assert frame(journey.connection, method, iss=journey.provider.issuer, sid="session-00u1dana").status_code == 405
    assert is_signed_in(journey.browser, journey.dana)


def test_a_session_without_a_sid_is_never_meant(journey: Journey) -> None:
    """Nor is one that no provider vouches for."""
    journey.provider.on_id_token = lambda said, request: said | {"sid": None}
    journey.sign_in()
    aiko = browser_of(journey.cast.aiko)
    for sid in ("", "None", "null"):
        assert frame(journey.connection, iss=journey.provider.issuer, sid=sid).status_code == 400
    assert is_signed_in(journey.browser, journey.dana)
    assert is_signed_in(aiko, journey.cast.aiko)


def test_another_enterprises_provider_ends_nothing_of_halden(journey: Journey, elsewhere: Provider) -> None:
    """H32: the stranger's connection, its provider, and Halden's issuer and sid: in whatever combination."""
    journey.sign_in()
    theirs = connect(journey.cast.stranger, elsewhere, journey.cast.mallory)
    for connection, issuer in [
        (theirs, journey.provider.issuer),
        (theirs, elsewhere.issuer),
        (journey.connection, elsewhere.issuer),
    ]:
        assert frame(connection, iss=issuer, sid="session-00u1dana").status_code == 400
    assert is_signed_in(journey.browser, journey.dana)


def test_two_enterprises_with_one_provider_are_two(journey: Journey) -> None:
    """H32: the same issuer, the same sid: each connection is about its own sessions."""
    theirs = connect(journey.cast.stranger, journey.provider, journey.cast.mallory)
    twin = link(theirs, make_user(journey.cast.stranger, "Dana Twin", "dana@stranger.example"), "00u1dana")
    journey.sign_in()
    there = Browser(journey.cast.stranger)
    there.get(
        journey.at_provider(there.get(f"/sso/{theirs.pk}/start/")["Location"]).replace(journey.connection.pk, theirs.pk)
    )
    assert is_signed_in(there, twin)
    assert frame(theirs, iss=journey.provider.issuer, sid="session-00u1dana").status_code == 200
    assert not is_signed_in(there, twin)
    assert is_signed_in(journey.browser, journey.dana)


def test_the_session_of_whoever_looks_is_not_asked(journey: Journey) -> None:
    """What ends is named by the provider, never by the cookie that happens to come along."""
    journey.sign_in()
    address = reverse("identity:front_channel", args=[journey.connection.pk])
    assert journey.browser.get(address, {"iss": journey.provider.issuer, "sid": "unknown"}).status_code == 400
    assert Session.objects.filter(user=journey.dana).count() == 1


def test_a_connection_that_is_none_is_not_found(journey: Journey) -> None:
    for pk in ("0" * 12, "nonsense", journey.connection.pk[:-1]):
        assert Browser(journey.cast.halden).get(f"/sso/{pk}/logout/front-channel/").status_code == 404
