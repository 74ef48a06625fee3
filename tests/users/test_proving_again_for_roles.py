"""Step-up for roles: what lets somebody administer is made, changed and given only after a recent sign-in (T5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cast import Browser, Cast, browser_of, long_ago, make_role
from tests.proving import confirm, is_asked
from users.access import Permission
from users.models import CustomRole

pytestmark = pytest.mark.servers

SEES = (Permission.SEE_DASHBOARD, Permission.SEE_PEOPLE)


@pytest.fixture
def aiko(cast: Cast) -> Browser:
    """Aiko's browser, in which she signed in eleven minutes ago."""
    browser = browser_of(cast.aiko)
    long_ago(cast.aiko)
    return browser


def _create(browser: Browser, *permissions: Permission) -> Any:
    return browser.post("/advanced/roles/create/", {"name": "Desk", "permissions": permissions})


@pytest.mark.parametrize("more", [p for p in Permission if p.is_administrative])
def test_a_role_that_administers_is_made_after_a_proof_and_with_all_that_was_ticked(
    cast: Cast, aiko: Browser, more: Permission
) -> None:
    question = _create(aiko, *SEES, more)
    assert is_asked(question)
    assert not CustomRole.objects.exists()
    confirm(aiko, question)
    assert {*SEES, more} <= set(CustomRole.objects.of(cast.halden).get().permissions)


def test_a_role_that_does_not_is_made_without(cast: Cast, aiko: Browser) -> None:
    assert _create(aiko, *SEES, Permission.INVITE_PEOPLE, Permission.SEE_AUDIT_LOG)["Location"].startswith("/advanced/")
    assert CustomRole.objects.of(cast.halden).exists()


def test_a_change_is_shown_first_and_proved_when_it_is_done(cast: Cast, aiko: Browser) -> None:
    role = make_role(cast.halden, "Desk", *SEES, Permission.MANAGE_PEOPLE)
    form = {"name": "Desk", "version": "1", "permissions": [*SEES]}
    cast.tomas.role_assignments.create(enterprise=cast.halden, custom_role=role)
    assert "Change Desk for 1 person?" in aiko.post(f"/advanced/roles/{role.pk}/edit/", form).content.decode()
    question = aiko.post(f"/advanced/roles/{role.pk}/edit/", form | {"confirmed": "1"})
    assert is_asked(question)
    confirm(aiko, question)
    role.refresh_from_db()
    assert role.permissions == sorted(SEES)


@pytest.mark.parametrize("more", [None, Permission.MANAGE_PEOPLE, Permission.MANAGE_ROLES, Permission.CLOSE_ENTERPRISE])
def test_what_organization_admins_may_not_is_given_after_a_proof(
    cast: Cast, aiko: Browser, more: Permission | None
) -> None:
    """To one and to several, by invitation too; an Enterprise Admin (None) as always."""
    role = make_role(cast.halden, "Desk", *SEES, more) if more else None
    shown = role.as_shown if role else "enterprise_admin"
    person = cast.tomas.pk
    for address, form in (
        (f"/users/{person}/roles/give/", {"place": "everywhere"}),
        ("/users/roles/give/", {"place": "everywhere", "user": [person]}),
        ("/users/invite/", {"organization": "everywhere", "emails": "new@halden.example"}),
    ):
        answer = aiko.post(address, form | {"role": shown})
        assert is_asked(answer) is (more != Permission.MANAGE_PEOPLE), address
