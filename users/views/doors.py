"""The pages of one enterprise's entrance: found by its address, and shown at its own region only."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from users.models import Enterprise


def enterprise_at(slug: str) -> Enterprise | None:
    return Enterprise.objects.filter(slug=slug.lower()).first()


def nobody_here(request: HttpRequest, slug: str) -> HttpResponse:
    return render(request, "users/no_enterprise.html", {"slug": slug[:40]}, status=404)


def elsewhere(request: HttpRequest, enterprise: Enterprise) -> HttpResponse | None:
    """Return the way to the enterprise's own region, when the page was opened at another one (M8)."""
    if request.get_host() == enterprise.host:
        return None
    return redirect(enterprise.url(request.get_full_path()))


def at_its_own_door(
    view: Callable[[HttpRequest, Enterprise], HttpResponse],
) -> Callable[[HttpRequest, str], HttpResponse]:
    """Hand the view the enterprise that the address names, once the browser is at that enterprise's region."""

    @wraps(view)
    def door(request: HttpRequest, slug: str) -> HttpResponse:
        enterprise = enterprise_at(slug)
        if enterprise is None:
            return nobody_here(request, slug)
        return elsewhere(request, enterprise) or view(request, enterprise)

    return door
