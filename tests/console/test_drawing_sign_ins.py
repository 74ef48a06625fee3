"""The chart of sign-ins: its measures."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from console.charts import HEIGHT, TOP, Day, sign_in_chart

MONDAY = date(2026, 11, 2)


def days(*counts: tuple[int, int]) -> list[Day]:
    return [Day(MONDAY + timedelta(days=n), okta, password, 0) for n, (okta, password) in enumerate(counts)]


def test_bars_stand_on_the_ground_and_on_each_other() -> None:
    """visual.md 4, Chart: stacked bars with a gap of two pixels."""
    bar = sign_in_chart(days((20, 10))).bars[0]
    assert bar.okta_y + bar.okta_height == HEIGHT + TOP
    assert bar.okta_y - (bar.password_y + bar.password_height) == pytest.approx(2)


@pytest.mark.parametrize(
    ("most", "lines"),
    [(0, ["3", "2", "1", "0"]), (30, ["30", "20", "10", "0"]), (31, ["60", "40", "20", "0"]), (140, ["150", "100"])],
)
def test_the_grid_has_round_numbers(most: int, lines: list[str]) -> None:
    """visual.md 4, Chart: three or four grid lines."""
    words = [line.words for line in sign_in_chart(days((most, 0))).grid]
    assert sorted(words, key=int, reverse=True)[: len(lines)] == lines
    assert len(words) == 4


def test_every_bar_fits_under_the_highest_line() -> None:
    for most in range(1, 400):
        bar = sign_in_chart(days((most, 0))).bars[0]
        assert bar.okta_y >= TOP, most


def test_weeks_are_counted_back_from_today_and_stay_inside() -> None:
    """visual.md 4, Chart: weekly labels."""
    chart = sign_in_chart(days(*[(1, 1)] * 15))
    assert [(week.words, week.anchor) for week in chart.weeks] == [
        ("2 Nov", "middle"),
        ("9 Nov", "middle"),
        ("16 Nov", "end"),
    ]


def test_the_day_okta_was_enabled_is_marked_when_it_is_shown() -> None:
    """visual.md 4, Chart: a dotted line for "Okta enabled"."""
    shown = days(*[(1, 1)] * 10)
    event = sign_in_chart(shown, enabled_on=shown[8].date).event
    assert event is not None
    assert (event.at, event.words, event.anchor) == ("80.000%", "10 Nov", "end")
    assert sign_in_chart(shown, enabled_on=MONDAY - timedelta(days=1)).event is None


def test_no_days_are_no_bars() -> None:
    assert sign_in_chart([]).bars == []
