"""Emails are rows first: nothing that was committed is lost, and nothing is sent twice."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from audit.models import Event, Result
from console.celery import app
from tests.cast import Cast
from tests.smtp import Sink, html_of, text_of
from users import tasks
from users.models import OutgoingEmail
from users.models.mail import CLAIM_LASTS, MOST_ATTEMPTS

pytestmark = pytest.mark.servers


def alarm(cast: Cast) -> OutgoingEmail:
    details = {"account": "Ingrid Solberg", "address": "198.51.100.24", "device": "Firefox on Windows"}
    return tasks.post_email("break_glass_used", user=cast.aiko, **details)


def test_an_email_comes_from_the_enterprise_in_text_and_html(cast: Cast, smtp_sink: Sink) -> None:
    row = alarm(cast)
    tasks.deliver([row.pk])
    [message] = smtp_sink.to("aiko.tanaka@halden.example")
    assert message["Subject"] == "The break-glass account of Halden Freight was used"
    assert str(message["From"]).startswith("Halden Freight via Gatehouse <")
    assert message["Message-ID"] == f"<{row.pk}@gatehouse.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    for part in (text_of(message), html_of(message)):
        assert "Ingrid Solberg signed in to Halden Freight with a password on " in part
        assert "198.51.100.24" in part


def test_markup_in_a_name_is_harmless_in_html_and_plain_in_text(cast: Cast, smtp_sink: Sink) -> None:
    cast.halden.name = "<b>Halden</b> & Sons"
    cast.halden.save()
    tasks.deliver([alarm(cast).pk])
    assert "&lt;b&gt;Halden&lt;/b&gt; &amp; Sons" in html_of(smtp_sink.newest())
    assert "<b>Halden</b> & Sons" in text_of(smtp_sink.newest())
    assert smtp_sink.newest()["Subject"] == "The break-glass account of <b>Halden</b> & Sons was used"


def test_a_batch_uses_one_connection(cast: Cast, smtp_sink: Sink) -> None:
    ids = [alarm(cast).pk for _ in range(12)]
    tasks.deliver(ids)
    assert (len(smtp_sink.messages), smtp_sink.connections) == (12, 1)


def test_an_email_is_sent_once_however_often_the_task_runs(cast: Cast, smtp_sink: Sink) -> None:
    row = alarm(cast)
    for _ in range(3):
        tasks.deliver([row.pk])
        tasks.sweep()
    assert len(smtp_sink.messages) == 1


def test_an_email_another_worker_has_claimed_is_left_to_it_until_the_claim_ends(cast: Cast, smtp_sink: Sink) -> None:
    row = alarm(cast)
    OutgoingEmail.objects.claim(timezone.now(), 1)  # By a worker that dies here.
    tasks.sweep()
    assert smtp_sink.messages == []
    with time_machine.travel(timezone.now() + CLAIM_LASTS + timedelta(seconds=1)):
        tasks.sweep()
    assert smtp_sink.newest()["Message-ID"].startswith(f"<{row.pk}@")


def test_a_mail_server_that_is_down_is_asked_again_later_and_given_up_in_the_end(
    cast: Cast, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9  # Nobody listens at "discard".
    row = alarm(cast)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for attempt in range(1, MOST_ATTEMPTS + 1):
            tasks.sweep()
            row.refresh_from_db()
            assert (row.attempts, row.sent_at, row.send_error) == (attempt, None, "ConnectionRefusedError")
            assert not Event.objects.exists() or attempt == MOST_ATTEMPTS
            clock.shift(timedelta(hours=2))
        tasks.sweep()
    row.refresh_from_db()
    assert row.attempts == MOST_ATTEMPTS
    assert Event.objects.get().action == "email:bounced"


def test_a_recipient_refused_for_good_is_given_up_at_once_and_audited_and_the_others_get_theirs(
    cast: Cast, smtp_sink: Sink
) -> None:
    smtp_sink.answers["aiko.tanaka@halden.example"] = "550 5.1.1 No such mailbox"
    refused = alarm(cast)
    kept = tasks.post_email("break_glass_used", user=cast.ingrid, account="Ingrid")
    tasks.sweep()
    refused.refresh_from_db()
    assert refused.is_given_up
    assert [message["To"] for message in smtp_sink.messages] == ["ingrid.solberg@halden.example"]
    kept.refresh_from_db()
    assert kept.sent_at is not None
    event = Event.objects.of(cast.halden).get()
    assert (event.action, event.result, event.target_id) == ("email:bounced", Result.REFUSED, cast.aiko.pk)
    assert (event.reason, event.details) == ("SMTPRecipientsRefused", {"email": "break_glass_used"})


def test_a_recipient_refused_for_now_is_tried_again(cast: Cast, smtp_sink: Sink) -> None:
    smtp_sink.answers["aiko.tanaka@halden.example"] = "451 4.7.1 Greylisted"
    row = alarm(cast)
    tasks.sweep()
    row.refresh_from_db()
    assert row.send_after is not None
    assert row.send_after > timezone.now() + timedelta(seconds=20)
    smtp_sink.answers.clear()
    with time_machine.travel(row.send_after + timedelta(seconds=1)):
        tasks.sweep()
    assert len(smtp_sink.messages) == 1


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_loses_nothing_and_holds_nobody_up(
    smtp_sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast = Cast.assemble()
    monkeypatch.setitem(app.conf, "broker_url", "redis://127.0.0.1:9/0")
    monkeypatch.setattr(app, "_pool", None)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
    started = time.monotonic()
    with transaction.atomic():
        alarm(cast)
    assert time.monotonic() - started < 2
    assert OutgoingEmail.objects.due(timezone.now()).count() == 1
    tasks.sweep()
    assert len(smtp_sink.messages) == 1


def test_what_is_long_past_is_forgotten(cast: Cast, smtp_sink: Sink) -> None:
    alarm(cast)
    tasks.sweep()
    tasks.forget_expired()
    assert OutgoingEmail.objects.count() == 1
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        tasks.forget_expired()
    assert OutgoingEmail.objects.count() == 0


def test_an_address_that_cannot_be_written_is_given_up_and_the_others_get_theirs(cast: Cast, smtp_sink: Sink) -> None:
    """One label is too long once it is spelled in ASCII: nothing that comes after it in the batch is held up."""
    cast.aiko.email = f"aiko@{'ü' * 60}.example"
    cast.aiko.save()
    impossible = alarm(cast)
    kept = tasks.post_email("break_glass_used", user=cast.ingrid, account="Ingrid")
    tasks.sweep()
    impossible.refresh_from_db()
    kept.refresh_from_db()
    assert impossible.is_given_up
    assert kept.sent_at is not None
