"""An opened invitation is carried in a sealed cookie of the browser that opened it (T9)."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from invitations import cookies
from invitations.models import Invitation, hash_token
from tests.cast import Cast
from users.models import Role


@pytest.fixture
def invitation(cast: Cast) -> Invitation:
    invitation = Invitation.issue(
        enterprise=cast.halden,
        email="dana.whitfield@halden.example",
        role=Role.VIEWER,
        organization=cast.oslo,
        connection=None,
        by=cast.ingrid,
        at=timezone.now(),
    )
    invitation.token_hash = hash_token(invitation.token)
    invitation.save()
    return invitation


def carried(value: str) -> Invitation | None:
    request = RequestFactory().get("/invitations/open/")
    request.COOKIES[cookies.NAME] = value
    return cookies.opened(request)


def kept(token: str) -> str:
    response = HttpResponse()
    cookies.keep(response, token)
    return response.cookies[cookies.NAME].value


def test_an_opened_invitation_is_found_again(invitation: Invitation) -> None:
    assert carried(kept(invitation.token)) == invitation


def test_the_token_cannot_be_read_from_the_cookie(invitation: Invitation) -> None:
    """T9: and no script can read the cookie."""
    response = HttpResponse()
    cookies.keep(response, invitation.token)
    cookie = response.cookies[cookies.NAME]
    assert invitation.token not in cookie.OutputString()
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == 3600


def test_a_changed_or_missing_cookie_is_no_invitation(invitation: Invitation) -> None:
    value = kept(invitation.token)
    for forged in (
        "",
        "x",
        "dev.",
        value[:-2],
        value[:40] + ("A" if value[40] != "A" else "B") + value[41:],
        "é.é",
        value + "é",
    ):
        assert carried(forged) is None


def test_an_hour_later_the_link_has_to_be_opened_again(invitation: Invitation, monkeypatch: pytest.MonkeyPatch) -> None:
    value = kept(invitation.token)
    now = cookies.time.time()
    monkeypatch.setattr(cookies.time, "time", lambda: now + 3601)
    assert carried(value) is None


def test_a_link_sent_anew_ends_the_older_one(invitation: Invitation) -> None:
    """T10: issuing again ends the older link, also one that was opened already."""
    value = kept(invitation.token)
    invitation.token_hash = hash_token("a newer token")
    invitation.save()
    assert carried(value) is None


def test_clearing_makes_the_browser_forget(invitation: Invitation) -> None:
    response = HttpResponse()
    cookies.clear(response)
    assert response.cookies[cookies.NAME]["max-age"] == 0
