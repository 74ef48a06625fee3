"""One sign-in under way, sealed into a cookie of its own: nothing is written down for a visitor who proved nothing.

The cookie is named by a digest of the state, and what is in it opens only with the whole state and on the host that
sealed it. So whoever comes back has to bring both the state, which travelled through the provider, and the cookie,
which never left this browser.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from users.sealing import SealBroken, seal, unseal

LASTS = timedelta(minutes=10)
# Of one browser: tabs do not disturb each other, and cookies do not pile up.
AT_MOST = 5

_PREFIX = f"{settings.COOKIE_PREFIX}attempt-"
_STATE = re.compile(r"[A-Za-z0-9_-]{43}")
_VALUE = re.compile(r"([0-9]{13})\.(.+)")


class Purpose(StrEnum):
    SIGN_IN = "sign_in"
    INVITATION = "invitation"
    SWITCH = "switch"
    TEST = "test"
    STEP_UP = "step_up"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one sign-in began with, to be found unchanged when it comes back (R1).

    ``revision`` is the number of the connection's revision. ``invitation`` or ``move`` is the id of the one to redeem,
    and ``user`` that of the administrator who tests, or of who is to prove it once more. ``session`` is the handle of
    the session that is for, or that is asked about. ``started_at`` is in milliseconds since the epoch.
    """

    connection: str
    revision: int
    issuer: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    purpose: Purpose = Purpose.SIGN_IN
    next: str = ""
    invitation: str = ""
    user: str = ""
    started_at: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    session: str = ""
    move: str = ""

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return time.time() - self.started_at / 1000

    @property
    def is_expired(self) -> bool:
        return self.age > LASTS.total_seconds()


def keep(response: HttpResponseBase, request: HttpRequest, state: str, attempt: Attempt) -> None:
    """Have the browser keep ``attempt`` for ten minutes; at most five are kept, and the oldest go."""
    kept = sorted((value, name) for name, value in request.COOKIES.items() if name.startswith(_PREFIX))
    for _, name in kept[: max(0, len(kept) - AT_MOST + 1)]:
        response.delete_cookie(name, samesite="Lax")
    values = [getattr(attempt, each.name) for each in fields(attempt)]
    sealed = seal(json.dumps(values).encode(), bound_to=_place(request, state))
    response.set_cookie(
        _name(state),
        # The time stands in front so that the oldest can be told without opening any; inside is the one that counts.
        f"{attempt.started_at}.{sealed}",
        max_age=int(LASTS.total_seconds()),
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )


def opened(request: HttpRequest, state: str) -> Attempt | None:
    """Return the attempt that began with ``state`` in this browser, however old; None when there is no such."""
    if not _STATE.fullmatch(state):
        return None
    value = _VALUE.fullmatch(request.COOKIES.get(_name(state), ""))
    if not value:
        return None
    try:
        plain = unseal(value[2], bound_to=_place(request, state))
    except SealBroken:
        return None
    connection, revision, issuer, nonce, verifier, purpose, *rest = json.loads(plain)
    return Attempt(connection, revision, issuer, nonce, verifier, Purpose(purpose), *rest)


def clear(response: HttpResponseBase, request: HttpRequest, state: str) -> None:
    """Have the browser forget the attempt that began with ``state``: one attempt, one try."""
    if _STATE.fullmatch(state) and _name(state) in request.COOKIES:
        response.delete_cookie(_name(state), samesite="Lax")


def _name(state: str) -> str:
    return _PREFIX + hashlib.sha256(state.encode()).hexdigest()[:16]


def _place(request: HttpRequest, state: str) -> str:
    return f"cookie/attempt/{request.get_host()}/{state}"
