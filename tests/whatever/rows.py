"""What stands in the rows of an enterprise, read in one statement, and what has become of it."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection as database
from django.db import models

from users.models import Enterprise

# What Gatehouse notes for itself while it serves people. Nobody decides it, and it is in no log.
NOTED: dict[str, tuple[str, ...]] = {
    "users.User": ("last_login",),
    "users.Session": (
        "session_data",
        "last_seen_at",
        "idle_until",
        "address",
        "vouched_at",
        "vouch_due_at",
        "vouch_by",
    ),
    # How far a worker is with what somebody decided.
    "invitations.Batch": ("doing", "taken", "left_out", "reached"),
}
# Rows that are no decision either, but follow from one: emails to send, forms that wait, and the log itself. And where
# an administrator is with somebody on the way of M6: each of its steps does something that is on record by itself.
FOLLOWING = frozenset(
    {"users.OutgoingEmail", "users.HeldForm", "identity.Grant", "audit.Event", "invitations.Switch"}
)  # fmt: skip

Row = tuple[str, str]


@dataclass(frozen=True)
class Change:
    """What one step has done to the rows of an enterprise."""

    gone: frozenset[Row]
    came: frozenset[Row]

    @property
    def decided(self) -> list[str]:
        """What ought to be in the audit log, line by line."""
        lines = [("-", row) for row in self.gone] + [("+", row) for row in self.came]
        return sorted(f"{sign} {model} {text}" for sign, (model, text) in lines if model not in FOLLOWING)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The new entries of the audit log; not those that were there, and have forgotten somebody."""
        before = {json.loads(text)["id"] for model, text in self.gone if model == "audit.Event"}
        came = [json.loads(text) for model, text in self.came if model == "audit.Event"]
        return [event for event in came if event["id"] not in before]

    def __bool__(self) -> bool:
        return bool(self.gone or self.came)


def rows_of(enterprise: Enterprise) -> frozenset[Row]:
    """Return every row that belongs to ``enterprise``, directly or by what it belongs to, without what is ``NOTED``."""
    with database.cursor() as cursor:
        cursor.execute(_statement(), {"enterprise": enterprise.pk})
        return frozenset(cursor.fetchall())


@functools.cache
def _statement() -> str:
    parts = []
    for model in apps.get_models():
        if condition := _belonging(model):
            left_out = ", ".join(f"'{column}'" for column in NOTED.get(model._meta.label, ()))
            row = f"(to_jsonb(t) - ARRAY[{left_out}]::text[])::text"
            parts.append(f"SELECT '{model._meta.label}', {row} FROM {model._meta.db_table} t WHERE {condition}")  # noqa: S608 - of names in this code
    return " UNION ALL ".join(parts)


def _belonging(model: type[models.Model], below: tuple[type[models.Model], ...] = ()) -> str:
    """Return the condition for belonging to an enterprise; empty for what belongs to none, or to all."""
    if model is Enterprise:
        return "id = %(enterprise)s"
    related = [field for field in model._meta.concrete_fields if field.remote_field]
    for field in related:
        if field.related_model is Enterprise:
            return f"{field.column} = %(enterprise)s"
    for field in related:
        other = field.related_model
        if field.null or other in (model, *below):
            continue
        if inner := _belonging(other, (*below, model)):
            key, table = other._meta.pk.column, other._meta.db_table
            return f"{field.column} IN (SELECT {key} FROM {table} WHERE {inner})"  # noqa: S608
    return ""
