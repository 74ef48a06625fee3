"""What becomes of somebody's data in what stays on record, once the account is deleted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Q

GONE = "…"


@dataclass(frozen=True)
class Forgotten:
    """The addresses and identifiers one person had, and the ``label`` that stays: who did what is to be read still."""

    emails: frozenset[str]
    ids: frozenset[str]
    label: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        either = "|".join(re.escape(email) for email in sorted(self.emails, key=len, reverse=True))
        # As a whole: o@x.example stands in to@x.example, too, and in o@x.example.org.
        return re.compile(rf"(?<![\w.%+-])(?:{either})(?![\w-]|\.\w)", re.IGNORECASE)

    def standing_in(self, *columns: str) -> Q:
        """Match rows in one of whose ``columns``, which are text, one of these may stand."""
        words = {json.dumps(word, ensure_ascii=False)[1:-1] for word in self.emails | self.ids}
        found = Q()
        for column in columns:
            for word in words:
                found |= Q(**{f"{column}__icontains": word})
        return found

    def is_sought_by(self, search: str) -> bool:
        """Return whether ``search`` is as much of one of these addresses as tells whose it is."""
        sought = search.strip().casefold()
        return sought.find("@") > 0 and any(sought in email.casefold() for email in self.emails)

    def label_for(self, text: str) -> str:
        """Return a label with the person's own in place of an address."""
        return self._pattern.sub(lambda _found: self.label, text)

    def left_of(self, details: Any) -> Any:
        """Return ``details`` of an event without what is forgotten. Claims are about one person, and go as a whole."""
        if isinstance(details, dict):
            return {
                key: GONE if key == "claims" and self._speak_of(value) else self.left_of(value)
                for key, value in details.items()
            }
        if isinstance(details, list):
            return [self.left_of(value) for value in details]
        if isinstance(details, str):
            return GONE if details in self.ids else self._pattern.sub(GONE, details)
        return details

    def _speak_of(self, claims: Any) -> bool:
        values: Iterable[Any] = claims.values() if isinstance(claims, dict) else ()
        return any(self.left_of(value) != value for value in values)
