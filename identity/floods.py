"""Refusals that anybody can cause, without proving anything, do not fill an enterprise's audit log.

Each source may write its share in ten minutes. What is more than that is counted: one event for each reason stands
for all the others, so its reference is what they are shown, and nothing is lost but who they said they were.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from audit.models import Event, Result, Tally, record
from identity.models import Connection
from invitations.models import Invitation, Move
from users.models import Throttle
from users.throttling import network

# Events in ten minutes. Many people share a network; whoever has many networks shares the last.
OF_A_LINK = 20
FROM_A_NETWORK = 20
FROM_EVERYWHERE = 200


def record_unproved(
    action: str,
    *,
    request: HttpRequest,
    connection: Connection,
    reason: str,
    at: datetime,
    link: Invitation | Move | None = None,
    **details: Any,
) -> Event:
    """Write a refused event of somebody unknown as ``record`` would, or count it. Return the one that stands for it.

    Whoever brings an emailed link is known by it, so that has a share of its own.
    """
    said: dict[str, Any] = {
        "enterprise": connection.enterprise,
        "target": (link.user if isinstance(link, Move) else link) or connection,
        "result": Result.REFUSED,
        "reason": reason,
        "connection": connection.pk,
        "provider": connection.label,
    }
    with transaction.atomic():
        tallies = []
        for key, share, is_one_place in _sources(request, connection, link):
            tally = Tally.lock(key, at)
            if tally.written >= share:
                return _counted(tally, action, request if is_one_place else None, said)
            tallies.append(tally)
        for tally in tallies:
            tally.written += 1
            tally.save()
        return record(action, request=request, **said, **details)


def _sources(
    request: HttpRequest, connection: Connection, link: Invitation | Move | None
) -> list[tuple[str, int, bool]]:
    """Return whose shares an event takes from, and whether all of a source's come from one place.

    Locked in this order. The one that all have in common is first, so that past its share no further row is made.
    """
    if link:
        return [(Throttle.key_for("refused", link.pk), OF_A_LINK, False)]
    here = Throttle.key_for("refused", connection.pk, network(request))
    return [(Throttle.key_for("refused", connection.pk), FROM_EVERYWHERE, False), (here, FROM_A_NETWORK, True)]


def _counted(tally: Tally, action: str, request: HttpRequest | None, said: dict[str, Any]) -> Event:
    kind = f"{action} {said['reason']}"
    event = tally.standing_for(kind)
    if event:
        event.happened_again()
    else:
        event = record(action, request=request, **said)
        tally.standing[kind] = event.pk
        tally.save()
    return event
