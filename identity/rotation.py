"""Secrets and keys take turns: by hand, on record; keys also by the clock.

What is done by hand raises PermissionDenied for somebody who may not by the time it is their turn.
"""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction
from django.utils import timezone

from audit.actions import Action
from audit.models import GATEHOUSE, record
from identity.credentials import (
    PUBLISHED_AFTER,
    SIGNS_FOR,
    ClientKey,
    ClientSecret,
    KeyWaitsError,
)
from identity.models import Connection, Revision
from identity.oidc import CLIENT_ALGORITHMS, Line
from identity.permitted import permitted
from users.http import ConsoleRequest

# ---- Secrets, by hand


def retire(request: ConsoleRequest, secret: ClientSecret) -> None:
    """Erase a secret that sign-ins do not depend on. Raises StillInUseError."""
    with transaction.atomic():
        permitted(request)
        if secret.retire(timezone.now()):
            _record(Action.SECRET_RETIRED, secret.connection, request, secret=str(secret))


def set_expiry(request: ConsoleRequest, secret: ClientSecret, on: date | None) -> bool:
    """Note when ``secret`` ends, and return whether that is news. Nothing has to be tested for it."""
    if secret.expires_on == on:
        return False
    with transaction.atomic():
        permitted(request)
        secret.expires(on)
        details = {"secret": str(secret), "expires_on": on.isoformat() if on else "never"}
        _record(Action.SECRET_DATED, secret.connection, request, **details)
    return True


# ---- Keys, by hand


def publish(request: ConsoleRequest, connection: Connection) -> ClientKey:
    """Make the next key, for what the provider takes as far as it was checked. Raises KeyWaitsError."""
    with transaction.atomic():
        permitted(request)
        algorithm = taken_by(connection.latest)
        key = ClientKey.publish(connection, by=request.user, at=timezone.now(), algorithm=algorithm)
        _record(Action.KEY_PUBLISHED, connection, request, key=key.kid, algorithm=key.algorithm)
    return key


def taken_by(revision: Revision | None) -> str:
    """Return the algorithm a key for this provider is made for; empty when it does not say, or was never checked."""
    taken = _said_of_keys(revision).get("algorithms", "").split()
    return next((name for name in CLIENT_ALGORITHMS if name in taken), "")


def is_unfit(revision: Revision) -> bool:
    """Whether the last check found that the provider takes keys, but not for what ours signs."""
    said = _said_of_keys(revision)
    taken = said.get("algorithms", "").split()
    return revision.is_proved_by_key and bool(taken) and said.get("signs_with") not in taken


def _said_of_keys(revision: Revision | None) -> dict[str, str]:
    findings = revision.findings if revision else []
    return next((found["data"] for found in findings if found["line"] == Line.CLIENT_AUTHENTICATION), {})


def sign(request: ConsoleRequest, key: ClientKey) -> None:
    """Have a key sign before its time. Raises KeyNotKnownError."""
    with transaction.atomic():
        permitted(request)
        if key.sign(timezone.now()):
            _record(Action.KEY_SIGNS, key.connection, request, key=key.kid)


def withdraw(request: ConsoleRequest, key: ClientKey) -> None:
    """Withdraw a key before its time. Raises StillInUseError."""
    with transaction.atomic():
        permitted(request)
        if key.withdraw(timezone.now()):
            _record(Action.KEY_WITHDRAWN, key.connection, request, key=key.kid)


def deliver(request: ConsoleRequest, connection: Connection, *, are_pasted: bool) -> None:
    """Say whether a person pastes our keys at the provider, or it fetches them: then they rotate by themselves."""
    if connection.are_keys_pasted == are_pasted:
        return
    with transaction.atomic():
        permitted(request)
        connection.are_keys_pasted = are_pasted
        connection.save(update_fields=["are_keys_pasted"])
        _record(Action.KEYS_DELIVERED, connection, request, by="paste" if are_pasted else "address")


# ---- By the clock


def turn(connection: Connection, at: datetime) -> None:
    """Do what is due for the keys and secrets of ``connection``. To do it twice, or late, does no harm.

    A key that has served out stays published until its successor was taken, however long that is: without it there
    would be nothing to fall back on.
    """
    signing = connection.signing_key
    waiting = connection.keys.waiting().first()
    if waiting and not connection.are_keys_pasted and waiting.signs_from <= at:
        with transaction.atomic():
            if waiting.sign(at):
                _record(Action.KEY_SIGNS, connection, key=waiting.kid)
    elif signing and signing.signs_since and _is_due(connection, signing, at) and not waiting:
        _publish_the_next(connection, at)
    for key in connection.keys.served_out().filter(superseded_at__lte=at - PUBLISHED_AFTER):
        if signing and (signing.is_known or not connection.depends_on_keys):
            with transaction.atomic():
                if key.withdraw(at):
                    _record(Action.KEY_WITHDRAWN, connection, key=key.kid)
    kept = {
        revision.secret_id for revision in (connection.serving, connection.latest) if revision and revision.secret_id
    }
    for secret in connection.secrets.kept().filter(expires_on__lt=at.date()).exclude(pk__in=kept):
        with transaction.atomic():
            if secret.retire(at):
                _record(Action.SECRET_RETIRED, connection, secret=str(secret), reason="expired")


def _is_due(connection: Connection, signing: ClientKey, at: datetime) -> bool:
    is_old = signing.signs_since is not None and signing.signs_since + SIGNS_FOR <= at
    return is_old and connection.depends_on_keys and not connection.are_keys_pasted


def _publish_the_next(connection: Connection, at: datetime) -> None:
    try:
        with transaction.atomic():
            key = ClientKey.publish(connection, at=at, algorithm=taken_by(connection.latest))
            _record(Action.KEY_PUBLISHED, connection, key=key.kid, algorithm=key.algorithm)
    except KeyWaitsError:
        return  # Somebody has pressed the button meanwhile.


def _record(action: Action, connection: Connection, request: ConsoleRequest | None = None, **details: str) -> None:
    by = {"request": request} if request else {"actor_label": GATEHOUSE}
    record(action, enterprise=connection.enterprise, target=connection, **by, **details)  # type: ignore[arg-type]
