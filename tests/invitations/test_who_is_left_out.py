"""Who was chosen and not taken in is shown with the batch, and why; also when it stopped in the middle."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from identity.models import Connection
from invitations.models import Batch, Doing, Verdict
from tests.cast import Cast, browser_of, enable_okta, make_role, make_user
from tests.invitations.switching import PAGE, begin, carry_out
from users.access import Permission, with_what_they_need
from users.models import Role, RoleAssignment, User

pytestmark = pytest.mark.servers


@pytest.fixture
def okta(cast: Cast) -> Connection:
    return enable_okta(cast.halden, cast.ingrid)


def page_of(cast: Cast, batch: Batch) -> str:
    return browser_of(cast.ingrid).get(f"{PAGE}batches/{batch.pk}/").text


def test_each_reason_is_named_with_how_many(cast: Cast, okta: Connection) -> None:
    """As things were when the worker came."""
    for number in range(2):
        make_user(cast.halden, f"Bo {number}", f"bo{number}@halden.example", email_confirmed_at=None)
    batch = begin(browser_of(cast.aiko))
    cast.marcus.disable(timezone.now())
    cast.tomas.disable(timezone.now())
    text = page_of(cast, carry_out(batch))
    assert "4 could switch when this began, 2 were taken in." in text
    for words in ("Break-glass account: never switched: 1", "Email not confirmed: 2", "Disabled: 2"):
        assert words in text
    assert "has stopped" not in text


def test_nothing_is_said_where_everybody_was_taken_in(cast: Cast, okta: Connection) -> None:
    assert "Left out" not in page_of(cast, carry_out(begin(browser_of(cast.aiko), cast.tomas)))


def disabled(aiko: User) -> None:
    aiko.disable(timezone.now())


def without_a_role(aiko: User) -> None:
    aiko.role_assignments.all().delete()


def deleted(aiko: User) -> None:
    aiko.role_assignments.all().delete()
    aiko.remove()


@pytest.mark.parametrize(
    ("lose", "said"),
    [
        (disabled, "Aiko Tanaka began this and may not switch people any more."),
        (without_a_role, "Aiko Tanaka began this and may not switch people any more."),
        (deleted, "Whoever began this is no longer here."),
    ],
)
def test_whoever_began_it_is_gone_in_the_middle(
    cast: Cast, okta: Connection, lose: Callable[[User], None], said: str
) -> None:
    people = [make_user(cast.halden, f"Person {n}", f"p{n}@halden.example") for n in range(4)]
    batch = begin(browser_of(cast.aiko), *people)
    batch.go_on(timezone.now(), 1)
    lose(cast.aiko)
    batch = carry_out(batch)
    assert (batch.expected, batch.taken, batch.left_out) == (4, 1, {Verdict.STOPPED: 3})
    assert batch.doing == Doing.NOTHING
    text = page_of(cast, batch)
    assert "Taking people in has stopped." in text
    assert f"{said} 3 people who could switch were not taken in." in text
    # One press from there they are looked at again; whoever is in already is not among those who can.
    again = text.partition(f'href="{PAGE}?user=')[2].partition('"')[0].replace("&amp;", "&")
    assert browser_of(cast.ingrid).get(f"{PAGE}?user={again}").context["run"].can == 3
    assert "3 people were not taken in." in browser_of(cast.ingrid).get(PAGE).text


def test_whoever_came_to_have_more_rights_than_the_one_who_began_it_may_give(cast: Cast, okta: Connection) -> None:
    moves = make_role(cast.halden, "Moves people", *with_what_they_need([Permission.MIGRATE_PEOPLE]))
    yusuf, bo = (make_user(cast.halden, name, f"{name}@halden.example") for name in ("yusuf", "bo"))
    RoleAssignment.objects.create(enterprise=cast.halden, user=yusuf, custom_role=moves)
    RoleAssignment.objects.create(enterprise=cast.halden, user=cast.tomas, custom_role=moves)
    cast.tomas.role_assignments.exclude(custom_role=moves).delete()
    batch = begin(browser_of(yusuf), bo, cast.tomas)
    RoleAssignment.objects.create(enterprise=cast.halden, user=bo, role=Role.ENTERPRISE_ADMIN)
    batch = carry_out(batch)
    assert batch.moves.get().user == cast.tomas
    assert batch.left_out == {Verdict.BEYOND: 1}
    assert "More rights than whoever began this may give: 1" in page_of(cast, batch)
