"""An opened link on its way from the address bar to the sign-in: a sealed, short-lived cookie (T9).

The link's token leaves the address at once. From then on this browser carries it, where no script can read it, and
neither an address bar nor a ``Referer`` tells anybody.
"""

from __future__ import annotations

import time
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from invitations.models import Invitation, Move
from users.sealing import SealBroken, seal, unseal

NAME = f"{settings.COOKIE_PREFIX}invitation"
SWITCH_NAME = f"{settings.COOKIE_PREFIX}switch"
LASTS = timedelta(hours=1)


def keep(response: HttpResponseBase, token: str, *, name: str = NAME) -> None:
    """Have the browser keep ``token``, the secret of an invitation's link or of a switch's, for an hour."""
    seconds = int(LASTS.total_seconds())
    response.set_cookie(
        name,
        seal(f"{int(time.time()) + seconds}:{token}".encode(), bound_to=_place(name)),
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
    token = _token(request, NAME)
    invitations = Invitation.objects.select_related("enterprise", "user", "invited_by", "organization", "connection")
    return invitations.with_token(token).first() if token else None


def opened_move(request: HttpRequest) -> Move | None:
    """Return the switch that was opened in this browser, as ``opened`` does an invitation."""
    token = _token(request, SWITCH_NAME)
    moves = Move.objects.select_related("enterprise", "user", "batch__begun_by", "connection", "leaving")
    return moves.with_token(token).first() if token else None


def clear(response: HttpResponseBase, *, name: str = NAME) -> None:
    """Have the browser forget what was opened."""
    response.delete_cookie(name, samesite="Lax")


def _token(request: HttpRequest, name: str) -> str:
    try:
        ends, _, token = unseal(request.COOKIES.get(name, ""), bound_to=_place(name)).decode().partition(":")
    except SealBroken:
        return ""
    return token if int(ends) >= time.time() else ""


def _place(name: str) -> str:
    return f"cookie/{name.removeprefix(settings.COOKIE_PREFIX)}"
