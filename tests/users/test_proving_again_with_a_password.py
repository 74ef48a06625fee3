"""Step-up for people with a password: what changes who gets in asks for it again, and goes on with what was typed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.utils import timezone

from audit.models import Event
from tests.cast import PASSWORD, Browser, Cast, browser_of, long_ago
from tests.proving import confirm, held_by, is_asked
from users.models import HeldForm, Method, Role, Session, User

pytestmark = pytest.mark.servers

ADMIN = {"role": Role.ENTERPRISE_ADMIN, "place": "everywhere"}


def is_admin(user: User) -> bool:
    return user.role_assignments.filter(role=Role.ENTERPRISE_ADMIN).exists()


def give(browser: Browser, to: User, **typed: str):
    return browser.post(f"/users/{to.pk}/roles/give/", {**ADMIN, **typed})


@pytest.fixture
def aiko(cast: Cast) -> Browser:
    """Aiko's browser, in which she signed in eleven minutes ago."""
    browser = browser_of(cast.aiko)
    long_ago(cast.aiko)
    return browser


def test_a_recent_sign_in_is_enough(cast: Cast) -> None:
    assert give(browser_of(cast.aiko), cast.marcus)["Location"] == f"/users/{cast.marcus.pk}/"
    assert is_admin(cast.marcus)


def test_after_ten_minutes_the_password_is_asked_for_and_the_act_goes_on(cast: Cast, aiko: Browser) -> None:
    """T5: nothing has happened before the password, everything after it, with what was typed."""
    question = give(aiko, cast.marcus)
    assert is_asked(question)
    assert not is_admin(cast.marcus)
    page = aiko.get(question["Location"]).content.decode()
    assert "Confirm that it is you" in page
    assert "What you typed is kept" in page
    assert confirm(aiko, question)["Location"] == f"/users/{cast.marcus.pk}/"
    assert is_admin(cast.marcus)
    assert not is_asked(give(aiko, cast.tomas)), "the proof lasts for ten minutes"


def test_the_limit_is_ten_minutes(cast: Cast) -> None:
    browser, now = browser_of(cast.aiko), timezone.now()
    Session.objects.update(proved_at=now, idle_until=now + timedelta(hours=1))
    with time_machine.travel(now + timedelta(minutes=9, seconds=59), tick=False):
        assert not is_asked(give(browser, cast.marcus))
    with time_machine.travel(now + timedelta(minutes=10, seconds=1), tick=False):
        assert is_asked(give(browser, cast.tomas))


def test_what_gives_less_asks_for_nothing(cast: Cast, aiko: Browser) -> None:
    assert not is_asked(give(aiko, cast.marcus, role=Role.MANAGER))
    assert not is_asked(aiko.get(f"/users/{cast.marcus.pk}/roles/give/"))


def test_what_was_typed_wrongly_is_said_before_anybody_is_asked(cast: Cast, aiko: Browser) -> None:
    assert give(aiko, cast.marcus, place=cast.oslo.pk).status_code == 422
    assert not HeldForm.objects.exists()


def test_who_may_not_do_it_is_refused_and_not_asked(cast: Cast) -> None:
    browser = browser_of(cast.oluwaseun)
    long_ago(cast.oluwaseun)
    assert give(browser, cast.marcus).status_code == 403


def test_a_wrong_password_changes_nothing_and_is_on_record(cast: Cast, aiko: Browser) -> None:
    """T14: counted and recorded as at the sign-in. The session, and what is held, stay."""
    question = give(aiko, cast.marcus)
    answer = confirm(aiko, question, "a guess")
    assert answer.status_code == 422
    assert "This is not your password." in answer.content.decode()
    assert not is_admin(cast.marcus)
    event = Event.objects.of(cast.halden).get(action="session:refused")
    assert (event.reason, event.actor, event.details["purpose"]) == ("wrong_credentials", cast.aiko, "step_up")
    assert aiko.get("/account/").status_code == 200
    assert confirm(aiko, question).status_code == 302
    assert is_admin(cast.marcus)


def test_guesses_have_to_wait_and_count_with_those_at_the_sign_in(cast: Cast, aiko: Browser) -> None:
    """T14: an open browser is not a way around the delays, nor is it a second set of tries."""
    question = give(aiko, cast.marcus)
    elsewhere = Browser(cast.halden)
    for _ in range(3):
        elsewhere.post("/e/halden/local/", {"email": cast.aiko.email, "password": "a guess"})
    for _ in range(3):
        confirm(aiko, question, "a guess")
    assert confirm(aiko, question).status_code == 429
    assert not is_admin(cast.marcus)


def test_the_key_changes_and_the_session_stays(cast: Cast, aiko: Browser) -> None:
    """ASVS 7.2.4: rights change, so the key does. The old one opens nothing."""
    row, key = cast.aiko.sessions.get(), aiko.cookies[settings.SESSION_COOKIE_NAME].value
    confirm(aiko, give(aiko, cast.marcus))
    fresh = cast.aiko.sessions.get()
    assert (fresh.handle, fresh.created_at, fresh.expire_date) == (row.handle, row.created_at, row.expire_date)
    assert fresh.is_recently_proved(timezone.now())
    assert aiko.get("/account/").status_code == 200
    thief = Browser(cast.halden)
    thief.cookies[settings.SESSION_COOKIE_NAME] = key
    assert thief.get("/account/").status_code == 302
    event = Event.objects.of(cast.halden).get(action="session:proved")
    assert (event.actor, event.details) == (cast.aiko, {"method": "password"})


def test_the_break_glass_account_proves_itself_as_well(cast: Cast) -> None:
    browser = browser_of(cast.ingrid)
    assert cast.ingrid.sessions.get().method == Method.BREAK_GLASS
    long_ago(cast.ingrid)
    confirm(browser, give(browser, cast.marcus))
    assert is_admin(cast.marcus)


def test_somebody_elses_password_is_no_proof(cast: Cast, aiko: Browser) -> None:
    cast.ingrid.set_password("another sentence to remember")
    cast.ingrid.save()
    assert confirm(aiko, give(aiko, cast.marcus), "another sentence to remember").status_code == 422


def test_without_anything_held_the_proof_leads_back(cast: Cast, aiko: Browser) -> None:
    answer = aiko.post("/account/prove/?next=/users/", {"password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/users/")
    assert aiko.get("/account/prove/?next=/users/")["Location"] == "/users/", "there is nothing to prove"


def test_another_site_is_never_where_it_leads(cast: Cast, aiko: Browser) -> None:
    for target in ("https://evil.example/", "//evil.example/", "/\\evil.example"):
        assert "evil" not in aiko.get("/account/prove/", {"next": target}).content.decode()
    assert aiko.post("/account/prove/?next=//evil.example/", {"password": PASSWORD})["Location"] == "/"


def test_htmx_is_led_to_the_page(cast: Cast, aiko: Browser) -> None:
    """It would put the page in place of a part of another one."""
    answer = aiko.post(
        "/users/invite/", {"emails": "x@halden.example", "role": Role.ENTERPRISE_ADMIN, "organization": "everywhere"},
        headers={"hx-request": "true", "hx-current-url": f"{cast.halden.origin}/users/"},
    )  # fmt: skip
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["HX-Redirect"].startswith("/account/prove/?held=")
    held = HeldForm.objects.get()
    assert (held.path, held.page) == ("/users/invite/", "/users/")


def test_inviting_somebody_to_administer_the_enterprise_asks(cast: Cast, aiko: Browser) -> None:
    typed = {"emails": "x@halden.example", "role": Role.ENTERPRISE_ADMIN, "organization": "everywhere"}
    assert not is_asked(aiko.post("/users/invite/", typed | {"role": Role.VIEWER, "emails": "y@halden.example"}))
    question = aiko.post("/users/invite/", typed)
    assert is_asked(question)
    assert not cast.halden.users.with_email("x@halden.example").exists()
    assert confirm(aiko, question)["Location"] == "/invitations/"
    assert cast.halden.users.with_email("x@halden.example").exists()


def test_the_right_to_do_it_is_asked_for_again(cast: Cast, aiko: Browser) -> None:
    """Aiko loses the role while her password is typed: what was held goes nowhere."""
    question = give(aiko, cast.marcus)
    cast.aiko.role_assignments.all().delete()
    assert confirm(aiko, question).status_code == 403
    assert not is_admin(cast.marcus)


def test_a_disabled_person_proves_nothing(cast: Cast, aiko: Browser) -> None:
    """R7."""
    question = give(aiko, cast.marcus)
    held = held_by(question)
    cast.aiko.disable(timezone.now())
    assert aiko.post(question["Location"], {"held": held.pk, "password": PASSWORD})["Location"].startswith("/login/")
    assert not is_admin(cast.marcus)
    assert not HeldForm.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_tabs_at_once_neither_lose_the_session_nor_act_twice(transactional_db: None) -> None:
    """Both send the password with the key there was. One changes it; the other one's answer takes nothing away."""
    cast = Cast.assemble()
    aiko = browser_of(cast.aiko)
    long_ago(cast.aiko)
    question = give(aiko, cast.marcus)
    held = held_by(question)
    key = aiko.cookies[settings.SESSION_COOKIE_NAME].value

    def one_tab(_number: int):
        tab = Browser(cast.halden)
        tab.cookies[settings.SESSION_COOKIE_NAME] = key
        try:
            return tab.post(question["Location"], {"held": held.pk, "password": PASSWORD})
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as tabs:
        answers = list(tabs.map(one_tab, range(4)))
    given = [answer.cookies[settings.SESSION_COOKIE_NAME].value for answer in answers if answer.status_code == 307]
    others = [answer for answer in answers if answer.status_code != 307]
    assert len(given) == 1
    assert all(settings.SESSION_COOKIE_NAME not in answer.cookies for answer in others)
    assert all(answer.status_code == 302 for answer in others)
    aiko.cookies[settings.SESSION_COOKIE_NAME] = given[0]
    assert aiko.post(held.path, {"held": held.pk})["Location"] == f"/users/{cast.marcus.pk}/"
    assert aiko.get(question["Location"])["Location"] == held.page, "the slower tab finds how things stand"
    assert cast.marcus.role_assignments.filter(role=Role.ENTERPRISE_ADMIN).count() == 1
    assert Event.objects.filter(action="session:proved").count() == 1
