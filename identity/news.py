"""What every Enterprise Admin is told by email when a connection changes (T5), or its secret is about to end."""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext as _

from identity.credentials import ClientSecret
from identity.models import Connection, Provider
from users.models import User, admins_to_tell
from users.tasks import post_email


def tell_admins(connection: Connection, what: str, *, by: User, **context: object) -> None:
    """Email ``connection_changed`` to each Enterprise Admin, once the caller's transaction has committed.

    ``what`` is revised, returned, enabled, put_first, disabled or deleted. ``context`` is shown: never a secret.
    """
    enterprise = connection.enterprise
    for admin in admins_to_tell(enterprise):
        admin.enterprise = enterprise
        post_email(
            "connection_changed",
            user=admin,
            what=what,
            provider=connection.title if what == "put_first" else connection.name,
            scope=connection.organization.name if connection.organization else "",
            by=by.label,
            button_url=enterprise.url(reverse("identity:connections")),
            button_text=_("Look at the connection"),
            **context,
        )


def remind_admins(secret: ClientSecret, *, expires: str, is_over: bool) -> None:
    """Email ``secret_expires`` to each Enterprise Admin. ``expires`` is when, as in “expires in 7 days, on 3 March”."""
    connection = secret.connection
    enterprise = connection.enterprise
    address = enterprise.url(reverse("identity:setup", args=[connection.pk]))
    for admin in admins_to_tell(enterprise):
        admin.enterprise = enterprise
        post_email(
            "secret_expires",
            user=admin,
            provider=connection.name,
            scope=connection.organization.name if connection.organization else "",
            takes_keys=Provider(connection.provider).takes_keys,
            last_four=secret.last_four,
            expires=expires,
            is_over=is_over,
            button_url=f"{address}?replace#secret",
            button_text=_("Add a new secret"),
        )
