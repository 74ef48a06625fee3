"""Who may not switch somebody back alone may not do so with a whole batch; nor remind them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import Event
from identity.models import Connection
from invitations.models import Batch, BeyondReach, Move
from tests.cast import Cast, browser_of, enable_okta, make_role, make_user
from tests.invitations.switching import PAGE, begin, carry_out, switching
from users.access import Permission, with_what_they_need
from users.models import RoleAssignment, User

pytestmark = pytest.mark.servers

BEYOND = "1 person here has more rights than you may give."


@pytest.fixture
def okta(cast: Cast) -> Connection:
    return enable_okta(cast.halden, cast.ingrid)


@pytest.fixture
def yusuf(cast: Cast) -> User:
    """Moves people, and may give what is needed for that, and no more."""
    moves = make_role(cast.halden, "Moves people", *with_what_they_need([Permission.MIGRATE_PEOPLE]))
    person = make_user(cast.halden, "Yusuf Karim", "yusuf@halden.example")
    RoleAssignment.objects.create(enterprise=cast.halden, user=person, custom_role=moves)
    return person


def quiet(*moves: Move) -> None:
    Move.objects.filter(pk__in=[move.pk for move in moves]).update(sent_at=timezone.now() - timedelta(days=2))


def test_a_batch_with_an_enterprise_admin_in_it(cast: Cast, okta: Connection, yusuf: User) -> None:
    aiko, tomas = switching(cast, okta, cast.aiko, cast.tomas)
    quiet(aiko, tomas)
    # Without a role, Tomás is within reach.
    cast.tomas.role_assignments.all().delete()
    browser, page = browser_of(yusuf), f"{PAGE}batches/{aiko.batch_id}/"
    assert browser.post(f"{PAGE}people/{aiko.pk}/undo/").status_code == 404
    text = browser.get(page).text
    assert "1 person has more rights than you may give" in text
    assert f"{page}remind/" not in text
    assert f"{page}undo/" not in text
    assert f"people/{tomas.pk}/undo/" in text
    assert f"people/{aiko.pk}/undo/" not in text
    for act in ("remind", "undo"):
        assert BEYOND in browser.post(f"{page}{act}/", follow=True).text
    assert not Move.objects.exclude(undone_at=None, reminders=0).exists()
    assert Batch.objects.get(pk=aiko.batch_id).undone_at is None
    refused = Event.objects.of(cast.halden).filter(actor=yusuf, result="refused", reason="beyond_reach")
    assert set(refused.values_list("action", flat=True)) == {"batch:reminded", "batch:undone"}
    browser.post(f"{PAGE}people/{tomas.pk}/undo/")
    assert Move.objects.get(pk=tomas.pk).undone_by == yusuf


def test_a_batch_of_people_within_reach(cast: Cast, okta: Connection, yusuf: User) -> None:
    cast.tomas.role_assignments.all().delete()
    [tomas] = switching(cast, okta, cast.tomas)
    quiet(tomas)
    browser = browser_of(yusuf)
    assert "more rights" not in browser.get(f"{PAGE}batches/{tomas.batch_id}/").text
    browser.post(f"{PAGE}batches/{tomas.batch_id}/remind/")
    carry_out(tomas.batch)
    assert Move.objects.get().reminders == 1
    browser.post(f"{PAGE}batches/{tomas.batch_id}/undo/")
    assert Batch.objects.get().undone_by == yusuf


def test_whoever_has_come_does_not_stand_in_the_way(cast: Cast, okta: Connection, yusuf: User) -> None:
    cast.tomas.role_assignments.all().delete()
    aiko, tomas = switching(cast, okta, cast.aiko, cast.tomas)
    aiko.redeem(email=aiko.email, at=timezone.now())
    browser_of(yusuf).post(f"{PAGE}batches/{tomas.batch_id}/undo/")
    assert Batch.objects.get().undone_by == yusuf


def test_somebody_who_is_still_to_be_taken_in_counts(cast: Cast, okta: Connection, yusuf: User) -> None:
    """Or a batch could be stopped for them in the moment before."""
    batch = begin(browser_of(cast.aiko), cast.aiko)
    with pytest.raises(BeyondReach):
        batch.undo(by=yusuf, at=timezone.now())
    assert carry_out(batch).taken == 1


def test_ones_own_batch_is_ones_own_though_more_were_chosen_than_one_may_switch(
    cast: Cast, okta: Connection, yusuf: User
) -> None:
    """“Everyone with a password” means those within reach."""
    cast.tomas.role_assignments.all().delete()
    batch = begin(browser_of(yusuf))
    batch.undo(by=yusuf, at=timezone.now())
    assert Batch.objects.get(pk=batch.pk).undone_at


def test_an_enterprise_admin_acts_on_every_batch(cast: Cast, okta: Connection) -> None:
    [aiko] = switching(cast, okta, cast.aiko)
    quiet(aiko)
    browser_of(cast.ingrid).post(f"{PAGE}batches/{aiko.batch_id}/undo/")
    assert Batch.objects.get().undone_by == cast.ingrid
