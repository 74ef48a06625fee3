"""The request as views of signed-in people see it."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url

from users.access import Access
from users.models import Enterprise, User
from users.sessions import SessionStore


class ConsoleRequest(HttpRequest):
    """What ``users.middleware`` has set on the request of a signed-in person; for annotations only."""

    user: User
    enterprise: Enterprise
    access: Access
    session: SessionStore
    correlation_id: str


def is_by_script(request: HttpRequest) -> bool:
    """Whether a script asks, which would follow a redirect without saying so."""
    return bool(request.headers.get("HX-Request") or request.headers.get("X-Requested-With"))


def page_of(request: HttpRequest) -> str:
    """Return the page to come back to: this one, or, when something was sent, the one it was sent from."""
    if request.method in ("GET", "HEAD") and not request.headers.get("HX-Request"):
        return request.get_full_path()
    try:
        origin = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer", ""))
    except ValueError:  # Half an IPv6 address.
        return resolve_url(settings.LOGIN_REDIRECT_URL)
    if origin.netloc != request.get_host():
        return resolve_url(settings.LOGIN_REDIRECT_URL)
    return origin._replace(scheme="", netloc="", fragment="").geturl()
