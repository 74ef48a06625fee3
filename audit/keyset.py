"""Keyset pagination: a page costs the same however deep it lies, and nothing is skipped when rows arrive."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import F, Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of rows, with the cursors of its neighbours; an empty string where there is none."""

    rows: list[Row]
    previous: str
    next: str


def page(queryset: QuerySet[Row], *, by: tuple[str, ...], cursor: str, size: int) -> Page[Row]:
    """Return the page of ``queryset`` that ``cursor`` (from the address) stands for, at most ``size`` rows.

    ``by`` names the columns to sort by, without nulls, the last one unique; either all or none begin with a minus.
    A cursor that makes no sense shows the first page: it came from the address bar, not from us.
    """
    names = [name.lstrip("-") for name in by]
    descending = by[0].startswith("-")
    place = _read(queryset, names, cursor)
    backwards = place is not None and place[0] == "previous"
    if place is not None:
        queryset = queryset.filter(_beyond(names, place[1], greater=descending == backwards))
    order = [F(name).desc() if descending != backwards else F(name).asc() for name in names]
    found = list(queryset.order_by(*order)[: size + 1])
    more = len(found) > size
    rows = found[:size][::-1] if backwards else found[:size]
    if not rows:
        return Page([], "", "")
    has_previous, has_next = (more, True) if backwards else (place is not None, more)
    return Page(
        rows,
        _write("previous", names, rows[0]) if has_previous else "",
        _write("next", names, rows[-1]) if has_next else "",
    )


def _beyond(names: list[str], values: list[Any], *, greater: bool) -> Q:
    """(a, b) > (x, y), written so that an index on (a, b) serves it."""
    compare = "gt" if greater else "lt"
    name, value = names[0], values[0]
    if len(names) == 1:
        return Q(**{f"{name}__{compare}": value})
    rest = Q(**{name: value}) & _beyond(names[1:], values[1:], greater=greater)
    return Q(**{f"{name}__{compare}e": value}) & (Q(**{f"{name}__{compare}": value}) | rest)


def _write(direction: str, names: list[str], row: Model) -> str:
    values = [str(getattr(row, name)) for name in names]
    return base64.urlsafe_b64encode(json.dumps([direction, *values]).encode()).rstrip(b"=").decode()


def _read(queryset: QuerySet[Any], names: list[str], cursor: str) -> tuple[str, list[Any]] | None:
    if not cursor or len(cursor) > 2000:
        return None
    try:
        direction, *values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if direction not in ("previous", "next") or len(values) != len(names):
            return None
        return direction, [_value(_field(queryset, n), str(v)) for n, v in zip(names, values, strict=True)]
    except (binascii.Error, ValueError, TypeError, RecursionError, ValidationError):
        return None


def _value(field: Any, text: str) -> Any:
    """Return ``text`` as ``field`` would hold it. Raises ValueError for what no row of ours can hold."""
    if b"\0" in text.encode():  # Half a surrogate pair raises, too.
        raise ValueError
    value = field.to_python(text)
    if isinstance(value, datetime) and value.utcoffset() != timedelta():  # We write them in UTC.
        raise ValueError
    return value


def _field(queryset: QuerySet[Any], name: str) -> Any:
    try:
        return queryset.model._meta.get_field(name)
    except FieldDoesNotExist:
        return queryset.query.annotations[name].output_field
