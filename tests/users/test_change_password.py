"""Changing one's password: the current one first, and then every other session ends."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone

from audit.models import Event
from identity.models import Connection, Provider
from tests.cast import PASSWORD, Browser, Cast, browser_of, make_user
from tests.smtp import Sink, text_of
from users import tasks

pytestmark = pytest.mark.servers

NEW = "a new sentence to remember"


def change(browser: Browser, current: str = PASSWORD, new: str = NEW) -> HttpResponse:
    return browser.post("/account/password/", {"current": current, "password": new})


def test_the_new_password_counts_and_every_other_session_ends(cast: Cast, smtp_sink: Sink) -> None:
    here, elsewhere, mallory = browser_of(cast.aiko), browser_of(cast.aiko), browser_of(cast.mallory)
    key = here.cookies[settings.SESSION_COOKIE_NAME].value
    assert change(here)["Location"] == "/account/"
    cast.aiko.refresh_from_db()
    assert cast.aiko.check_password(NEW)
    assert here.cookies[settings.SESSION_COOKIE_NAME].value != key
    assert here.get("/account/").status_code == 200
    assert elsewhere.get("/account/").status_code == 302
    assert mallory.get("/account/").status_code == 200
    event = Event.objects.of(cast.halden).get()
    assert (event.action, event.actor, event.details) == ("password:changed", cast.aiko, {"sessions_ended": 1})
    tasks.sweep()
    assert "Firefox on Windows" in text_of(smtp_sink.newest())


def test_without_the_current_password_nothing_changes(cast: Cast) -> None:
    browser = browser_of(cast.aiko)
    assert "This is not your current password." in change(browser, current="a guess").content.decode()
    cast.aiko.refresh_from_db()
    assert cast.aiko.check_password(PASSWORD)


def test_guesses_at_the_current_password_wait_too(cast: Cast) -> None:
    """T14: an open browser is not a way around the delays."""
    browser = browser_of(cast.aiko)
    for _ in range(6):
        assert change(browser, current="a guess").status_code == 200
    assert change(browser).status_code == 429


@pytest.mark.parametrize("new", ["short", "password1234", "aiko.tanaka@halden.example", "x" * 129])
def test_the_new_password_has_to_be_good(cast: Cast, new: str) -> None:
    response = change(browser_of(cast.aiko), new=new)
    assert response.status_code == 200
    assert list(response.context["form"].errors) == ["password"]


def test_who_signs_in_with_okta_has_no_such_page(cast: Cast) -> None:
    okta = Connection.objects.create(enterprise=cast.halden, provider=Provider.OKTA, enabled_at=timezone.now())
    browser = browser_of(make_user(cast.halden, "Lena", "lena@halden.example", connection=okta))
    assert browser.get("/account/password/").status_code == 404
    assert "Change password" not in browser.get("/account/").content.decode()
