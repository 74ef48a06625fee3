"""What stays on every page: what is to be known of the session first, and then the email that is to be confirmed."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.cast import Cast, browser_of, enable_okta
from users.models import User

pytestmark = pytest.mark.servers

EMAIL = "Confirm your email."
BREAK_GLASS = "You are signed in with the break-glass account."
REQUIRED = "Passwords stop working on"


def banners(user: User) -> list[str]:
    """The facts that the page of one's own account begins with, in their order."""
    page = browser_of(user).get("/account/").content.decode()
    return re.findall(f"{EMAIL}|{BREAK_GLASS}|{REQUIRED}", page)


def require_provider(cast: Cast) -> None:
    enable_okta(cast.halden, cast.aiko)
    cast.halden.require_provider(timezone.now() + timedelta(days=7))


def unconfirmed(user: User) -> User:
    user.email_confirmed_at = None
    user.save()
    return user


def test_without_anything_to_say_there_is_none(cast: Cast) -> None:
    assert banners(cast.tomas) == []


def test_a_break_glass_session_says_so_above_the_email_that_is_not_confirmed(cast: Cast) -> None:
    assert banners(cast.ingrid) == [BREAK_GLASS]
    assert banners(unconfirmed(cast.ingrid)) == [BREAK_GLASS, EMAIL]


def test_whoever_has_to_confirm_the_email_also_hears_when_passwords_stop_working(cast: Cast) -> None:
    require_provider(cast)
    assert banners(unconfirmed(cast.tomas)) == [REQUIRED, EMAIL]


def test_the_requirement_does_not_concern_a_break_glass_account(cast: Cast) -> None:
    require_provider(cast)
    assert banners(cast.ingrid) == [BREAK_GLASS]
