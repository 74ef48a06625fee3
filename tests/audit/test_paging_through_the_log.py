"""Keyset pages: complete, in order, and safe against a cursor that somebody made up."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from audit.keyset import page
from audit.models import Event
from tests.cast import Cast

pytestmark = pytest.mark.servers
BY = ("-at", "-id")


@pytest.fixture
def events(cast: Cast) -> list[str]:
    """97 events, many at the same moment, newest first."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    chance = random.Random(7)  # noqa: S311 - any order will do, the same one each time
    Event.objects.bulk_create(
        Event(enterprise=cast.halden, action="session:started", at=start + timedelta(hours=chance.randrange(20)))
        for _ in range(97)
    )
    return list(Event.objects.of(cast.halden).newest_first().values_list("pk", flat=True))


def test_following_next_shows_every_row_once_in_order(cast: Cast, events: list[str]) -> None:
    seen, cursor = [], ""
    while True:
        found = page(Event.objects.of(cast.halden), by=BY, cursor=cursor, size=10)
        seen += [row.pk for row in found.rows]
        if not (cursor := found.next):
            break
    assert seen == events


def test_previous_leads_back_to_the_page_before(cast: Cast, events: list[str]) -> None:
    first = page(Event.objects.of(cast.halden), by=BY, cursor="", size=10)
    second = page(Event.objects.of(cast.halden), by=BY, cursor=first.next, size=10)
    back = page(Event.objects.of(cast.halden), by=BY, cursor=second.previous, size=10)
    assert [row.pk for row in back.rows] == events[:10]
    assert back.previous == ""
    assert back.next == first.next


@pytest.mark.parametrize("cursor", ["x", "%00", "W10", "WyJuZXh0IiwibmV2ZXIiLCJ4Il0", "A" * 5000, "é"])
def test_a_cursor_nobody_made_shows_the_first_page(cast: Cast, events: list[str], cursor: str) -> None:
    found = page(Event.objects.of(cast.halden), by=BY, cursor=cursor, size=10)
    assert [row.pk for row in found.rows] == events[:10]
