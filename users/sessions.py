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
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from audit.actions import Action
from audit.compiled import compiled, insert
from audit.models import client_address, printable, record
from users.models import HeldForm, Method, Session, User
from users.models.session import REMEMBERED_FOR, Voucher, stored_key


@compiled
def _of_key(key: str) -> QuerySet[Session]:
    return Session.objects.select_related("user__enterprise", "user__connection").filter(session_key=key)


class SessionStore(DatabaseStore):
    """``row`` is the session's row with its user and enterprise, once it has been read or begun.

    ``is_new`` tells that it was begun in this request. ``run_out`` is the row, instead, of a session that is past its
    limits: it opens nothing, and says whose it was.
    """

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self.row: Session | None = None
        self.run_out: Session | None = None
        self.is_new = False
        self._stored: dict[str, Any] = {}

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def load(self) -> dict[str, Any]:
        """Read the row. The key is kept even when it opens nothing.

        Without a key the middleware would delete the cookie: then nobody could tell whose session has run out, and an
        answer that comes late would take away the new key which another tab was given meanwhile.
        """
        found = _of_key(stored_key(self.session_key or ""))
        if not found:
            return {}
        row = found[0]
        row.enterprise = row.user.enterprise
        if not row.is_live(timezone.now()):
            self.run_out = row
            return {}
        self.row = row
        self._stored = self.decode(row.session_data)
        return dict(self._stored)

    def encode(self, session_dict: dict[str, Any]) -> str:
        """Nothing to keep, as a rule, is nothing to sign."""
        return super().encode(session_dict) if session_dict else ""

    def decode(self, session_data: bytes | str) -> dict[str, Any]:
        return super().decode(session_data) if session_data else {}

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(session_key=stored_key(session_key)).exists()

    def begin(self, row: Session) -> None:
        """Give ``row`` a fresh key and store it: one INSERT. 192 random bits need no look whether they are taken."""
        self._session_key = self._get_new_random_key()
        self._session_cache: dict[str, Any] = {}
        row.session_key, row.session_data = stored_key(self._session_key), self.encode({})
        insert(row)
        self.row, self.run_out, self._stored, self.is_new = row, None, {}, True
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
        """Change the key of the session in use, for when its rights change. The rows that hang on it follow."""
        if self.row is None:
            return
        self._session_key = self._get_new_random_key()
        old, self.row.session_key = self.row.session_key, stored_key(self._session_key)
        with transaction.atomic():  # The database looks at references when it commits.
            Session.objects.filter(pk=old).update(session_key=self.row.session_key)
            for relation in Session._meta.related_objects:
                column = relation.field.attname
                relation.related_model._base_manager.filter(**{column: old}).update(**{column: self.row.session_key})
        self.modified = True

    def get_expiry_age(self, **kwargs: Any) -> int:
        """Return how long the cookie is kept, in seconds: as long as the row may tell whose session it was."""
        if self.row is None:
            return super().get_expiry_age(**kwargs)
        return int((self.row.expire_date + REMEMBERED_FOR - timezone.now()).total_seconds())

    @classmethod
    def clear_expired(cls) -> None:
        """Delete the sessions that ran out long ago."""
        remembered = Session.objects.live(timezone.now() - REMEMBERED_FOR)
        Session.objects.exclude(pk__in=remembered.values("pk")).delete()

    def _get_new_random_key(self) -> str:
        return secrets.token_urlsafe(24)


def sign_in(
    request: HttpRequest,
    user: User,
    method: Method,
    *,
    proved_at: datetime | None = None,
    voucher: Voucher | None = None,
) -> Session:
    """Begin a session for ``user`` in this browser and return its row. ``voucher`` is the identity provider's word.

    The key is always new (R5), and whatever session the browser brought along ends: also one of the same person, who
    takes along what it held. ``proved_at`` is when the person proved who they are, if that was not now.
    """
    now = timezone.now()
    brought = request.session.session_key
    enterprise = user.enterprise
    row = Session(
        enterprise=enterprise,
        user=user,
        method=method,
        address=client_address(request),
        device=printable(device_name(request.headers.get("User-Agent", "")), 120),
        created_at=now,
        last_seen_at=now,
        proved_at=min(proved_at or now, now),
    )
    row.expire_date, row.idle_until = now + row.absolute_limit, now + row.idle_limit
    if voucher:
        row.accept(voucher, now)
    request.session.begin(row)  # type: ignore[attr-defined]
    if brought:
        HeldForm.objects.filter(session=stored_key(brought), user=user).update(session=row)
        request.session.delete(brought)
    request.user = user
    request.enterprise = enterprise  # type: ignore[attr-defined]
    user.sign_in_recorded(now)
    return row


def prove(request: HttpRequest, *, through: models.Model | None = None) -> bool:
    """Note that the person of this session has just proved who they are: under a new key, and on record.

    ``through`` is the connection that vouches for it. Returns False, and changes nothing, when the session has ended
    meanwhile or another tab was faster.
    """
    row: Session = request.session.row  # type: ignore[attr-defined]
    with transaction.atomic():
        row.proved_at = timezone.now()
        # By the key, which the faster of two tabs has changed by the time the other one may write.
        if not Session.objects.filter(pk=row.pk).update(proved_at=row.proved_at):
            return False
        request.session.cycle_key()
        record(Action.SESSION_PROVED, enterprise=row.enterprise, request=request, target=through, method=row.method)
    return True


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
