"""Client secrets that end: what pages say about it, and the reminders that every Enterprise Admin gets by email."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from identity.credentials import REMIND_BEFORE, WARN_BEFORE, ClientSecret
from identity.models import Connection, Revision
from identity.news import remind_admins


@dataclass(frozen=True)
class Ending:
    """A secret that sign-ins depend on, and how long it is still good: ``days`` is 0 on its last one."""

    connection: Connection
    on: date
    days: int

    @property
    def is_over(self) -> bool:
        return self.days < 0

    @property
    def is_near(self) -> bool:
        """Whether it is time to warn about it."""
        return self.days <= WARN_BEFORE

    @property
    def is_soon(self) -> bool:
        """Whether reminders have begun."""
        return self.days <= max(REMIND_BEFORE)

    @property
    def when(self) -> str:
        """How long it is still good, within a sentence or after its subject: “expires in 7 days, on 3 March 2027”."""
        day = date_format(self.on, "j F Y")
        if self.is_over:
            return _("expired on %(day)s") % {"day": day}
        if self.days < 2:
            return (_("expires tomorrow, on %(day)s") if self.days else _("expires today, %(day)s")) % {"day": day}
        return ngettext("expires in %(n)d day, on %(day)s", "expires in %(n)d days, on %(day)s", self.days) % {
            "n": self.days,
            "day": day,
        }

    @property
    def fact(self) -> str:
        return _("The client secret of %(provider)s %(expires)s.") % {
            "provider": self.connection.name,
            "expires": self.when,
        }

    @property
    def text(self) -> str:
        """What that means, and what to do."""
        if self.is_over:
            return _("If sign-ins are refused, this is why. Add a new secret, test it, and use it.")
        return _(
            "Nobody can sign in with %(provider)s after that. Add a new secret beside it: nobody is interrupted."
        ) % {"provider": self.connection.name}


def ending(connection: Connection, today: date) -> Ending | None:
    """Return the end of the secret that serves, if there is one. ``connection`` comes with what serves."""
    serving = connection.serving if connection.is_enabled else None
    return _ending(connection, serving.secret if serving else None, today)


def ending_of(revision: Revision, today: date) -> Ending | None:
    """Return the end of the secret of ``revision``, whether that serves or not."""
    return _ending(revision.connection, revision.secret, today)


def _ending(connection: Connection, secret: ClientSecret | None, today: date) -> Ending | None:
    days = secret.days_left(today) if secret else None
    return Ending(connection, secret.expires_on, days) if secret and secret.expires_on and days is not None else None


def endings(connections: Iterable[Connection], today: date) -> list[Ending]:
    """Return those of ``connections`` that it is time to warn about, the most urgent first."""
    found = (ending(connection, today) for connection in connections)
    return sorted((end for end in found if end and end.is_near), key=lambda end: end.days)


def remind(at: datetime) -> None:
    """Ask for the reminders that are due.

    That one was asked for is noted in the transaction that asks: a worker that dies in between has done both or
    neither, and of two at once one finds it done.
    """
    today = at.date()
    soon = ClientSecret.objects.serving().filter(
        expires_on__lte=today + timedelta(days=max(REMIND_BEFORE)), connection__enterprise__closed_at=None
    )
    related = soon.select_related("connection__enterprise", "connection__organization", "connection__serving__secret")
    for pk in soon.values_list("pk", flat=True):
        with transaction.atomic():
            secret = related.select_for_update(of=("self",)).filter(pk=pk).first()
            due = secret.due_reminder(today) if secret else None
            end = ending(secret.connection, today) if secret else None
            if secret is None or due is None or end is None:
                continue
            secret.reminded = due
            secret.save(update_fields=["reminded"])
            remind_admins(secret, expires=end.when, is_over=end.is_over)
