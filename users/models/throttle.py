"""Growing, capped, expiring delays for guesses (T14)."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.db import models, transaction

FREE_TRIES = 5
FIRST_DELAY = timedelta(seconds=2)
LONGEST_DELAY = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=24)


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
    def wait(cls, keys: list[str], at: datetime) -> timedelta:
        """Return how long the caller has to wait before the next try counts; zero when it may try now."""
        until = cls.objects.filter(key__in=keys, blocked_until__gt=at).aggregate(until=models.Max("blocked_until"))[
            "until"
        ]
        return until - at if until else timedelta()

    @classmethod
    def failed(cls, keys: list[str], at: datetime) -> None:
        """Count one more failure on each key. The delay doubles from the sixth on, up to ``LONGEST_DELAY``."""
        with transaction.atomic():
            for key in sorted(keys):  # One order for everyone, so that two requests cannot deadlock.
                row, made = cls.objects.select_for_update().get_or_create(key=key, defaults={"failed_at": at})
                if not made and at - row.failed_at > FORGOTTEN_AFTER:
                    row.failures = 0
                row.failures += 1
                row.failed_at = at
                over = row.failures - FREE_TRIES
                row.blocked_until = at + min(FIRST_DELAY * 2 ** min(over - 1, 20), LONGEST_DELAY) if over > 0 else None
                row.save()

    @classmethod
    def succeeded(cls, keys: list[str]) -> None:
        cls.objects.filter(key__in=keys).delete()

    @classmethod
    def forget(cls, at: datetime) -> None:
        """Delete rows nobody has failed on for a day."""
        cls.objects.filter(failed_at__lt=at - FORGOTTEN_AFTER).delete()
