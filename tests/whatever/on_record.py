"""Which entries of the audit log tell of a change: not any, but one of those that say so, about whom it concerns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from tests.whatever.rows import Change, Row

# What is deleted takes the traces of who gave or did something else with it.
GONE = "~user:deleted ~invitation:revoked"
# By model, and there by columns: the actions of which one has to be named. "+" is a row that came, "-" one that went;
# behind a column it is a value that came, or went. After a tilde the entry may be about something else than the row, or
# than its person.
_WORDS: dict[str, dict[str, str]] = {
    "users.User": {
        "+": "~invitation:issued break-glass:added",
        "-": "user:deleted ~invitation:revoked",
        "disabled_at+": "user:disabled",
        "disabled_at-": "user:enabled",
        "email email_folded": "user:email-changed",
        "email_confirmed_at": "user:email-changed ~invitation:redeemed",
        "name": "~invitation:redeemed switch:redeemed subject:linked",
        "listed_as": "~invitation:redeemed switch:redeemed subject:linked user:email-changed",
        "joined_at": "~invitation:redeemed",
        "password": "~invitation:redeemed switch:redeemed subject:linked",
        "connection_id": "~invitation:redeemed ~invitation:issued ~invitation:resent switch:redeemed subject:linked",
        "switching_to_id+": "switch:begun",
        "switching_to_id-": "switch:undone switch:redeemed subject:linked",
        "provider_email is_email_kept": "user:email-differs user:email-kept user:email-changed subject:linked",
        "is_break_glass": "break-glass:added break-glass:retired",
        "break_glass_tested_at break_glass_used_at break_glass_reminded_at": (
            "break-glass:added break-glass:retired break-glass:tested break-glass:used"
        ),
    },
    "users.RoleAssignment": {
        "+": "role:given ~invitation:issued break-glass:added",
        "-": "role:revoked user:deleted ~invitation:revoked",
        "given_by_id given_at": f"~invitation:resent {GONE}",
    },
    "users.Enterprise": {
        "provider_required_from+": "provider:required",
        "provider_required_from-": "provider:released ~connection:disabled",
        "provider_required_from is_requirement_reminded": "provider:required provider:released ~connection:disabled",
        "is_second_factor_required": "local-sign-in:changed",
        "idle_minutes session_hours reprove_minutes reauthenticate_minutes": "session-limits:changed",
        "closed_at+ closed_by_id+": "enterprise:closed",
        "closed_at-": "enterprise:reopened",
        "closed_by_id- reminded_days": f"enterprise:reopened {GONE}",
    },
    "identity.Connection": {
        "+": "connection:created",
        "-": "connection:deleted",
        "enabled_at+ disabled_at-": "connection:enabled",
        "enabled_at- disabled_at+": "connection:disabled",
        "leads": "~connection:enabled ~connection:disabled ~connection:put_first",
        "serving_id serving_terms": "connection:enabled connection:revised",
        "organization_id": "connection:revised",
        "email_rule": "connection:email-rule-changed",
        # While it is disabled a key signs as soon as it is published.
        "signing_key_id": "key:published key:put-in-use key:withdrawn",
        "are_keys_pasted": "keys:delivery-changed",
        "created_by_id": GONE,
    },
    "invitations.Batch": {
        "+": "batch:begun",
        "reminded_at": "batch:reminded",
        "undone_at": "batch:undone",
        "reminded_by_id undone_by_id begun_by_id name": f"batch:reminded batch:undone {GONE}",
    },
    "invitations.Move": {
        "+": "switch:begun",
        "redeemed_at": "switch:redeemed subject:linked",
        "undone_at": "switch:undone subject:linked",
        "undone_by_id": f"switch:undone {GONE}",
        "serial reminders expires_at send_after sent_at token_hash": "switch:reminded",
        "refused_at refused_reason": "switch:reminded switch:redeemed",
        "user_id name listed_as bounce_reason email email_folded": f"switch:reminded {GONE}",
    },
}
ON_RECORD = {
    model: {column: told.split() for columns, told in by_columns.items() for column in columns.split()}
    for model, by_columns in _WORDS.items()
}


def untold(change: Change) -> list[str]:
    """Return what has changed without an entry that says so, line by line; what is known nowhere above, too."""
    entries = change.events
    return [
        f"{model} {row['id']}: {column}, in {sorted({entry['action'] for entry in entries})}"
        for model, row, column in _changed(change)
        if not any(_tells(entry, row, _told_by(model, column)) for entry in entries)
    ]


def _changed(change: Change) -> Iterator[tuple[str, dict[str, Any], str]]:
    before, after = _by_key(change.gone), _by_key(change.came)
    for model, pk in before.keys() | after.keys():
        old, new = before.get((model, pk)), after.get((model, pk))
        if old is None or new is None:
            yield model, old or new or {}, "-" if old else "+"
        else:
            for column in new:
                if new[column] != old[column]:
                    yield model, new, column + ("+" if old[column] is None else "-" if new[column] is None else "")


def _told_by(model: str, column: str) -> list[str]:
    by_columns = ON_RECORD[model]
    return by_columns.get(column) or by_columns.get(column.rstrip("+-"), [])


def _by_key(rows: Iterable[Row]) -> dict[Row, dict[str, Any]]:
    read = ((model, json.loads(text)) for model, text in rows if model in ON_RECORD)
    return {(model, row["id"]): row for model, row in read}


def _tells(entry: dict[str, Any], row: dict[str, Any], told: Iterable[str]) -> bool:
    if f"~{entry['action']}" in told:
        return True
    concerned = {row["id"], row.get("user_id")} - {None}
    return entry["action"] in told and not concerned.isdisjoint((entry["target_id"], entry["actor_id"]))
