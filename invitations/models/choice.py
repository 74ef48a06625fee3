"""Whom a batch is for: people picked one by one, whoever a filter finds, or everyone with a password."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.http import QueryDict

from audit.ids import is_id
from users.models.finding import FILTERS, narrowed

if TYPE_CHECKING:
    from users.models.user_queryset import UserQuerySet

# By hand; who means more has a filter.
MOST_PICKED = 200
LONGEST_SEARCH = 100


@dataclass(frozen=True)
class Choice:
    """What stood in the address of the list of people, to be found there again, and kept by a batch.

    Not who they were: a filter is asked anew by whoever acts on it.
    """

    users: tuple[str, ...] = ()
    text: str = ""
    filters: dict[str, str] = field(default_factory=dict)

    @classmethod
    def asked(cls, query: QueryDict) -> Choice:
        """Read the choice from an address or a form. Nothing in it means everyone with a password."""
        users = tuple(dict.fromkeys(pk for pk in query.getlist("user") if is_id(pk)))[:MOST_PICKED]
        if users:
            return cls(users)
        values = {name: query.get(name, "").replace("\x00", "")[:LONGEST_SEARCH] for name in ("q", *FILTERS)}
        return cls(text=values.pop("q").strip(), filters={name: value for name, value in values.items() if value})

    @property
    def is_everyone(self) -> bool:
        return not (self.users or self.text or self.filters)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The choice as fields of a form or of an address."""
        found = [("user", pk) for pk in self.users] + list(self.filters.items())
        return [*found, ("q", self.text)] if self.text else found

    def as_json(self) -> dict[str, Any]:
        return {"users": list(self.users), "text": self.text, "filters": self.filters}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Choice:
        return cls(tuple(kept["users"]), kept["text"], kept["filters"])

    def among(self, people: UserQuerySet) -> UserQuerySet:
        """Keep those of ``people`` who are meant."""
        if self.users:
            return people.filter(pk__in=self.users)
        if self.is_everyone:
            return people.signing_in_with_password()
        return narrowed(people, self.text, self.filters)
