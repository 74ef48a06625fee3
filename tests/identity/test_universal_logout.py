"""Okta's Universal Logout: one signed call ends everything of one person, and nothing of anybody else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import Event, Result
from identity.models import Grant, SpentToken
from tests.cast import Browser, browser_of, make_user
from tests.identity.journey import Journey, connect, is_signed_in, link
from tests.identity.telling import LEFT_OUT, bearer, logout_token, revocation_address, revoke
from tests.provider import Provider, SigningKey
from users.models import Role

pytestmark = pytest.mark.servers

DANAS_EMAIL = {"sub_id": {"format": "email", "email": "dana.whitfield@halden.example"}}


@pytest.fixture
def elsewhere() -> Iterator[Provider]:
    """A provider of somebody else's."""
    with Provider() as provider:
        provider.rotate("elsewhere")
        yield provider


@pytest.fixture
def dana(journey: Journey) -> Browser:
    """Dana in one browser; a second one has a session too."""
    journey.sign_in(Browser(journey.cast.halden))
    journey.sign_in()
    return journey.browser


def about(issuer: str, sub: str = "00u1dana") -> dict[str, Any]:
    return {"sub_id": {"format": "iss_sub", "iss": issuer, "sub": sub}}


def refusal(journey: Journey) -> Event:
    return Event.objects.of(journey.cast.halden).filter(action="sign-out:refused").newest_first()[0]


def test_it_ends_everything_of_a_subject(journey: Journey, dana: Browser) -> None:
    """K10: 204, with sessions, grants, and a session that came about in another way."""
    own, aiko = browser_of(journey.dana), browser_of(journey.cast.aiko)
    answer = revoke(journey.connection, bearer(journey.provider, journey.connection), about(journey.provider.issuer))
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["Cache-Control"] == "no-store"
    assert not journey.sessions()
    assert not Grant.objects.exists()
    assert not is_signed_in(dana, journey.dana)
    assert not is_signed_in(own, journey.dana)
    assert is_signed_in(aiko, journey.cast.aiko)


@pytest.mark.parametrize("email", ["dana.whitfield@halden.example", "Dana.Whitfield@HALDEN.example"])
def test_an_email_finds_people_of_this_connection(journey: Journey, dana: Browser, email: str) -> None:
    """K10: Okta's default."""
    body = {"sub_id": {"format": "email", "email": email}}
    assert revoke(journey.connection, bearer(journey.provider, journey.connection), body).status_code == 204
    assert not journey.sessions()


def test_it_is_on_record(journey: Journey, dana: Browser) -> None:
    revoke(journey.connection, bearer(journey.provider, journey.connection), DANAS_EMAIL)
    events = Event.objects.of(journey.cast.halden).filter(action="session:ended-by-provider")
    assert [(event.actor_id, event.details["channel"]) for event in events] == [
        (journey.dana.pk, "universal_logout")
    ] * 2


def test_somebody_with_no_session_is_signed_out_already(journey: Journey) -> None:
    """K10: 204, and on record."""
    assert revoke(journey.connection, bearer(journey.provider, journey.connection), DANAS_EMAIL).status_code == 204
    event = Event.objects.of(journey.cast.halden).get(action="session:ended-by-provider")
    assert (event.actor_id, event.reason) == (journey.dana.pk, "nothing_to_end")


@pytest.mark.parametrize(
    "body",
    [
        {"sub_id": {"format": "email", "email": "aiko.tanaka@halden.example"}},
        {"sub_id": {"format": "email", "email": "ingrid.solberg@halden.example"}},
        {"sub_id": {"format": "email", "email": "mallory@stranger.example"}},
        {"sub_id": {"format": "email", "email": "nobody@halden.example"}},
        {"sub_id": {"format": "email", "email": "%"}},
        {"sub_id": {"format": "iss_sub", "iss": "{issuer}", "sub": "00u1nobody"}},
        {"sub_id": {"format": "iss_sub", "iss": "{issuer}", "sub": "00U1DANA"}},
    ],
)
def test_whoever_does_not_sign_in_through_it_is_not_found(
    journey: Journey, dana: Browser, body: dict[str, Any]
) -> None:
    """K10, H32: with an email as with a subject; also the break-glass account, which no provider ends."""
    browsers = {user: browser_of(user) for user in (journey.cast.aiko, journey.cast.ingrid, journey.cast.mallory)}
    sub_id = {name: word.replace("{issuer}", journey.provider.issuer) for name, word in body["sub_id"].items()}
    answer = revoke(journey.connection, bearer(journey.provider, journey.connection), {"sub_id": sub_id})
    assert answer.status_code == 404
    assert refusal(journey).reason == "subject_unknown"
    assert all(is_signed_in(browser, user) for user, browser in browsers.items())
    assert is_signed_in(dana, journey.dana)


@pytest.mark.parametrize("issuer", ["https://evil.example", "{issuer}/", "{issuer}/oauth2/default"])
def test_a_provider_speaks_for_its_own_subjects_only(journey: Journey, dana: Browser, issuer: str) -> None:
    """K10: 403."""
    body = about(issuer.replace("{issuer}", journey.provider.issuer))
    answer = revoke(journey.connection, bearer(journey.provider, journey.connection), body)
    assert answer.status_code == 403
    assert refusal(journey).reason == "not_its_own"
    assert is_signed_in(dana, journey.dana)


def test_somebody_who_signs_in_another_way_by_now_keeps_those_sessions(journey: Journey, dana: Browser) -> None:
    """K10: 422; what the provider vouched for has ended all the same."""
    own = browser_of(journey.dana)
    journey.dana.connection = None
    journey.dana.save()
    body = about(journey.provider.issuer)
    answer = revoke(journey.connection, bearer(journey.provider, journey.connection), body)
    assert answer.status_code == 422
    assert refusal(journey).reason == "signs_in_another_way"
    assert is_signed_in(own, journey.dana)
    assert not is_signed_in(dana, journey.dana)
    own.post("/logout/")
    again = revoke(journey.connection, bearer(journey.provider, journey.connection), body)
    assert again.status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        {"subject": {"format": "email", "email": "dana.whitfield@halden.example"}},
        {"sub_id": None},
        {"sub_id": "dana.whitfield@halden.example"},
        {"sub_id": []},
        {"sub_id": {}},
        {"sub_id": {"email": "dana.whitfield@halden.example"}},
        {"sub_id": {"format": "email"}},
        {"sub_id": {"format": "email", "email": ""}},
        {"sub_id": {"format": "email", "email": 7}},
        {"sub_id": {"format": "email", "email": ["dana.whitfield@halden.example"]}},
        {"sub_id": {"format": "email", "email": "d\x00@halden.example"}},
        {"sub_id": {"format": "email", "email": "d" * 300}},
        {"sub_id": {"format": "email", "email": "dana.whitfield@halden.example", "iss": "x"}},
        {"sub_id": {"format": "EMAIL", "email": "dana.whitfield@halden.example"}},
        {"sub_id": {"format": "iss_sub", "sub": "00u1dana"}},
        {"sub_id": {"format": "iss_sub", "iss": "x"}},
        {"sub_id": {"format": "iss_sub", "iss": "x", "sub": ""}},
        {"sub_id": {"format": "iss_sub", "iss": "x", "sub": "a\nb"}},
        {"sub_id": {"format": "opaque", "id": "00u1dana"}},
        {"sub_id": {"format": "phone_number", "phone_number": "+12065550100"}},
    ],
)
def test_a_body_that_is_none_is_said_to_be(journey: Journey, dana: Browser, body: object) -> None:
    """K10: 400."""
    answer = revoke(journey.connection, bearer(journey.provider, journey.connection), body)
    assert answer.status_code == 400
    assert refusal(journey).reason == "malformed_request"
    assert is_signed_in(dana, journey.dana)


NOW = int(time.time())
BAD: dict[str, tuple[str, Callable[[Journey], str | None]]] = {
    "no bearer": ("bearer_missing", lambda j: None),
    "an empty one": ("bearer_missing", lambda j: ""),
    "nonsense": ("malformed_token", lambda j: "nonsense"),
    "no type": ("wrong_token_type", lambda j: bearer(j.provider, j.connection, {"typ": None})),
    "an ID token's type": ("wrong_token_type", lambda j: bearer(j.provider, j.connection, {"typ": "JWT"})),
    "a logout token's type": ("wrong_token_type", lambda j: bearer(j.provider, j.connection, {"typ": "logout+jwt"})),
    "a logout token": ("wrong_token_type", lambda j: logout_token(j.provider, aud=revocation_address(j.connection))),
    "no issuer": ("missing_claim", lambda j: bearer(j.provider, j.connection, iss=LEFT_OUT)),
    "another issuer": ("issuer_mismatch", lambda j: bearer(j.provider, j.connection, iss="https://evil.example")),
    "no subject": ("missing_claim", lambda j: bearer(j.provider, j.connection, sub=LEFT_OUT)),
    "an empty subject": ("bad_claim", lambda j: bearer(j.provider, j.connection, sub="")),
    "no audience": ("missing_claim", lambda j: bearer(j.provider, j.connection, aud=LEFT_OUT)),
    "our client": ("audience_mismatch", lambda j: bearer(j.provider, j.connection, aud="gatehouse")),
    "another address": ("audience_mismatch", lambda j: bearer(j.provider, j.connection, aud="https://evil.example/")),
    "another address too": (
        "audience_mismatch",
        lambda j: bearer(j.provider, j.connection, aud=[revocation_address(j.connection), "https://evil.example/"]),
    ),
    "another connection": (
        "audience_mismatch",
        lambda j: bearer(
            j.provider, j.connection, aud=revocation_address(j.connection).replace(j.connection.pk, "0" * 12)
        ),
    ),
    "no iat": ("missing_claim", lambda j: bearer(j.provider, j.connection, iat=LEFT_OUT)),
    "too old": ("too_old", lambda j: bearer(j.provider, j.connection, iat=NOW - 3600)),
    "no exp": ("missing_claim", lambda j: bearer(j.provider, j.connection, exp=LEFT_OUT)),
    "expired": ("expired", lambda j: bearer(j.provider, j.connection, iat=NOW - 300, exp=NOW - 200)),
    "not yet valid": ("not_yet_valid", lambda j: bearer(j.provider, j.connection, nbf=NOW + 3600)),
    "no jti": ("missing_claim", lambda j: bearer(j.provider, j.connection, jti=LEFT_OUT)),
    "a key of somebody's": (
        "unknown_key",
        lambda j: SigningKey("somebodys").sign({"iss": j.provider.issuer}, typ="global-token-revocation+jwt"),
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("body", [DANAS_EMAIL, {"sub_id": {"format": "email", "email": "nobody@halden.example"}}, b"{"])
def test_who_is_not_proved_hears_401_and_nothing_else(journey: Journey, dana: Browser, name: str, body: object) -> None:
    """K10: whomever it is about, there or not, so that nobody can ask who is."""
    reason, make = BAD[name]
    answer = revoke(journey.connection, make(journey), body)
    assert (answer.status_code, answer.content, answer["WWW-Authenticate"]) == (401, b"", "Bearer")
    assert answer["Cache-Control"] == "no-store"
    assert is_signed_in(dana, journey.dana)
    event = refusal(journey)
    assert (event.reason, event.result, event.details["channel"]) == (reason, Result.REFUSED, "universal_logout")
    assert not SpentToken.objects.exists()


def test_a_connection_that_is_none_is_no_better_than_no_proof(journey: Journey) -> None:
    """K10: 404 means that somebody who is proved asked for somebody unknown."""
    address = reverse("identity:global_token_revocation", args=["0" * 12])
    assert Browser(journey.cast.halden).post(address, b"{}", content_type="application/json").status_code == 401


def test_a_replay_is_refused(journey: Journey, dana: Browser) -> None:
    """K10: whatever it came to the first time."""
    token = bearer(journey.provider, journey.connection)
    assert revoke(journey.connection, token, about(journey.provider.issuer, "00u1nobody")).status_code == 404
    assert revoke(journey.connection, token, DANAS_EMAIL).status_code == 401
    assert refusal(journey).reason == "replayed_token"
    assert is_signed_in(dana, journey.dana)


def test_another_scheme_is_none(journey: Journey, dana: Browser) -> None:
    address = reverse("identity:global_token_revocation", args=[journey.connection.pk])
    token = bearer(journey.provider, journey.connection)
    for value in (f"Basic {token}", token, f"Bearer{token}", "Bearer"):
        answer = Browser(journey.cast.halden).post(
            address, DANAS_EMAIL, content_type="application/json", headers={"authorization": value}
        )
        assert answer.status_code == 401
    assert is_signed_in(dana, journey.dana)


def test_another_enterprises_provider_ends_nothing_of_halden(
    journey: Journey, dana: Browser, elsewhere: Provider
) -> None:
    """H32: neither at Halden's door, nor at its own with Halden's people."""
    theirs = connect(journey.cast.stranger, elsewhere, journey.cast.mallory)
    for token in (
        bearer(elsewhere, journey.connection),
        bearer(elsewhere, journey.connection, iss=journey.provider.issuer),
        bearer(journey.provider, theirs),
    ):
        assert revoke(journey.connection, token, DANAS_EMAIL).status_code == 401
    assert revoke(theirs, bearer(elsewhere, theirs), DANAS_EMAIL).status_code == 404
    assert revoke(theirs, bearer(elsewhere, theirs), about(elsewhere.issuer)).status_code == 404
    assert revoke(theirs, bearer(elsewhere, theirs), about(journey.provider.issuer)).status_code == 403
    assert len(journey.sessions()) == 2


def test_the_same_person_at_two_enterprises_is_two(journey: Journey, dana: Browser) -> None:
    """H32: one Okta, one subject, one email, two customers."""
    theirs = connect(journey.cast.stranger, journey.provider, journey.cast.mallory)
    twin = make_user(
        journey.cast.stranger, "Dana Twin", "dana.whitfield@halden.example", (Role.VIEWER, None), password="!"
    )
    link(theirs, twin, "00u1dana")
    there = browser_of(twin)
    assert revoke(theirs, bearer(journey.provider, theirs), DANAS_EMAIL).status_code == 204
    assert not is_signed_in(there, twin)
    assert is_signed_in(dana, journey.dana)


def test_a_disabled_connection_hears_nothing(journey: Journey) -> None:
    journey.connection.disable(timezone.now())
    assert revoke(journey.connection, bearer(journey.provider, journey.connection), DANAS_EMAIL).status_code == 401


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_other_methods_end_nothing(journey: Journey, dana: Browser, method: str) -> None:
    address = reverse("identity:global_token_revocation", args=[journey.connection.pk])
    token = bearer(journey.provider, journey.connection)
    answer = getattr(Browser(journey.cast.halden), method)(address, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 405
    assert len(journey.sessions()) == 2
