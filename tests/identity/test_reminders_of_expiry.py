"""Every Enterprise Admin is told 30, 14, 7 and 1 days before a secret ends: once each, late if need be, never twice."""

from __future__ import annotations

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection as database
from django.utils import timezone

from console.celery import app
from identity import tasks
from identity.credentials import ClientSecret
from identity.expiry import remind
from identity.models import Connection
from tests.cast import Cast, enable_okta
from tests.processes import wait_until, worker
from tests.smtp import Sink, html_of, link_in, text_of
from users.models import Enterprise, OutgoingEmail

pytestmark = pytest.mark.servers

DAY = timedelta(days=1)


class Secret:
    """Halden's secret, which ends ``days`` from ``now``."""

    def __init__(self, cast: Cast, days: int = 60) -> None:
        self.connection: Connection = enable_okta(cast.halden, cast.ingrid)
        self.now = timezone.now().replace(hour=12)
        self.row = self.connection.secrets.get()
        self.row.expires((self.now + days * DAY).date())

    def passes(self, days: int) -> list[str]:
        """Let the clock strike ``days`` before the end, and return the subjects of what Aiko is sent by that."""
        before = set(told())
        end = datetime.combine(self.row.expires_on, self.now.time(), self.now.tzinfo)
        remind(end - days * DAY)
        return [email.context["expires"] for pk, email in told().items() if pk not in before]


def told(address: str = "aiko.tanaka@halden.example") -> dict[str, OutgoingEmail]:
    found = OutgoingEmail.objects.filter(name="secret_expires", user__email=address).order_by("created_at", "pk")
    return {email.pk: email for email in found}


def test_four_reminders_go_out_in_sixty_days(cast: Cast) -> None:
    """The clock strikes many times a day; each reminder goes to each of them once."""
    secret = Secret(cast)
    sent = {days: secret.passes(days) + secret.passes(days) for days in range(60, -5, -1)}
    assert {days for days, emails in sent.items() if emails} == {30, 14, 7, 1}
    assert all(len(emails) == 1 for emails in sent.values() if emails)
    assert sent[7][0].startswith("expires in 7 days, on ")
    assert len(told("ingrid.solberg@halden.example")) == 4
    assert OutgoingEmail.objects.filter(name="secret_expires").count() == 8


def test_what_was_missed_is_made_up_for_once(cast: Cast) -> None:
    """Nobody ran from day 40 to day 10: one email, which says 10; and the next is that of day 7."""
    secret = Secret(cast)
    assert secret.passes(40) == []
    (late,) = secret.passes(10)
    assert late.startswith("expires in 10 days")
    assert secret.passes(9) == []
    assert len(secret.passes(7)) == 1


def test_a_clock_that_was_stopped_over_the_end_says_that_it_is_over(cast: Cast) -> None:
    secret = Secret(cast)
    assert len(secret.passes(20)) == 1
    (over,) = secret.passes(-3)
    assert over.startswith("expired on ")
    assert secret.passes(-4) == []


def test_a_new_date_begins_anew(cast: Cast) -> None:
    secret = Secret(cast)
    assert len(secret.passes(7)) == 1
    secret.row.refresh_from_db()
    secret.row.expires(secret.row.expires_on + 60 * DAY)
    assert secret.passes(30) != []


def test_a_new_secret_needs_no_reminder_of_the_old(cast: Cast) -> None:
    secret = Secret(cast)
    connection, now = secret.connection, timezone.now()
    newer = connection.revise(by=cast.ingrid, at=now, secret="another secret of Okta", **connection.latest.values)
    newer.mark_tested(by=cast.ingrid, at=now)
    connection.enable(newer, now)
    assert secret.passes(7) == []


@pytest.mark.parametrize("state", ["disabled", "closed", "draft"])
def test_nobody_is_reminded_of_what_nobody_uses(cast: Cast, state: str) -> None:
    secret = Secret(cast)
    match state:
        case "disabled":
            secret.connection.disable(timezone.now())
        case "closed":
            Enterprise.objects.filter(pk=cast.halden.pk).update(closed_at=timezone.now())
        case "draft":
            Connection.objects.update(enabled_at=None, serving=None)
    assert secret.passes(7) == []


def test_only_enterprise_admins_of_this_enterprise_are_told(cast: Cast) -> None:
    Secret(cast).passes(7)
    told = {email.user for email in OutgoingEmail.objects.filter(name="secret_expires")}
    assert told == {cast.ingrid, cast.aiko}


def test_the_clock_strikes_every_hour() -> None:
    schedule = {entry["task"]: entry["schedule"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert schedule["identity.tasks.remind_of_expiry"] == 3600
    assert schedule["identity.tasks.take_turns"] == 3600


# ---- With a real worker, broker and mail server


@pytest.fixture
def empty_queue() -> None:
    with app.connection_for_write() as connection:
        connection.default_channel.queue_purge("celery")


@pytest.mark.django_db(transaction=True)
def test_a_worker_sends_it_to_each_of_them_once(
    transactional_db: None, empty_queue: None, smtp_sink: Sink, tmp_path: Path
) -> None:
    cast = Cast.assemble()
    Secret(cast, days=7)
    with worker(tmp_path, smtp_sink.port):
        for _ in range(3):
            tasks.remind_of_expiry.apply_async()
        wait_until(lambda: len(smtp_sink.messages) == 2)
        tasks.remind_of_expiry.apply_async()
        time.sleep(1)
    assert {str(message["To"]) for message in smtp_sink.messages} == {cast.ingrid.email, cast.aiko.email}
    (message,) = smtp_sink.to(cast.aiko.email)
    assert str(message["Subject"]).startswith("The client secret of Okta for Halden Freight expires in 7 days, on ")
    for part in (text_of(message), html_of(message)):
        assert "After that nobody can sign in with it." in part
        assert "It ends in Okta." in part  # the last four characters of “a secret of Okta”
        assert "With a public key instead, there is nothing left to expire." in part
        assert "a secret of Okta" not in part
    assert link_in(message).endswith("/?replace#secret")


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_was_down_sends_it_late_and_not_twice(
    transactional_db: None, empty_queue: None, smtp_sink: Sink, tmp_path: Path
) -> None:
    """Killed when it had asked for the emails and sent none; the next one sends them, and asks for no others."""
    cast = Cast.assemble()
    secret = Secret(cast, days=6)
    with socket.socket() as silent:  # Accepts, and never says a word.
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with worker(tmp_path, silent.getsockname()[1]) as process:
            tasks.remind_of_expiry.apply_async()
            wait_until(lambda: OutgoingEmail.objects.filter(claimed_at__isnull=False).exists())
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    secret.row.refresh_from_db()
    assert secret.row.reminded == 7
    OutgoingEmail.objects.update(claimed_at=None)
    with worker(tmp_path, smtp_sink.port):
        tasks.remind_of_expiry.apply_async()
        app.send_task("users.tasks.sweep")
        wait_until(lambda: len(smtp_sink.messages) == 2)
        tasks.remind_of_expiry.apply_async()
        app.send_task("users.tasks.sweep")
        time.sleep(1)
    assert len(smtp_sink.messages) == 2


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_ask_once(transactional_db: None, empty_queue: None) -> None:
    cast = Cast.assemble()
    Secret(cast, days=14)

    def strike(number: int) -> None:
        try:
            remind(timezone.now())
        finally:
            database.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(strike, range(12)))
    assert OutgoingEmail.objects.filter(name="secret_expires").count() == 2
    assert ClientSecret.objects.get().reminded == 14
