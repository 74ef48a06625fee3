"""What templates say of times, names and shares."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.template import Context, Template
from django.utils import timezone

from console.templatetags.gatehouse import after_slashes, ago, exact_time, initials, local_time, percent, shares

NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ingrid Solberg", "IS"),
        ("Ana Maria de la Cruz", "AC"),
        ("Bo", "B"),
        ("Åse Ødegård", "ÅØ"),
        ("<b>", "?"),
        ("", "?"),
    ],
)
def test_initials_are_the_first_and_the_last_word(name: str, expected: str) -> None:
    """visual.md 2: initials stand for a person everywhere."""
    assert initials(name) == expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (NOW, "Today, 14:00"),
        (datetime(2026, 11, 22, 23, 30, tzinfo=UTC), "Today, 00:30"),  # Yesterday in UTC, today in Oslo.
        (NOW - timedelta(days=1), "Yesterday, 14:00"),
        (NOW + timedelta(days=1), "Tomorrow, 14:00"),
        (datetime(2026, 9, 3, 10, 0, tzinfo=UTC), "3 Sep"),
        (datetime(2025, 3, 4, 10, 0, tzinfo=UTC), "4 Mar 2025"),
        (None, "—"),
    ],
)
def test_times_are_in_the_persons_zone(moment: datetime | None, expected: str) -> None:
    """visual.md 5: times like "Today, 14:21"."""
    with time_machine.travel(NOW, tick=False), timezone.override(ZoneInfo("Europe/Oslo")):
        assert local_time(moment) == expected


def test_inside_a_sentence_today_is_not_a_capital() -> None:
    """visual.md 4, Field: "Set today, 14:21, by …"."""
    with time_machine.travel(NOW, tick=False):
        assert local_time(NOW, "inside") == "today, 13:00"


def test_the_exact_time_names_its_zone() -> None:
    """visual.md 5: "30 November, 14:00 (Oslo)"."""
    with timezone.override(ZoneInfo("Europe/Oslo")):
        assert exact_time(datetime(2026, 11, 30, 13, 0, tzinfo=UTC)) == "Monday 30 November 2026, 14:00 (Oslo)"
    with timezone.override(ZoneInfo("America/New_York")):
        assert exact_time(datetime(2026, 11, 30, 13, 0, tzinfo=UTC)) == "Monday 30 November 2026, 08:00 (New York)"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(seconds=61), "1 minute ago"),
        (timedelta(hours=3, minutes=50), "3 hours ago"),
        (timedelta(days=2), "2 days ago"),
        (timedelta(seconds=-30), "in a moment"),
        (timedelta(days=-6, hours=-1), "in 6 days"),
    ],
)
def test_distances_are_whole_units(before: timedelta, expected: str) -> None:
    """visual.md, picture 09a: "in 6 days"."""
    with time_machine.travel(NOW, tick=False):
        assert ago(NOW - before) == expected


def test_when_keeps_the_exact_moment_on_demand() -> None:
    """visual.md 4, Table: times as given in the person's zone with the exact time on demand."""
    with time_machine.travel(NOW, tick=False):
        shown = Template("{% load gatehouse %}{% when at %}").render(Context({"at": NOW}))
    assert shown == (
        '<time datetime="2026-11-23T13:00:00+00:00" title="Monday 23 November 2026, 13:00 (UTC)">Today, 13:00</time>'
    )


def test_an_address_breaks_after_slashes_and_is_escaped() -> None:
    """visual.md 4, Copy field: what a provider or a person wrote stays text."""
    assert after_slashes("https://a/<b>") == "https:/<wbr>/<wbr>a/<wbr>&lt;b&gt;"


def test_shares_follow_each_other_and_fill_the_bar() -> None:
    """visual.md 4, Chart: horizontal measures in percent."""
    first, second = shares(33, 11)
    assert (first.x, first.width, second.x, second.width) == ("0.000%", "75.000%", "75.000%", "25.000%")
    assert shares(0, 0)[1].width == "0.000%"


def test_a_part_of_nothing_is_nothing_and_never_more_than_all() -> None:
    assert percent(0, 0) == "0.000%"
    assert percent(5, 4) == "100.000%"
