"""Seal again, with the key that seals now, whatever another key has sealed."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from audit.actions import Action
from audit.models import record
from console.sealed import Resealing, note_emptied, sealing_key


class Command(BaseCommand):
    help = (
        "Seals every stored secret again with the first key of SEALING_KEYS. Safe while people sign in; "
        "when it is stopped, run it again: it goes on with what is left."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        resealing = Resealing()
        try:
            for column, done in resealing.walk():
                self.stdout.write(f"{column}: {done}")
        finally:
            if resealing.moved:
                record(Action.VALUES_RESEALED, enterprise=None, key=sealing_key(), moved=resealing.moved)
        note_emptied(timezone.now())
        self.stdout.write(f"{sum(resealing.moved.values())} values are sealed with {sealing_key()} now.")
        if resealing.overtaken:
            self.stdout.write(f"{resealing.overtaken} were written anew meanwhile, and left as they are.")
        if resealing.broken:
            named = "\n".join(f"  {name}" for name in resealing.broken)
            raise CommandError(
                f"{len(resealing.broken)} do not open with any key of SEALING_KEYS, and were left as they are:\n{named}"
            )
