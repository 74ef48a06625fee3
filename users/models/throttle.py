"""Growing, capped, expiring delays for guesses (T14)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Self

from django.db import models, transaction

FREE_TRIES = 5
FIRST_DELAY = timedelta(seconds=2)
LONGEST_DELAY = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=24)


class TooManyTries(Exception):
    """The caller has to wait before the next try; answered with status 429 (``users.middleware``)."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(wait)
        self.wait = wait


class Throttle(models.Model):
    """Failures seen for one key (an account, an address, a browser), and until when the next try waits."""

    key = models.CharField(primary_key=True, max_length=64)
    failures = models.PositiveIntegerField(default=0)
    blocked_until = models.DateTimeField(null=True)
    failed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key

    @staticmethod
    def key_for(*parts: str) -> str:
        """Return the key for ``parts``; hashed, so that the table holds no addresses."""
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @classmethod
    def admit(cls, keys: Mapping[str, int], at: datetime) -> None:
        """Count a try on each of ``keys``, or raise TooManyTries when one of them has to wait.

        The values say how many tries are free; after them the delay doubles with each, up to ``LONGEST_DELAY``. The
        try is counted before its outcome is known, so that a hundred at once are not a hundred free guesses; what
        is tried while waiting counts nothing, so that nobody is kept out for good.
        """
        with transaction.atomic():
            rows = []
            for key in sorted(keys):  # One order for everyone, so that two requests cannot deadlock.
                row = cls._locked(key, at)
                if row.blocked_until and row.blocked_until > at:
                    raise TooManyTries(row.blocked_until - at)
                rows.append(row)
            for row in rows:
                row.count(at, keys[row.key])

    @classmethod
    def _locked(cls, key: str, at: datetime) -> Self:
        """Return the row of ``key`` with its lock, a new one if there is none.

        Not ``get_or_create``: whoever makes the row at the same time may have got in and forgotten it again before we
        look for it, and then it raises.
        """
        while (row := cls.objects.select_for_update().filter(key=key).first()) is None:
            cls.objects.bulk_create([cls(key=key, failed_at=at)], ignore_conflicts=True)
        return row

    @classmethod
    def wait(cls, keys: list[str], at: datetime) -> timedelta:
        """Return how long the caller has to wait before the next try counts; zero when it may try now."""
        until = cls.objects.filter(key__in=keys, blocked_until__gt=at).aggregate(until=models.Max("blocked_until"))[
            "until"
        ]
        return until - at if until else timedelta()

    @classmethod
    def failed(cls, keys: list[str], at: datetime) -> None:
        """Count one more failure on each key, after the fact; ``FREE_TRIES`` of them cost nothing."""
        with transaction.atomic():
            for key in sorted(keys):
                row = cls._locked(key, at)
                row.count(at, FREE_TRIES)

    def count(self, at: datetime, free: int) -> None:
        if at - self.failed_at > FORGOTTEN_AFTER:
            self.failures = 0
        self.failures += 1
        self.failed_at = at
        over = self.failures - free
        self.blocked_until = at + min(FIRST_DELAY * 2 ** min(over - 1, 20), LONGEST_DELAY) if over > 0 else None
        self.save()

    @classmethod
    def succeeded(cls, keys: list[str]) -> None:
        """Forget the failures on ``keys``: whoever tried was the owner."""
        cls.objects.filter(key__in=keys).delete()

    @classmethod
    def give_back(cls, key: str) -> None:
        """Take the try that succeeded off a key which many people share. A delay it has already caused stays."""
        cls.objects.filter(key=key, failures__gt=0).update(failures=models.F("failures") - 1)

    @classmethod
    def forget(cls, at: datetime) -> None:
        """Delete rows nobody has failed on for a day."""
        cls.objects.filter(failed_at__lt=at - FORGOTTEN_AFTER).delete()
