"""M7, T15: an enterprise always keeps an Enterprise Admin who can sign in."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.utils import timezone

from tests.cast import Cast, browser_of, make_enterprise, make_user
from users.models import (
    BreakGlassError,
    Enterprise,
    HasRolesError,
    LastAdminError,
    Role,
    RoleAssignment,
    User,
    enterprise_admins,
)

pytestmark = pytest.mark.servers


def _admin_roles(user: User) -> RoleAssignment:
    return user.role_assignments.get(role=Role.ENTERPRISE_ADMIN)


def test_one_of_two_admins_can_be_demoted_and_the_other_cannot(cast: Cast) -> None:
    _admin_roles(cast.aiko).revoke()
    with pytest.raises(LastAdminError):
        _admin_roles(cast.ingrid).revoke()
    assert list(enterprise_admins(cast.halden)) == [cast.ingrid]


def test_the_break_glass_account_stays_an_admin_while_it_is_the_only_one(cast: Cast) -> None:
    """M1: with the provider down, it is who repairs it; that others are admins is no help then."""
    with pytest.raises(BreakGlassError):
        _admin_roles(cast.ingrid).revoke()
    assert cast.ingrid in enterprise_admins(cast.halden)


def test_a_break_glass_account_that_administers_nothing_makes_no_other_superfluous(cast: Cast) -> None:
    """M1: it may have been demoted, as there was another; from then on that other one stays."""
    admin = (Role.ENTERPRISE_ADMIN, None)
    second = make_user(cast.halden, "Second", "second@halden.example", admin, is_break_glass=True)
    _admin_roles(second).revoke()
    with pytest.raises(BreakGlassError):
        cast.ingrid.disable(timezone.now())
    with pytest.raises(BreakGlassError):
        cast.ingrid.remove()
    second.remove()
    assert enterprise_admins(cast.halden).break_glass().get() == cast.ingrid


def test_the_last_admin_cannot_be_disabled(cast: Cast) -> None:
    User.objects.of(cast.halden).update(is_break_glass=False)
    cast.ingrid.refresh_from_db()
    _admin_roles(cast.ingrid).revoke()
    with pytest.raises(LastAdminError):
        cast.aiko.disable(timezone.now())
    cast.aiko.refresh_from_db()
    assert cast.aiko.disabled_at is None


def test_an_admin_who_was_only_invited_does_not_count(cast: Cast) -> None:
    make_user(cast.halden, "", "new@halden.example", (Role.ENTERPRISE_ADMIN, None), joined_at=None, password="!")
    _admin_roles(cast.aiko).revoke()
    with pytest.raises(LastAdminError):
        _admin_roles(cast.ingrid).revoke()


def test_an_admin_of_another_enterprise_does_not_count(cast: Cast) -> None:
    _admin_roles(cast.aiko).revoke()
    assert enterprise_admins(cast.stranger).exists()
    with pytest.raises(LastAdminError):
        _admin_roles(cast.ingrid).revoke()


def test_a_user_with_roles_cannot_be_deleted_until_they_are_revoked(cast: Cast) -> None:
    """M6."""
    with pytest.raises(HasRolesError):
        cast.aiko.remove()
    _admin_roles(cast.aiko).revoke()
    cast.aiko.remove()
    assert not User.objects.of(cast.halden).with_email("aiko.tanaka@halden.example").exists()


def _at_once(*acts: Callable[[], object]) -> list[object]:
    """Do ``acts`` in threads of their own, started together, and return what each returned or raised."""
    start, outcomes = threading.Barrier(len(acts)), dict[int, object]()

    def act(number: int) -> None:
        start.wait(timeout=10)
        try:
            outcomes[number] = acts[number]()
        except (LastAdminError, HasRolesError, User.DoesNotExist) as error:
            outcomes[number] = type(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    return [outcomes[number] for number in range(len(acts))]


def _two_admins(number: int) -> tuple[Enterprise, User, User]:
    enterprise = make_enterprise(f"Race {number}", f"race-{number}")
    a, b = (make_user(enterprise, name, f"{name}@race.example", (Role.ENTERPRISE_ADMIN, None)) for name in "ab")
    return enterprise, a, b


@pytest.mark.django_db(transaction=True)
def test_of_two_admins_demoting_and_disabling_each_other_at_once_exactly_one_succeeds_thirty_times() -> None:
    """T15, on real connections."""
    for number in range(30):
        enterprise, a, b = _two_admins(number)
        outcomes = _at_once(lambda a=a: a.disable(timezone.now()), _admin_roles(b).revoke)
        assert sorted(outcomes, key=str) == sorted([None, LastAdminError], key=str), f"round {number}"
        assert enterprise_admins(enterprise).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_admins_deleting_each_other_at_once_exactly_one_succeeds_a_hundred_times() -> None:
    """T15, M6: revoke the roles, then delete; the one who comes second changes nothing."""

    def delete(user: User) -> str:
        _admin_roles(user).revoke()
        user.remove()
        return "deleted"

    for number in range(100):
        enterprise, a, b = _two_admins(number)
        outcomes = _at_once(lambda a=a: delete(a), lambda b=b: delete(b))
        assert sorted(outcomes, key=str) == sorted([LastAdminError, "deleted"], key=str), f"round {number}"
        assert enterprise_admins(enterprise).count() == enterprise.users.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_admins_demoting_each_other_in_two_browsers_exactly_one_succeeds_a_hundred_times() -> None:
    """T15, through the views: who comes second is not an administrator any more, and is refused."""
    for number in range(100):
        enterprise, a, b = _two_admins(number)
        calls = [(browser_of(by), f"/users/{of.pk}/roles/{_admin_roles(of).pk}/revoke/") for by, of in ((a, b), (b, a))]
        answers = _at_once(*(lambda c=c: c[0].post(c[1]).status_code for c in calls))
        assert sorted(answers, key=str) in ([302, 403], [302, 404]), f"round {number}"
        assert enterprise_admins(enterprise).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_admins_disabling_each_other_in_two_browsers_exactly_one_succeeds_thirty_times() -> None:
    """T15, T17: whose session has ended a moment ago is sent to the sign-in, or refused; nothing else happens."""
    for number in range(30):
        enterprise, a, b = _two_admins(number)
        calls = [(browser_of(a), f"/users/{b.pk}/disable/"), (browser_of(b), f"/users/{a.pk}/disable/")]
        answers = _at_once(*(lambda c=c: c[0].post(c[1]) for c in calls))
        done = [answer for answer in answers if answer.status_code == 302 and "/login/" not in answer["Location"]]
        assert len(done) == 1, f"round {number}"
        assert enterprise.users.filter(disabled_at=None).count() == enterprise_admins(enterprise).count() == 1


@pytest.mark.django_db(transaction=True)
def test_giving_a_role_to_somebody_who_is_being_deleted_loses_neither_act(cast: Cast) -> None:
    """Either the person is gone and no role was given, or has the role and is here."""
    for number in range(30):
        user = make_user(cast.halden, "Short Stay", f"stay{number}@halden.example")
        give = functools.partial(
            RoleAssignment.objects.give, user=user, role=Role.VIEWER, organization=None, by=cast.aiko, at=timezone.now()
        )
        given, removed = _at_once(give, User.objects.get(pk=user.pk).remove)
        if removed is None:
            assert given is User.DoesNotExist, f"round {number}"
        else:
            assert removed is HasRolesError
            assert user.role_assignments.get() == given
