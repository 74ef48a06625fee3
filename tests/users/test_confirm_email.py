"""The email of an account is confirmed by a link; until then the console says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from audit.models import Event
from tests.cast import Browser, Cast, browser_of
from tests.meanwhile import while_it_waits
from tests.smtp import Sink, link_in
from users import tasks
from users.models import User

pytestmark = pytest.mark.servers


@pytest.fixture
def ingrid(cast: Cast) -> User:
    cast.ingrid.email_confirmed_at = None
    cast.ingrid.save()
    return cast.ingrid


def link(user: User, sink: Sink) -> str:
    tasks.post_email("confirm_email", user=user)
    tasks.sweep()
    return link_in(sink.newest())


def test_opening_the_link_changes_nothing_and_pressing_the_button_confirms(ingrid: User, smtp_sink: Sink) -> None:
    path = link(ingrid, smtp_sink)
    browser = Browser(ingrid.enterprise)
    for _ in range(2):
        page = browser.get(path)
        browser.head(path)
        assert (page["Referrer-Policy"], page["Cache-Control"]) == ("no-referrer", "no-store")
    ingrid.refresh_from_db()
    assert not ingrid.is_email_confirmed
    assert browser.post(path)["Location"] == "/e/halden/"
    ingrid.refresh_from_db()
    assert ingrid.is_email_confirmed
    assert Event.objects.of(ingrid.enterprise).get().action == "email:confirmed"


def test_the_banner_stays_on_every_page_until_then(ingrid: User, smtp_sink: Sink) -> None:
    browser = browser_of(ingrid)
    for path in ("/account/", "/account/profile/"):
        assert "Confirm your email." in browser.get(path).content.decode()
    assert browser.post(link(ingrid, smtp_sink))["Location"] == "/"
    assert "Confirm your email." not in browser.get("/account/").content.decode()


def test_a_link_is_good_once_for_an_hour_and_for_one_address(ingrid: User, smtp_sink: Sink) -> None:
    browser = Browser(ingrid.enterprise)
    late = link(ingrid, smtp_sink)
    with time_machine.travel(timezone.now() + timedelta(hours=1, seconds=5)):
        assert browser.post(late).status_code == 410
    ingrid.change_email("ingrid@elsewhere.example")
    assert browser.post(late).status_code == 410
    good = link(ingrid, smtp_sink)
    assert browser.post(good).status_code == 302
    again = browser.post(good)
    assert again.status_code == 410
    assert "This link no longer works" in again.content.decode()


def test_signing_in_does_not_end_the_link(ingrid: User, smtp_sink: Sink) -> None:
    path = link(ingrid, smtp_sink)
    browser_of(ingrid)
    assert Browser(ingrid.enterprise).post(path).status_code == 302


@pytest.mark.parametrize("token", ["x", "c9x-0000", "0" * 500, "%00"])
def test_a_forged_link_is_over(ingrid: User, token: str) -> None:
    browser = Browser(ingrid.enterprise)
    assert browser.post(f"/confirm/{ingrid.pk}/{token}/").status_code == 410
    assert browser.post(f"/confirm/000000000000/{token}/").status_code == 410


def test_the_link_of_one_account_confirms_no_other(cast: Cast, ingrid: User, smtp_sink: Sink) -> None:
    token = link(ingrid, smtp_sink).split("/")[3]
    cast.mallory.email_confirmed_at = None
    cast.mallory.save()
    assert Browser(cast.stranger).post(f"/confirm/{cast.mallory.pk}/{token}/").status_code == 410


def test_it_can_be_sent_again_but_not_without_end(ingrid: User, smtp_sink: Sink) -> None:
    browser = browser_of(ingrid)
    for _ in range(4):
        assert browser.post("/account/confirmation/").status_code == 302
    assert browser.post("/account/confirmation/").status_code == 429
    tasks.sweep()
    assert len(smtp_sink.messages) == 4


def test_nothing_is_sent_to_somebody_who_has_confirmed_meanwhile(ingrid: User, smtp_sink: Sink) -> None:
    tasks.post_email("confirm_email", user=ingrid)
    ingrid.email_confirmed_at = timezone.now()
    ingrid.save()
    tasks.sweep()
    assert smtp_sink.messages == []


@pytest.mark.django_db(transaction=True)
def test_an_address_changed_while_the_button_is_pressed_is_not_confirmed(
    transactional_db: None, smtp_sink: Sink
) -> None:
    """What was read is no email to the new address."""
    oluwaseun = Cast.assemble().oluwaseun
    User.objects.filter(pk=oluwaseun.pk).update(email_confirmed_at=None)
    oluwaseun.refresh_from_db()
    path, browser = link(oluwaseun, smtp_sink), Browser(oluwaseun.enterprise)
    answer = while_it_waits(
        lambda: browser.post(path), oluwaseun.lock, lambda: oluwaseun.change_email("elsewhere@halden.example")
    )
    assert answer.status_code == 410
    oluwaseun.refresh_from_db()
    assert not oluwaseun.is_email_confirmed
