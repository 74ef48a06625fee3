"""A connection serves only after a test sign-in with these very values has come back proved."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from identity.models import Connection
from tests.cast import Browser, Cast, browser_of
from tests.factors import give_app, sign_in_with
from tests.identity.setting_up import SECRET, Desk, words
from tests.provider import Provider
from users.models import OutgoingEmail, User
from users.sessions import SessionStore

pytestmark = pytest.mark.servers


def try_out(desk: Desk, provider: Provider) -> HttpResponse:
    """Go to the provider and back, and return the page with the result."""
    away = desk.browser.get(desk.url("test"))
    callback = reverse("identity:callback", args=[desk.connection.pk])
    back = desk.browser.get(f"{callback}?{urlencode(provider.code_for(away['Location']))}")
    assert back["Location"] == desk.url("test_result")
    return desk.browser.get(back["Location"])


def enable(desk: Desk) -> HttpResponse:
    return desk.press("enable", revision=str(desk.connection.latest.number))


def ready(user: User, provider: Provider, **fields: object) -> Desk:
    desk = Desk(user, **fields).saved_at(provider)
    desk.press("check")
    return desk


def test_from_saved_values_to_enabled(cast: Cast, provider: Provider) -> None:
    """M3, and the whole line of it: check, test, enable."""
    desk = ready(cast.aiko, provider)
    page = words(try_out(desk, provider))
    assert "The test worked" in page
    assert "Okta proved who you are to revision 1 of this connection." in page
    assert enable(desk).status_code == 302
    assert "Okta is enabled. All new users use it from now on." in desk.page()
    desk.connection.refresh_from_db()
    assert desk.connection.is_enabled
    assert desk.connection.serving.number == 1
    assert desk.events("connection:enabled")[0].details["revision"] == 1
    told = OutgoingEmail.objects.filter(name="connection_changed", context__what="enabled")
    assert {email.user for email in told} == {cast.ingrid, cast.aiko}


def test_without_a_test_it_is_not_enabled_and_the_reason_is_said(cast: Cast, provider: Provider) -> None:
    desk = ready(cast.aiko, provider)
    answer = enable(desk)
    assert answer.status_code == 409
    assert "Revision 1 is not tested yet." in words(answer)
    assert not Connection.objects.enabled().exists()


def test_a_proof_of_older_values_is_no_proof_of_these(cast: Cast, provider: Provider) -> None:
    desk = ready(cast.aiko, provider)
    desk.prove()
    desk.save(provider.issuer, client_secret="", scopes="openid email")
    assert desk.press("enable", revision="1").status_code == 409
    assert enable(desk).status_code == 409


def test_the_break_glass_administrator_s_own_test_says_it_works_and_that_it_would_be_refused(
    cast: Cast, provider: Provider
) -> None:
    """The commonest first test: the tester is the account that is never linked."""
    provider.person = {"sub": "00u1ingrid", "email": cast.ingrid.email, "name": "Ingrid Solberg"}
    page = words(try_out(ready(cast.ingrid, provider), provider))
    assert "The test worked" in page
    assert "Today this Okta person would be refused. The connection works." in page
    assert "which keeps its password and is never linked" in page
    assert "Give it another address" in page


def test_claims_are_shown_with_what_they_would_mean(cast: Cast, provider: Provider) -> None:
    """K3: absent is said, and is not empty."""
    page = words(try_out(ready(cast.aiko, provider), provider))
    assert "00u1alice The key to the account here." in page
    assert "groups absent Okta sent no groups. That is not “no groups”: roles stay as they are." in page
    assert "nobody has invited alice@example.com" in page
    assert "Kept for 10 minutes, for you only" in page
    assert "header: alg RS256" in page


def test_markup_in_a_claim_stays_text(cast: Cast, provider: Provider) -> None:
    """H30."""
    provider.person = {"sub": "00u1", "email": "e@x.example", "name": "<script>alert(1)</script>", "x<b>": "\u202ey"}
    answer = try_out(ready(cast.aiko, provider), provider)
    assert b"<script>alert" not in answer.content
    assert b"x<b>" not in answer.content
    assert "\u202e" not in answer.content.decode()


def test_a_failed_test_names_the_check_and_the_field_to_correct(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko)
    desk.save(provider.issuer, client_secret="not-the-secret-of-this-app")
    desk.press("check")
    answer = try_out(desk, provider)
    page = words(answer)
    assert "The test failed" in page
    assert "invalid_client" in page
    assert desk.url("setup") + "?replace#secret" in answer.content.decode()
    assert desk.connection.latest.tested_at is None


def test_a_token_for_another_app_shows_what_was_expected_and_what_came(cast: Cast, provider: Provider) -> None:
    provider.on_id_token = lambda claims, request: claims | {"aud": "another-app"}
    page = words(try_out(ready(cast.aiko, provider), provider))
    assert "Expected gatehouse" in page
    assert "Got another-app" in page


def test_a_result_is_for_the_tester_only_and_for_ten_minutes(cast: Cast, provider: Provider) -> None:
    desk = ready(cast.aiko, provider)
    try_out(desk, provider)
    other = browser_of(cast.ingrid).get(desk.url("test_result"))
    assert other["Location"].startswith(desk.url("setup"))
    session = SessionStore(desk.browser.cookies["session"].value)
    old = session["test_result"] | {"at": (timezone.now() - timedelta(minutes=11)).isoformat()}
    session["test_result"] = old
    session.save()
    assert desk.browser.get(desk.url("test_result"))["Location"].startswith(desk.url("setup"))


def test_an_organization_s_own_connection_stands_beside_the_enterprise_s(cast: Cast, provider: Provider) -> None:
    Desk(cast.aiko).enabled_at(provider)
    own = Desk(cast.aiko, organization=cast.oslo).enabled_at(provider)
    assert "All new users of Oslo terminal use it from now on." in own.page()


def test_a_secret_that_does_not_open_is_named_by_the_test(cast: Cast, provider: Provider) -> None:
    desk = ready(cast.aiko, provider)
    desk.connection.secrets.update(sealed="gone." + "A" * 40)
    away = desk.browser.get(desk.url("test"))
    assert away["Location"] == desk.url("test_result")
    assert "secret_unreadable" in words(desk.browser.get(away["Location"]))
    assert SECRET not in desk.page()


def test_the_break_glass_account_signs_in_whatever_the_connection_does(cast: Cast, provider: Provider) -> None:
    """M1: enabled and dead, the provider is never asked."""
    desk = Desk(cast.aiko).enabled_at(provider)
    desk.connection.serving.__class__.objects.update(issuer="http://127.0.0.1:1")
    browser = Browser(cast.halden)
    assert sign_in_with(give_app(cast.ingrid), browser, cast.ingrid)["Location"] == "/"
    assert browser.get(reverse("console:dashboard")).status_code == 200
    assert browser.post(desk.url("disable")).status_code == 302
