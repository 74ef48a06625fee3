"""The doorway: find your enterprise, its sign-in page, and local sign-in.

What is public, and what is not (T12): an enterprise's address and name are, since anybody may open its sign-in page
and sign-up says when an address is taken; so an unknown address is a plain 404. Whether an email has an account is
not: it is answered by email only, and everything else is the same for known and unknown, the work included.
"""

from __future__ import annotations

import re
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from users.forms.entrance import FindEnterpriseForm, ForgottenPasswordForm, LocalSignInForm
from users.middleware import LAST_ENTERPRISE_COOKIE
from users.models import Enterprise
from users.models.enterprise import SLUG
from users.views.doors import at_its_own_door, enterprise_at
from users.views.second_factor import after_password

# Characters; it is also kept in the cookie of an attempt.
LONGEST_NEXT = 1000


def safe_next(request: HttpRequest) -> str:
    """Return the page to go to after signing in: a path of ours, or nothing. Another site is never one."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = len(wanted) <= LONGEST_NEXT and wanted.startswith("/")
    return wanted if is_ours and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else ""


def _with_next(path: str, wanted: str) -> str:
    return f"{path}?{urlencode({'next': wanted})}" if wanted else path


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def find_enterprise(request: HttpRequest) -> HttpResponse:
    """The way in for those who do not know it; a browser that has signed in before is shown its own door."""
    wanted = safe_next(request)
    if request.method != "POST" and not request.GET.keys() & {"other", "sent"}:
        hint = request.COOKIES.get(LAST_ENTERPRISE_COOKIE, "")
        last = enterprise_at(hint) if re.fullmatch(SLUG, hint) else None
        if last:
            return redirect(last.url(_with_next(reverse("users:enterprise", args=[last.slug]), wanted)))
    form = FindEnterpriseForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        if form.slug:
            return redirect(_with_next(reverse("users:enterprise", args=[form.slug]), wanted))
        form.ask(request)
        return redirect(f"{reverse('console:login')}?sent")
    return render(request, "users/login.html", {"form": form, "next": wanted, "sent": "sent" in request.GET})


@login_not_required
@never_cache
@require_GET
@at_its_own_door
def enterprise(request: HttpRequest, here: Enterprise) -> HttpResponse:
    """An enterprise's sign-in page."""
    wanted = safe_next(request)
    if request.user.is_authenticated and request.enterprise == here:  # type: ignore[attr-defined]
        return redirect(wanted or settings.LOGIN_REDIRECT_URL)
    connections = list(here.connections.offered())
    if not connections:
        return redirect(_with_next(reverse("users:local", args=[here.slug]), wanted))
    return render(request, "users/enterprise.html", {"enterprise": here, "connections": connections, "next": wanted})


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@at_its_own_door
def local(request: HttpRequest, here: Enterprise) -> HttpResponse:
    """Local sign-in: for people who are not on the provider yet, and for emergencies (M9)."""
    form = LocalSignInForm(request.POST if request.method == "POST" else None, request=request, enterprise=here)
    wanted, is_drill = safe_next(request), "drill" in request.GET
    if request.method == "POST" and form.is_valid():
        user = form.passed()
        if user.is_break_glass or not is_drill:
            return after_password(request, user, wanted=wanted, is_drill=is_drill)
        form.add_error(None, _("This is no break-glass account, so there is nothing to test."))
    return render(
        request,
        "users/local.html",
        {
            "enterprise": here,
            "form": form,
            "next": wanted,
            "connections": list(here.connections.offered()),
            "is_new": "created" in request.GET,
            "is_drill": is_drill,
        },
    )


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@at_its_own_door
def forgotten(request: HttpRequest, here: Enterprise) -> HttpResponse:
    """Ask for a new password: the same answer for everyone, and what there is to say comes by email."""
    form = ForgottenPasswordForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        form.ask(request, here)
        return redirect(f"{reverse('users:forgotten', args=[here.slug])}?sent")
    return render(request, "users/forgotten.html", {"enterprise": here, "form": form, "sent": "sent" in request.GET})


def signed_out(request: HttpRequest, enterprise: Enterprise) -> HttpResponse:
    """Where somebody stands who has just signed out: where the form said, or at the enterprise's sign-in page."""
    messages.success(request, _("You are signed out."))
    return redirect(safe_next(request) or reverse("users:enterprise", args=[enterprise.slug]))
