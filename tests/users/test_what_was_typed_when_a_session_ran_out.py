"""A form that is sent after its session has run out waits for the same person; an ended session keeps nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone

from tests.cast import PASSWORD, Browser, Cast, browser_of
from tests.factors import give_app, sign_in_with
from tests.identity.journey import Journey
from tests.provider import Provider
from tests.proving import go_on
from users import tasks
from users.models import HeldForm, Session, User

pytestmark = pytest.mark.servers


@pytest.fixture
def aiko(cast: Cast) -> Browser:
    return browser_of(cast.aiko)


def run_out(user: User, by: timedelta = timedelta(minutes=5)) -> None:
    user.sessions.update(idle_until=timezone.now() - by)


def send(browser: Browser, name: str = "Aiko T.", **typed: str) -> HttpResponse:
    return browser.post("/account/profile/", {"name": name, "time_zone": "", **typed})


def enters(browser: Browser, user: User, next_page: str = "") -> HttpResponse:
    return sign_in_with(give_app(user), browser, user, **({"next": next_page} if next_page else {}))


def name_of(user: User) -> str:
    user.refresh_from_db()
    return user.name


def test_it_waits_and_goes_on_after_signing_in_again(cast: Cast, aiko: Browser) -> None:
    """R8: nothing happens when it is sent; visual.md 6: and nothing is lost."""
    run_out(cast.aiko)
    assert send(aiko)["Location"] == "/login/?next=/account/held/"
    assert name_of(cast.aiko) == "Aiko Tanaka"
    assert enters(aiko, cast.aiko, "/account/held/")["Location"] == "/account/held/"
    page = aiko.get("/account/held/").content.decode()
    held = HeldForm.objects.get()
    assert "Your account" in page
    assert held.pk in page
    assert go_on(aiko, held)["Location"] == "/account/"
    assert name_of(cast.aiko) == "Aiko T."


def test_the_same_by_way_of_the_provider(cast: Cast, provider: Provider) -> None:
    journey = Journey(cast, provider)
    journey.sign_in()
    run_out(journey.dana)
    assert send(journey.browser, "Dana W.")["Location"] == "/login/?next=/account/held/"
    assert journey.sign_in(next="/account/held/")["Location"] == "/account/held/"
    go_on(journey.browser, HeldForm.objects.get())
    assert name_of(journey.dana) == "Dana W."


@pytest.fixture
def provider():  # type: ignore[no-untyped-def]
    with Provider() as provider:
        yield provider


def test_after_the_absolute_limit_as_well(cast: Cast, aiko: Browser) -> None:
    cast.aiko.sessions.update(expire_date=timezone.now() - timedelta(minutes=1))
    send(aiko)
    enters(aiko, cast.aiko)
    go_on(aiko, HeldForm.objects.get())
    assert name_of(cast.aiko) == "Aiko T."


def test_the_browser_keeps_the_cookie_for_as_long_as_that_is_known(cast: Cast) -> None:
    """A cookie that goes with the session would leave nobody to keep it for."""
    answer = enters(Browser(cast.halden), cast.aiko)
    row = cast.aiko.sessions.get()
    lasts = timedelta(seconds=int(answer.cookies[settings.SESSION_COOKIE_NAME]["max-age"]))
    assert row.expire_date + timedelta(hours=23) < timezone.now() + lasts <= row.expire_date + timedelta(hours=25)


def test_other_pages_do_not_make_the_browser_forget(cast: Cast, aiko: Browser) -> None:
    """One tab finds out first; the form in the other one still has somebody to be kept for."""
    run_out(cast.aiko)
    assert settings.SESSION_COOKIE_NAME not in aiko.get("/account/").cookies
    assert settings.SESSION_COOKIE_NAME not in aiko.get("/e/halden/local/").cookies
    send(aiko)
    assert HeldForm.objects.get().user == cast.aiko


def test_another_person_who_signs_in_there_never_sees_it(cast: Cast, aiko: Browser) -> None:
    """It goes when they come: a colleague, or a stranger."""
    for other in (cast.ingrid, cast.mallory):
        aiko.sign_in(cast.aiko)
        run_out(cast.aiko)
        send(aiko)
        held = HeldForm.objects.get()
        sign_in_with(give_app(other), aiko, other)
        assert aiko.get("/account/held/")["Location"] == "/"
        assert go_on(aiko, held).status_code == 404
        assert not HeldForm.objects.exists()
        assert name_of(other) != "Aiko T."


def test_the_same_person_in_another_browser_does_not_see_it(cast: Cast, aiko: Browser) -> None:
    run_out(cast.aiko)
    send(aiko)
    assert browser_of(cast.aiko).get("/account/held/")["Location"] == "/"


@pytest.mark.parametrize("how", ["signed_out", "by_admin", "disabled", "by_password", "deleted"])
def test_an_ended_session_keeps_nothing(cast: Cast, aiko: Browser, how: str) -> None:
    """Somebody meant it to be over: what comes afterwards is not kept, whoever sent it."""
    key = aiko.cookies[settings.SESSION_COOKIE_NAME].value
    if how == "signed_out":
        aiko.post("/logout/")
    elif how == "by_admin":
        browser_of(cast.ingrid).post(f"/users/{cast.aiko.pk}/sessions/end/")
    elif how == "disabled":
        browser_of(cast.ingrid).post(f"/users/{cast.aiko.pk}/disable/")
    elif how == "by_password":
        browser_of(cast.aiko).post("/account/password/", {"current": PASSWORD, "password": "another good sentence"})
    else:
        cast.aiko.role_assignments.all().delete()
        browser_of(cast.ingrid).post(f"/users/{cast.aiko.pk}/delete/")
    aiko.cookies[settings.SESSION_COOKIE_NAME] = key
    assert send(aiko)["Location"] == "/login/?next=/"
    assert not HeldForm.objects.exists()


def test_a_session_that_the_provider_ended_keeps_nothing(cast: Cast, provider: Provider) -> None:
    journey = Journey(cast, provider)
    journey.sign_in()
    sid = f"session-{provider.person['sid' if 'sid' in provider.person else 'sub']}"
    path = f"/sso/{journey.connection.pk}/logout/front-channel/"
    assert Browser(cast.halden).get(path, {"iss": provider.issuer, "sid": sid}).status_code == 200
    assert send(journey.browser)["Location"] == "/login/?next=/"
    assert not HeldForm.objects.exists()


def test_ending_what_has_run_out_ends_what_it_keeps(cast: Cast, aiko: Browser) -> None:
    run_out(cast.aiko)
    send(aiko)
    cast.aiko.disable(timezone.now())
    assert not HeldForm.objects.exists()


def test_who_was_disabled_after_it_ran_out_keeps_nothing(cast: Cast, aiko: Browser) -> None:
    run_out(cast.aiko)
    User.objects.filter(pk=cast.aiko.pk).update(disabled_at=timezone.now())
    send(aiko)
    assert not HeldForm.objects.exists()


def test_a_closed_enterprise_keeps_nothing(cast: Cast, aiko: Browser) -> None:
    run_out(cast.aiko)
    type(cast.halden).objects.update(closed_at=timezone.now())
    send(aiko)
    assert not HeldForm.objects.exists()


def test_passwords_are_not_kept_and_neither_is_a_form_of_nothing_else(cast: Cast, aiko: Browser) -> None:
    run_out(cast.aiko)
    aiko.post("/account/password/", {"current": PASSWORD, "password": "another good sentence"})
    aiko.post("/account/prove/", {"password": PASSWORD})
    aiko.post("/account/session/stay/", {"more": "x"})
    aiko.post("/account/sessions/end/")
    assert not HeldForm.objects.exists()


def test_a_client_secret_waits_sealed(cast: Cast, aiko: Browser) -> None:
    from identity.models import Connection, Provider

    draft = Connection.objects.create(enterprise=cast.halden, provider=Provider.OKTA, created_by=cast.aiko)
    run_out(cast.aiko)
    typed = {
        "issuer": "https://halden.okta.com", "client_id": "0oa1", "client_secret": "canary-of-32-characters-or-more!",
        "scopes": "openid", "client_authentication": "client_secret_basic", "organization": "",
    }  # fmt: skip
    aiko.post(f"/advanced/identity-provider/{draft.pk}/", typed)
    held = HeldForm.objects.get()
    assert "canary" not in held.sealed
    enters(aiko, cast.aiko)
    assert "canary" not in aiko.get("/account/held/").content.decode()
    assert go_on(aiko, held).status_code == 302
    assert draft.latest.secret.open() == typed["client_secret"]


def test_a_script_is_told_where_to_sign_in_and_what_it_sent_waits(cast: Cast, aiko: Browser) -> None:
    """R8."""
    run_out(cast.aiko)
    answer = aiko.post("/account/profile/", {"name": "Aiko T.", "time_zone": ""}, headers={"hx-request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (401, "/login/?next=/account/held/")
    assert HeldForm.objects.get().user == cast.aiko


def test_another_site_cannot_have_anything_kept(cast: Cast) -> None:
    browser = Browser(cast.halden, enforce_csrf_checks=True).sign_in(cast.aiko)
    run_out(cast.aiko)
    assert send(browser).status_code == 403
    assert not HeldForm.objects.exists()


def test_a_key_that_nobody_has_keeps_nothing(cast: Cast) -> None:
    browser = Browser(cast.halden)
    for forged in ("x" * 32, "", "\x00", "é"):
        browser.cookies[settings.SESSION_COOKIE_NAME] = forged
        assert send(browser)["Location"] == "/login/?next=/"
    assert not HeldForm.objects.exists()


def test_a_session_that_has_run_out_opens_nothing_and_is_forgotten_after_a_day(cast: Cast, aiko: Browser) -> None:
    run_out(cast.aiko)
    assert aiko.get("/account/").status_code == 302
    assert "Firefox" not in browser_of(cast.ingrid).get(f"/users/{cast.aiko.pk}/").content.decode().split("Sessions")[0]
    tasks.forget_expired()
    assert Session.objects.filter(user=cast.aiko).exists()
    run_out(cast.aiko, timedelta(hours=25))
    tasks.forget_expired()
    assert not Session.objects.filter(user=cast.aiko).exists()
    assert send(aiko)["Location"] == "/login/?next=/"
    assert not HeldForm.objects.exists()


def test_what_is_counted_are_sessions_that_last(cast: Cast, aiko: Browser) -> None:
    """One that has run out is still known, and counted nowhere."""
    here = browser_of(cast.aiko)
    first = cast.aiko.sessions.order_by("created_at")[0]
    Session.objects.filter(pk=first.pk).update(idle_until=timezone.now() - timedelta(minutes=5))
    assert here.get("/account/").content.decode().count("Firefox on Windows") == 1
    page = here.post("/account/sessions/end/", follow=True).content.decode()
    assert "0 other sessions have ended." in page
    assert cast.aiko.sessions.count() == 1, "but it is gone, and with it what it would have kept"


def test_it_can_be_too_late_for_what_waits(cast: Cast, aiko: Browser) -> None:
    run_out(cast.aiko)
    send(aiko)
    held = HeldForm.objects.get()
    with time_machine.travel(timezone.now() + timedelta(minutes=31), tick=False):
        enters(aiko, cast.aiko)
        assert aiko.get("/account/held/")["Location"] == "/"
        assert go_on(aiko, held).status_code == 302
    assert name_of(cast.aiko) == "Aiko Tanaka"
