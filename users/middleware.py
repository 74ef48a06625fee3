"""Who is asking: the person and the enterprise come from the session, and from nowhere else (T11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware, LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.functional import SimpleLazyObject

from audit.models import client_address
from users.access import Access
from users.models import Enterprise, Session, User


def _row(request: HttpRequest) -> Session | None:
    """Return the session's row if its user may still be served (R7): asked on every request, cached in it."""
    store = request.session
    store.get("")  # Reads the row, once.
    row: Session | None = store.row  # type: ignore[attr-defined]
    return row if row is not None and row.user.is_active else None


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
    """

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., Any], view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        response: HttpResponseBase | None = super().process_view(request, view_func, view_args, view_kwargs)
        if response is None and getattr(view_func, "login_required", True):
            row = request.session.row  # type: ignore[attr-defined]
            row.touch(timezone.now(), client_address(request))
        return response

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        """R8: a script gets 401 and where to sign in again, since it would follow a redirect without saying so."""
        response = super().handle_no_permission(request, view_func)
        if request.headers.get("HX-Request") or request.headers.get("X-Requested-With"):
            return HttpResponse(status=401, headers={"HX-Redirect": response["Location"]})
        return response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self.get_response(request)  # type: ignore[assignment]
        if request.session.accessed and not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response
