"""SECRET_KEY can be changed while people are signed in and emails lie unread, as long as the old one is a fallback."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from pytest_django import Settings

from invitations.models import Invitation, hash_token
from tests.cast import Browser, Cast, browser_of
from users.models import Role
from users.throttling import COOKIE, Guess
from users.tokens import confirmation_token, reset_token

pytestmark = pytest.mark.servers


def change(settings: Settings, *, keep_the_old: bool = True) -> None:
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another-" + "1" * 50
    settings.SECRET_KEY_FALLBACKS = [old] if keep_the_old else []


@pytest.mark.parametrize("keep_the_old", [True, False])
def test_links_that_lie_in_a_mailbox(cast: Cast, settings: Settings, keep_the_old: bool) -> None:
    """They are good for an hour; then the fallback can go."""
    reset, confirmation = reset_token.make_token(cast.aiko), confirmation_token.make_token(cast.aiko)
    change(settings, keep_the_old=keep_the_old)
    browser = Browser(cast.halden)
    page = browser.get(f"/reset/{cast.aiko.pk}/{reset}/", follow=True)
    assert (page.status_code == 200) is keep_the_old
    assert (browser.get(f"/confirm/{cast.aiko.pk}/{confirmation}/").status_code == 200) is keep_the_old


def test_an_invitation_that_was_sent(cast: Cast, settings: Settings) -> None:
    """What is compared is the hash of what was sent, so this one needs no fallback."""
    invitation = Invitation.issue(
        enterprise=cast.halden,
        email="lena@halden.example",
        role=Role.VIEWER,
        organization=cast.oslo,
        connection=None,
        by=cast.ingrid,
        at=timezone.now(),
    )
    sent = invitation.token
    Invitation.objects.filter(pk=invitation.pk).update(token_hash=hash_token(sent))
    change(settings, keep_the_old=False)
    assert Browser(cast.halden).get(f"/invitations/{sent}/", follow=True).status_code == 200


def test_a_session(cast: Cast, settings: Settings) -> None:
    browser = browser_of(cast.aiko)
    change(settings, keep_the_old=False)
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize("keep_the_old", [True, False])
def test_a_browser_that_is_known_by_its_owner(cast: Cast, settings: Settings, keep_the_old: bool) -> None:
    """T14: without the fallback it is one like any other; nobody is kept out by that."""
    response = HttpResponse()
    factory = RequestFactory()
    Guess(factory.get("/"), cast.halden, cast.aiko.email).remember(response)
    change(settings, keep_the_old=keep_the_old)
    factory.cookies[COOKIE] = response.cookies[COOKIE].value
    guess = Guess(factory.get("/"), cast.halden, cast.aiko.email)
    assert (guess.account in guess.accounts) is keep_the_old
