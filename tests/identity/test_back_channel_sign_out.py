"""Back-channel sign-out: a good logout token ends exactly its sessions, and no other token ends any."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.urls import reverse
from django.utils import timezone

from audit.models import Event, Result
from identity.models import Grant, SpentToken
from tests.cast import Browser, browser_of, make_user
from tests.identity.journey import Journey, connect, is_signed_in, link
from tests.identity.telling import LEFT_OUT, LOGOUT_EVENT, logout_claims, logout_token, tell
from tests.provider import Provider, SigningKey
from users.models import Role, Session, User

pytestmark = pytest.mark.servers


@pytest.fixture
def elsewhere() -> Iterator[Provider]:
    """A provider of somebody else's."""
    with Provider() as provider:
        provider.rotate("elsewhere")
        yield provider


@pytest.fixture
def second(journey: Journey) -> Browser:
    """Dana again, in another browser and another session at the provider."""
    browser = Browser(journey.cast.halden)
    journey.provider.on_id_token = lambda said, request: said | {"sid": "second"}
    journey.sign_in(browser)
    journey.provider.on_id_token = lambda said, request: said
    return browser


@pytest.fixture
def dana(journey: Journey, second: Browser) -> Browser:
    journey.sign_in()
    return journey.browser


@pytest.fixture
def erik(journey: Journey) -> Browser:
    """Somebody else, through the same connection."""
    erik = make_user(journey.cast.halden, "Erik Lund", "erik.lund@halden.example", (Role.VIEWER, None), password="!")
    link(journey.connection, erik, "00u1erik")
    browser = Browser(journey.cast.halden)
    journey.provider.person = {"sub": "00u1erik", "email": "erik.lund@halden.example"}
    journey.sign_in(browser)
    journey.is_dana()
    assert is_signed_in(browser, erik)
    return browser


def test_a_good_token_ends_the_session_it_names(journey: Journey, dana: Browser, second: Browser) -> None:
    """H20: within the request, and with no other word than 200."""
    answer = tell(journey.connection, logout_token(journey.provider))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["Cache-Control"] == "no-store"
    assert not is_signed_in(dana, journey.dana)
    assert is_signed_in(second, journey.dana)
    assert dana.get("/account/")["Location"].startswith("/login/")


def test_a_sid_alone_will_do(journey: Journey, dana: Browser, second: Browser) -> None:
    """H20."""
    assert tell(journey.connection, logout_token(journey.provider, sub=LEFT_OUT, sid="second")).status_code == 200
    assert is_signed_in(dana, journey.dana)
    assert not is_signed_in(second, journey.dana)


def test_a_subject_alone_means_all_of_its_sessions(
    journey: Journey, dana: Browser, second: Browser, erik: Browser
) -> None:
    """H20: and nobody else's."""
    aiko, ingrid = browser_of(journey.cast.aiko), browser_of(journey.cast.ingrid)
    assert tell(journey.connection, logout_token(journey.provider, sid=LEFT_OUT)).status_code == 200
    assert not journey.sessions()
    assert is_signed_in(erik, User.objects.get(name="Erik Lund"))
    assert is_signed_in(aiko, journey.cast.aiko)
    assert is_signed_in(ingrid, journey.cast.ingrid)


def test_the_sessions_of_a_subject_that_were_not_made_there_go_on(journey: Journey, dana: Browser) -> None:
    """H20: exactly what the provider vouched for."""
    own = browser_of(journey.dana)
    tell(journey.connection, logout_token(journey.provider, sid=LEFT_OUT))
    assert is_signed_in(own, journey.dana)
    assert len(journey.sessions()) == 1


def test_subject_and_sid_must_both_fit(journey: Journey, dana: Browser, erik: Browser) -> None:
    """H20: a token about Erik with Dana's session ends neither."""
    assert tell(journey.connection, logout_token(journey.provider, sub="00u1erik")).status_code == 200
    assert len(journey.sessions()) == 2
    assert is_signed_in(erik, User.objects.get(name="Erik Lund"))


def test_who_is_signed_out_already_is_fine(journey: Journey) -> None:
    assert tell(journey.connection, logout_token(journey.provider)).status_code == 200


def test_the_grant_goes_with_the_session(journey: Journey, dana: Browser) -> None:
    """With the refresh token in it."""
    tell(journey.connection, logout_token(journey.provider, sid=LEFT_OUT))
    assert not Grant.objects.exists()


def test_it_is_on_record_once_for_each_session(journey: Journey, dana: Browser) -> None:
    tell(journey.connection, logout_token(journey.provider, sid=LEFT_OUT))
    events = Event.objects.of(journey.cast.halden).filter(action="session:ended-by-provider")
    assert {(event.actor_id, event.target_id) for event in events} == {(journey.dana.pk, journey.connection.pk)}
    assert [event.details["channel"] for event in events] == ["back_channel"] * 2


@pytest.mark.parametrize(
    ("header", "changes"),
    [
        ({"typ": None}, {}),
        ({"typ": "LOGOUT+JWT"}, {}),
        ({"typ": "application/logout+jwt"}, {}),
        ({}, {"aud": ["gatehouse"]}),
        ({}, {"events": {LOGOUT_EVENT: {}, "https://example.com/another": {}}}),
        ({}, {"events": {LOGOUT_EVENT: {"reason": "left"}}}),
        ({}, {"iat": int(time.time()) - 60}),
        ({}, {"iat": time.time() + 0.5}),
        ({}, {"trace": "x"}),
    ],
)
def test_what_is_odd_but_legal_is_heard(
    journey: Journey, dana: Browser, header: dict[str, Any], changes: dict[str, Any]
) -> None:
    """H20, H24."""
    assert tell(journey.connection, logout_token(journey.provider, header, **changes)).status_code == 200
    assert not is_signed_in(dana, journey.dana)


def b64(body: bytes) -> str:
    return urlsafe_b64encode(body).rstrip(b"=").decode()


def headed(provider: Provider, header: bytes, signature: str | None = None) -> str:
    """An honest token under another header."""
    _, claims, honest = logout_token(provider).split(".")
    return ".".join([b64(header), claims, honest if signature is None else signature])


def signed_by(key: SigningKey, provider: Provider) -> str:
    return key.sign(logout_claims(provider), typ="logout+jwt")


def with_claims_of(token: str, other: str) -> str:
    header, _, signature = token.split(".")
    return ".".join([header, other.split(".")[1], signature])


NOW = int(time.time())
BAD: dict[str, tuple[str, Callable[[Provider], str]]] = {
    "nothing": ("malformed_token", lambda p: ""),
    "no token": ("malformed_token", lambda p: "logout"),
    "two parts": ("malformed_token", lambda p: logout_token(p).rpartition(".")[0]),
    "no signature": ("bad_signature", lambda p: logout_token(p).rpartition(".")[0] + "."),
    "alg none": ("algorithm_not_allowed", lambda p: headed(p, b'{"alg":"none","typ":"logout+jwt"}', "")),
    "alg of another list": ("algorithm_not_allowed", lambda p: headed(p, b'{"alg":"HS256","typ":"logout+jwt"}')),
    "another key of the same name": ("bad_signature", lambda p: signed_by(SigningKey("first", bits=2049), p)),
    "an unknown key": ("unknown_key", lambda p: signed_by(SigningKey("second"), p)),
    "a key of its own": ("header_not_allowed", lambda p: logout_token(p, {"jwk": p.signing_key.jwk})),
    "changed claims": ("bad_signature", lambda p: with_claims_of(logout_token(p), logout_token(p, sub="00u1erik"))),
    "an ID token's type": ("wrong_token_type", lambda p: logout_token(p, {"typ": "JWT"})),
    "an access token's type": ("wrong_token_type", lambda p: logout_token(p, {"typ": "at+jwt"})),
    "a revocation's type": ("wrong_token_type", lambda p: logout_token(p, {"typ": "global-token-revocation+jwt"})),
    "crit": ("header_not_allowed", lambda p: logout_token(p, {"crit": ["x"], "x": 1})),
    "no issuer": ("missing_claim", lambda p: logout_token(p, iss=LEFT_OUT)),
    "another issuer": ("issuer_mismatch", lambda p: logout_token(p, iss="https://evil.example")),
    "nearly the issuer": ("issuer_mismatch", lambda p: logout_token(p, iss=p.issuer + "/")),
    "issuers": ("issuer_mismatch", lambda p: logout_token(p, iss=[p.issuer])),
    "no audience": ("missing_claim", lambda p: logout_token(p, aud=LEFT_OUT)),
    "another audience": ("audience_mismatch", lambda p: logout_token(p, aud="somebody-else")),
    "another audience too": ("audience_mismatch", lambda p: logout_token(p, aud=["gatehouse", "somebody-else"])),
    "nobody": ("audience_mismatch", lambda p: logout_token(p, aud=[])),
    "no iat": ("missing_claim", lambda p: logout_token(p, iat=LEFT_OUT)),
    "too old": ("too_old", lambda p: logout_token(p, iat=NOW - 3600)),
    "from the future": ("issued_in_future", lambda p: logout_token(p, iat=NOW + 900, exp=NOW + 1000)),
    "a word for a time": ("absurd_time", lambda p: logout_token(p, iat="now")),
    "no exp": ("missing_claim", lambda p: logout_token(p, exp=LEFT_OUT)),
    "expired": ("expired", lambda p: logout_token(p, iat=NOW - 300, exp=NOW - 200)),
    "expires before it begins": ("absurd_time", lambda p: logout_token(p, exp=NOW - 3600)),
    "never expires": ("absurd_time", lambda p: logout_token(p, exp=NOW + 10**9)),
    "not yet valid": ("not_yet_valid", lambda p: logout_token(p, nbf=NOW + 3600)),
    "no jti": ("missing_claim", lambda p: logout_token(p, jti=LEFT_OUT)),
    "an empty jti": ("bad_claim", lambda p: logout_token(p, jti="")),
    "a number for a jti": ("bad_claim", lambda p: logout_token(p, jti=7)),
    "a huge jti": ("bad_claim", lambda p: logout_token(p, jti="x" * 300)),
    "no events": ("missing_claim", lambda p: logout_token(p, events=LEFT_OUT)),
    "empty events": ("bad_claim", lambda p: logout_token(p, events={})),
    "another event": ("bad_claim", lambda p: logout_token(p, events={"https://example.com/login": {}})),
    "a list of events": ("bad_claim", lambda p: logout_token(p, events=[LOGOUT_EVENT])),
    "an event that is a word": ("bad_claim", lambda p: logout_token(p, events={LOGOUT_EVENT: "yes"})),
    "an event that is null": ("bad_claim", lambda p: logout_token(p, events={LOGOUT_EVENT: None})),
    "a nonce": ("bad_claim", lambda p: logout_token(p, nonce="n")),
    "a nonce of null": ("bad_claim", lambda p: logout_token(p, nonce=None)),
    "neither subject nor sid": ("missing_claim", lambda p: logout_token(p, sub=LEFT_OUT, sid=LEFT_OUT)),
    "an empty subject": ("bad_claim", lambda p: logout_token(p, sub="")),
    "a blank subject": ("bad_claim", lambda p: logout_token(p, sub=" ")),
    "a null subject": ("bad_claim", lambda p: logout_token(p, sub=None)),
    "a list of subjects": ("bad_claim", lambda p: logout_token(p, sub=["00u1dana"])),
    "a huge subject": ("bad_claim", lambda p: logout_token(p, sub="x" * 256)),
    "an empty sid": ("bad_claim", lambda p: logout_token(p, sid="")),
    "a number for a sid": ("bad_claim", lambda p: logout_token(p, sid=1)),
    "control characters": ("bad_claim", lambda p: logout_token(p, sid="a\nb")),
    "a NUL": ("malformed_token", lambda p: logout_token(p, sid="a\x00b")),
    "claims that are a list": ("malformed_token", lambda p: p.signing_key.sign(["iss"], typ="logout+jwt")),
    "a huge token": ("malformed_token", lambda p: logout_token(p, filler="x" * 100_000)),
    "an ID token": ("wrong_token_type", lambda p: p.signing_key.sign(logout_claims(p, nonce="n", events=LEFT_OUT))),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_ends_nothing(journey: Journey, dana: Browser, second: Browser, name: str) -> None:
    """H20: 400, not stored, nothing said but that it was no good; the reason is on record."""
    reason, make = BAD[name]
    answer = tell(journey.connection, make(journey.provider))
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    assert answer["Cache-Control"] == "no-store"
    assert is_signed_in(dana, journey.dana)
    assert is_signed_in(second, journey.dana)
    event = Event.objects.of(journey.cast.halden).get(action="sign-out:refused")
    assert (event.reason, event.result, event.details["channel"]) == (reason, Result.REFUSED, "back_channel")
    assert not SpentToken.objects.exists()


def test_a_replay_is_refused(journey: Journey, dana: Browser) -> None:
    """H20: also after the person has signed in again."""
    token = logout_token(journey.provider)
    assert tell(journey.connection, token).status_code == 200
    journey.sign_in(dana)
    assert tell(journey.connection, token).status_code == 400
    assert is_signed_in(dana, journey.dana)
    event = Event.objects.of(journey.cast.halden).get(action="sign-out:refused")
    assert event.reason == "replayed_token"


def test_the_same_jti_in_another_token_is_a_replay(journey: Journey, dana: Browser) -> None:
    """H20."""
    assert tell(journey.connection, logout_token(journey.provider, jti="one", sid="second")).status_code == 200
    assert tell(journey.connection, logout_token(journey.provider, jti="one")).status_code == 400
    assert is_signed_in(dana, journey.dana)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_is_heard(transactional_db: None, journey: Journey) -> None:
    """H20: two processes, one token."""
    token = logout_token(journey.provider)

    def send(_: int) -> int:
        try:
            return tell(journey.connection, token).status_code
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(send, range(4))) == [200, 400, 400, 400]


def test_a_token_is_forgotten_once_its_age_refuses_it(journey: Journey) -> None:
    """H20: the table does not grow for ever, and nothing is forgotten early."""
    tell(journey.connection, logout_token(journey.provider))
    kept = SpentToken.objects.get()
    assert timedelta(seconds=170) < kept.until - timezone.now() <= timedelta(seconds=180)
    SpentToken.objects.update(until=timezone.now() - timedelta(seconds=1))
    tell(journey.connection, logout_token(journey.provider))
    assert SpentToken.objects.get().pk != kept.pk


def test_a_rotated_key_is_fetched(journey: Journey, dana: Browser) -> None:
    """R3, K5."""
    journey.provider.rotate("second")
    assert tell(journey.connection, logout_token(journey.provider)).status_code == 200
    assert not is_signed_in(dana, journey.dana)


def test_another_enterprises_provider_ends_nothing_of_halden(
    journey: Journey, dana: Browser, elsewhere: Provider
) -> None:
    """H32: its own tokens, tokens that claim Halden's issuer, and Halden's tokens at the wrong door."""
    theirs = connect(journey.cast.stranger, elsewhere, journey.cast.mallory)
    for connection, token in [
        (journey.connection, logout_token(elsewhere)),
        (journey.connection, logout_token(elsewhere, iss=journey.provider.issuer)),
        (theirs, logout_token(journey.provider)),
        (theirs, logout_token(elsewhere, iss=journey.provider.issuer)),
    ]:
        assert tell(connection, token).status_code == 400
    assert tell(theirs, logout_token(elsewhere)).status_code == 200  # True, and about nobody here.
    assert is_signed_in(dana, journey.dana)
    assert len(journey.sessions()) == 2


def test_a_disabled_connection_hears_nothing(journey: Journey) -> None:
    journey.connection.disable(timezone.now())
    assert tell(journey.connection, logout_token(journey.provider)).status_code == 400
    assert not journey.provider.requests_to("/keys")


def test_a_provider_that_is_down_is_not_believed(journey: Journey) -> None:
    """Its keys cannot be had, so nothing is proved."""
    token = logout_token(journey.provider)
    own = browser_of(journey.dana)
    journey.provider.close()
    assert tell(journey.connection, token).status_code == 400
    assert is_signed_in(own, journey.dana)


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_other_methods_end_nothing(journey: Journey, dana: Browser, method: str) -> None:
    address = reverse("identity:back_channel", args=[journey.connection.pk])
    assert getattr(Browser(journey.cast.halden), method)(address).status_code == 405
    assert Session.objects.filter(user=journey.dana).count() == 2


def test_in_the_address_a_token_is_not_heard(journey: Journey, dana: Browser) -> None:
    """It belongs in the body: addresses are logged."""
    address = reverse("identity:back_channel", args=[journey.connection.pk])
    answer = Browser(journey.cast.halden).post(f"{address}?logout_token={logout_token(journey.provider)}")
    assert answer.status_code == 400
    assert is_signed_in(dana, journey.dana)
