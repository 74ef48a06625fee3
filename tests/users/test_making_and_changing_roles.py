"""Advanced → Roles: making a role, copying, changing and deleting it; who may, and what is asked first."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event, Result
from invitations.models import Invitation
from tests.cast import Browser, Cast, browser_of, make_role, make_user
from users.access import Permission
from users.models import MOST_CUSTOM_ROLES, CustomRole, Role, RoleAssignment, User

pytestmark = pytest.mark.servers

SEES = (Permission.SEE_DASHBOARD, Permission.SEE_PEOPLE)
DEFINES = (*SEES, Permission.GIVE_ROLES, Permission.MANAGE_ROLES)


def _create(browser: Browser, name: str, *permissions: Permission, query: str = "", **fields: Any):  # type: ignore[no-untyped-def]
    return browser.post(f"/advanced/roles/create/{query}", {"name": name, "permissions": permissions, **fields})


def _edit(browser: Browser, role: CustomRole, *permissions: Permission, **fields: Any):  # type: ignore[no-untyped-def]
    shown = {"name": role.name, "description": role.description, "version": role.version}
    return browser.post(f"/advanced/roles/{role.pk}/edit/", {**shown, "permissions": permissions, **fields})


def _give(cast: Cast, role: CustomRole, *people: User, organization: Any = None) -> None:
    RoleAssignment.objects.give_each(people, role=role, organization=organization, by=cast.aiko, at=timezone.now())


def test_a_role_is_made_and_recorded_and_nobody_has_it(cast: Cast) -> None:
    answer = _create(browser_of(cast.aiko), "Help desk", *SEES, Permission.MANAGE_PEOPLE, description="Resets things.")
    role = CustomRole.objects.of(cast.halden).get()
    assert answer["Location"] == f"/advanced/roles/{role.pk}/"
    assert (role.name, role.description, role.created_by) == ("Help desk", "Resets things.", cast.aiko)
    assert role.permissions == ["manage_people", "see_dashboard", "see_people"]
    event = Event.objects.of(cast.halden).get(action="role:created")
    assert (event.actor, event.target_id, event.target_label) == (cast.aiko, role.pk, "Help desk")
    assert event.details == {"permissions": role.permissions}
    assert not role.role_assignments.exists()


def test_what_a_permission_is_of_no_use_without_comes_with_it(cast: Cast) -> None:
    _create(browser_of(cast.aiko), "Roles", Permission.MANAGE_ROLES)
    assert set(CustomRole.objects.get().permissions) == {"manage_roles", "give_roles", "see_people"}


@pytest.mark.parametrize(
    ("name", "permissions", "said"),
    [
        ("", SEES, "Enter a name."),
        ("  ", SEES, "Enter a name."),
        ("viewer", SEES, "This is the name of a built-in role."),
        ("HELP desk", SEES, "There is a role with this name already."),
        ("x" * 61, SEES, "at most 60"),
        ("Fine\u202ename", SEES, "invisible characters"),
        ("Fine", (), "Tick at least one thing."),
        ("Fine", ("fly",), "not one of the available choices"),
    ],
)
def test_nonsense_makes_no_role(cast: Cast, name: str, permissions: tuple[Any, ...], said: str) -> None:
    make_role(cast.halden, "Help desk", *SEES)
    answer = _create(browser_of(cast.aiko), name, *permissions)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert CustomRole.objects.count() == 1


def test_two_enterprises_may_call_a_role_the_same(cast: Cast) -> None:
    make_role(cast.stranger, "Help desk", *SEES)
    assert _create(browser_of(cast.aiko), "Help desk", *SEES).status_code == 302


def test_there_is_an_end_to_the_number_of_roles(cast: Cast) -> None:
    CustomRole.objects.bulk_create(
        CustomRole(enterprise=cast.halden, name=f"Role {n}", permissions=["see_people"])
        for n in range(MOST_CUSTOM_ROLES)
    )
    answer = _create(browser_of(cast.aiko), "One more", *SEES)
    assert answer.status_code == 422
    assert "100 roles of your own" in answer.content.decode()


def test_a_copy_begins_with_what_the_other_permits(cast: Cast) -> None:
    page = browser_of(cast.aiko).get("/advanced/roles/create/?copy=manager").content.decode()
    assert 'value="Copy of Manager"' in page
    assert re.search('value="invite_people" [^>]*checked', page)
    assert not re.search('value="give_roles" [^>]*checked', page)
    _create(browser_of(cast.aiko), "Copy of Manager", *SEES, query="?copy=manager")
    assert Event.objects.of(cast.halden).get(action="role:created").details["copy_of"] == "Manager"


def test_a_copy_leaves_out_what_one_does_not_have_and_says_so(cast: Cast) -> None:
    kari = make_user(
        cast.halden, "Kari Moe", "kari@halden.example", (make_role(cast.halden, "Defines", *DEFINES), None)
    )
    page = browser_of(kari).get("/advanced/roles/create/?copy=organization_admin").content.decode()
    assert "2 things are left out" in page
    assert 'value="manage_people"' not in page
    assert "You do not have this yourself" in page


def test_nobody_makes_a_role_of_more_than_one_role_of_theirs_permits(cast: Cast) -> None:
    """Also when two roles together would: they do not add up."""
    defines = make_role(cast.halden, "Defines", *DEFINES)
    manages = make_role(cast.halden, "Manages", *SEES, Permission.MANAGE_PEOPLE)
    kari = make_user(cast.halden, "Kari Moe", "kari@halden.example", (defines, None), (manages, None))
    browser = browser_of(kari)
    for more in ((Permission.MANAGE_PEOPLE,), (Permission.SEE_AUDIT_LOG,), tuple(Permission)):
        answer = _create(browser, "More", *SEES, *more)
        assert answer.status_code == 422
        assert "no single role of yours permits" in answer.content.decode()
    assert _create(browser, "As much", *DEFINES).status_code == 302


def test_an_organization_admin_of_the_whole_enterprise_gives_roles_and_makes_none(cast: Cast) -> None:
    wide = make_user(cast.halden, "Kari Moe", "kari@halden.example", (Role.ORGANIZATION_ADMIN, None))
    browser, role = browser_of(wide), make_role(cast.halden, "Sees", *SEES)
    assert browser.get("/advanced/roles/").status_code == 200
    assert "Create a role" not in browser.get("/advanced/roles/").content.decode()
    assert _create(browser, "Own", *SEES).status_code == 403
    assert _edit(browser, role, *SEES).status_code == 403
    assert browser.post(f"/advanced/roles/{role.pk}/delete/").status_code == 403


def test_a_change_is_recorded_with_its_difference(cast: Cast) -> None:
    role = make_role(cast.halden, "Desk", *SEES, Permission.INVITE_PEOPLE)
    answer = _edit(browser_of(cast.aiko), role, *SEES, Permission.SEE_AUDIT_LOG, name="Front desk")
    assert answer.status_code == 302
    role.refresh_from_db()
    assert (role.name, role.version, role.edited_by) == ("Front desk", 2, cast.aiko)
    event = Event.objects.of(cast.halden).get(action="role:edited")
    assert event.details == {
        "name": {"before": "Desk", "after": "Front desk"},
        "added": ["see_audit_log"],
        "removed": ["invite_people"],
        "people": 0,
    }


def test_a_change_that_changes_nothing_is_none(cast: Cast) -> None:
    role = make_role(cast.halden, "Desk", *SEES)
    assert _edit(browser_of(cast.aiko), role, *SEES).status_code == 302
    assert not Event.objects.of(cast.halden).filter(action="role:edited").exists()
    role.refresh_from_db()
    assert role.version == 1


def test_a_change_for_people_is_asked_with_their_number_first(cast: Cast) -> None:
    role = make_role(cast.halden, "Desk", *SEES)
    _give(cast, role, cast.tomas, cast.oluwaseun)
    browser = browser_of(cast.aiko)
    answer = _edit(browser, role, Permission.SEE_PEOPLE, Permission.INVITE_PEOPLE)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "Change Desk for 2 people?" in page
    assert "Change the role for 2 people" in page
    assert "They can also" in page
    assert "Invite people, and send invitations again" in page
    assert "They can no longer" in page
    assert "See the dashboard" in page
    role.refresh_from_db()
    assert role.version == 1
    assert _edit(browser, role, Permission.SEE_PEOPLE, Permission.INVITE_PEOPLE, confirmed="1").status_code == 302
    assert browser_of(cast.oluwaseun).get("/invitations/").status_code == 200


def test_a_new_name_alone_is_not_asked_twice(cast: Cast) -> None:
    role = make_role(cast.halden, "Desk", *SEES)
    _give(cast, role, cast.tomas)
    assert _edit(browser_of(cast.aiko), role, *SEES, name="Front desk").status_code == 302


def test_nobody_adds_what_they_lack_nor_changes_what_exceeds_them(cast: Cast) -> None:
    """Changing a role counts as giving it to all who have it, as it was and as it becomes."""
    defines = make_role(cast.halden, "Defines", *DEFINES)
    browser = browser_of(make_user(cast.halden, "Kari Moe", "kari@halden.example", (defines, None)))
    small = make_role(cast.halden, "Small", *SEES)
    big = make_role(cast.halden, "Big", *SEES, Permission.SEE_AUDIT_LOG)
    assert _edit(browser, small, *SEES, Permission.SEE_AUDIT_LOG).status_code == 422
    assert _edit(browser, big, *SEES).status_code == 403
    assert browser.get(f"/advanced/roles/{big.pk}/edit/").status_code == 403
    assert _edit(browser, defines, *Permission).status_code == 422
    assert _edit(browser, small, *SEES, Permission.GIVE_ROLES).status_code == 302
    assert not CustomRole.objects.filter(pk__in=[big.pk, defines.pk], version__gt=1).exists()


def test_a_role_somebody_has_for_an_organization_does_not_become_one_for_the_whole_enterprise(cast: Cast) -> None:
    role = make_role(cast.halden, "Desk", *SEES)
    _give(cast, role, cast.tomas, organization=cast.rotterdam)
    answer = _edit(browser_of(cast.aiko), role, *SEES, Permission.SEE_AUDIT_LOG, confirmed="1")
    assert answer.status_code == 409
    assert "1 person has this role for an organization only" in answer.content.decode()
    event = Event.objects.of(cast.halden).get(action="role:edited")
    assert (event.result, event.reason) == (Result.REFUSED, "held_in_one_organization")
    role.refresh_from_db()
    assert role.permissions == sorted(SEES)


def test_of_two_changes_begun_from_the_same_page_the_second_is_refused(cast: Cast) -> None:
    role = make_role(cast.halden, "Desk", *SEES)
    assert _edit(browser_of(cast.aiko), role, *SEES, Permission.INVITE_PEOPLE).status_code == 302
    answer = _edit(browser_of(cast.ingrid), role, *SEES, Permission.SEE_AUDIT_LOG)
    assert answer.status_code == 409
    assert "This role was changed or deleted a moment ago." in answer.content.decode()
    role.refresh_from_db()
    assert "see_audit_log" not in role.permissions


@pytest.mark.parametrize("version", ["", "0", "-1", "99999999999999999999", "two"])
def test_a_change_without_the_version_it_began_from_is_refused(cast: Cast, version: str) -> None:
    role = make_role(cast.halden, "Desk", *SEES)
    assert _edit(browser_of(cast.aiko), role, Permission.SEE_PEOPLE, version=version).status_code in (409, 422)
    role.refresh_from_db()
    assert role.permissions == sorted(SEES)


def test_a_role_nobody_has_is_deleted_and_its_history_stays(cast: Cast) -> None:
    role = make_role(cast.halden, "Desk", *SEES)
    browser = browser_of(cast.aiko)
    assert "Delete Desk?" in browser.get(f"/advanced/roles/{role.pk}/delete/").content.decode()
    assert browser.post(f"/advanced/roles/{role.pk}/delete/")["Location"] == "/advanced/roles/"
    assert not CustomRole.objects.of(cast.halden).exists()
    event = Event.objects.of(cast.halden).get(action="role:deleted")
    assert (event.target_label, event.details) == ("Desk", {"permissions": sorted(SEES)})


def test_a_role_somebody_has_is_not_deleted_and_the_page_says_who_has_it(cast: Cast) -> None:
    role = make_role(cast.halden, "Desk", *SEES)
    _give(cast, role, cast.tomas, cast.oluwaseun)
    browser, address = browser_of(cast.aiko), f"/advanced/roles/{role.pk}/delete/"
    page = browser.get(address).content.decode()
    assert "Desk is in use" in page
    assert "Tomás Herrera" in page
    assert "Oluwaseun Adeyemi" in page
    assert "Revoke from 2 people…" in page
    assert browser.post(address).status_code == 409
    assert CustomRole.objects.filter(pk=role.pk).exists()
    event = Event.objects.of(cast.halden).get(action="role:deleted")
    assert (event.result, event.reason) == (Result.REFUSED, "role_in_use")


def test_it_is_taken_back_from_everyone_first_and_then_deleted(cast: Cast) -> None:
    role = make_role(cast.halden, "Desk", *SEES)
    _give(cast, role, cast.tomas, cast.oluwaseun)
    _give(cast, role, cast.tomas, organization=cast.rotterdam)
    browser = browser_of(cast.aiko)
    assert "Revoke Desk from 2 people?" in browser.get(f"/advanced/roles/{role.pk}/unassign/").content.decode()
    assert browser.post(f"/advanced/roles/{role.pk}/unassign/").status_code == 302
    assert not role.role_assignments.exists()
    assert cast.tomas.role_assignments.get().role == Role.MANAGER
    told = Event.objects.of(cast.halden).filter(action="role:revoked").values_list("target_label", "details__role")
    assert sorted(told) == [
        ("Oluwaseun Adeyemi", "Desk, whole enterprise"),
        ("Tomás Herrera", "Desk, Rotterdam"),
        ("Tomás Herrera", "Desk, whole enterprise"),
    ]
    assert browser.post(f"/advanced/roles/{role.pk}/delete/").status_code == 302


def test_who_is_out_of_reach_keeps_it(cast: Cast) -> None:
    role = make_role(cast.halden, "Desk", *SEES)
    _give(cast, role, cast.tomas, cast.oluwaseun, organization=cast.rotterdam)
    browser = browser_of(cast.marcus)  # Oluwaseun is also a Viewer of Oslo.
    assert "1 person keeps it." in browser.get(f"/advanced/roles/{role.pk}/unassign/").content.decode()
    browser.post(f"/advanced/roles/{role.pk}/unassign/")
    assert [given.user for given in role.role_assignments.all()] == [cast.oluwaseun]


def test_a_role_somebody_is_invited_to_is_not_deleted(cast: Cast) -> None:
    role = make_role(cast.halden, "Desk", *SEES)
    invitation = Invitation.issue(
        enterprise=cast.halden, email="new@halden.example", role=role, organization=None, connection=None,
        by=cast.aiko, at=timezone.now(),
    )  # fmt: skip
    browser = browser_of(cast.aiko)
    browser.post(f"/advanced/roles/{role.pk}/unassign/")
    page = browser.get(f"/advanced/roles/{role.pk}/delete/").content.decode()
    assert "1 invitation to it is open." in page
    assert browser.post(f"/advanced/roles/{role.pk}/delete/").status_code == 409
    browser.post(f"/invitations/{invitation.pk}/revoke/")
    assert browser.post(f"/advanced/roles/{role.pk}/delete/").status_code == 302
    assert "A deleted role" in browser.get("/invitations/?state=all").content.decode()


@pytest.mark.parametrize("key", ["enterprise_admin", "viewer"])
def test_the_built_in_ones_can_be_looked_at_and_neither_changed_nor_deleted(cast: Cast, key: str) -> None:
    browser = browser_of(cast.aiko)
    page = browser.get(f"/advanced/roles/{key}/").content.decode()
    assert "Built-in: the same for every enterprise" in page
    assert "Danger zone" not in page
    for act in ("edit", "delete", "unassign"):
        assert browser.post(f"/advanced/roles/{key}/{act}/").status_code == 404


def test_the_list_counts_the_people_one_sees(cast: Cast) -> None:
    role = make_role(cast.halden, "Desk", *SEES)
    _give(cast, role, cast.tomas, cast.oluwaseun)
    _give(cast, role, cast.tomas, organization=cast.rotterdam)
    everyone = {line.role: line.people for line in browser_of(cast.aiko).get("/advanced/roles/").context["lines"]}
    assert list(everyone) == [*Role, role]
    assert (everyone[Role.ENTERPRISE_ADMIN], everyone[role]) == (2, 2)
    seen = {line.role: line.people for line in browser_of(cast.marcus).get("/advanced/roles/").context["lines"]}
    assert (seen[Role.ENTERPRISE_ADMIN], seen[role]) == (0, 1)


def test_the_page_of_a_role_names_the_people_one_sees(cast: Cast) -> None:
    role = make_role(cast.halden, "Desk", *SEES, Permission.INVITE_PEOPLE)
    _give(cast, role, cast.tomas, cast.oluwaseun)
    page = browser_of(cast.marcus).get(f"/advanced/roles/{role.pk}/").content.decode()
    assert "Tomás Herrera" in page
    assert "Oluwaseun" not in page
    assert "Lets invite to" in page


@pytest.mark.parametrize("page", ["", "{role}/", "{role}/people/?q=person", "{role}/people/", "{role}/delete/"])
def test_a_page_costs_at_most_ten_statements_whatever_its_length(cast: Cast, page: str) -> None:
    role = make_role(cast.halden, "Desk", *SEES, Permission.INVITE_PEOPLE)
    role.edit(name="Desk", description="", permissions=role.permissions, by=cast.aiko, at=timezone.now())
    address, browser, costs = f"/advanced/roles/{page.format(role=role.pk)}", browser_of(cast.aiko), []
    for number in (3, 60):
        people = [
            make_user(cast.halden, f"Person {number} {n}", f"p{number}-{n}@halden.example") for n in range(number)
        ]
        _give(cast, role, *people, organization=cast.oslo)
        _give(cast, role, *people, organization=cast.rotterdam)
        make_role(cast.halden, f"Another {number}", *SEES)
        with CaptureQueriesContext(connection) as statements:
            assert browser.get(address).status_code == 200
        costs.append(len(statements))
    assert costs[0] == costs[1] <= 10, "\n".join(query["sql"] for query in statements)


def test_a_stranger_gets_404_and_changes_nothing(cast: Cast) -> None:
    """T11."""
    role = make_role(cast.halden, "Desk", *SEES)
    browser = browser_of(cast.mallory)
    for act in ("", "people/", "edit/", "delete/", "unassign/"):
        assert browser.get(f"/advanced/roles/{role.pk}/{act}").status_code == 404
    assert _edit(browser, role, *Permission).status_code == 404
    assert _create(browser, "Copied", *SEES, query=f"?copy={role.pk}").status_code == 404
    role.refresh_from_db()
    assert role.permissions == sorted(SEES)
    assert "Desk" not in browser.get("/advanced/roles/").content.decode()
    assert "Desk" not in browser.get("/users/").content.decode()
