"""The email: from the enterprise, once, with a link that works the moment it arrives; and what becomes of it."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from audit.models import Event
from console.celery import app
from identity.models import Connection
from invitations import tasks
from invitations.models import Invitation, State
from tests.cast import Browser, Cast, browser_of
from tests.invitations.conftest import EMAIL, invite
from tests.smtp import Sink, html_of, link_in, text_of
from users.models.mail import CLAIM_LASTS

pytestmark = pytest.mark.servers


def test_the_email_says_who_invites_to_what_until_when_and_what_if_unexpected(cast: Cast, smtp_sink: Sink) -> None:
    cast.ingrid.time_zone = "Europe/Oslo"
    cast.ingrid.save()
    connection = Connection.objects.create(enterprise=cast.halden, provider="okta", enabled_at=timezone.now())
    invitation = invite(cast, organization=cast.oslo, message="Welcome <aboard>.", connection=connection)
    tasks.deliver([invitation.pk])
    [message] = smtp_sink.to(EMAIL)
    assert message["Subject"] == "Ingrid Solberg invites you to Halden Freight"
    assert str(message["From"]).startswith("Halden Freight via Gatehouse <")
    assert message["Reply-To"] == "ingrid.solberg@halden.example"
    for part in (text_of(message), html_of(message)):
        assert "Ingrid Solberg (ingrid.solberg@halden.example) invites you as" in part
        assert "Viewer, Oslo terminal" in part
        assert "your usual Okta account" in part
        assert "(Oslo)" in part
        assert "You did not expect this?" in part
    assert "> Welcome <aboard>." in text_of(message)
    assert "Welcome &lt;aboard&gt;." in html_of(message)
    page = Browser(cast.halden).get(link_in(message), follow=True)
    assert "Ingrid Solberg invites you" in page.text


def test_the_link_is_nowhere_in_the_database(cast: Cast, smtp_sink: Sink) -> None:
    """T9: stored hashed."""
    invitation = invite(cast)
    tasks.deliver([invitation.pk])
    token = link_in(smtp_sink.newest()).split("/")[2]
    assert len(token) == 64
    row = Invitation.objects.filter(pk=invitation.pk).values().get()
    assert not any(token in str(value) for value in row.values())


def test_it_is_sent_once_however_often_the_tasks_run(cast: Cast, smtp_sink: Sink) -> None:
    ids = [invite(cast, f"p{n}@halden.example").pk for n in range(3)]
    for _ in range(3):
        tasks.deliver(ids)
        tasks.sweep()
    assert len(smtp_sink.messages) == 3
    assert smtp_sink.connections == 1


@pytest.mark.parametrize("how", ["revoked", "accepted", "expired", "inviter gone"])
def test_what_has_ended_is_not_sent(cast: Cast, smtp_sink: Sink, how: str) -> None:
    invitation = invite(cast, by=cast.aiko)
    now = timezone.now()
    if how == "revoked":
        invitation.revoke(by=cast.ingrid, at=now)
    elif how == "accepted":
        invitation.redeem(email=EMAIL, at=now)
    elif how == "expired":
        Invitation.objects.update(expires_at=now)
    else:
        cast.aiko.disable(now)
    tasks.sweep()
    assert smtp_sink.messages == []


def test_a_refused_address_has_bounced_and_the_list_says_what_the_server_said(cast: Cast, smtp_sink: Sink) -> None:
    smtp_sink.answers[EMAIL] = "550 5.1.2 No such domain: haldn.example"
    invitation = invite(cast)
    other = invite(cast, "fine@halden.example")
    tasks.sweep()
    invitation.refresh_from_db()
    other.refresh_from_db()
    assert invitation.state(timezone.now()) == State.BOUNCED
    assert invitation.bounce_reason == "No such domain: haldn.example"
    assert other.state(timezone.now()) == State.SENT
    assert "No such domain: haldn.example" in browser_of(cast.ingrid).get("/invitations/").text
    assert Event.objects.get(action="invitation:bounced").target_id == invitation.pk
    tasks.sweep()
    assert [str(m["To"]) for m in smtp_sink.messages] == ["fine@halden.example"]


def test_what_a_server_says_is_kept_without_the_link(cast: Cast) -> None:
    """R12."""
    invitation = invite(cast)
    invitation.mark_bounced(f"554 5.7.1 Blocked: {invitation.link}\r\nby policy\u202e", timezone.now())
    invitation.refresh_from_db()
    assert invitation.token not in invitation.bounce_reason
    assert invitation.bounce_reason.startswith("Blocked: http://eu.localhost")


def test_a_busy_server_gets_it_later(cast: Cast, smtp_sink: Sink) -> None:
    smtp_sink.answers[EMAIL] = "451 4.3.2 Try again"
    invitation = invite(cast)
    tasks.sweep()
    invitation.refresh_from_db()
    assert invitation.state(timezone.now()) == State.LIVE
    assert "next try" in browser_of(cast.ingrid).get("/invitations/").text
    del smtp_sink.answers[EMAIL]
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        tasks.sweep()
    assert len(smtp_sink.to(EMAIL)) == 1


def test_news_of_an_older_link_does_not_touch_the_newer_one(cast: Cast, smtp_sink: Sink) -> None:
    """Somebody presses *Send again* while a worker holds the row: the new link is sent, and works."""
    invitation = invite(cast)
    [held] = Invitation.objects.select_related("enterprise", "invited_by").claim(timezone.now(), 1)
    invitation.resend(by=cast.ingrid, at=timezone.now())
    assert tasks.write(held) is None
    held.drop()
    held.mark_sent(timezone.now())
    held.mark_failed(timezone.now(), "SMTPDataError", for_good=True)
    invitation.refresh_from_db()
    assert invitation.state(timezone.now()) == State.LIVE
    tasks.sweep()
    page = Browser(cast.halden).get(link_in(smtp_sink.newest()), follow=True)
    assert page.status_code == 200


def test_a_worker_that_died_with_it_in_hand_delays_it_by_the_claim(cast: Cast, smtp_sink: Sink) -> None:
    invite(cast)
    Invitation.objects.all().claim(timezone.now(), 1)
    tasks.sweep()
    assert smtp_sink.messages == []
    with time_machine.travel(timezone.now() + CLAIM_LASTS + timedelta(seconds=1)):
        tasks.sweep()
    assert len(smtp_sink.messages) == 1


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_while_inviting_loses_nothing_and_holds_nobody_up(
    smtp_sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast = Cast.assemble()
    browser = browser_of(cast.ingrid)
    monkeypatch.setitem(app.conf, "broker_url", "redis://127.0.0.1:9/0")
    monkeypatch.setattr(app, "_pool", None)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
    emails = ",".join(f"p{n}@halden.example" for n in range(120))
    started = time.monotonic()
    answer = browser.post("/users/invite/", {"emails": emails, "role": "viewer", "organization": "everywhere"})
    assert answer.status_code == 302
    assert time.monotonic() - started < 3
    tasks.sweep()
    tasks.sweep()
    assert len(smtp_sink.messages) == 120
    assert len({str(message["To"]) for message in smtp_sink.messages}) == 120
