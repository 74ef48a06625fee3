"""Many people in one batch, by workers in processes of their own: nobody is lost, and nobody is mailed twice."""

from __future__ import annotations

import signal
import time
from collections import Counter
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import psutil
import pytest
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SMTPSession
from django.utils import timezone

from console.celery import app
from identity.models import Connection
from invitations import tasks
from invitations.models import Batch, Doing, Move
from tests.cast import Browser, Cast, browser_of, enable_okta, hashed_password
from tests.invitations.switching import begin
from tests.processes import wait_until, worker
from tests.smtp import Sink, html_of, link_in, text_of
from users.models import User, fold_email
from users.models.mail import CLAIM_LASTS

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]

FEW = 220  # many batches of mail
MANY = tasks.PART + 40  # more than one part


@pytest.fixture(autouse=True)
def empty_queue() -> None:
    with app.connection_for_write() as connection:
        connection.default_channel.queue_purge("celery")


def halden_with(people: int) -> Cast:
    """Halden with so many people who sign in with a password."""
    cast, now = Cast.assemble(), timezone.now()
    enable_okta(cast.halden, cast.ingrid)
    emails = [f"person{n}@halden.example" for n in range(people)]
    User.objects.bulk_create(
        User(
            enterprise=cast.halden, name=f"Person {n}", email=email, email_folded=fold_email(email),
            password=hashed_password(), joined_at=now, email_confirmed_at=now,
        )
        for n, email in enumerate(emails)
    )  # fmt: skip
    return cast


@pytest.fixture
def small(db: None) -> Cast:
    return halden_with(FEW)


@pytest.fixture
def large(db: None) -> Cast:
    return halden_with(MANY)


def begun(cast: Cast) -> Batch:
    """Aiko begins to switch everybody whose name begins so; the queue holds what a worker is to do."""
    return begin(browser_of(cast.aiko), q="person")


def is_finished(batch: Batch) -> bool:
    return Batch.objects.get(pk=batch.pk).doing == Doing.NOTHING


class Deadly(Sink):
    """A mail server during whose work the worker is killed, once: at the message of this number.

    ``keeps`` says whether the message has been taken when it happens. The worker never hears.
    """

    def __init__(self, number: int, *, keeps: bool) -> None:
        super().__init__()
        self.number, self.keeps = number, keeps
        self.victim: psutil.Process | None = None

    async def handle_DATA(self, server: SMTP, session: SMTPSession, envelope: Envelope) -> str:
        if self.victim is None or len(self.messages) != self.number:
            return await super().handle_DATA(server, session, envelope)
        if self.keeps:
            await super().handle_DATA(server, session, envelope)
        self.victim.send_signal(signal.SIGKILL)
        self.victim.wait(10)
        self.victim = None
        return "451 Try again later"


def recipients(messages: list[EmailMessage]) -> Counter[str]:
    return Counter(str(message["To"]) for message in messages)


@pytest.mark.parametrize("keeps", [False, True])
def test_a_worker_killed_in_the_middle_of_sending(small: Cast, tmp_path: Path, *, keeps: bool) -> None:
    """SIGKILL with an email half sent. Everybody gets one.

    Of the one that the server had just taken nobody can know: it comes a second time, with the same Message-ID and the
    same link, which mail servers take for one.
    """
    batch, sink = begun(small), Deadly(130, keeps=keeps)
    sink.start()
    try:
        with worker(tmp_path, sink.port) as process:
            sink.victim = process
            process.wait(60)
        assert len(sink.messages) == 130 + keeps
        # Whoever claimed them might be alive still, for a while.
        assert Move.objects.filter(claimed_at__isnull=False).count() == 50 - 130 % 50
        Move.objects.filter(claimed_at__isnull=False).update(claimed_at=timezone.now() - CLAIM_LASTS)
        Move.objects.filter(sent_at=None).update(send_after=timezone.now() - timedelta(minutes=5))
        Move.objects.filter(sent_at__isnull=False).update(sent_at=timezone.now() - timedelta(minutes=5))
        with worker(tmp_path, sink.port):
            tasks.sweep_batches.apply_async()
            wait_until(lambda: not Move.objects.filter(sent_at=None).exists(), seconds=120)
            tasks.sweep_batches.apply_async()
            time.sleep(1)
    finally:
        sink.stop()
    assert len({str(message["Message-ID"]) for message in sink.messages}) == FEW
    assert len(recipients(sink.messages)) == FEW
    twice = [email for email, number in recipients(sink.messages).items() if number > 1]
    assert len(twice) == keeps
    for email in twice:
        one, other = sink.to(email)
        assert one["Message-ID"] == other["Message-ID"]
        assert link_in(one) == link_in(other)
    assert is_finished(batch)


def test_a_worker_killed_while_it_takes_people_in(large: Cast, smtp_sink: Sink, tmp_path: Path) -> None:
    """SIGKILL as soon as the first people are in. A part has happened, or it has not."""
    batch = begun(large)
    with worker(tmp_path, smtp_sink.port) as process:
        wait_until(lambda: Move.objects.exists())
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    taken = Move.objects.count()
    assert taken in (tasks.PART, MANY)
    assert Batch.objects.get(pk=batch.pk).taken == taken
    Move.objects.filter(claimed_at__isnull=False).update(claimed_at=timezone.now() - CLAIM_LASTS)
    with worker(tmp_path, smtp_sink.port):
        tasks.sweep_batches.apply_async()
        wait_until(lambda: is_finished(batch), seconds=60)
        wait_until(lambda: not Move.objects.filter(sent_at=None).exists(), seconds=120)
    assert set(recipients(smtp_sink.messages)) == {f"person{n}@halden.example" for n in range(MANY)}
    assert Move.objects.count() == User.objects.filter(switching_to__isnull=False).count() == MANY


def test_a_batch_undone_while_its_emails_leave(large: Cast, smtp_sink: Sink, tmp_path: Path) -> None:
    """Whoever has got one by then can do nothing with it; nobody else gets one."""
    batch = begun(large)
    with worker(tmp_path, smtp_sink.port):
        wait_until(lambda: len(smtp_sink.messages) > 60, seconds=60)
        browser_of(large.aiko).post(f"/advanced/switch/batches/{batch.pk}/undo/")
        wait_until(lambda: is_finished(batch), seconds=60)
        sent = len(smtp_sink.messages)
        time.sleep(1)
        assert len(smtp_sink.messages) == sent < MANY
    assert not User.objects.filter(switching_to__isnull=False).exists()
    page = Browser(large.halden).get(link_in(smtp_sink.messages[0]), follow=True)
    assert "You sign in as before" in page.text


def test_a_broker_that_is_down_while_it_begins_loses_nothing(
    large: Cast, smtp_sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.conf, "broker_url", "redis://127.0.0.1:9/0")
    monkeypatch.setattr(app, "_pool", None)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
    batch = begun(large)
    for _ in range(2):
        assert [found.pk for found in Batch.objects.unfinished()] == [batch.pk]
        tasks.go_on([batch.pk])
    assert is_finished(batch)
    for _ in range(MANY // 50 + 1):
        tasks.send_links([batch.pk])
    assert len(recipients(smtp_sink.messages)) == len(smtp_sink.messages) == MANY


def test_what_nobody_is_at_is_taken_up_by_the_sweep(small: Cast) -> None:
    """And what somebody is at is not, so that senders do not pile up."""
    batch = begun(small)
    while batch.go_on(timezone.now(), tasks.PART):
        pass
    asked: list[list[str]] = []

    def queued() -> list[list[str]]:
        with app.connection_for_write() as connection:
            messages = connection.default_channel.client.lrange("celery", 0, -1)
        asked.append([message.decode() for message in messages])
        return asked[-1]  # type: ignore[return-value]

    with app.connection_for_write() as connection:
        connection.default_channel.queue_purge("celery")
    tasks.sweep_batches()
    assert queued() == []  # It has just begun.
    Move.objects.update(send_after=timezone.now() - timedelta(minutes=5))
    Move.objects.filter(pk=Move.objects.first().pk).update(sent_at=timezone.now())
    tasks.sweep_batches()
    assert queued() == []  # One has just left.
    Move.objects.exclude(sent_at=None).update(sent_at=timezone.now() - timedelta(minutes=5))
    tasks.sweep_batches()
    assert len(queued()) == 1


def test_the_email_says_what_happens_and_that_nothing_happens_before(small: Cast, smtp_sink: Sink) -> None:
    batch = begin(browser_of(small.aiko), small.tomas, message="Ask the <IT> desk.")
    batch.go_on(timezone.now(), tasks.PART)
    tasks.send_links([batch.pk])
    [message] = smtp_sink.to(small.tomas.email)
    assert message["Subject"] == "Sign in to Halden Freight with Okta from now on"
    assert message["Reply-To"] == "aiko.tanaka@halden.example"
    for part in (text_of(message), html_of(message)):
        assert "Aiko Tanaka is switching Halden Freight to Okta." in part
        assert "Until you have done that, your password works as before." in part
        assert "You did not expect this?" in part
    assert "> Ask the <IT> desk." in text_of(message)
    assert "Ask the &lt;IT&gt; desk." in html_of(message)
    Move.objects.get().remind(timezone.now())
    tasks.send_links([batch.pk])
    assert smtp_sink.newest()["Subject"] == "Reminder: sign in to Halden Freight with Okta"
    assert link_in(smtp_sink.newest()) != link_in(message)


def test_where_passwords_have_ended_nobody_is_told_that_theirs_works(small: Cast, smtp_sink: Sink) -> None:
    """T16: whoever comes late finds the link to be the way in."""
    batch = begin(browser_of(small.aiko), small.tomas)
    batch.go_on(timezone.now(), tasks.PART)
    small.halden.require_provider(timezone.now() - timedelta(days=1))
    tasks.send_links([batch.pk])
    [message] = smtp_sink.to(small.tomas.email)
    assert "Okta is required by now: your password no longer works" in text_of(message)
    assert "works as before" not in text_of(message)
    assert Connection.objects.get().name
    page = Browser(small.halden).get(link_in(message), follow=True).text
    assert "as before" not in page
