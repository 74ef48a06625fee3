"""Sessions that end because the provider says so: exactly those it vouched for, in the same request."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.actions import Action
from audit.models import Result, record
from identity.models import Connection, Grant
from identity.oidc import Refused
from users.models import Session


class Channel(StrEnum):
    """How a provider says it."""

    FRONT = "front_channel"
    BACK = "back_channel"
    GLOBAL = "universal_logout"


def end(request: HttpRequest, connection: Connection, channel: Channel, grants: QuerySet[Grant]) -> int:
    """End the sessions of ``grants``, put each on record, and return how many there were."""
    with transaction.atomic():
        sessions = Session.objects.of(connection.enterprise).filter(grant__in=grants)
        return end_sessions(request, connection, channel, sessions)


def end_sessions(request: HttpRequest, connection: Connection, channel: Channel, sessions: QuerySet[Session]) -> int:
    """End ``sessions``, put each on record, and return how many there were. Call it within a transaction."""
    found = list(sessions.select_related("user").select_for_update(of=("self",)))
    for session in found:
        record(
            Action.SESSION_ENDED_BY_PROVIDER,
            enterprise=connection.enterprise,
            request=request,
            actor=session.user,
            target=connection,
            reason="ended_by_provider",
            channel=channel.value,
            connection=connection.pk,
            session=str(session),
        )
    Session.objects.filter(pk__in=[session.pk for session in found]).delete()
    return len(found)


def refused(
    request: HttpRequest, connection: Connection, channel: Channel, reason: str, *, expected: str = "", got: str = ""
) -> None:
    """Put on record that the provider, or somebody who would like to be it, was not heard."""
    seen: dict[str, Any] = {name: value for name, value in {"expected": expected, "got": got}.items() if value}
    record(
        Action.SIGN_OUT_REFUSED,
        enterprise=connection.enterprise,
        request=request,
        target=connection,
        result=Result.REFUSED,
        reason=reason,
        channel=channel.value,
        connection=connection.pk,
        provider=connection.label,
        **seen,
    )


def refused_by_protocol(request: HttpRequest, connection: Connection, channel: Channel, problem: Refused) -> None:
    """Put on record that what a provider sent did not pass a check."""
    refused(request, connection, channel, problem.code.value, expected=problem.expected, got=problem.got)
