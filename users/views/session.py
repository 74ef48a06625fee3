"""How long this session lasts: for the banner that warns before it ends (``static/js/ending.js``)."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from audit.models import client_address
from users.emails import zone
from users.http import ConsoleRequest
from users.models import Session
from users.step_up import never_held


# Pages ask, not people: a view that asked for a signed-in person would keep the session alive by being asked.
@login_not_required
@require_safe
def left(request: HttpRequest) -> JsonResponse:
    """Say how long the session lasts, or that it is over. Puts nothing off."""
    if not request.user.is_authenticated:
        return JsonResponse({"over": True})
    return JsonResponse(_told(request.session.row))  # type: ignore[attr-defined]


@never_held
@require_POST
def stay(request: ConsoleRequest) -> JsonResponse:
    """Put the end off, because somebody has pressed the button."""
    row = request.session.row
    assert row is not None  # noqa: S101 - the gate has let a session in
    row.touch(timezone.now(), client_address(request), is_asked=True)
    return JsonResponse(_told(row))


def _told(row: Session) -> dict[str, Any]:
    """What the banner needs: whose session it is, how long it lasts, and the words for that."""
    at = timezone.localtime(min(row.ends_at, row.idle_at), zone(row.user.time_zone)).strftime("%H:%M")
    if row.can_go_on:
        text = _("Nothing was opened or sent here for a while.")
    else:
        text = _("%(why)s Sign in again then: what you have typed is kept when you send it.") % {"why": _longest(row)}
    return {
        "who": row.user_id,
        "seconds": row.seconds_left,
        "can_go_on": row.can_go_on,
        "fact": _("You will be signed out at %(time)s.") % {"time": at},
        "text": text,
        "stays": _("You stay signed in until %(time)s.") % {"time": at},
    }


def _longest(row: Session) -> str:
    """Say why it cannot go on: by the enterprise's limit, or because the provider vouches for no longer."""
    if row.ends_at < row.created_at + row.absolute_limit:
        return _("Your sign-in at the identity provider ends then.")
    hours = round(row.absolute_limit.total_seconds() / 3600)
    return ngettext(
        "A session lasts %(n)d hour at most.", "A session lasts %(n)d hours at most.", hours
    ) % {"n": hours}  # fmt: skip
