"""The page of one person: what it shows to whom, and at which cost."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event
from invitations.models import Invitation
from tests.cast import Cast, browser_of
from users.models import Organization, Role, RoleAssignment

pytestmark = pytest.mark.servers


def test_its_cost_does_not_grow_with_roles_and_sessions(cast: Cast) -> None:
    browser, address = browser_of(cast.aiko), f"/users/{cast.tomas.pk}/"
    with CaptureQueriesContext(connection) as few:
        browser.get(address)
    for number in range(10):
        place = Organization.objects.create(enterprise=cast.halden, name=f"Part {number}")
        RoleAssignment.objects.create(
            enterprise=cast.halden, user=cast.tomas, role=Role.VIEWER, organization=place, given_by=cast.ingrid
        )
        browser_of(cast.tomas)
    with CaptureQueriesContext(connection) as many:
        page = browser.get(address).content.decode()
    assert "Revoke 11 roles…" in page
    assert "End all 10" in page
    # One for the people who gave the roles, since now there are some.
    assert len(many) <= len(few) + 1, "\n".join(query["sql"] for query in many)
    assert len(many) <= 20


def test_a_viewer_sees_roles_but_no_sessions_activity_or_acts(cast: Cast) -> None:
    Event.objects.create(enterprise=cast.halden, action="session:started", actor=cast.tomas, address="198.51.100.24")
    browser_of(cast.tomas)
    RoleAssignment.objects.create(
        enterprise=cast.halden, user=cast.oluwaseun, role=Role.VIEWER, organization=cast.rotterdam
    )
    page = browser_of(cast.oluwaseun).get(f"/users/{cast.tomas.pk}/").content.decode()
    assert "Manager" in page
    for hidden in (
        "Danger zone",
        "Sessions",
        "Recent activity",
        "Firefox on Windows",
        "198.51.100.24",
        "Give a role",
        "Change email",
    ):
        assert hidden not in page, hidden


def test_ones_own_activity_is_ones_own_to_see(cast: Cast) -> None:
    Event.objects.create(enterprise=cast.halden, action="session:started", actor=cast.oluwaseun)
    browser = browser_of(cast.oluwaseun)
    assert "Signed in" in browser.get(f"/users/{cast.oluwaseun.pk}/activity/").content.decode()


def test_somebody_invited_can_be_sent_the_link_again_or_revoked_from_the_page(cast: Cast) -> None:
    invitation = Invitation.issue(
        enterprise=cast.halden, email="new@halden.example", role=Role.VIEWER, organization=cast.rotterdam,
        connection=None, by=cast.aiko, at=timezone.now(),
    )  # fmt: skip
    address = f"/users/{invitation.user_id}/"
    for person in (cast.aiko, cast.tomas):
        page = browser_of(person).get(address).content.decode()
        assert f'action="/invitations/{invitation.pk}/resend/"' in page
        assert f'action="/invitations/{invitation.pk}/revoke/"' in page
    RoleAssignment.objects.create(
        enterprise=cast.halden, user=cast.oluwaseun, role=Role.VIEWER, organization=cast.rotterdam
    )
    assert "/resend/" not in browser_of(cast.oluwaseun).get(address).content.decode()


def test_the_last_thing_refused_is_in_the_recent_activity(cast: Cast) -> None:
    browser = browser_of(cast.aiko)
    browser.post(f"/users/{cast.tomas.pk}/delete/")
    page = browser.get(f"/users/{cast.tomas.pk}/").content.decode()
    assert "Recent activity" in page
    assert Event.objects.of(cast.halden).get(target_id=cast.tomas.pk).reason == "has_roles"


def test_a_stranger_gets_404(cast: Cast) -> None:
    """T11."""
    browser = browser_of(cast.mallory)
    for page in ("", "abilities/", "activity/"):
        assert browser.get(f"/users/{cast.tomas.pk}/{page}").status_code == 404


@pytest.mark.parametrize("pk", ["0" * 12, "O" * 12, "1", "x" * 500, "%00", "..%2f"])
def test_an_id_nobody_has_is_404(cast: Cast, pk: str) -> None:
    assert browser_of(cast.aiko).get(f"/users/{pk}/").status_code == 404
