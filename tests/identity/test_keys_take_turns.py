"""R14: a key is published before it signs and after; by the clock, or by hand. Whatever is done twice, or late."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection as database
from django.urls import reverse
from django.utils import timezone

from audit.models import GATEHOUSE
from identity import rotation, tasks
from identity.credentials import ClientKey, KeyWaitsError
from identity.models import ClientAuthentication, Connection
from tests.cast import Cast
from tests.identity.setting_up import Desk, words
from users.models import Enterprise

pytestmark = pytest.mark.servers

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Keys:
    """Aiko's desk with a connection that has proved us by a key since ``began``."""

    def __init__(self, cast: Cast) -> None:
        self.desk = Desk(cast.aiko)
        self.desk.save(client_authentication=ClientAuthentication.KEY, client_secret="")
        revision = self.desk.connection.latest
        self.began = timezone.now()
        revision.mark_tested(by=cast.aiko, at=self.began)
        self.desk.connection.enable(revision, self.began)
        self.first = self.desk.connection.keys.get()
        self.first.note_use(self.began)

    @property
    def connection(self) -> Connection:
        related = Connection.objects.select_related("enterprise", "serving", "signing_key")
        return related.get(pk=self.desk.connection.pk)

    @property
    def signing(self) -> ClientKey:
        key = self.connection.signing_key
        assert key
        return key

    def turn(self, at: datetime) -> None:
        rotation.turn(self.connection, at)

    def published(self) -> int:
        return self.connection.keys.published().count()


@pytest.fixture
def keys(cast: Cast) -> Keys:
    return Keys(cast)


def test_the_clock_takes_a_key_through_its_whole_life(keys: Keys) -> None:
    """Ninety days signing; then a successor that waits a day; then a day more published; then gone."""
    ninety = keys.began + 90 * DAY
    keys.turn(ninety - HOUR)
    assert keys.published() == 1
    keys.turn(ninety + HOUR)
    second = keys.connection.keys.waiting().get()
    assert second.algorithm == "RS256"
    keys.turn(ninety + 24 * HOUR)
    assert keys.signing == keys.first
    keys.turn(ninety + 26 * HOUR)
    assert keys.signing == second
    assert keys.published() == 2
    keys.signing.note_use(ninety + 27 * HOUR)
    keys.turn(ninety + 49 * HOUR)
    assert keys.published() == 2
    keys.turn(ninety + 51 * HOUR)
    assert keys.connection.keys.published().get() == second
    told = [(event.action, event.actor_label) for event in reversed(keys.desk.events_of("key:"))]
    assert told[1:] == [(f"key:{verb}", GATEHOUSE) for verb in ("published", "put-in-use", "withdrawn")]


def test_to_turn_twice_or_late_does_no_harm(keys: Keys) -> None:
    """A clock that stood still for a year goes on where it was, a step at a time."""
    late = keys.began + 365 * DAY
    for _ in range(3):
        keys.turn(late)
    assert keys.published() == 2
    assert keys.signing == keys.first
    for _ in range(3):
        keys.turn(late + 25 * HOUR)
    assert keys.signing != keys.first
    assert len(keys.desk.events("key:put-in-use")) == 1


def test_an_old_key_stays_until_the_new_one_was_taken(keys: Keys) -> None:
    """Refused, or never tried: there would be nothing to fall back on."""
    ClientKey.publish(keys.connection, at=keys.began)
    keys.turn(keys.began + 25 * HOUR)
    keys.turn(keys.began + 50 * DAY)
    assert keys.published() == 2
    keys.signing.note_refusal(keys.began + 50 * DAY)
    keys.turn(keys.began + 50 * DAY)
    assert keys.published() == 2
    keys.signing.note_use(keys.began + 51 * DAY)
    keys.turn(keys.began + 51 * DAY)
    assert keys.first not in keys.connection.keys.published()


def test_pasted_keys_move_only_when_somebody_says_so_and_is_sure(keys: Keys) -> None:
    keys.desk.press("deliver_keys", by="paste")
    keys.turn(keys.began + 365 * DAY)
    assert keys.published() == 1
    keys.desk.press("rotate_key")
    new = keys.connection.keys.waiting().get()
    keys.turn(keys.began + 366 * DAY)
    assert keys.signing == keys.first
    answer = keys.desk.press("use_key", new.pk)
    assert answer.status_code == 409
    assert "Okta has not shown that it knows this key." in words(answer)
    new.note_use(timezone.now())  # As a test sign-in does.
    assert keys.desk.press("use_key", new.pk).status_code == 302
    assert keys.signing == new
    (delivered,) = keys.desk.events("keys:delivery-changed")
    assert delivered.details == {"by": "paste"}


def test_one_key_waits_at_a_time(keys: Keys) -> None:
    assert keys.desk.press("rotate_key").status_code == 302
    answer = keys.desk.press("rotate_key")
    assert answer.status_code == 409
    assert "A key is published already and waits for its turn." in words(answer)
    with pytest.raises(KeyWaitsError):
        ClientKey.publish(keys.connection, at=timezone.now())


def test_the_key_that_signs_is_not_withdrawn(keys: Keys) -> None:
    answer = keys.desk.press("withdraw_key", keys.first.pk)
    assert answer.status_code == 409
    assert "This key signs." in words(answer)
    keys.desk.press("rotate_key")
    new = keys.connection.keys.waiting().get()
    keys.desk.press("use_key", new.pk)
    assert keys.desk.press("withdraw_key", keys.first.pk).status_code == 302
    assert keys.desk.press("withdraw_key", keys.first.pk).status_code == 404
    assert keys.published() == 1


def test_where_no_sign_in_depends_on_it_a_new_key_signs_at_once(cast: Cast) -> None:
    """A draft, say: and not more than two are published, however often somebody presses."""
    desk = Desk(cast.aiko)
    desk.save(client_authentication=ClientAuthentication.KEY, client_secret="")
    for _ in range(4):
        desk.press("rotate_key")
    desk.connection.refresh_from_db()
    assert desk.connection.keys.published().count() == 2
    assert desk.connection.signing_key == desk.connection.keys.first()


def test_the_page_says_which_are_published_which_signs_and_since_when(keys: Keys) -> None:
    keys.desk.press("rotate_key")
    new = keys.connection.keys.waiting().get()
    page = keys.desk.page()
    assert f"{keys.first.kid} RS256 Today" in page
    assert "Signs since today" in page
    assert f"{new.kid} RS256 Today" in page
    assert "Published signs from tomorrow" in page
    assert "Okta fetches them, so they rotate by themselves, every 90 days." in page
    assert page.count(f'"kid": "{new.kid}"') == 1


def test_keys_of_somebody_else_are_not_there(keys: Keys, cast: Cast) -> None:
    """T11: nor those of another connection of one's own."""
    other = Desk(cast.aiko)
    for name in ("use_key", "withdraw_key"):
        assert other.press(name, keys.first.pk).status_code == 404


def test_the_task_does_it_for_every_connection_there_is(keys: Keys) -> None:
    ClientKey.objects.update(published_at=keys.began - 91 * DAY, signs_since=keys.began - 91 * DAY)
    tasks.take_turns()
    assert keys.published() == 2


@pytest.mark.django_db(transaction=True)
def test_two_clocks_at_once_make_one_successor(transactional_db: None) -> None:
    cast = Cast.assemble()
    keys = Keys(cast)
    at = keys.began + 91 * DAY

    def turn(number: int) -> None:
        try:
            keys.turn(at)
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(turn, range(8)))
    assert keys.published() == 2
    assert len(keys.desk.events("key:published")) == 2
    Enterprise.objects.all().delete()


def test_an_address_is_for_good(keys: Keys) -> None:
    """Whatever rotates: what was pasted over there stays right."""
    before = keys.connection.keys_address
    keys.desk.press("rotate_key")
    assert keys.connection.keys_address == before
    assert before.endswith(reverse("identity:keys", args=[keys.connection.pk]))
