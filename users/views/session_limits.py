"""Advanced → Sessions: how long they last, and how often the identity provider is asked about them."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from users.access import Permission, allowed
from users.forms.session_limits import SessionLimitsForm
from users.http import ConsoleRequest
from users.models import Session
from users.models.session import BREAK_GLASS_IDLE, BREAK_GLASS_LIMIT
from users.step_up import proof_asked


@allowed(Permission.SET_SESSION_LIMITS)
@require_http_methods(["GET", "HEAD", "POST"])
def session_limits(request: HttpRequest) -> HttpResponse:
    """Show the limits, and save others. What would end sessions at once is asked about first, with their number."""
    request = cast(ConsoleRequest, request)
    form, effect, status = SessionLimitsForm(request), None, 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            effect, status = form.effect, 200
            if form.is_confirmed(effect):
                if form.changed_data and (question := proof_asked(request)):
                    return question
                form.save()
                messages.success(request, form.done)
                return redirect("users:session_limits")
    context = {
        "form": form,
        "effect": effect,
        "open": Session.objects.of(request.enterprise).live(timezone.now()).count(),
        "break_glass_idle": round(BREAK_GLASS_IDLE.total_seconds() / 60),
        "break_glass_limit": round(BREAK_GLASS_LIMIT.total_seconds() / 60),
    }
    return render(request, "users/session_limits.html", context, status=status)
