"""Sessions that an identity provider vouches for are asked about while they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from identity.ended import SessionEnded
from identity.views import quiet
from identity.views.responses import session_ended
from identity.vouching import Standing, reprove
from users.http import page_of
from users.middleware import sign_in_first


class VouchedMiddleware:
    """Serves pages for signed-in people only while their provider vouches for them, as far as it can be asked.

    Whether it is to be asked stands in the session's row, which has been read by now: everything that is not due,
    and whatever is for everyone, costs nothing here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., Any], view_args: Any, view_kwargs: Any
    ) -> HttpResponse | None:
        if not getattr(view_func, "login_required", True):
            return None
        row, now = request.session.row, timezone.now()  # type: ignore[attr-defined]
        if not row.is_vouch_due(now):
            return None
        try:
            standing = reprove(request, row, now)
        except SessionEnded as ended:
            return session_ended(request, ended.connection, ended, page_of(request))
        if standing is Standing.ASK_BROWSER:
            return quiet.ask(request, view_func, row, now)
        return sign_in_first(request) if standing is Standing.GONE else None
