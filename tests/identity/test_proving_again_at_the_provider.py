"""Step-up for who came through a connection: to the provider and back, into the same session, with the input kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone

from audit.models import Event
from identity.models import Grant
from tests.cast import Browser, Cast, browser_of, long_ago, make_user
from tests.identity.journey import Journey, attempt_cookies, connect, is_signed_in, link
from tests.provider import Provider
from tests.proving import go_on, held_by, is_asked
from users.models import Role, Session, User

pytestmark = pytest.mark.servers


class Desk:
    """Dana administers Halden and signed in through its Okta eleven minutes ago; she is about to give a role."""

    def __init__(self, journey: Journey) -> None:
        self.journey, self.cast, self.provider = journey, journey.cast, journey.provider
        self.connection, self.dana, self.browser = journey.connection, journey.dana, journey.browser
        self.dana.role_assignments.create(enterprise=self.cast.halden, role=Role.ENTERPRISE_ADMIN)
        journey.sign_in()
        long_ago(self.dana)

    @property
    def row(self) -> Session:
        return self.dana.sessions.get()

    def give(self, to: User | None = None) -> HttpResponse:
        typed = {"role": Role.ENTERPRISE_ADMIN, "place": "everywhere"}
        return self.browser.post(f"/users/{(to or self.cast.marcus).pk}/roles/give/", typed)

    def leave(self, question: HttpResponse | None = None) -> str:
        """Follow the page's link; return the address at the provider."""
        question = question or self.give()
        page = self.browser.get(question["Location"]).content.decode()
        assert 'href="/sso/step-up/?next=%2Faccount%2Fheld%2F"' in page
        return self.browser.get("/sso/step-up/?next=/account/held/")["Location"]

    def come_back(self, url: str, browser: Browser | None = None) -> HttpResponse:
        return (browser or self.browser).get(self.journey.at_provider(url))

    def is_refused(self, answer: HttpResponse, reason: str) -> Event:
        """The answer is a refusal, on record as Dana's; her session is as it was (R6), and nothing was done."""
        assert 400 <= answer.status_code < 500
        event = self.journey.refusal()
        assert (event.reason, event.details["purpose"]) == (reason, "step_up")
        assert is_signed_in(self.browser, self.dana)
        assert not self.row.is_recently_proved(timezone.now())
        assert not self.cast.marcus.role_assignments.filter(role=Role.ENTERPRISE_ADMIN).exists()
        return event


@pytest.fixture
def desk(journey: Journey) -> Desk:
    return Desk(journey)


def test_there_and_back_and_one_press_goes_on(desk: Desk) -> None:
    """T5, K7: the provider is told to ask for a new sign-in, and afterwards the act goes on with what was typed."""
    question = desk.give()
    assert is_asked(question)
    held = held_by(question)
    url = desk.leave(question)
    asked = dict(parse_qsl(urlsplit(url).query))
    assert (asked["max_age"], asked["login_hint"]) == ("0", "dana.whitfield@halden.example")
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    assert desk.come_back(url)["Location"] == "/account/held/"
    assert "Continue" in desk.browser.get("/account/held/").content.decode()
    assert go_on(desk.browser, held)["Location"] == f"/users/{desk.cast.marcus.pk}/"
    assert desk.cast.marcus.role_assignments.filter(role=Role.ENTERPRISE_ADMIN).exists()
    assert not is_asked(desk.give(desk.cast.tomas))


def test_the_session_stays_under_a_new_key_and_the_new_sign_in_vouches_for_it(desk: Desk) -> None:
    before, key = desk.row, desk.browser.cookies[settings.SESSION_COOKIE_NAME].value
    token = Grant.objects.get().kept()[0]
    desk.provider.person["sid"] = "another sitting at the provider"
    desk.come_back(desk.leave())
    after, grant = desk.row, Grant.objects.get()
    assert (after.handle, after.expire_date) == (before.handle, before.expire_date)
    assert after.pk != before.pk
    assert (grant.session, grant.sid) == (after, "another sitting at the provider")
    assert grant.kept()[0] not in ("", token)
    thief = Browser(desk.cast.halden)
    thief.cookies[settings.SESSION_COOKIE_NAME] = key
    assert thief.get("/account/").status_code == 302
    event = Event.objects.of(desk.cast.halden).get(action="session:proved")
    assert (event.actor, event.target_id, event.details) == (desk.dana, desk.connection.pk, {"method": "connection"})


def test_without_a_new_refresh_token_the_one_there_is_still_opens(desk: Desk) -> None:
    token = Grant.objects.get().kept()[0]
    desk.provider.on_token = lambda said, request: {k: v for k, v in said.items() if k != "refresh_token"}
    desk.come_back(desk.leave())
    assert Grant.objects.get().kept()[0] == token


def test_an_old_sign_in_at_the_provider_is_no_proof(desk: Desk) -> None:
    """K7: a provider that does not ask again is found out by its ``auth_time``."""
    desk.provider.on_id_token = lambda claims, request: claims | {"auth_time": int(time.time()) - 3600}
    answer = desk.come_back(desk.leave())
    desk.is_refused(answer, "authentication_too_old")
    assert "Okta did not ask you to sign in again" in answer.content.decode()
    assert 'href="/sso/step-up/?next=%2Faccount%2Fheld%2F"' in answer.content.decode()


def test_a_sign_in_without_its_time_is_no_proof(desk: Desk) -> None:
    """K7."""
    desk.provider.on_id_token = lambda claims, request: {k: v for k, v in claims.items() if k != "auth_time"}
    desk.is_refused(desk.come_back(desk.leave()), "missing_claim")


def test_a_sign_in_that_took_its_time_is_one(desk: Desk) -> None:
    """It is new when it began after the attempt, even if minutes passed at the provider since."""
    url = desk.leave()
    now = timezone.now()
    desk.provider.on_id_token = lambda claims, request: claims | {"auth_time": int(now.timestamp())}
    with time_machine.travel(now + timedelta(minutes=8)):
        assert desk.come_back(url)["Location"] == "/account/held/"
        assert desk.row.is_recently_proved(timezone.now())


def test_another_person_at_the_provider_is_refused_and_on_record(desk: Desk) -> None:
    """Piotr signs in there, in Dana's browser: neither is Dana proved, nor Piotr signed in."""
    piotr = make_user(desk.cast.halden, "Piotr Nowak", "piotr.nowak@halden.example", password="!")
    link(desk.connection, piotr, "00u1piotr")
    url = desk.leave()
    desk.journey.is_piotr()
    answer = desk.come_back(url)
    event = desk.is_refused(answer, "not_the_same_person")
    assert (event.actor, event.details["expected"], event.details["got"]) == (desk.dana, "00u1dana", "00u1piotr")
    assert "That was another account" in answer.content.decode()
    assert not piotr.sessions.exists()


def test_a_stranger_at_the_provider_is_refused_in_the_same_way(desk: Desk) -> None:
    url = desk.leave()
    desk.journey.is_piotr()
    desk.is_refused(desk.come_back(url), "not_the_same_person")


def test_the_email_alone_is_nobody(desk: Desk) -> None:
    """T7: another subject with Dana's address is another person."""
    url = desk.leave()
    desk.provider.person = {"sub": "00u2dana", "email": desk.dana.email, "name": "Dana Whitfield"}
    desk.is_refused(desk.come_back(url), "not_the_same_person")


def test_an_error_of_the_provider_leaves_the_session_as_it_is(desk: Desk) -> None:
    """R6."""
    url = desk.leave()
    desk.provider.person = None
    desk.is_refused(desk.come_back(url), "not_assigned")
    assert attempt_cookies(desk.browser) == [], "one attempt, one try"


def test_an_outage_leaves_the_session_as_it_is(desk: Desk) -> None:
    url = desk.leave()
    back = desk.journey.at_provider(url)
    desk.provider.close()
    assert desk.browser.get(back).status_code == 503
    assert is_signed_in(desk.browser, desk.dana)
    assert not desk.row.is_recently_proved(timezone.now())


def test_it_ends_in_the_session_it_began_in(desk: Desk) -> None:
    """Signed out meanwhile, signed in anew, or somebody else by now: it belongs to a session that is over."""

    def signs_in_anew() -> None:
        desk.journey.sign_in()
        long_ago(desk.dana)

    for meanwhile in (
        lambda: desk.browser.post("/logout/"),
        signs_in_anew,
        lambda: desk.browser.sign_in(desk.cast.aiko),
    ):
        signs_in_anew()
        url = desk.leave()
        meanwhile()
        assert desk.come_back(url).status_code == 403
        assert desk.journey.refusal().reason == "not_the_same_session"
        assert not Session.objects.filter(user=desk.dana, proved_at__gt=timezone.now() - timedelta(minutes=10)).exists()
    assert not Event.objects.filter(action="session:proved").exists()


def test_it_ends_in_the_browser_it_began_in(desk: Desk) -> None:
    """H23: the attempt is in the cookie of one browser; another one, even Dana's, knows nothing of it."""
    url = desk.leave()
    other = Browser(desk.cast.halden)
    desk.journey.sign_in(other)
    assert desk.come_back(url, other).status_code == 400
    assert desk.journey.refusal().reason == "attempt_unknown"


def test_what_comes_back_twice_counts_once(desk: Desk) -> None:
    back = desk.journey.at_provider(desk.leave())
    assert desk.browser.get(back).status_code == 302
    assert desk.browser.get(back).status_code == 400
    assert is_signed_in(desk.browser, desk.dana)


def test_a_change_of_the_settings_meanwhile_counts(desk: Desk) -> None:
    """R1: the attempt was for another revision."""
    url = desk.leave()
    back = desk.journey.at_provider(url)
    by, now = desk.cast.ingrid, timezone.now()
    values = {"issuer": desk.provider.issuer, "client_id": "gatehouse", "scopes": "openid email"}
    newer = desk.connection.revise(by=by, at=now, secret=None, **values)
    newer.mark_tested(by=by, at=now)
    desk.connection.enable(newer, now)
    desk.is_refused(desk.browser.get(back), "connection_changed")


def test_another_connections_answer_is_not_one(desk: Desk) -> None:
    """R1: begun at one connection, finished at the other: no token request."""
    with Provider() as elsewhere:
        other = connect(desk.cast.halden, elsewhere, desk.cast.ingrid, enabled=False)
        back = desk.journey.at_provider(desk.leave()).replace(desk.connection.pk, other.pk)
        desk.provider.requests.clear()
        assert desk.browser.get(back).status_code == 400
        assert desk.provider.requests == elsewhere.requests == []


@pytest.mark.django_db(transaction=True)
def test_deactivation_while_the_provider_is_asked_wins(transactional_db: None, provider: Provider) -> None:
    """T17: the token is on its way, and an administrator disables Dana."""
    desk = Desk(Journey(Cast.assemble(), provider))
    back = desk.journey.at_provider(desk.leave())

    def disable(said: dict[str, Any], request: object) -> dict[str, Any]:
        try:
            User.objects.get(pk=desk.dana.pk).disable(timezone.now())
        finally:
            connection.close()
        return said

    provider.on_token = disable
    assert desk.browser.get(back).status_code == 403
    assert desk.journey.refusal().reason == "not_the_same_session"
    assert not desk.dana.sessions.exists()
    assert not Event.objects.filter(action="session:proved").exists()


def test_a_hostile_token_is_no_proof(desk: Desk) -> None:
    """H2, H4, H12: everything a sign-in is checked for is checked here, too."""
    changes: list[tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = [
        ("issuer_mismatch", lambda claims: claims | {"iss": "https://evil.example"}),
        ("audience_mismatch", lambda claims: claims | {"aud": "another app"}),
        ("nonce_mismatch", lambda claims: claims | {"nonce": "of another attempt"}),
        ("expired", lambda claims: claims | {"iat": int(time.time()) - 500, "exp": int(time.time()) - 400}),
    ]
    for reason, change in changes:
        desk.provider.on_id_token = lambda claims, request, change=change: change(claims)
        desk.is_refused(desk.come_back(desk.leave()), reason)


def test_who_signed_in_with_a_password_is_not_led_to_a_provider(desk: Desk) -> None:
    browser = browser_of(desk.cast.aiko)
    long_ago(desk.cast.aiko)
    assert browser.get("/sso/step-up/?next=/users/")["Location"] == "/account/prove/?next=%2Fusers%2F"
    assert b"password" in browser.get("/account/prove/").content


def test_a_password_is_no_proof_for_who_came_through_a_connection(desk: Desk) -> None:
    """The same way as the sign-in: also for somebody who still has a password from before."""
    desk.dana.set_password("a password from before")
    desk.dana.save()
    question = desk.give()
    held = held_by(question)
    desk.browser.post(question["Location"], {"password": "a password from before", "held": held.pk})
    assert not desk.row.is_recently_proved(timezone.now())


def test_a_sign_in_is_as_old_as_the_provider_says(journey: Journey) -> None:
    """Let through by a provider that remembered them, nobody has just proved anything."""
    hours_ago = int(time.time()) - 3 * 3600
    journey.provider.on_id_token = lambda claims, request: claims | {"auth_time": hours_ago}
    journey.sign_in()
    assert journey.sessions()[0].proved_at.timestamp() == hours_ago


@pytest.mark.parametrize("seconds_ahead", [None, 50, 2**39])
def test_a_sign_in_is_never_newer_than_now(journey: Journey, seconds_ahead: int | None) -> None:
    def said(claims: dict[str, Any], request: object) -> dict[str, Any]:
        kept = {name: value for name, value in claims.items() if name != "auth_time"}
        return kept if seconds_ahead is None else kept | {"auth_time": int(time.time()) + seconds_ahead}

    journey.provider.on_id_token = said
    journey.sign_in()
    row = journey.sessions()[0]
    assert row.created_at - timedelta(seconds=2) < row.proved_at <= timezone.now()


def test_nothing_secret_is_told(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """R12: not in logs, not in the audit log, not on the pages."""
    secrets = {desk.provider.clients["gatehouse"]}
    url = desk.leave()
    secrets |= {dict(parse_qsl(urlsplit(url).query))[name] for name in ("state", "nonce")}
    page = desk.come_back(url)
    secrets |= desk.provider.issued
    told = caplog.text + page.content.decode() + desk.browser.get("/account/held/").content.decode()
    told += " ".join(str(event.details) for event in Event.objects.of(desk.cast.halden))
    assert not [secret for secret in secrets if secret in told]


def test_a_stranger_cannot_use_it(desk: Desk, cast: Cast) -> None:
    """T11: Mallory brings Dana's answer to a browser in which she is signed in herself."""
    url = desk.leave()
    mallory = browser_of(cast.mallory)
    for name, morsel in desk.browser.cookies.items():
        if name.startswith("attempt-"):
            mallory.cookies[name] = morsel.value
    assert desk.come_back(url, mallory).status_code == 403
    assert desk.journey.refusal().reason == "not_the_same_session"
    assert not cast.mallory.sessions.get().proved_at > timezone.now()
