"""T17: a local sign-in that meets, at the same moment, whoever shuts the person out. On real connections."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from audit.models import Event
from identity.models import Revision, WaitingSubject
from tests.cast import PASSWORD, Browser, Cast, browser_of, enable_okta
from tests.factors import App, enter_password, factor_page, give_app, key_to_copy
from tests.invitations.switching import switching
from tests.meanwhile import between_check_and_commit, while_it_waits
from users.models import Factors, Session, User
from users.tokens import reset_token

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]

NEW_PASSWORD = "another sentence of mine"


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return Cast.assemble()


class Setting:
    """Tomás, who signs in with a password and an app, and what others are about to do."""

    def __init__(self, cast: Cast) -> None:
        self.cast, self.tomas = cast, cast.tomas
        self.app: App = give_app(self.tomas)
        okta = enable_okta(cast.halden, cast.aiko)
        [self.move] = switching(cast, okta, self.tomas)
        self.waiting = WaitingSubject.objects.create(
            connection=okta, issuer=Revision.objects.get().issuer, sub="00u", user=self.tomas, email=self.tomas.email
        )


def disable(setting: Setting) -> None:
    setting.tomas.disable(timezone.now())


def delete(setting: Setting) -> None:
    setting.tomas.role_assignments.all().delete()
    setting.tomas.remove()


def switch(setting: Setting) -> None:
    setting.move.redeem(email=setting.tomas.email, at=timezone.now())


def link(setting: Setting) -> None:
    setting.cast.halden.lock()
    setting.waiting.link(by=setting.cast.aiko, at=timezone.now())


def choose_another_password(setting: Setting) -> None:
    setting.tomas.set_password(NEW_PASSWORD)
    setting.tomas.save(update_fields=["password"])
    setting.tomas.sessions.all().delete()


def reset_the_second_factor(setting: Setting) -> None:
    Factors(setting.tomas.lock()).reset()
    setting.tomas.sessions.all().delete()


def replace_the_second_factor(setting: Setting) -> None:
    setting.tomas.lock()
    give_app(setting.tomas)
    setting.tomas.sessions.all().delete()


ACTS = [
    disable,
    delete,
    switch,
    link,
    choose_another_password,
    reset_the_second_factor,
    replace_the_second_factor,
]


def before_the_session(sign_in: Callable[[], HttpResponse], user: User, act: Callable[[], object]) -> HttpResponse:
    """Do ``act``, and commit it, after everything about the sign-in was checked and before its session is there."""

    def lock() -> None:
        user.enterprise.lock()
        user.lock()

    return while_it_waits(sign_in, lock, act)


def after_the_last_check(sign_in: Callable[[], HttpResponse], act: Callable[[], object]) -> HttpResponse:
    """Do ``act`` between the last check of the sign-in and its commit."""

    def change() -> None:
        with transaction.atomic():
            act()

    return between_check_and_commit(sign_in, change)


def is_asked_again(answer: HttpResponse) -> bool:
    return answer.status_code == 302 and answer["Location"] == "/e/halden/local/"


@pytest.mark.parametrize("act", ACTS)
def test_what_comes_between_the_last_check_and_the_session_keeps_it_from_beginning(
    cast: Cast, act: Callable[[Setting], None]
) -> None:
    setting, browser = Setting(cast), Browser(cast.halden)
    tomas = User.objects.select_related("enterprise").get(pk=cast.tomas.pk)
    enter_password(browser, tomas)
    code = setting.app.fresh_code()
    answer = before_the_session(lambda: browser.post(factor_page(tomas), {"code": code}), tomas, lambda: act(setting))
    assert is_asked_again(answer)
    assert not Session.objects.filter(user_id=tomas.pk).exists()
    assert "the account has changed meanwhile" in browser.get(answer["Location"]).content.decode()
    assert Event.objects.of(cast.halden).get(action="session:refused").reason == "account_changed"


@pytest.mark.parametrize("act", ACTS)
def test_what_comes_later_waits_and_ends_the_session(cast: Cast, act: Callable[[Setting], None]) -> None:
    setting, browser = Setting(cast), Browser(cast.halden)
    tomas = User.objects.select_related("enterprise").get(pk=cast.tomas.pk)
    enter_password(browser, tomas)
    code = setting.app.fresh_code()
    answer = after_the_last_check(lambda: browser.post(factor_page(tomas), {"code": code}), lambda: act(setting))
    assert answer["Location"] == "/"
    assert not Session.objects.filter(user_id=tomas.pk).exists()
    assert browser.get("/account/").status_code == 302


@pytest.mark.parametrize("act", [disable, delete, choose_another_password])
def test_so_it_is_while_the_first_second_factor_is_set_up(cast: Cast, act: Callable[[Setting], None]) -> None:
    setting, browser = Setting(cast), Browser(cast.halden)
    tomas = User.objects.select_related("enterprise").get(pk=cast.tomas.pk)
    Factors(tomas).reset()
    page = browser.get(enter_password(browser, tomas)["Location"])
    code = key_to_copy(page).code()
    answer = before_the_session(
        lambda: browser.post("/e/halden/local/enrol/", {"code": code}), tomas, lambda: act(setting)
    )
    assert is_asked_again(answer)
    assert not Session.objects.filter(user_id=tomas.pk).exists()
    assert not Factors(tomas)


@pytest.mark.parametrize("act", [disable, delete, choose_another_password, replace_the_second_factor])
def test_so_it_is_with_a_password_alone(cast: Cast, act: Callable[[Setting], None]) -> None:
    """Also when a second factor is set up just then: the password alone was not meant to be enough any more."""
    setting, browser = Setting(cast), Browser(cast.halden)
    cast.halden.is_second_factor_required = False
    cast.halden.save()
    tomas = User.objects.select_related("enterprise").get(pk=cast.tomas.pk)
    Factors(tomas).reset()
    answer = before_the_session(lambda: enter_password(browser, tomas), tomas, lambda: act(setting))
    assert is_asked_again(answer)
    assert not Session.objects.filter(user_id=tomas.pk).exists()


def change_the_email(setting: Setting) -> None:
    setting.tomas.change_email("tomas.new@halden.example")


@pytest.mark.parametrize("act", [disable, delete, switch, link, choose_another_password, change_the_email])
def test_a_link_to_choose_a_password_is_over_when_something_else_comes_first(
    cast: Cast, act: Callable[[Setting], None]
) -> None:
    setting, browser = Setting(cast), Browser(cast.halden)
    User.objects.filter(pk=cast.tomas.pk).update(email_confirmed_at=None)
    tomas = User.objects.select_related("enterprise").get(pk=cast.tomas.pk)
    browser.get(reverse("users:reset", args=[tomas.pk, reset_token.make_token(tomas)]))
    answer = before_the_session(
        lambda: browser.post("/reset/", {"password": "a third sentence"}), tomas, lambda: act(setting)
    )
    assert answer.status_code == 410
    assert "This link no longer works" in answer.content.decode()
    now = User.objects.filter(pk=tomas.pk).first()
    assert now is None or not (now.is_email_confirmed or now.check_password("a third sentence"))


def test_whoever_changes_their_own_password_comes_too_late_after_another_one(cast: Cast) -> None:
    setting, browser = Setting(cast), browser_of(cast.tomas)
    tomas = User.objects.select_related("enterprise").get(pk=cast.tomas.pk)
    form = {"current": PASSWORD, "password": "a third sentence"}
    answer = before_the_session(
        lambda: browser.post("/account/password/", form), tomas, lambda: choose_another_password(setting)
    )
    assert "/login/" in browser.get(answer["Location"])["Location"]
    assert User.objects.get(pk=tomas.pk).check_password(NEW_PASSWORD)


def test_a_drill_does_not_count_when_the_account_is_disabled_meanwhile(cast: Cast) -> None:
    """T16: nothing is known to work that is not there any more."""
    cast.aiko.is_break_glass = True
    cast.aiko.save()
    app, browser = give_app(cast.ingrid), Browser(cast.halden)
    ingrid = User.objects.select_related("enterprise").get(pk=cast.ingrid.pk)
    enter_password(browser, ingrid, path="/e/halden/local/?drill")
    code = app.fresh_code()
    answer = before_the_session(
        lambda: browser.post(factor_page(ingrid), {"code": code}), ingrid, lambda: cast.ingrid.disable(timezone.now())
    )
    assert is_asked_again(answer)
    ingrid.refresh_from_db()
    assert ingrid.break_glass_tested_at is None
