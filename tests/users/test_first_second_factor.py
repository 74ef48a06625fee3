"""Setting up the first second factor: after the right password, and before anything else is reachable."""

from __future__ import annotations

import copy
import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connection as database
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from audit.models import Event
from invitations.models import Invitation
from tests.authenticator import Authenticator
from tests.cast import PASSWORD, Browser, Cast
from tests.factors import enter_password, factor_page, give_app, key_to_copy, passkey_answer, sign_in_with
from tests.routes import ROUTES, World
from tests.smtp import Sink
from users import tasks
from users.halfway import COOKIE
from users.models import AuthenticatorApp, Factors, Passkey, Role, Session, User

pytestmark = pytest.mark.servers

ENROL = "/e/halden/local/enrol/"


@pytest.fixture
def browser(cast: Cast) -> Browser:
    """Aiko's, whose password was right."""
    browser = Browser(cast.halden)
    assert enter_password(browser, cast.aiko, next="/users/")["Location"] == ENROL
    return browser


def set_up(browser: Browser) -> HttpResponse:
    return browser.post(ENROL, {"code": key_to_copy(browser.get(ENROL)).fresh_code()})


def test_an_app_is_set_up_and_the_way_goes_on_through_the_recovery_codes(
    cast: Cast, browser: Browser, smtp_sink: Sink
) -> None:
    app = key_to_copy(browser.get(ENROL))
    answer = browser.post(ENROL, {"code": app.fresh_code()})
    page = answer.content.decode()
    assert len(answer.context["codes"]) == 10
    assert all(code in page for code in answer.context["codes"])
    assert 'href="/users/"' in page
    assert "no-store" in answer["Cache-Control"]
    assert browser.get("/users/").status_code == 200
    assert browser.cookies[COOKIE].value == browser.cookies["enrolment"].value == ""
    actions = [event.action for event in Event.objects.of(cast.halden).order_by("at")]
    assert actions == ["factor:added", "recovery-codes:issued", "session:started"]
    tasks.sweep()
    assert smtp_sink.newest()["Subject"] == "A second factor was added to your account in Halden Freight"
    assert sign_in_with(app, Browser(cast.halden), cast.aiko)["Location"] == "/"


def test_a_passkey_is_made_instead(cast: Cast, browser: Browser) -> None:
    page = browser.get(f"{ENROL}passkey/")
    assert 'value="Firefox on Windows"' in page.content.decode()
    key = Authenticator(cast.halden.origin)
    answer = browser.post(f"{ENROL}passkey/", {"name": "Yubikey", **passkey_answer(key, page)})
    assert len(answer.context["codes"]) == 10
    assert cast.aiko.passkeys.get().name == "Yubikey"
    assert sign_in_with(key, Browser(cast.halden), cast.aiko)["Location"] == "/"


def test_until_then_every_page_asks_to_sign_in(cast: Cast) -> None:
    """The one gate: whoever is halfway has no session, so every route of the console answers as to a stranger."""
    world = World.build(cast)
    Factors(cast.aiko).reset()
    browser = Browser(cast.halden)
    enter_password(browser, cast.aiko)
    for name, route in ROUTES.items():
        for method in route.methods.split():
            answer = browser.generic(method, reverse(name, args=route.args(world)))
            assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/login/"), name
    assert not Session.objects.filter(user=cast.aiko).exists()
    assert browser.get(ENROL).status_code == 200


def test_the_secret_stays_the_same_while_the_page_is_opened_again(browser: Browser) -> None:
    """A phone that switches to the app and back may load the page once more."""
    assert key_to_copy(browser.get(ENROL)).secret == key_to_copy(browser.get(ENROL)).secret


def test_the_secret_is_nobody_elses(cast: Cast, browser: Browser) -> None:
    other = Browser(cast.halden)
    enter_password(other, cast.aiko)
    mine = key_to_copy(browser.get(ENROL)).secret
    other.cookies["enrolment"] = browser.cookies["enrolment"].value
    assert key_to_copy(other.get(ENROL)).secret != mine


def test_a_wrong_first_code_sets_up_nothing(cast: Cast, browser: Browser) -> None:
    app = key_to_copy(browser.get(ENROL))
    answer = browser.post(ENROL, {"code": app.code(5)})
    assert "The app would show another code now." in answer.content.decode()
    assert not AuthenticatorApp.objects.exists()
    assert browser.post(ENROL, {"code": app.fresh_code()}).context["codes"]


def test_the_first_code_is_used_up(cast: Cast, browser: Browser) -> None:
    app = key_to_copy(browser.get(ENROL))
    code = app.code()
    browser.post(ENROL, {"code": code})
    again = Browser(cast.halden)
    enter_password(again, cast.aiko)
    assert again.post(factor_page(cast.aiko), {"code": code}).status_code == 200


def test_the_qr_code_says_the_same_as_the_key_and_needs_no_style_of_its_own(cast: Cast, browser: Browser) -> None:
    page = browser.get(ENROL)
    setting_up = page.context["enrolment"]
    assert setting_up.address == (
        f"otpauth://totp/Gatehouse%2C%20Halden%20Freight:aiko.tanaka%40halden.example?secret={setting_up.secret}"
        "&issuer=Gatehouse%2C%20Halden%20Freight"
    )
    svg = page.content.decode().split('<svg class="qr"')[0 + 1].split("</svg>")[0] if (
        '<svg class="qr"' in page.content.decode()
    ) else page.content.decode().split('class="qr"')[1].split("</svg>")[0]  # fmt: skip
    assert "style" not in svg


def test_an_account_that_has_a_second_factor_is_asked_for_it_and_cannot_add_another_here(cast: Cast) -> None:
    browser = Browser(cast.halden)
    enter_password(browser, cast.aiko)
    app = key_to_copy(browser.get(ENROL))
    give_app(cast.aiko)  # Somebody was quicker, in another browser.
    for path in (ENROL, f"{ENROL}passkey/"):
        assert browser.get(path)["Location"] == factor_page(cast.aiko)
        assert browser.post(path, {"code": app.fresh_code()})["Location"] == factor_page(cast.aiko)
    assert not Session.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_set_up_the_first_one_at_once_one_does() -> None:
    """Owner and thief know the same password: whoever is first has the account, and the other has nothing."""
    cast = Cast.assemble()
    for _ in range(5):
        Factors(cast.aiko).reset()
        browsers = [Browser(cast.halden) for _ in range(2)]
        for browser in browsers:
            enter_password(browser, cast.aiko)
        apps = [key_to_copy(browser.get(ENROL)) for browser in browsers]
        start, answers = threading.Barrier(2), list[HttpResponse]()

        def attempt(number: int, browsers=browsers, apps=apps, start=start, answers=answers) -> None:  # type: ignore[no-untyped-def]
            start.wait(timeout=10)
            try:
                answers.append(browsers[number].post(ENROL, {"code": apps[number].fresh_code()}))
            finally:
                database.close()

        threads = [threading.Thread(target=attempt, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert sorted(answer.status_code for answer in answers) == [200, 302]
        assert AuthenticatorApp.objects.filter(user=cast.aiko).count() == 1
        assert cast.aiko.recovery_codes.count() == 10


def test_being_halfway_ends_with_the_password_the_account_and_the_time(cast: Cast, browser: Browser) -> None:
    kept = copy.deepcopy(browser.cookies)

    def is_over() -> bool:
        browser.cookies = copy.deepcopy(kept)
        return browser.get(ENROL).status_code == 302

    assert not is_over()
    with time_machine.travel(timezone.now() + timedelta(minutes=31)):
        assert is_over()
    User.objects.filter(pk=cast.aiko.pk).update(disabled_at=timezone.now())
    assert is_over()
    User.objects.filter(pk=cast.aiko.pk).update(disabled_at=None)
    assert not is_over()
    cast.aiko.set_password("another password altogether")
    cast.aiko.save()
    assert is_over()
    assert "the account has changed meanwhile" in browser.get("/e/halden/local/").content.decode()


def test_being_halfway_somewhere_is_nothing_elsewhere(cast: Cast, browser: Browser) -> None:
    assert browser.get("/e/stranger/local/enrol/")["Location"] == "/e/stranger/local/"
    forged = Browser(cast.halden)
    forged.cookies[COOKIE] = browser.cookies[COOKIE].value[:-2] + "AA"
    assert forged.get(ENROL)["Location"] == "/e/halden/local/"


def test_a_copy_of_the_cookie_completes_nothing_once_more(cast: Cast, browser: Browser) -> None:
    kept = browser.cookies[COOKIE].value
    set_up(browser)
    Factors(cast.aiko).reset()  # As if an administrator had, within minutes.
    thief = Browser(cast.halden)
    thief.cookies[COOKIE] = kept
    assert set_up(thief)["Location"] == "/e/halden/local/"
    assert Session.objects.count() == 1
    assert not AuthenticatorApp.objects.exists()


def test_whoever_is_signed_in_is_led_on(cast: Cast, browser: Browser) -> None:
    set_up(browser)
    assert browser.post(ENROL, {"code": "123456"})["Location"] == "/"


def test_whoever_joins_by_invitation_with_a_password_sets_one_up_first(cast: Cast) -> None:
    invitation = Invitation.issue(
        enterprise=cast.halden, email="lena.fischer@halden.example", role=Role.VIEWER, organization=None,
        connection=None, by=cast.aiko, at=timezone.now(),
    )  # fmt: skip
    invitation.keep_token()
    browser = Browser(cast.halden)
    browser.get(reverse("invitations:open", args=[invitation.token]))
    answer = browser.post(reverse("invitations:accept"), {"name": "Lena Fischer", "password": PASSWORD})
    assert answer["Location"] == ENROL
    assert set_up(browser).context["codes"]
    assert Session.objects.get().user.name == "Lena Fischer"


def test_where_none_is_required_the_password_is_enough_until_one_is_added(cast: Cast) -> None:
    cast.halden.is_second_factor_required = False
    cast.halden.save()
    assert enter_password(Browser(cast.halden), cast.aiko)["Location"] == "/"
    give_app(cast.aiko)
    assert enter_password(Browser(cast.halden), cast.aiko)["Location"] == factor_page(cast.aiko)


def test_a_break_glass_account_needs_one_whatever_is_required(cast: Cast) -> None:
    """T13."""
    cast.halden.is_second_factor_required = False
    cast.halden.save()
    assert enter_password(Browser(cast.halden), cast.ingrid)["Location"] == ENROL


def test_nothing_is_written_for_a_page_that_is_only_looked_at(cast: Cast, browser: Browser) -> None:
    before = Event.objects.count()
    browser.get(ENROL)
    browser.get(f"{ENROL}passkey/")
    assert Event.objects.count() == before
    assert not Passkey.objects.exists()
    assert not AuthenticatorApp.objects.exists()
