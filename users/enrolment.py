"""The secret that an authenticator app is being set up with: in a sealed cookie until its first code proves it.

So the page can be opened again, as phones do that switch to the app and back, and the database holds no secret that
nobody uses.
"""

from __future__ import annotations

import time
from datetime import timedelta

import pyotp
import segno
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.safestring import SafeString, mark_safe

from users.models import User
from users.models.factor import STEP, new_secret
from users.sealing import SealBroken, seal, unseal

COOKIE = f"{settings.COOKIE_PREFIX}enrolment"
LASTS = timedelta(minutes=30)


class Enrolment:
    """One setting-up of an app for ``user``, by whoever is named by ``bound_to``: a session, or a half-done sign-in."""

    def __init__(self, request: HttpRequest, user: User, bound_to: str) -> None:
        self.user = user
        self._place = f"cookie/enrolment/{user.pk}/{bound_to}"
        self.secret = self._kept(request) or new_secret()

    def _kept(self, request: HttpRequest) -> str:
        try:
            ends, _, secret = unseal(request.COOKIES.get(COOKIE, ""), bound_to=self._place).decode().partition(":")
        except SealBroken:
            return ""
        return secret if time.time() < int(ends) else ""

    def keep(self, response: HttpResponseBase) -> None:
        seconds = int(LASTS.total_seconds())
        response.set_cookie(
            COOKIE,
            seal(f"{int(time.time()) + seconds}:{self.secret}".encode(), bound_to=self._place),
            max_age=seconds,
            secure=settings.HTTPS,
            httponly=True,
            samesite="Lax",
        )

    @property
    def address(self) -> str:
        """What the QR code says, and what opens an app on the same phone (``otpauth:``)."""
        app = pyotp.TOTP(self.secret, interval=STEP)
        return app.provisioning_uri(name=self.user.email, issuer_name=f"Gatehouse, {self.user.enterprise.name}")

    @property
    def qr_code(self) -> SafeString:
        """The QR code as inline SVG: one path, without styles of its own, which the page's policy would keep out."""
        svg = segno.make(self.address, error="m", micro=False).svg_inline(
            omitsize=True, border=3, svgclass="qr", lineclass=None, dark="#000", light="#fff"
        )
        # Its only text is numbers: what the code says is drawn.
        return mark_safe(svg)  # noqa: S308

    @property
    def key(self) -> str:
        """The secret in groups of four, to be typed or copied."""
        return " ".join(self.secret[n : n + 4] for n in range(0, len(self.secret), 4))


def clear(response: HttpResponseBase) -> None:
    response.delete_cookie(COOKIE, samesite="Lax")
