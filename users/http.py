"""The request as views of signed-in people see it."""

from __future__ import annotations

from django.http import HttpRequest

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
