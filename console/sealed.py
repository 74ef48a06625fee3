"""Every column that holds sealed values, in one place: what has to move before a key of ours can go (R10).

A column whose name is ``sealed`` or ends so belongs in ``SEALED``; a test says which is missing. Sealed cookies cannot
be asked for: ``COOKIES_LAST`` is how long the longest of them lives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Model, QuerySet, TextField, Value
from django.db.models.functions import StrIndex, Substr

from audit.actions import Action
from audit.models import Event, record
from identity.credentials import ClientKey, ClientSecret
from identity.models import Grant
from users.models import AuthenticatorApp, HeldForm
from users.sealing import SealBroken, seal, unseal

BATCH = 500
COOKIES_LAST = timedelta(hours=1)


@dataclass(frozen=True)
class SealedColumn:
    """``column`` of ``model``. What a value is bound to, its row says with ``_place``, by the relations ``needs``."""

    model: type[Model]
    column: str
    needs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.model._meta.label}.{self.column}"

    def values(self) -> QuerySet[Model]:
        return self.model._base_manager.filter(**{f"{self.column}__gt": ""})

    def by_key(self) -> dict[str, int]:
        """Return how many values there are by the id of the key that opens them."""
        end = StrIndex(self.column, Value(".")) - 1
        key = Substr(self.column, 1, end, output_field=TextField())
        counted = self.values().order_by().annotate(key=key).values("key").annotate(values=Count("pk"))
        return {row["key"]: row["values"] for row in counted}

    def batches(self, key: str) -> Iterator[list[Model]]:
        """Yield the rows whose value another key than ``key`` has sealed, some at a time."""
        last: Any = None
        while True:
            rows = self.values().exclude(**{f"{self.column}__startswith": f"{key}."})
            if last is not None:
                rows = rows.filter(pk__gt=last)
            found = list(rows.select_related(*self.needs).order_by("pk")[:BATCH])
            if not found:
                return
            yield found
            last = found[-1].pk

    def reseal(self, row: Model) -> bool:
        """Seal the value of ``row`` with the key that seals now. Raises SealBroken.

        False when somebody wrote another meanwhile, which that key has sealed already: theirs stays.
        """
        old, place = getattr(row, self.column), row._place  # type: ignore[attr-defined]
        new = seal(unseal(old, bound_to=place), bound_to=place)
        return bool(self.model._base_manager.filter(pk=row.pk, **{self.column: old}).update(**{self.column: new}))


SEALED = (
    SealedColumn(ClientSecret, "sealed", needs=("connection",)),
    SealedColumn(ClientKey, "sealed", needs=("connection",)),
    SealedColumn(Grant, "refresh_sealed", needs=("session",)),
    SealedColumn(HeldForm, "sealed"),
    SealedColumn(AuthenticatorApp, "secret_sealed"),
)


def sealing_key() -> str:
    """Return the id of the key that seals."""
    return next(iter(settings.SEALING_KEYS))


def holdings() -> dict[str, dict[str, int]]:
    """Return what each key holds: its id, and how many values of which column. Keys we do not have are among them."""
    held: dict[str, dict[str, int]] = {key: {} for key in settings.SEALING_KEYS}
    for column in SEALED:
        for key, count in column.by_key().items():
            held.setdefault(key, {})[str(column)] = count
    return held


@dataclass
class Resealing:
    """One walk over every column. Stopped, it leaves done what is done, and the next one goes on with what is left."""

    moved: dict[str, int] = field(default_factory=dict)
    overtaken: int = 0
    broken: list[str] = field(default_factory=list)

    def walk(self) -> Iterator[tuple[SealedColumn, int]]:
        """Reseal a batch, and say of which column and how many values of it are done; until all of them are."""
        key = sealing_key()
        for column in SEALED:
            done = 0
            for rows in column.batches(key):
                for row in rows:
                    self._reseal(column, row)
                done += len(rows)
                yield column, done

    def _reseal(self, column: SealedColumn, row: Model) -> None:
        key = getattr(row, column.column).partition(".")[0]
        try:
            is_moved = column.reseal(row)
        except SealBroken:
            self.broken.append(f"{column} of {row.pk}")
            return
        if is_moved:
            self.moved[key] = self.moved.get(key, 0) + 1
        else:
            self.overtaken += 1


def note_emptied(at: datetime) -> None:
    """Put on record which keys hold nothing any more, once each."""
    for key, held in holdings().items():
        if key != sealing_key() and not held and emptied_at(key) is None:
            record(Action.SEALING_KEY_EMPTIED, enterprise=None, key=key, at=at.isoformat())


def emptied_at(key: str) -> datetime | None:
    """Return since when ``key`` is known to hold nothing; None when nobody has looked since it last did."""
    events = Event.objects.filter(enterprise=None)
    used = events.filter(action=Action.VALUES_RESEALED, details__moved__has_key=key).newest_first().first()
    emptied = events.filter(action=Action.SEALING_KEY_EMPTIED, details__key=key)
    if used is not None:
        emptied = emptied.filter(at__gte=used.at)
    first = emptied.order_by("at", "id").first()
    return first.at if first else None
