"""Everything in an enterprise as files, for whoever leaves with it. Never a secret, a password, a token or a key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from tempfile import SpooledTemporaryFile
from zipfile import ZIP_DEFLATED, ZipFile

from django.utils.translation import gettext as _

from audit.models import Event, EventQuerySet
from audit.sheets import Cells, as_csv
from identity.models import Connection, WaitingSubject
from invitations.models import Batch, Invitation, Move, Switch
from users.models import CustomRole, Enterprise, Organization, RoleAssignment, User

# Bytes held in memory; what is larger goes to a temporary file.
IN_MEMORY = 8 * 1024 * 1024
PIECE = 64 * 1024
# Rows read at a time.
CHUNK = 2000
EVENT_COLUMNS = (
    "at", "action", "result", "reason", "actor", "target_type", "target", "address", "device", "request_id",
    "reference", "times", "details",
)  # fmt: skip


def event_rows(events: EventQuerySet) -> Iterator[Cells]:
    """Yield a row for each of ``events``, read through a server-side cursor so that memory stays flat."""
    for event in events.iterator(chunk_size=CHUNK):
        yield (
            event.at, event.action, event.result, event.reason, event.actor_label, event.target_type,
            event.target_label, event.address, event.device, event.request_id, event.reference, event.times,
            json.dumps(event.details, ensure_ascii=False) if event.details else "",
        )  # fmt: skip


def archive(enterprise: Enterprise) -> Iterator[bytes]:
    """Yield a ZIP of everything in ``enterprise``, which is made when the first piece is asked for."""
    with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        with ZipFile(file, "w", ZIP_DEFLATED) as zipped:
            zipped.writestr("README.txt", _readme(enterprise))
            zipped.writestr("enterprise.json", _json(_enterprise(enterprise)))
            zipped.writestr("connections.json", _json(_connections(enterprise)))
            for name, table in TABLES.items():
                with zipped.open(f"{name}.csv", "w", force_zip64=True) as entry:
                    for line in table(enterprise):
                        entry.write(line.encode())
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=lambda at: at.isoformat())


def _readme(enterprise: Enterprise) -> str:
    return _(
        "Everything Gatehouse keeps for %(name)s (%(slug)s).\n\n"
        "people.csv         accounts, and how each signs in\n"
        "roles.csv          who has which role, and where\n"
        "custom_roles.csv   roles of your own, and what each permits\n"
        "organizations.csv  the parts of the enterprise\n"
        "invitations.csv    who was invited, by whom, and what became of it\n"
        "batches.csv        switches to a provider, of many people at once\n"
        "switches.csv       each person in them, and what became of it\n"
        "step_by_step.csv   people who were switched by being invited again\n"
        "connections.json   identity providers, with every revision of their settings\n"
        "waiting.csv        sign-ins at a provider that wait for an administrator, or were refused\n"
        "audit.csv          who did what, when, from where\n"
        "enterprise.json    the enterprise itself\n\n"
        "Times are ISO 8601 with their offset. Passwords, client secrets, keys and links are not part of it, nor are\n"
        "sessions, which end, and emails that were sent.\n"
    ) % {"name": enterprise.name, "slug": enterprise.slug}


def _enterprise(enterprise: Enterprise) -> dict[str, object]:
    names = ("id", "name", "slug", "region", "created_at", "idle_minutes", "session_hours", "reprove_minutes",
             "reauthenticate_minutes", "is_second_factor_required", "provider_required_from", "closed_at")  # fmt: skip
    return {name: getattr(enterprise, name) for name in names}


def _connections(enterprise: Enterprise) -> list[dict[str, object]]:
    found = (
        Connection.objects.of(enterprise)
        .select_related("organization", "created_by")
        .prefetch_related("revisions", "secrets", "keys")
    )
    return [
        {
            "id": connection.pk,
            "provider": connection.provider,
            "organization": connection.organization.name if connection.organization else None,
            "status": connection.status,
            "redirect_uri": connection.redirect_uri,
            "leads": connection.leads,
            "email_rule": connection.email_rule,
            "created_at": connection.created_at,
            "created_by": _email(connection.created_by),
            "enabled_at": connection.enabled_at,
            "disabled_at": connection.disabled_at,
            "revisions": [
                {"number": revision.number, **revision.values, "created_at": revision.created_at,
                 "tested_at": revision.tested_at, "is_serving": revision.pk == connection.serving_id}
                for revision in sorted(connection.revisions.all(), key=lambda revision: revision.number)
            ],
            "secrets": [
                {"last_four": secret.last_four, "set_at": secret.set_at, "expires_on": secret.expires_on,
                 "retired_at": secret.retired_at}
                for secret in connection.secrets.all()
            ],
            "keys": [
                {"kid": key.kid, "algorithm": key.algorithm, "published_at": key.published_at,
                 "withdrawn_at": key.withdrawn_at}
                for key in connection.keys.all()
            ],
        }
        for connection in found
    ]  # fmt: skip


def _people(enterprise: Enterprise) -> Iterator[str]:
    def rows() -> Iterator[Cells]:
        people = (
            User.objects.of(enterprise)
            .order_by("listed_as", "id")
            .select_related("connection", "switching_to", "authenticator_app")
        )
        for user in people.prefetch_related("subjects", "passkeys").iterator(chunk_size=CHUNK):
            known = [f"{subject.sub} at {subject.issuer}" for subject in user.subjects.all()]
            yield (
                user.pk, user.name, user.email, user.status.value,
                user.connection.label if user.connection else "password",
                user.switching_to.label if user.switching_to else "", " ".join(known), user.provider_email,
                _factors(user), user.is_break_glass, user.break_glass_tested_at,
                user.created_at, user.email_confirmed_at, user.joined_at, user.last_login, user.disabled_at,
                user.time_zone,
            )  # fmt: skip

    return as_csv(
        ("id", "name", "email", "status", "signs_in_with", "switching_to", "known_as", "email_at_provider",
         "second_factors", "is_break_glass", "break_glass_tested_at", "created_at", "email_confirmed_at", "joined_at",
         "last_sign_in_at", "disabled_at", "time_zone"),
        rows(),
    )  # fmt: skip


def _factors(user: User) -> str:
    app = [_("Authenticator app")] if hasattr(user, "authenticator_app") else []
    return ", ".join([*app, *(passkey.name for passkey in user.passkeys.all())])


def _roles(enterprise: Enterprise) -> Iterator[str]:
    def rows() -> Iterator[Cells]:
        given = RoleAssignment.objects.of(enterprise).select_related("user", "organization", "given_by")
        for one in given.order_by("user_id", "id").iterator(chunk_size=CHUNK):
            yield one.user_id, one.user.email, one.get_role_display(), one.place, one.given_at, _email(one.given_by)

    return as_csv(("user_id", "email", "role", "where", "given_at", "given_by"), rows())


def _custom_roles(enterprise: Enterprise) -> Iterator[str]:
    rows = (
        (role.pk, role.name, role.description, " ".join(role.permissions), role.created_at)
        for role in CustomRole.objects.of(enterprise)
    )
    return as_csv(("id", "name", "description", "permissions", "created_at"), rows)


def _organizations(enterprise: Enterprise) -> Iterator[str]:
    rows = Organization.objects.of(enterprise).values_list("id", "name", "created_at")
    return as_csv(("id", "name", "created_at"), rows)


def _invitations(enterprise: Enterprise) -> Iterator[str]:
    def rows() -> Iterator[Cells]:
        sent = Invitation.objects.of(enterprise).select_related("organization", "invited_by", "custom_role")
        for one in sent.order_by("issued_at", "id").iterator(chunk_size=CHUNK):
            yield (
                one.email, one.get_role_display(), one.place, _email(one.invited_by),
                one.issued_at, one.expires_at, one.accepted_at, one.revoked_at, one.message,
            )  # fmt: skip

    return as_csv(
        ("email", "role", "where", "invited_by", "issued_at", "expires_at", "accepted_at", "revoked_at", "message"),
        rows(),
    )


def _batches(enterprise: Enterprise) -> Iterator[str]:
    def rows() -> Iterator[Cells]:
        found = Batch.objects.of(enterprise).select_related("connection", "begun_by", "undone_by")
        for one in found.order_by("begun_at", "id").iterator(chunk_size=CHUNK):
            yield (
                one.pk, one.name, one.message, one.connection.label if one.connection else "", _email(one.begun_by),
                one.begun_at, one.expected, one.taken, one.undone_at, _email(one.undone_by),
            )  # fmt: skip

    return as_csv(
        ("id", "name", "message", "to", "begun_by", "begun_at", "people_expected", "people_taken", "undone_at",
         "undone_by"),
        rows(),
    )  # fmt: skip


def _switches(enterprise: Enterprise) -> Iterator[str]:
    def rows() -> Iterator[Cells]:
        moves = Move.objects.of(enterprise).select_related("leaving", "connection", "undone_by")
        for one in moves.order_by("batch_id", "listed_as", "id").iterator(chunk_size=CHUNK):
            yield (
                one.batch_id, one.name, one.email, one.leaving.label if one.leaving else "password",
                one.connection.label, one.sent_at, one.reminders, one.opened_at, one.redeemed_at, one.refused_at,
                one.refused_reason, one.bounced_at, one.undone_at, _email(one.undone_by),
            )  # fmt: skip

    return as_csv(
        ("batch_id", "name", "email", "from", "to", "sent_at", "reminders", "opened_at", "done_at", "refused_at",
         "refused_reason", "bounced_at", "undone_at", "undone_by"),
        rows(),
    )  # fmt: skip


def _step_by_step(enterprise: Enterprise) -> Iterator[str]:
    rows = (
        (one.name, one.email, json.dumps(one.roles), _email(one.begun_by), one.begun_at, one.invited_at)
        for one in Switch.objects.of(enterprise).select_related("begun_by").order_by("begun_at", "id")
    )
    return as_csv(("name", "email", "roles_before", "begun_by", "begun_at", "invited_at"), rows)


def _waiting(enterprise: Enterprise) -> Iterator[str]:
    found = WaitingSubject.objects.of(enterprise)
    rows = (
        (one.name, one.email, _email(one.user), one.sub, one.issuer, one.first_seen_at, one.last_seen_at,
         one.refused_at, _email(one.refused_by))
        for one in found.select_related("user", "refused_by").order_by("first_seen_at", "id")
    )  # fmt: skip
    return as_csv(
        ("name", "email", "account", "sub", "issuer", "first_seen_at", "last_seen_at", "refused_at", "refused_by"), rows
    )


def _email(user: User | None) -> str | None:
    return user.email if user else None


def _audit(enterprise: Enterprise) -> Iterator[str]:
    return as_csv(EVENT_COLUMNS, event_rows(Event.objects.of(enterprise).order_by("at", "id")))


TABLES: dict[str, Callable[[Enterprise], Iterator[str]]] = {
    "people": _people,
    "roles": _roles,
    "custom_roles": _custom_roles,
    "organizations": _organizations,
    "invitations": _invitations,
    "batches": _batches,
    "switches": _switches,
    "step_by_step": _step_by_step,
    "waiting": _waiting,
    "audit": _audit,
}
