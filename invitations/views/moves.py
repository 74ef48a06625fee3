"""The link of a switch, and the page behind it. The sign-in that it begins is ``identity``'s."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from invitations import cookies
from invitations.endings import switch_ending
from invitations.models import Move
from invitations.views.opening import TOKEN
from users.emails import zone


@login_not_required
@never_cache
@require_safe
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """Take the secret out of the address bar. Whoever asks, a person or a scanner, changes nothing (T9)."""
    response = redirect("invitations:move_opened")
    if TOKEN.fullmatch(token):
        cookies.keep(response, token, name=cookies.SWITCH_NAME)
    else:
        cookies.clear(response, name=cookies.SWITCH_NAME)  # Or the page would show whatever was opened before.
    response["Referrer-Policy"] = "no-referrer"
    return response


@login_not_required
@never_cache
@require_safe
def opened(request: HttpRequest) -> HttpResponse:
    """Say what will change and what stays; never for whom it was meant."""
    move = cookies.opened_move(request)
    obstacle = _obstacle(move)
    if move is None or obstacle:
        end = switch_ending(obstacle, move)
        ended = {"ending": end, "enterprise": move.enterprise if move else None}
        return render(request, "invitations/ended.html", ended, status=end.status)
    by = move.batch.begun_by
    context = {
        "move": move,
        "enterprise": move.enterprise,
        "by": by,
        "is_old_way_open": move.is_old_way_open(timezone.now()),
        # Whoever is switched is often signed in here the old way; that session ends by itself.
        "is_somebody_else": request.user.is_authenticated and request.user.pk != move.user_id,
    }
    with timezone.override(zone(by.time_zone if by else "")):
        return render(request, "invitations/move_opened.html", context)


def _obstacle(move: Move | None) -> str:
    if move is None:
        return "switch_gone"
    return move.obstacle(timezone.now()) or ("" if move.connection.is_enabled else "connection_disabled")
