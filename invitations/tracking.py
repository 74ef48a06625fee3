"""What a mail provider reports about the links it was given to send, through anymail's webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anymail.signals import AnymailTrackingEvent, EventType, tracking
from anymail.urls import urlpatterns as anymail_urls
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.dispatch import receiver
from django.urls import URLPattern
from django.utils import timezone

from invitations.models import Invitation, Move

_NOT_DELIVERED = frozenset({EventType.BOUNCED, EventType.REJECTED, EventType.FAILED})


def urls() -> list[URLPattern]:
    """Return the tracking webhook of the provider in use; none without a secret, since then anybody could report."""
    if not settings.ANYMAIL.get("WEBHOOK_SECRET"):
        return []
    provider = settings.EMAIL_BACKEND.removeprefix("anymail.backends.").partition(".")[0]
    names = {f"{provider}_tracking_webhook", f"{provider}_webhook"}
    found = [pattern for pattern in anymail_urls if pattern.name in names]
    for pattern in found:
        login_not_required(pattern.callback)  # It asks for the secret instead.
    return found


@receiver(tracking, dispatch_uid="invitations.tracking")
def note(sender: object, event: AnymailTrackingEvent, esp_name: str, **kwargs: Any) -> None:
    """Write down what became of an email; news of an older link than the one in force is passed over."""
    about = event.metadata or {}
    link = _link(about)
    if link is None or str(about.get("serial")) != str(link.serial):
        return
    now = timezone.now()
    if event.event_type in _NOT_DELIVERED:
        link.mark_bounced(event.description or event.mta_response or event.reject_reason or "", now)
        link.record_bounce(event.reject_reason or event.event_type)
    elif event.event_type == EventType.DELIVERED:
        link.mark_delivered(now)


def _link(about: Mapping[str, Any]) -> Invitation | Move | None:
    """Return what the email was about. Not reached through an enterprise: the provider knows of none, and has proved
    itself by the secret.
    """
    if "move" in about:
        return Move.objects.filter(pk=str(about["move"])[:12]).select_related("enterprise", "user", "batch").first()
    return Invitation.objects.filter(pk=str(about.get("invitation", ""))[:12]).select_related("enterprise").first()
