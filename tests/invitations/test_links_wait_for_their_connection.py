"""A connection that is disabled while a batch is on its way out: nobody else is sent a link that leads nowhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from console.celery import app
from identity.models import Connection
from invitations import tasks
from invitations.models import Batch, Move
from tests.cast import Browser, Cast, browser_of, enable_okta
from tests.invitations.switching import PAGE, begin, carry_out
from tests.smtp import Sink, link_in

pytestmark = pytest.mark.servers

LONG_AGO = timedelta(minutes=5)


@pytest.fixture
def okta(cast: Cast) -> Connection:
    return enable_okta(cast.halden, cast.ingrid)


@pytest.fixture
def batch(cast: Cast, okta: Connection) -> Batch:
    """Marcus and Tomás are taken in; nobody has sent their links, and nobody is at it."""
    batch = carry_out(begin(browser_of(cast.aiko), cast.marcus, cast.tomas))
    Move.objects.update(send_after=timezone.now() - LONG_AGO)
    return batch


def sweep() -> int:
    """Return how many tasks the sweep finds to be necessary."""
    with app.connection_for_write() as connection:
        connection.default_channel.queue_purge("celery")
        tasks.sweep_batches()
        return connection.default_channel.client.llen("celery")


def enabled_again(okta: Connection) -> None:
    okta.refresh_from_db()
    okta.enable(okta.latest, timezone.now())


def test_the_links_wait_and_leave_once_it_is_enabled_again(
    cast: Cast, okta: Connection, batch: Batch, smtp_sink: Sink
) -> None:
    okta.disable(timezone.now())
    tasks.send_links([batch.pk])
    assert not smtp_sink.messages
    assert not Move.objects.exclude(attempts=0).exists()
    enabled_again(okta)
    tasks.send_links([batch.pk])
    [message] = smtp_sink.to(cast.tomas.email)
    assert Browser(cast.halden).get(link_in(message), follow=True).status_code == 200
    assert len(smtp_sink.messages) == 2


@pytest.mark.django_db(transaction=True)
def test_the_sweep_leaves_them_alone_until_then() -> None:
    """Or it would queue senders that find nothing to send, every minute."""
    cast = Cast.assemble()
    okta = enable_okta(cast.halden, cast.ingrid)
    carry_out(begin(browser_of(cast.aiko), cast.marcus, cast.tomas))
    Move.objects.update(send_after=timezone.now() - LONG_AGO)
    assert sweep() == 1
    okta.disable(timezone.now())
    assert sweep() == 0
    enabled_again(okta)
    assert sweep() == 1


def test_the_page_says_what_they_wait_for_and_asks_for_no_news(cast: Cast, okta: Connection, batch: Batch) -> None:
    browser, page = browser_of(cast.aiko), f"{PAGE}batches/{batch.pk}/"
    assert "Sending emails" in browser.get(page).text
    okta.disable(timezone.now())
    text = browser.get(page).text
    assert "2 not sent: connection disabled" in text
    assert "Waits until Okta is enabled again" in text
    assert "Sending emails" not in text
    assert "hx-trigger" not in browser.get(page + "progress/").text


def test_a_reminder_waits_like_the_first_link(cast: Cast, okta: Connection, batch: Batch) -> None:
    Move.objects.update(sent_at=timezone.now())
    okta.disable(timezone.now())
    answer = browser_of(cast.aiko).post(f"{PAGE}people/{Move.objects.get(user=cast.tomas).pk}/remind/", follow=True)
    assert f"A new one goes to {cast.tomas.email} once Okta is enabled again." in answer.text
    assert not Move.objects.due(timezone.now()).exists()


def test_nor_does_it_ask_for_news_of_whom_nothing_is_sent_to(cast: Cast, batch: Batch) -> None:
    """An account that is disabled: its link leaves when it is enabled again, and that may be never."""
    cast.tomas.disable(timezone.now())
    Move.objects.exclude(user=cast.tomas).update(sent_at=timezone.now())
    text = browser_of(cast.aiko).get(f"{PAGE}batches/{batch.pk}/progress/").text
    assert "Sending emails" not in text
    assert "hx-trigger" not in text
