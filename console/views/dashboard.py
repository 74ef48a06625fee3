"""The first page of the console."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from console.overview import Overview
from users.access import Permission
from users.http import ConsoleRequest


@require_GET
def dashboard(request: ConsoleRequest) -> HttpResponse:
    """Show the enterprise at a glance; somebody without a role has only an account to see."""
    if not request.access.may(Permission.SEE_DASHBOARD):
        return redirect("users:account")
    zone = ZoneInfo(timezone.get_current_timezone_name())
    overview = Overview.of(request.enterprise, request.access, timezone.now(), zone)
    may_invite = request.access.may(Permission.INVITE_PEOPLE)
    return render(request, "console/dashboard.html", {"overview": overview, "may_invite": may_invite})
