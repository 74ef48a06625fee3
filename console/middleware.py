"""One log line per request, and the content security policy of its answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_guid import get_guid

from audit.models import client_address

logger = logging.getLogger("gatehouse.request")


class RequestLogMiddleware:
    """Log method, path, status and duration, never the query string: it carries codes and states (R12).

    Also gives the request its id as ``request.correlation_id``, for the audit log and the error pages.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.correlation_id = get_guid() or ""  # type: ignore[attr-defined]
        started = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        logger.info(
            "request",
            extra={
                "method": request.method,
                # The route, not the path: an invitation's path is its secret.
                "route": match.route if match else "-",
                "status": response.status_code,
                "milliseconds": round((time.perf_counter() - started) * 1000, 1),
                "address": client_address(request),
            },
        )
        return response


class SecurityPolicyMiddleware(CSPMiddleware):
    """django-csp's, which works the policy out anew for every answer: but for a few, it is the same one for all.

    There are no nonces: nothing stands inline.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self.policy = build_policy()

    def process_request(self, request: HttpRequest) -> None:
        return

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if any(name.startswith("_csp_") for name in vars(response)):
            return super().process_response(request, response)
        response.headers.setdefault(HEADER, self.policy)
        return response
