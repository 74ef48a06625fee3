"""Behind the operator's link: a new password for a break-glass account, and then a new second factor."""

from __future__ import annotations

import time

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from users.forms.break_glass import RecoverForm
from users.models import BreakGlassRecovery
from users.models.recovery import LASTS, RecoveryOverError
from users.sealing import SealBroken, seal, unseal
from users.views.links import kept_secret
from users.views.second_factor import after_password

COOKIE = f"{settings.COOKIE_PREFIX}recovery"
PLACE = "cookie/recovery"


@login_not_required
@kept_secret
@require_GET
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """Take the secret out of the address bar. Whoever opens it, a person or a scanner, changes nothing."""
    response = redirect("users:recover")
    seconds = int(LASTS.total_seconds())
    response.set_cookie(
        COOKIE,
        seal(f"{int(time.time()) + seconds}:{token[:100]}".encode(), bound_to=PLACE),
        max_age=seconds,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )
    return response


def _opened(request: HttpRequest) -> BreakGlassRecovery:
    """Return what the link in this browser's cookie recovers, or raise RecoveryOverError."""
    try:
        kept = unseal(request.COOKIES.get(COOKIE, ""), bound_to=PLACE).decode()
    except SealBroken:
        raise RecoveryOverError from None
    ends, _colon, token = kept.partition(":")
    if time.time() >= int(ends):
        raise RecoveryOverError
    return BreakGlassRecovery.objects.open(token, timezone.now())


@login_not_required
@kept_secret
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def recover(request: HttpRequest) -> HttpResponse:
    """Choose a new password; the second factor is set up next, before anything else."""
    try:
        recovery = _opened(request)
        form = RecoverForm(request.POST if request.method == "POST" else None, recovery=recovery)
        if request.method != "POST" or not form.is_valid():
            context = {"form": form, "recovery": recovery, "enterprise": recovery.enterprise, "person": recovery.user}
            return render(request, "users/recover.html", context)
        user = form.recover(request)
    except RecoveryOverError:
        return render(request, "users/link_over.html", {"what": "recovery"}, status=410)
    response = after_password(request, user)
    response.delete_cookie(COOKIE, samesite="Lax")
    return response
