"""Roles given and taken back by administrators, and what may stand in the way (M7)."""

from __future__ import annotations

import pytest

from audit.models import Event, Result
from tests.cast import Cast, browser_of, make_user
from users.models import Organization, Role, RoleAssignment, User

pytestmark = pytest.mark.servers


def _give(cast: Cast, giver: User, person: User, role: str, place: str):  # type: ignore[no-untyped-def]
    return browser_of(giver).post(f"/users/{person.pk}/roles/give/", {"role": role, "place": place})


def test_a_role_is_given_and_recorded(cast: Cast) -> None:
    answer = _give(cast, cast.aiko, cast.oluwaseun, "manager", cast.rotterdam.pk)
    assert answer.status_code == 302
    given = cast.oluwaseun.role_assignments.get(role=Role.MANAGER)
    assert (given.organization, given.given_by) == (cast.rotterdam, cast.aiko)
    event = Event.objects.of(cast.halden).get(action="role:given")
    assert (event.actor, event.target_id) == (cast.aiko, cast.oluwaseun.pk)
    assert event.details == {"role": "Manager, Rotterdam"}


def test_the_page_offers_only_what_may_be_given(cast: Cast) -> None:
    page = browser_of(cast.marcus).get(f"/users/{cast.tomas.pk}/roles/give/").content.decode()
    assert "Enterprise Admin" not in page
    assert "Oslo terminal" not in page
    assert 'value="manager"' in page


def test_giving_a_role_twice_says_so_and_changes_nothing(cast: Cast) -> None:
    answer = _give(cast, cast.aiko, cast.oluwaseun, "viewer", cast.oslo.pk)
    assert answer.status_code == 422
    assert "has this role there already" in answer.content.decode()
    assert cast.oluwaseun.role_assignments.count() == 1


def test_an_enterprise_admin_of_one_organization_does_not_exist(cast: Cast) -> None:
    answer = _give(cast, cast.aiko, cast.oluwaseun, "enterprise_admin", cast.oslo.pk)
    assert answer.status_code == 422
    assert "for the whole enterprise" in answer.content.decode()


@pytest.mark.parametrize(
    ("role", "place"), [("", ""), ("boss", "everywhere"), ("viewer", "\x00"), ("viewer", "x" * 9000)]
)
def test_nonsense_gives_nothing(cast: Cast, role: str, place: str) -> None:
    assert _give(cast, cast.aiko, cast.oluwaseun, role, place).status_code == 422
    assert cast.oluwaseun.role_assignments.count() == 1


def test_an_organization_of_another_enterprise_cannot_be_named(cast: Cast) -> None:
    """T11."""
    foreign = Organization.objects.create(enterprise=cast.stranger, name="Elsewhere")
    assert _give(cast, cast.aiko, cast.oluwaseun, "viewer", foreign.pk).status_code == 422
    assert not RoleAssignment.objects.filter(organization=foreign).exists()


def test_a_stranger_gets_404_and_gives_nothing(cast: Cast) -> None:
    """T11."""
    assert _give(cast, cast.mallory, cast.oluwaseun, "viewer", "everywhere").status_code == 404
    role = cast.oluwaseun.role_assignments.get()
    browser = browser_of(cast.mallory)
    assert browser.post(f"/users/{cast.oluwaseun.pk}/roles/{role.pk}/revoke/").status_code == 404
    assert browser.post(f"/users/{cast.mallory.pk}/roles/{role.pk}/revoke/").status_code == 404
    assert cast.oluwaseun.role_assignments.get() == role


def test_a_role_is_revoked_and_recorded(cast: Cast) -> None:
    role = cast.tomas.role_assignments.get()
    answer = browser_of(cast.aiko).post(f"/users/{cast.tomas.pk}/roles/{role.pk}/revoke/")
    assert (answer.status_code, answer["Location"]) == (302, f"/users/{cast.tomas.pk}/")
    assert not cast.tomas.role_assignments.exists()
    assert Event.objects.of(cast.halden).get(action="role:revoked").details == {"role": "Manager, Rotterdam"}


def test_a_role_of_somebody_else_cannot_be_revoked_through_this_person(cast: Cast) -> None:
    role = cast.aiko.role_assignments.get()
    assert browser_of(cast.ingrid).post(f"/users/{cast.tomas.pk}/roles/{role.pk}/revoke/").status_code == 404
    assert cast.aiko.role_assignments.exists()


def test_revoking_ones_own_admin_role_says_what_happens_and_leads_to_the_own_account(cast: Cast) -> None:
    role = cast.aiko.role_assignments.get()
    browser, address = browser_of(cast.aiko), f"/users/{cast.aiko.pk}/roles/{role.pk}/revoke/"
    assert "This is your own role." in browser.get(address).content.decode()
    assert browser.post(address)["Location"] == "/account/"
    assert not cast.aiko.role_assignments.exists()
    assert browser.get("/users/").status_code == 403


def test_the_last_admin_cannot_be_revoked_and_the_page_says_why(cast: Cast) -> None:
    """M7, audited as refused."""
    cast.ingrid.role_assignments.all().delete()
    role = cast.aiko.role_assignments.get()
    answer = browser_of(cast.aiko).post(f"/users/{cast.aiko.pk}/roles/{role.pk}/revoke/")
    assert answer.status_code == 409
    assert "Aiko Tanaka is the only Enterprise Admin who can sign in." in answer.content.decode()
    assert cast.aiko.role_assignments.get() == role
    event = Event.objects.of(cast.halden).get(action="role:revoked")
    assert (event.result, event.reason) == (Result.REFUSED, "last_admin")


def test_all_roles_are_revoked_or_none(cast: Cast) -> None:
    """M7: the last admin's other roles stay as well when the act is refused."""
    cast.ingrid.role_assignments.all().delete()
    RoleAssignment.objects.create(enterprise=cast.halden, user=cast.aiko, role=Role.VIEWER, organization=cast.oslo)
    assert browser_of(cast.aiko).post(f"/users/{cast.aiko.pk}/roles/revoke/").status_code == 409
    assert cast.aiko.role_assignments.count() == 2
    assert [e.result for e in Event.objects.of(cast.halden).filter(action="role:revoked")] == [Result.REFUSED]


def test_an_organization_admin_who_revokes_the_only_role_is_led_back_to_the_list(cast: Cast) -> None:
    person = make_user(cast.halden, "Chloé Martin", "chloe@halden.example", (Role.VIEWER, cast.rotterdam))
    role, browser = person.role_assignments.get(), browser_of(cast.marcus)
    address = f"/users/{person.pk}/roles/{role.pk}/revoke/"
    assert "is out of your sight" in browser.get(address).content.decode()
    assert browser.post(address)["Location"] == "/users/"
    assert browser.get(f"/users/{person.pk}/").status_code == 404


def test_what_somebody_can_do_is_told_with_the_role_it_comes_through(cast: Cast) -> None:
    RoleAssignment.objects.create(enterprise=cast.halden, user=cast.tomas, role=Role.VIEWER)
    rows = browser_of(cast.aiko).get(f"/users/{cast.tomas.pk}/abilities/").context["rows"]
    through = {str(row["words"]): [str(given) for given in row["through"]] for row in rows}
    assert through["See people"] == ["Viewer, whole enterprise"]
    assert through["Invite people, and send invitations again"] == ["Manager, Rotterdam"]
    assert through["Give and revoke roles"] == []
