"""Lists as files for a spreadsheet, line by line, so that memory stays flat however long they are."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

Cells = Iterable[object]


class _Line:
    """A file that hands back what is written to it, so that csv can be streamed."""

    def write(self, line: str) -> str:
        return line


def as_csv(columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[str]:
    """Yield the lines of a CSV file: ``columns``, then ``rows``. None is empty, and a time is ISO 8601."""
    writer = csv.writer(_Line())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([_plain(cell) for cell in row])


def _plain(cell: object) -> str:
    if cell is None:
        return ""
    text = cell.isoformat() if isinstance(cell, datetime) else str(cell)
    # Keep a spreadsheet from taking what somebody typed for a formula.
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text
