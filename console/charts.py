"""The drawing of sign-ins by day: measures only, all of them as SVG attributes (a strict CSP leaves no other place)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format

HEIGHT = 132  # pixels of the plot; its width is a percentage, so that words never scale
TOP = 16  # pixels above the plot, where crosses and the event's words are
_GAP = 2  # pixels between what is stacked


@dataclass(frozen=True)
class Day:
    """What happened on one day, counted."""

    date: date
    okta: int
    password: int
    refused: int


@dataclass(frozen=True)
class Bar:
    """One day, drawn: x and width in percent, the rest in pixels from the top."""

    day: Day
    x: str
    width: str
    middle: str
    okta_y: float
    okta_height: float
    password_y: float
    password_height: float
    cross_y: float


@dataclass(frozen=True)
class Mark:
    """A line or word of the chart: y in pixels for the grid, x in percent for days."""

    at: str
    words: str
    anchor: str = "middle"  # start and end keep words inside the drawing at its edges
    shift: int = 0  # pixels


@dataclass(frozen=True)
class Chart:
    bars: list[Bar]
    grid: list[Mark]
    weeks: list[Mark]
    event: Mark | None
    height: int = HEIGHT + TOP
    total_height: int = HEIGHT + TOP + 24


def _ceiling(most: int) -> int:
    """The lowest round number of three equal steps that holds `most`."""
    step = 1
    while step * 3 < most:
        step = next(s for s in (2, 5, 10) if s * _power(step) > step) * _power(step)
    return step * 3


def _power(step: int) -> int:
    return 10 ** (len(str(step)) - 1)


def sign_in_chart(days: Sequence[Day], enabled_on: date | None = None) -> Chart:
    """Stacked bars of `days`, oldest first; `enabled_on` draws the dotted line before that day.

    No days give a chart without bars, which the template does not draw.
    """
    ceiling = _ceiling(max((day.okta + day.password for day in days), default=1))
    slot = 100 / max(len(days), 1)
    bars, weeks = [], []
    event = None
    for number, day in enumerate(days):
        x = slot * number
        middle = f"{x + slot / 2:.3f}%"
        okta = HEIGHT * day.okta / ceiling
        password = HEIGHT * day.password / ceiling
        gap = _GAP if day.okta and day.password else 0
        okta_y = HEIGHT + TOP - okta
        password_y = okta_y - password
        bars.append(
            Bar(
                day=day,
                x=f"{x + slot * 0.14:.3f}%",
                width=f"{slot * 0.72:.3f}%",
                middle=middle,
                okta_y=round(okta_y, 1),
                okta_height=round(okta, 1),
                password_y=round(password_y, 1),
                password_height=round(max(password - gap, 0), 1),
                cross_y=round(password_y - 9, 1),
            )
        )
        if (len(days) - 1 - number) % 7 == 0:
            last = number == len(days) - 1
            weeks.append(Mark("100%" if last else middle, date_format(day.date, "j M"), "end" if last else "middle"))
        if day.date == enabled_on:
            early = x < 40
            event = Mark(f"{x:.3f}%", date_format(day.date, "j M"), "start" if early else "end", 6 if early else -6)
    grid = [Mark(str(round(TOP + HEIGHT * (1 - part / 3), 1)), str(ceiling * part // 3)) for part in range(4)]
    return Chart(bars=bars, grid=grid, weeks=weeks, event=event)
