"""A provider that tells us to sign people out: honest tokens, and any other."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

from django.http import HttpResponse
from django.urls import reverse

from identity.models import Connection
from tests.cast import Browser
from tests.provider import Provider

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_TYPE = "logout+jwt"
REVOCATION_TYPE = "global-token-revocation+jwt"
LEFT_OUT = object()


def saying(claims: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (claims | changes).items() if value is not LEFT_OUT}


def logout_claims(provider: Provider, **changes: Any) -> dict[str, Any]:
    """The claims of an honest logout token, with ``changes``; LEFT_OUT leaves one out."""
    now = int(time.time())
    honest = {
        "iss": provider.issuer,
        "aud": "gatehouse",
        "iat": now,
        "exp": now + 120,
        "jti": uuid4().hex,
        "sub": "00u1dana",
        "sid": "session-00u1dana",
        "events": {LOGOUT_EVENT: {}},
    }
    return saying(honest, changes)


def logout_token(provider: Provider, header: dict[str, Any] | None = None, **changes: Any) -> str:
    return provider.signing_key.sign(logout_claims(provider, **changes), **({"typ": LOGOUT_TYPE} | (header or {})))


def tell(connection: Connection, token: str) -> HttpResponse:
    """Call the back channel with a token, as a server does: no cookies, no CSRF token."""
    caller = Browser(connection.enterprise, enforce_csrf_checks=True)
    return caller.post(reverse("identity:back_channel", args=[connection.pk]), {"logout_token": token})


def revocation_address(connection: Connection) -> str:
    return connection.enterprise.url(reverse("identity:global_token_revocation", args=[connection.pk]))


def bearer(provider: Provider, connection: Connection, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """The token that Universal Logout comes with."""
    now = int(time.time())
    honest = {
        "iss": provider.issuer,
        "sub": "gatehouse",
        "aud": revocation_address(connection),
        "iat": now,
        "nbf": now - 300,
        "exp": now + 300,
        "jti": uuid4().hex,
    }
    return provider.signing_key.sign(saying(honest, changes), **({"typ": REVOCATION_TYPE} | (header or {})))


def revoke(connection: Connection, token: str | None, body: object) -> HttpResponse:
    """Call the global token revocation; ``body`` is sent as JSON unless it is bytes."""
    caller = Browser(connection.enterprise, enforce_csrf_checks=True)
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    address = reverse("identity:global_token_revocation", args=[connection.pk])
    return caller.post(address, sent, content_type="application/json", headers=headers)
