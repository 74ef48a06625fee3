"""A role is changed or deleted by one administrator while another gives it: real threads, real transactions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tests.cast import Browser, Cast, browser_of, make_role, make_user
from users.access import Access, Permission
from users.models import CustomRole, Enterprise, Role, User

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]

SEES = (Permission.SEE_DASHBOARD, Permission.SEE_PEOPLE)
ROUNDS = 30


def _at_once(*acts: Callable[[], int]) -> list[int]:
    """Do ``acts`` in threads of their own, started together, and return what each answered."""
    start, answers = threading.Barrier(len(acts)), dict[int, int]()

    def act(number: int) -> None:
        try:
            start.wait(timeout=10)
            answers[number] = acts[number]()
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return [answers[number] for number in range(len(acts))]


def _change(browser: Browser, role: CustomRole, *permissions: Permission) -> int:
    form = {"name": role.name, "version": role.version, "confirmed": "1", "permissions": permissions}
    return browser.post(f"/advanced/roles/{role.pk}/edit/", form).status_code


def _give(browser: Browser, role: CustomRole, person: User) -> int:
    """Through the page of the person, or through the one for several: the ids end with either."""
    form = {"role": role.as_shown, "place": "everywhere"}
    if person.name.endswith("0"):
        return browser.post(f"/users/{person.pk}/roles/give/", form).status_code
    return browser.post("/users/roles/give/", form | {"user": [person.pk]}).status_code


@pytest.fixture
def wide(cast: Cast) -> User:
    """May give what Organization Admins may, everywhere, and no more than that."""
    return make_user(cast.halden, "Kari Moe", "kari@halden.example", (Role.ORGANIZATION_ADMIN, None))


def test_what_is_given_is_what_was_looked_at_or_nothing(cast: Cast, wide: User) -> None:
    """An Enterprise Admin puts more into a role than the giver has, at the very moment it is given.

    Either the giver comes first, and it is the admin who has given more to somebody who has it; or the giver is
    refused. What never happens: that somebody who could not give as much comes second, and gives it.
    """
    giver, admin, outcomes = browser_of(wide), browser_of(cast.aiko), set()
    for number in range(ROUNDS):
        role = make_role(cast.halden, f"Desk {number}", *SEES)
        person = make_user(cast.halden, f"Person {number}", f"p{number}@halden.example")
        gave, changed = _at_once(
            lambda role=role, person=person: _give(giver, role, person),
            lambda role=role: _change(admin, role, *SEES, Permission.SEE_AUDIT_LOG),
        )
        assert changed == 302, f"round {number}"
        role.refresh_from_db()
        given = person.role_assignments.filter(custom_role=role).first()
        if given:
            assert given.given_at < role.edited_at, f"round {number}: given after the change"
            assert gave in (200, 302)
            outcomes.add("given first")
        else:
            assert gave in (409, 422), f"round {number}"
            outcomes.add("refused")
    assert outcomes <= {"given first", "refused"}


def test_whoever_waits_for_the_change_is_refused_when_it_comes_to_the_turn(cast: Cast, wide: User) -> None:
    """The giver has passed every check, and waits for the lock under which the role is being changed."""
    for number in range(2):
        role = make_role(cast.halden, f"Desk {number}", *SEES)
        person = make_user(cast.halden, f"Person {number}", f"p{number}@halden.example")
        answers: list[int] = []
        giver = browser_of(wide)

        def give(role: CustomRole = role, person: User = person, giver: Browser = giver) -> None:
            answers.append(_give(giver, role, person))  # noqa: B023 - joined before the next round
            connection.close()

        waiting = threading.Thread(target=give)
        _while_locked(cast.halden, waiting, lambda role=role: role.edit(
            name=role.name, description="", permissions=[*SEES, Permission.SEE_AUDIT_LOG], by=cast.aiko,
            at=timezone.now(),
        ))  # fmt: skip
        assert answers == [409]
        assert not person.role_assignments.exists()


def test_whoever_waits_while_the_role_is_deleted_gives_nothing(cast: Cast) -> None:
    for number in range(2):
        role = make_role(cast.halden, f"Desk {number}", *SEES)
        person = make_user(cast.halden, f"Person {number}", f"p{number}@halden.example")
        answers: list[int] = []

        def give(role: CustomRole = role, person: User = person) -> None:
            answers.append(_give(browser_of(cast.aiko), role, person))  # noqa: B023 - joined before the next round
            connection.close()

        _while_locked(cast.halden, threading.Thread(target=give), CustomRole.objects.filter(pk=role.pk).delete)
        assert answers == [409]
        assert not person.role_assignments.exists()


def _while_locked(enterprise: Enterprise, thread: threading.Thread, act: Callable[[], object]) -> None:
    """Start ``thread``, and do ``act`` under the enterprise's lock once it waits for that."""
    with transaction.atomic():
        enterprise.lock()
        thread.start()
        _wait_until_somebody_waits()
        act()
    thread.join(timeout=30)
    assert not thread.is_alive()


def _wait_until_somebody_waits() -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with connection.cursor() as cursor:
        for _try in range(600):
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # Within a transaction the server would not look again.
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    raise AssertionError("nobody has come to wait for the lock")


def test_of_two_changes_at_once_one_is_refused(cast: Cast) -> None:
    """The second would have undone the first without having seen it."""
    a, b = browser_of(cast.aiko), browser_of(cast.ingrid)
    for number in range(ROUNDS):
        role = make_role(cast.halden, f"Desk {number}", *SEES)
        answers = _at_once(
            lambda role=role: _change(a, role, *SEES, Permission.INVITE_PEOPLE),
            lambda role=role: _change(b, role, *SEES, Permission.SEE_AUDIT_LOG),
        )
        role.refresh_from_db()
        assert (sorted(answers), role.version) == ([302, 409], 2), f"round {number}"


def test_a_role_given_and_deleted_at_once_is_either_given_or_gone(cast: Cast) -> None:
    giver, admin = browser_of(cast.aiko), browser_of(cast.ingrid)
    for number in range(ROUNDS):
        role = make_role(cast.halden, f"Desk {number}", *SEES)
        person = make_user(cast.halden, f"Person {number}", f"p{number}@halden.example")
        gave, deleted = _at_once(
            lambda role=role, person=person: _give(giver, role, person),
            lambda role=role: admin.post(f"/advanced/roles/{role.pk}/delete/").status_code,
        )
        here = CustomRole.objects.filter(pk=role.pk).exists()
        assert person.role_assignments.exists() is here, f"round {number}"
        assert deleted == (409 if here else 302)
        assert (gave in (200, 302)) is here


def test_an_inviter_who_waits_for_the_change_is_refused(cast: Cast, wide: User) -> None:
    """T10: the people would have the role from now on, though they are not here yet."""
    role, answers = make_role(cast.halden, "Desk", *SEES), list[str]()

    def invite() -> None:
        form = {"emails": "new@halden.example", "role": role.as_shown, "organization": "everywhere"}
        answers.append(browser_of(wide).post("/users/invite/", form).content.decode())
        connection.close()

    _while_locked(cast.halden, threading.Thread(target=invite), lambda: role.edit(
        name="Desk", description="", permissions=list(Permission), by=cast.aiko, at=timezone.now()
    ))  # fmt: skip
    assert "This role was changed or deleted a moment ago." in answers[0]
    assert not User.objects.of(cast.halden).with_email("new@halden.example").exists()


def test_a_giver_who_loses_the_right_while_waiting_gives_nothing(cast: Cast, wide: User) -> None:
    role, answers = make_role(cast.halden, "Desk", *SEES), list[int]()
    person = make_user(cast.halden, "Person 1", "p1@halden.example")

    def give() -> None:
        answers.append(_give(browser_of(wide), role, person))
        connection.close()

    _while_locked(cast.halden, threading.Thread(target=give), wide.role_assignments.all().delete)
    assert answers == [403]
    assert not Access.of(person).assignments
