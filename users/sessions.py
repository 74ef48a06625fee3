"""The session engine: Django's own database store over ``users.Session``, with keys stored hashed.

There are no anonymous sessions. A row begins with ``sign_in`` and names its user, so that a request needs one
query for session, user and enterprise together.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from audit.compiled import compiled, insert
from audit.models import client_address, printable
from users.models import Method, Session, User
from users.models.session import BREAK_GLASS_LIMIT, stored_key


@compiled
def _live(key: str, at: datetime) -> QuerySet[Session]:
    return Session.objects.live(at).select_related("user__enterprise", "user__connection").filter(session_key=key)


class SessionStore(DatabaseStore):
    """``row`` is the session's row with its user and enterprise, once it has been read or begun.

    ``is_new`` tells that it was begun in this request.
    """

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self.row: Session | None = None
        self.is_new = False
        self._stored: dict[str, Any] = {}

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def load(self) -> dict[str, Any]:
        found = _live(stored_key(self.session_key or ""), timezone.now())
        if not found:
            self.row, self._session_key = None, None
            return {}
        self.row = found[0]
        self.row.enterprise = self.row.user.enterprise
        self._stored = self.decode(self.row.session_data)
        return dict(self._stored)

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(session_key=stored_key(session_key)).exists()

    def begin(self, row: Session) -> None:
        """Give ``row`` a fresh key and store it: one INSERT. 192 random bits need no look whether they are taken."""
        self._session_key = self._get_new_random_key()
        self._session_cache: dict[str, Any] = {}
        row.session_key, row.session_data = stored_key(self._session_key), self.encode({})
        insert(row)
        self.row, self._stored, self.is_new = row, {}, True
        self.accessed = self.modified = True  # So that the middleware sets the cookie.

    def save(self, must_create: bool = False) -> None:
        """Write the data when it has changed. Without a row there is nobody to write it for."""
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        if self.row is None or data == self._stored:
            return
        Session.objects.filter(pk=self.row.pk).update(session_data=self.encode(data))
        self._stored = dict(data)

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key:
            Session.objects.filter(session_key=stored_key(key)).delete()

    def cycle_key(self) -> None:
        """Change the key of the session in use, for when its rights change."""
        if self.row is None:
            return
        self._session_key = self._get_new_random_key()
        old, self.row.session_key = self.row.session_key, stored_key(self._session_key)
        Session.objects.filter(pk=old).update(session_key=self.row.session_key)
        self.modified = True

    @classmethod
    def clear_expired(cls) -> None:
        Session.objects.exclude(pk__in=Session.objects.live(timezone.now()).values("pk")).delete()

    def _get_new_random_key(self) -> str:
        return secrets.token_urlsafe(24)


def sign_in(request: HttpRequest, user: User, method: Method) -> Session:
    """Begin a session for ``user`` in this browser and return its row.

    The key is always new (R5), and whatever session the browser brought along ends: also one of the same person.
    """
    now = timezone.now()
    request.session.flush()
    enterprise = user.enterprise
    limit = enterprise.session_limit
    if method == Method.BREAK_GLASS:
        limit = min(limit, BREAK_GLASS_LIMIT)
    row = Session(
        enterprise=enterprise,
        user=user,
        method=method,
        address=client_address(request),
        device=printable(device_name(request.headers.get("User-Agent", "")), 120),
        created_at=now,
        last_seen_at=now,
        expire_date=now + limit,
    )
    row.idle_until = now + row.idle_limit
    request.session.begin(row)  # type: ignore[attr-defined]
    request.user = user
    request.enterprise = enterprise  # type: ignore[attr-defined]
    user.sign_in_recorded(now)
    return row


def local_method(user: User) -> Method:
    """Return how a local sign-in of ``user`` counts: as an emergency once there has been a provider to go around.

    Also after it was disabled: that is when somebody has to look at who comes in by the other way.
    """
    is_emergency = user.is_break_glass and user.enterprise.connections.ever_enabled().exists()
    return Method.BREAK_GLASS if is_emergency else Method.PASSWORD


def sign_out(request: HttpRequest) -> None:
    """End this browser's session, in the database and in the cookie."""
    request.session.flush()


def device_name(user_agent: str) -> str:
    """Return what a person would call the browser, such as ``Firefox on Windows``; empty when nobody knows it."""
    return _device_name(user_agent[:500])


@lru_cache(maxsize=1024)
def _device_name(user_agent: str) -> str:
    from ua_parser import parse  # Its tables take a while to load: only sign-ins pay for them.

    found = parse(user_agent)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    return f"{browser} on {system}" if browser and system else browser or system
