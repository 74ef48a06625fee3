"""Proving once more who one is, and what waits for that."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit.ids import is_id
from users.forms.step_up import ProveForm
from users.http import ConsoleRequest
from users.models import HeldForm, Method, Session
from users.models.held import FIELD
from users.models.session import PROOF_LASTS
from users.step_up import never_held, over_already
from users.views.entrance import safe_next


@never_held
@require_http_methods(["GET", "HEAD", "POST"])
def prove(request: ConsoleRequest) -> HttpResponse:
    """Say why, and ask: for the password here, or by way of the provider this session came through.

    What was held goes on at once after a password: the browser is told to send the same form there, where what is
    held takes the place of what it sends.
    """
    row, now = _session(request), timezone.now()
    held = _held_or_404(request, request.GET[FIELD]) if FIELD in request.GET else None
    onward = safe_next(request) or settings.LOGIN_REDIRECT_URL
    if held and not held.is_waiting(now):
        return over_already(request, held.page)
    if row.is_recently_proved(now):
        return redirect("users:held" if held else onward)
    context: dict[str, Any] = {
        "held": held,
        "back": held.page if held else onward,
        "row": row,
        "minutes": PROOF_LASTS.seconds // 60,
    }
    if row.method == Method.CONNECTION:
        return render(request, "users/prove.html", context)
    form = ProveForm(request)
    if request.method != "POST" or not form.is_valid():
        second = form.second.context(is_over=False) if form.factors else None
        context |= {"form": form, "second": second, "ways": _other_ways(request)}
        return render(request, "users/prove.html", context, status=422 if form.errors else 200)
    if not form.save():
        return redirect(request.get_full_path())
    response = redirect(held.path, preserve_request=True) if held else redirect(onward)
    form.guess.remember(response)
    return response


def _other_ways(request: ConsoleRequest) -> str:
    """Return the address of this page with the other of the two ways to type something: app, or recovery code."""
    query = request.GET.copy()
    if "recovery" in query:
        del query["recovery"]
    else:
        query["recovery"] = ""
    return f"?{query.urlencode()}"


def _session(request: ConsoleRequest) -> Session:
    row = request.session.row
    assert row is not None  # noqa: S101 - the gate has let a session in
    return row


def _held_or_404(request: ConsoleRequest, pk: str) -> HeldForm:
    held = HeldForm.objects.of(_session(request)).filter(pk=pk).first() if is_id(pk) else None
    if held is None:
        raise Http404
    return held


@require_safe
def held(request: ConsoleRequest) -> HttpResponse:
    """What this person has sent and what waits for one press, after signing in again."""
    waiting = HeldForm.objects.of(_session(request)).waiting(timezone.now()).newest_first()
    if not waiting:
        return redirect(settings.LOGIN_REDIRECT_URL)
    return render(request, "users/held.html", {"waiting": waiting})


@never_held
@require_POST
def discard(request: ConsoleRequest, pk: str) -> HttpResponse:
    held = _held_or_404(request, pk)
    if not held.is_waiting(timezone.now()):
        return over_already(request, held.page)
    held.delete()
    messages.success(request, _("It is discarded. Nothing was sent."))
    return redirect(held.page)
