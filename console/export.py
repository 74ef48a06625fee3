"""Everything in an enterprise as files, for whoever leaves with it. Never a secret, a password, a token or a key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from tempfile import SpooledTemporaryFile
from zipfile import ZIP_DEFLATED, ZipFile

from django.utils.translation import gettext as _

from audit.models import Event, EventQuerySet
from audit.sheets import Cells, as_csv
from identity.models import Connection
from invitations.models import Invitation
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
        "connections.json   identity providers, with every revision of their settings\n"
        "audit.csv          who did what, when, from where\n"
        "enterprise.json    the enterprise itself\n\n"
        "Times are ISO 8601 with their offset. Passwords, client secrets, keys and links are not part of it.\n"
    ) % {"name": enterprise.name, "slug": enterprise.slug}


def _enterprise(enterprise: Enterprise) -> dict[str, object]:
    names = ("id", "name", "slug", "region", "created_at", "idle_minutes", "session_hours",
             "is_second_factor_required")  # fmt: skip
    return {name: getattr(enterprise, name) for name in names}


def _connections(enterprise: Enterprise) -> list[dict[str, object]]:
    found = Connection.objects.of(enterprise).select_related("organization").prefetch_related("revisions")
    return [
        {
            "id": connection.pk,
            "provider": connection.provider,
            "organization": connection.organization.name if connection.organization else None,
            "status": connection.status,
            "redirect_uri": connection.redirect_uri,
            "created_at": connection.created_at,
            "enabled_at": connection.enabled_at,
            "disabled_at": connection.disabled_at,
            "revisions": [
                {"number": revision.number, **revision.values, "created_at": revision.created_at,
                 "tested_at": revision.tested_at, "is_serving": revision.pk == connection.serving_id}
                for revision in sorted(connection.revisions.all(), key=lambda revision: revision.number)
            ],
        }
        for connection in found
    ]  # fmt: skip


def _people(enterprise: Enterprise) -> Iterator[str]:
    def rows() -> Iterator[Cells]:
        people = (
            User.objects.of(enterprise).order_by("listed_as", "id").select_related("connection", "authenticator_app")
        )
        for user in people.prefetch_related("subjects", "passkeys").iterator(chunk_size=CHUNK):
            known = [f"{subject.sub} at {subject.issuer}" for subject in user.subjects.all()]
            yield (
                user.pk, user.name, user.email, user.status.value,
                user.connection.label if user.connection else "password", " ".join(known), _factors(user),
                user.is_break_glass,
                user.created_at, user.email_confirmed_at, user.joined_at, user.last_login, user.disabled_at,
                user.time_zone,
            )  # fmt: skip

    return as_csv(
        ("id", "name", "email", "status", "signs_in_with", "known_as", "second_factors", "is_break_glass", "created_at",
         "email_confirmed_at", "joined_at", "last_sign_in_at", "disabled_at", "time_zone"),
        rows(),
    )  # fmt: skip


def _factors(user: User) -> str:
    app = [_("Authenticator app")] if hasattr(user, "authenticator_app") else []
    return ", ".join([*app, *(passkey.name for passkey in user.passkeys.all())])


def _roles(enterprise: Enterprise) -> Iterator[str]:
    def rows() -> Iterator[Cells]:
        given = RoleAssignment.objects.of(enterprise).select_related("user", "organization", "given_by")
        for one in given.order_by("user_id", "id").iterator(chunk_size=CHUNK):
            by = one.given_by.email if one.given_by else None
            yield one.user_id, one.user.email, one.get_role_display(), one.place, one.given_at, by

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
                one.email, one.get_role_display(), one.place, one.invited_by.email if one.invited_by else None,
                one.issued_at, one.expires_at, one.accepted_at, one.revoked_at, one.message,
            )  # fmt: skip

    return as_csv(
        ("email", "role", "where", "invited_by", "issued_at", "expires_at", "accepted_at", "revoked_at", "message"),
        rows(),
    )


def _audit(enterprise: Enterprise) -> Iterator[str]:
    return as_csv(EVENT_COLUMNS, event_rows(Event.objects.of(enterprise).order_by("at", "id")))


TABLES: dict[str, Callable[[Enterprise], Iterator[str]]] = {
    "people": _people,
    "roles": _roles,
    "custom_roles": _custom_roles,
    "organizations": _organizations,
    "invitations": _invitations,
    "audit": _audit,
}
