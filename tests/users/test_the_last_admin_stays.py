"""M7, T15: an enterprise always keeps an Enterprise Admin who can sign in."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.utils import timezone

from tests.cast import Cast, make_enterprise, make_user
from users.models import HasRolesError, LastAdminError, Role, RoleAssignment, User, enterprise_admins

pytestmark = pytest.mark.servers


def _admin_roles(user: User) -> RoleAssignment:
    return user.role_assignments.get(role=Role.ENTERPRISE_ADMIN)


def test_one_of_two_admins_can_be_demoted_and_the_other_cannot(cast: Cast) -> None:
    _admin_roles(cast.aiko).revoke()
    with pytest.raises(LastAdminError):
        _admin_roles(cast.ingrid).revoke()
    assert list(enterprise_admins(cast.halden)) == [cast.ingrid]


def test_the_last_admin_cannot_be_disabled(cast: Cast) -> None:
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


@pytest.mark.django_db(transaction=True)
def test_of_two_admins_demoting_each_other_at_once_exactly_one_succeeds_a_hundred_times() -> None:
    """T15, on real connections."""
    for round_number in range(100):
        enterprise = make_enterprise(f"Race {round_number}", f"race-{round_number}")
        users = [make_user(enterprise, name, f"{name}@race.example", (Role.ENTERPRISE_ADMIN, None)) for name in "ab"]
        acts = [lambda u=users[0]: u.disable(timezone.now()), _admin_roles(users[1]).revoke]
        start, outcomes = threading.Barrier(2), list[str]()

        def act(what, start=start, outcomes=outcomes) -> None:
            start.wait(timeout=10)
            try:
                what()
                outcomes.append("done")
            except LastAdminError:
                outcomes.append("refused")
            finally:
                connection.close()

        threads = [threading.Thread(target=act, args=(what,)) for what in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert sorted(outcomes) == ["done", "refused"], f"round {round_number}"
        assert enterprise_admins(enterprise).count() == 1
