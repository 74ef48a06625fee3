"""What saving the settings of a connection does: a new revision of what differs, on record, told to the admins."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit.actions import Action
from audit.models import record
from identity import rotation
from identity.models import EDITED, ClientAuthentication, Connection, Revision
from identity.news import tell_admins
from identity.permitted import permitted
from users.http import ConsoleRequest
from users.models import Organization

# What the fields are called in sentences: in the audit log, in emails and in messages.
NAMES = {
    "issuer": _("issuer URI"),
    "client_id": _("client ID"),
    "client_secret": _("client secret"),
    "secret_expires_on": _("when the client secret ends"),
    "client_authentication": _("client authentication"),
    "scopes": _("OAuth scopes"),
    "accepted_origins": _("allowed addresses"),
    "max_age_minutes": _("age of sign-ins"),
    "acr_values": _("authentication contexts"),
    "organization": _("who will use it"),
}


def scope_name(connection: Connection) -> str:
    return connection.organization.name if connection.organization else gettext("the whole enterprise")


@dataclass(frozen=True)
class Saved:
    """What saving did: the revision now newest (None when only the scope changed), what changed, what to mention."""

    revision: Revision | None
    changed: list[str] = field(default_factory=list)
    is_secret_cleared: bool = False
    notes: list[str] = field(default_factory=list)


def changed_of(
    connection: Connection,
    latest: Revision | None,
    values: dict[str, Any],
    *,
    secret: str | None,
    organization: Organization | None,
) -> list[str]:
    """Return the names of what saving these would change of ``connection`` and of its newest revision, ``latest``."""
    if latest is None:
        changed = [name for name in EDITED if values[name] not in ("", None)]
    else:
        changed = [name for name in EDITED if values[name] != getattr(latest, name)]
    if secret is not None:
        changed.append("client_secret")
    if (organization.pk if organization else None) != connection.organization_id:
        changed.append("organization")
    return changed


def keep(
    request: ConsoleRequest,
    connection: Connection,
    values: dict[str, Any],
    *,
    secret: str | None,
    organization: Organization | None,
    notes: list[str],
    expires_on: date | None = None,
) -> Saved:
    """Write what differs from the newest revision as a new one, audit it and tell the Enterprise Admins.

    Within the caller's transaction. Raises PermissionDenied for somebody who may not by now.
    """
    permitted(request)
    latest, now = connection.latest, timezone.now()
    changed = changed_of(connection, latest, values, secret=secret, organization=organization)
    if not changed:
        return Saved(None, notes=notes)
    is_cleared = bool(latest and latest.has_secret and secret is None and values["issuer"] != latest.issuer)
    revision = None
    if changed != ["organization"]:
        if values["client_authentication"] == ClientAuthentication.KEY and connection.signing_key_id is None:
            rotation.publish(request, connection)
        revision = connection.revise(by=request.user, at=now, secret=secret, expires_on=expires_on, **values)
    if "organization" in changed:
        connection.organization = organization
        connection.save(update_fields=["organization"])
    fields = ", ".join(str(NAMES[name]) for name in changed)
    number = revision.number if revision else (latest.number if latest else 0)
    record(
        Action.CONNECTION_REVISED,
        enterprise=connection.enterprise,
        request=request,
        target=connection,
        revision=number,
        changed=fields,
        secret_cleared=is_cleared,
    )
    tell_admins(connection, "revised", by=request.user, fields=fields, revision=number)
    return Saved(revision, changed, is_cleared, notes)
