"""An opened invitation on its way from the address bar to the sign-in: a sealed, short-lived cookie (T9).

The link's token leaves the address at once. From then on this browser carries it, where no script can read it, and
neither an address bar nor a ``Referer`` tells anybody.
"""

from __future__ import annotations

import time
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from invitations.models import Invitation
from users.sealing import SealBroken, seal, unseal

NAME = f"{settings.COOKIE_PREFIX}invitation"
LASTS = timedelta(hours=1)
_PLACE = "cookie/invitation"


def keep(response: HttpResponseBase, token: str) -> None:
    """Have the browser keep ``token``, the secret of an invitation's link, for an hour."""
    seconds = int(LASTS.total_seconds())
    response.set_cookie(
        NAME,
        seal(f"{int(time.time()) + seconds}:{token}".encode(), bound_to=_PLACE),
        max_age=seconds,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )


def opened(request: HttpRequest) -> Invitation | None:
    """Return the invitation that was opened in this browser, whatever its state (one query), or None.

    None also when the cookie is older than an hour, or when a newer link has replaced the one that was opened.
    Its enterprise, user, inviter, organization and connection come along.
    """
    try:
        ends, _, token = unseal(request.COOKIES.get(NAME, ""), bound_to=_PLACE).decode().partition(":")
    except SealBroken:
        return None
    if int(ends) < time.time():
        return None
    return (
        Invitation.objects.with_token(token)
        .select_related("enterprise", "user", "invited_by", "organization", "connection")
        .first()
    )


def clear(response: HttpResponseBase) -> None:
    """Have the browser forget the invitation."""
    response.delete_cookie(NAME, samesite="Lax")
