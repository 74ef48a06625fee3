"""Error pages, each with a reference that stands in the log."""

from __future__ import annotations

import logging

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

logger = logging.getLogger(__name__)


def _error(request: HttpRequest, template: str, status: int) -> HttpResponse:
    return render(request, template, {"reference": getattr(request, "correlation_id", "")[:8].upper()}, status=status)


@login_not_required
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error(request, "400.html", 400)


@login_not_required
def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error(request, "403.html", 403)


@login_not_required
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error(request, "404.html", 404)


@login_not_required
def server_error(request: HttpRequest) -> HttpResponse:
    return _error(request, "500.html", 500)


@login_not_required
def csrf_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that did not come from a page of ours, or whose cookie was lost."""
    logger.warning("csrf refused: %s", reason)
    return _error(request, "403_csrf.html", 403)
