"""Who is asking: the person and the enterprise come from the session, and from nowhere else (T11)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware, LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.functional import SimpleLazyObject

from audit.models import client_address
from users.access import Access
from users.emails import zone
from users.http import is_by_script, page_of
from users.models import Enterprise, Session, TooManyTries, User
from users.step_up import kept_for_later, put_back

# Which enterprise's door to show when a session is over. A hint, set at sign-in only: it opens nothing.
LAST_ENTERPRISE_COOKIE = f"{settings.COOKIE_PREFIX}enterprise"


def _row(request: HttpRequest) -> Session | None:
    """Return the session's row if its user may still be served (R7): asked on every request, cached in it."""
    store = request.session
    store.get("")  # Reads the row, once.
    row: Session | None = store.row  # type: ignore[attr-defined]
    if row is None or not row.user.is_active or row.user.must_use_provider(timezone.now()):
        return None
    return row


def _user(request: HttpRequest) -> User | AnonymousUser:
    row = _row(request)
    return row.user if row else AnonymousUser()


def _enterprise(request: HttpRequest) -> Enterprise | None:
    row = _row(request)
    return row.enterprise if row else None


class SignedInMiddleware(AuthenticationMiddleware):
    """Sets ``request.user``, ``request.enterprise`` and ``request.access``, lazily: static files ask for none."""

    def process_request(self, request: HttpRequest) -> None:
        request.user = SimpleLazyObject(lambda: _user(request))  # type: ignore[assignment]
        request.enterprise = SimpleLazyObject(lambda: _enterprise(request))  # type: ignore[attr-defined]
        request.access = SimpleLazyObject(lambda: Access.of(request.user))  # type: ignore[attr-defined]


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Every view asks for a signed-in person unless it says otherwise (``login_not_required``).

    Pages for signed-in people are never stored by anything between us and the browser, and keep the session alive.
    What was held while somebody proved who they are goes on from here, once the form that names it has come.
    """

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., Any], view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        response: HttpResponseBase | None = super().process_view(request, view_func, view_args, view_kwargs)
        if response is None and getattr(view_func, "login_required", True):
            row = request.session.row  # type: ignore[attr-defined]
            # Known from here on: what is not lazy any more is quicker to ask, and pages ask often.
            request.user, request.enterprise = row.user, row.enterprise  # type: ignore[attr-defined]
            row.touch(timezone.now(), client_address(request))
            timezone.activate(zone(row.user.time_zone))
            if row.enterprise.is_closed and not getattr(view_func, "serves_closed", False):
                return led_to(request, reverse("console:closed"))
            response = put_back(request, view_func)
        return response

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        """What was typed into a form that comes after its session has run out waits for the same person."""
        is_kept = kept_for_later(request, view_func, request.session.run_out)  # type: ignore[attr-defined]
        return sign_in_first(request, reverse("users:held") if is_kept else "")

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Say how long to wait, whichever form has counted the tries."""
        if not isinstance(exception, TooManyTries):
            return None
        seconds = max(1, math.ceil(exception.wait.total_seconds()))
        minutes = math.ceil(seconds / 60) if seconds > 90 else 0
        context = {"seconds": seconds, "minutes": minutes}
        response = render(request, "429.html", context, status=429)
        response["Retry-After"] = str(seconds)
        return response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        timezone.deactivate()  # The thread may have served somebody of another time zone before.
        response: HttpResponseBase = self.get_response(request)  # type: ignore[assignment]
        if getattr(request.session, "is_new", False):
            _remember_enterprise(request, response)
        if request.session.accessed and not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response


def sign_in_first(request: HttpRequest, page: str = "") -> HttpResponse:
    """Return the way to the sign-in, and from there to ``page``, or back to this one.

    R8: a script gets 401 and where to sign in again, since it would follow a redirect without saying so.
    """
    response = redirect_to_login(page or page_of(request), resolve_url(settings.LOGIN_URL))
    return led_to(request, response["Location"], status=401)


def led_to(request: HttpRequest, url: str, status: int = 403) -> HttpResponse:
    """Return the way to another page; to a script ``status`` and where that is, since it cannot be led there."""
    if is_by_script(request):
        return HttpResponse(status=status, headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def _remember_enterprise(request: HttpRequest, response: HttpResponseBase) -> None:
    response.set_cookie(
        LAST_ENTERPRISE_COOKIE,
        request.session.row.enterprise.slug,  # type: ignore[attr-defined]
        max_age=365 * 24 * 60 * 60,  # seconds
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )
