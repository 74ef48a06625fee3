"""Keys that seal secrets at rest: make one, see what each holds, and learn when one can go."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit.actions import Action
from audit.models import record
from console.sealed import COOKIES_LAST, emptied_at, holdings, note_emptied, sealing_key

STEPS = """
Every process has to know a key before any of them seals with it. So:

1. Append the line above to SEALING_KEYS, after a comma. Restart web, worker and beat.
2. Move it to the front of SEALING_KEYS. Restart them again: it seals from now on.
3. python manage.py reseal
4. An hour later, for each older key: python manage.py sealing_key retire ID
   It says when nothing needs the key any more, and only then it may go.
"""


class Command(BaseCommand):
    help = "Makes a key for SEALING_KEYS, says what each key holds, and when one can be removed."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("new", help="print a new entry for SEALING_KEYS, and what to do with it")
        acts.add_parser("status", help="say how many values each key holds")
        retire = acts.add_parser("retire", help="say whether a key can be removed; exits with 1 while it cannot")
        retire.add_argument("key", metavar="ID", help="the part before the colon")

    def handle(self, *args: Any, **options: Any) -> None:
        match options["act"]:
            case "new":
                self.new()
            case "status":
                self.status()
            case _:
                self.retire(options["key"])

    def new(self) -> None:
        """The entry alone goes to stdout, so that it can be piped to where secrets are kept."""
        day = f"{timezone.now():%Y%m%d}"
        taken = holdings()
        name = next(name for name in (day, *(f"{day}x{n}" for n in range(2, 1000))) if name not in taken)
        key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self.stdout.write(f"{name}:{key}")
        self.stderr.write(STEPS)

    def status(self) -> None:
        held = holdings()
        for key, columns in held.items():
            what = "seals" if key == sealing_key() else "opens" if key in settings.SEALING_KEYS else "missing"
            self.stdout.write(f"{key}  {what}  {sum(columns.values())} values")
            for column, count in columns.items():
                self.stdout.write(f"    {column}: {count}")
        missing = [key for key in held if key not in settings.SEALING_KEYS]
        if missing:
            raise CommandError(f"Bring back to SEALING_KEYS, or these values stay closed: {', '.join(missing)}.")

    def retire(self, key: str) -> None:
        if key not in settings.SEALING_KEYS:
            raise CommandError(f"SEALING_KEYS has no key called {key}.")
        if key == sealing_key():
            raise CommandError(f"{key} is first in SEALING_KEYS, so it seals. Put another one before it.")
        values = sum(holdings()[key].values())
        if values:
            raise CommandError(f"{key} still holds {values} values. Run: python manage.py reseal")
        now = timezone.now()
        note_emptied(now)
        since = emptied_at(key) or now
        if now - since < COOKIES_LAST:
            until = timezone.localtime(since + COOKIES_LAST)
            raise CommandError(f"{key} holds no value, but cookies may need it. Ask again at {until:%H:%M} {until:%Z}.")
        record(Action.SEALING_KEY_RETIRED, enterprise=None, key=key)
        self.stdout.write(f"Nothing needs {key}. Remove it from SEALING_KEYS, restart, and destroy every copy of it.")
