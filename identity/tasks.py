"""What time does to the secrets and keys of connections. Each connection is a step of its own, done whole or not."""

from __future__ import annotations

from celery import shared_task
from django.db.models import Q
from django.utils import timezone

from identity import rotation
from identity.expiry import remind
from identity.models import Connection


@shared_task
def take_turns() -> None:
    """Publish keys that are due, let them sign, withdraw what has served out, and erase secrets that have expired."""
    now = timezone.now()
    has_any = Q(signing_key__isnull=False) | Q(secrets__expires_on__lt=now.date(), secrets__retired_at=None)
    for pk in Connection.objects.filter(has_any).values_list("pk", flat=True).distinct():
        related = Connection.objects.select_related("enterprise", "serving", "signing_key")
        if connection := related.filter(pk=pk).first():
            rotation.turn(connection, now)


@shared_task
def remind_of_expiry() -> None:
    """Tell the Enterprise Admins of secrets that end soon, each time once, however often or late this runs."""
    remind(timezone.now())
