"""Bounces and deliveries, reported by a mail provider over anymail's webhook, which asks for a secret."""

from __future__ import annotations

import base64
from types import ModuleType

import pytest
from django.test import Client
from django.urls import include, path
from django.utils import timezone
from pytest_django import Settings

from audit.models import Event
from invitations import tracking
from invitations.models import Invitation, State
from tests.cast import Cast
from tests.invitations.conftest import EMAIL

pytestmark = pytest.mark.servers

ADDRESS = "/anymail/postmark/tracking/"
SECRET = "gatehouse:a-long-secret"


@pytest.fixture
def provider(settings: Settings) -> Client:
    """The provider's own caller, which knows the secret."""
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}
    urls = ModuleType("urls_with_webhooks")
    urls.urlpatterns = [path("anymail/", include((tracking.urls(), "anymail")))]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = urls
    return Client(headers={"authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()})


def bounce(invitation: Invitation, serial: int = 1) -> dict[str, object]:
    return {
        "RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1, "MessageID": "m-1", "Email": EMAIL, "ID": 7,
        "BouncedAt": "2026-11-23T12:00:00Z", "Description": "The server was unable to deliver: no such mailbox.",
        "Metadata": {"invitation": invitation.pk, "serial": str(serial)},
    }  # fmt: skip


def report(client: Client, what: dict[str, object]) -> int:
    return client.post(ADDRESS, what, content_type="application/json").status_code


def test_a_bounce_is_noted_with_its_reason(provider: Client, invitation: Invitation) -> None:
    invitation.mark_sent(timezone.now())
    assert report(provider, bounce(invitation)) == 200
    invitation.refresh_from_db()
    assert invitation.state(timezone.now()) == State.BOUNCED
    assert invitation.bounce_reason == "The server was unable to deliver: no such mailbox."
    assert Event.objects.get(action="invitation:bounced").target_id == invitation.pk


def test_a_delivery_is_noted(provider: Client, invitation: Invitation) -> None:
    invitation.mark_sent(timezone.now())
    delivered = bounce(invitation) | {
        "RecordType": "Delivery",
        "Recipient": EMAIL,
        "DeliveredAt": "2026-11-23T12:00:00Z",
    }
    assert report(provider, delivered) == 200
    invitation.refresh_from_db()
    assert invitation.delivered_at
    assert invitation.state(timezone.now()) == State.SENT


def test_news_of_an_older_link_or_of_nothing_we_know_changes_nothing(
    cast: Cast, provider: Client, invitation: Invitation
) -> None:
    invitation.resend(by=cast.ingrid, at=timezone.now())
    assert report(provider, bounce(invitation)) == 200
    unknown = bounce(invitation) | {"Metadata": {"invitation": "nothing\x01", "serial": "1"}}
    assert report(provider, unknown) == 200
    assert report(provider, bounce(invitation) | {"Metadata": {}}) == 200
    invitation.refresh_from_db()
    assert invitation.bounced_at is None


@pytest.mark.parametrize("secret", [None, "gatehouse:guess"])
def test_whoever_does_not_know_the_secret_is_not_heard(
    provider: Client, invitation: Invitation, secret: str | None
) -> None:
    headers = {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()} if secret else {}
    assert report(Client(headers=headers), bounce(invitation)) == 400
    invitation.refresh_from_db()
    assert invitation.bounced_at is None


def test_without_a_secret_there_is_no_webhook(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    settings.ANYMAIL = {}
    assert tracking.urls() == []
