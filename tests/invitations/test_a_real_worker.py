"""A Celery worker in a process of its own, the real broker and a real SMTP server: nothing lost, nothing sent twice."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import pytest
from django.utils import timezone

from console.celery import app
from invitations import tasks
from invitations.models import Invitation
from tests.cast import Cast, browser_of
from tests.invitations.conftest import invite
from tests.processes import wait_until, worker
from tests.smtp import Sink
from users.models.mail import CLAIM_LASTS

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def empty_queue() -> None:
    with app.connection_for_write() as connection:
        connection.default_channel.queue_purge("celery")


def test_what_is_invited_in_the_console_is_sent_by_a_worker(smtp_sink: Sink, tmp_path: Path) -> None:
    cast = Cast.assemble()
    with worker(tmp_path, smtp_sink.port):
        emails = "\n".join(f"p{n}@halden.example" for n in range(60))
        browser_of(cast.ingrid).post(
            "/users/invite/", {"emails": emails, "role": "viewer", "organization": "everywhere"}
        )
        wait_until(lambda: len(smtp_sink.messages) == 60)
        wait_until(lambda: Invitation.objects.filter(sent_at__isnull=False).count() == 60)
    assert len({str(message["To"]) for message in smtp_sink.messages}) == 60
    assert len({str(message["Message-ID"]) for message in smtp_sink.messages}) == 60


def test_a_worker_killed_between_claim_and_send_delays_the_email_and_nothing_else(
    smtp_sink: Sink, tmp_path: Path
) -> None:
    """SIGKILL while the mail server keeps the worker waiting; the sweep of another worker sends it, once."""
    cast = Cast.assemble()
    invitation = invite(cast)
    with socket.socket() as silent:  # Accepts, and never says a word.
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with worker(tmp_path, silent.getsockname()[1]) as process:
            tasks.deliver.apply_async(args=[[invitation.pk]])
            wait_until(lambda: Invitation.objects.filter(claimed_at__isnull=False).exists())
            time.sleep(0.5)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    tasks.sweep()
    assert smtp_sink.messages == []  # Whoever claimed it might be alive still.
    Invitation.objects.update(claimed_at=timezone.now() - CLAIM_LASTS)
    with worker(tmp_path, smtp_sink.port):
        tasks.sweep.apply_async()
        wait_until(lambda: Invitation.objects.filter(sent_at__isnull=False).exists())
        tasks.sweep.apply_async()
        tasks.deliver.apply_async(args=[[invitation.pk]])
        time.sleep(1)
    assert len(smtp_sink.messages) == 1
