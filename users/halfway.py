"""A local sign-in whose password is right and whose second factor is still asked for.

It is no session: whoever is halfway is nobody to the rest of the console. It is sealed into a cookie of its own, so
that nothing is written down; what completes it is written down once, and a copy of the cookie completes nothing more.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from users.models import Enterprise, SpentChallenge, User
from users.sealing import SealBroken, seal, unseal

COOKIE = f"{settings.COOKIE_PREFIX}halfway"
LASTS = timedelta(minutes=10)
# Whoever has no second factor yet may have to fetch a phone, and an app for it.
LASTS_TO_ENROL = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Halfway:
    """``user`` has given the right password in this browser a moment ago, and wants to go to ``next``."""

    id: str
    user: User
    next: str
    is_drill: bool
    until: datetime

    def complete(self) -> None:
        """Use it up. Raises FactorRefused when it has been completed before."""
        SpentChallenge.spend(f"halfway/{self.id}", self.until)


def keep(
    response: HttpResponseBase, request: HttpRequest, user: User, *, lasts: timedelta, wanted: str, is_drill: bool
) -> None:
    """Have the browser keep that the password of ``user`` was right. The password is bound in: a new one ends it."""
    until = timezone.now() + lasts
    kept = [secrets.token_urlsafe(18), user.pk, user.get_session_auth_hash(), wanted, is_drill, until.timestamp()]
    response.set_cookie(
        COOKIE,
        seal(json.dumps(kept).encode(), bound_to=_place(request, user.enterprise)),
        max_age=int(lasts.total_seconds()),
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )


def found(request: HttpRequest, enterprise: Enterprise) -> Halfway | None:
    """Return what this browser has kept for ``enterprise``, if it still holds."""
    try:
        kept = json.loads(unseal(request.COOKIES.get(COOKIE, ""), bound_to=_place(request, enterprise)))
    except SealBroken:
        return None
    name, pk, password, wanted, is_drill, ends = kept
    until = datetime.fromtimestamp(ends, UTC)
    user = User.objects.of(enterprise).filter(pk=pk).first()
    now = timezone.now()
    if user is None or until <= now:
        return None
    user.enterprise = enterprise
    if not user.may_use_password(now) or not constant_time_compare(user.get_session_auth_hash(), password):
        return None
    return Halfway(name, user, wanted, is_drill, until)


def clear(response: HttpResponseBase) -> None:
    response.delete_cookie(COOKIE, samesite="Lax")


def _place(request: HttpRequest, enterprise: Enterprise) -> str:
    return f"cookie/halfway/{request.get_host()}/{enterprise.pk}"
