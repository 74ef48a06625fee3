"""The gate, for roles that an enterprise has made itself: what they permit where, and who may give them."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.cast import Cast, browser_of, make_role, make_user
from users.access import Access, Permission, permissions_of
from users.models import CustomRole, Organization, Role, RoleAssignment, User

pytestmark = pytest.mark.servers

SEES = (Permission.SEE_DASHBOARD, Permission.SEE_PEOPLE)
LOOKS_AFTER = (*SEES, Permission.INVITE_PEOPLE, Permission.MANAGE_PEOPLE, Permission.GIVE_ROLES)


def _kari(cast: Cast, role: CustomRole, organization: Organization | None = None) -> User:
    return make_user(cast.halden, "Kari Moe", "kari@halden.example", (role, organization))


def test_every_permission_says_what_it_comes_to() -> None:
    assert [permission for permission in Permission if not str(permission.explanation).endswith(".")] == []


def test_it_permits_what_is_in_it_where_it_was_given(cast: Cast) -> None:
    kari = _kari(cast, make_role(cast.halden, "Lead", *SEES, Permission.INVITE_PEOPLE), cast.oslo)
    access = Access.of(kari)
    assert access.may(Permission.INVITE_PEOPLE, cast.oslo)
    assert not access.may(Permission.INVITE_PEOPLE, cast.rotterdam)
    assert not access.everywhere(Permission.INVITE_PEOPLE)
    assert not access.may(Permission.MANAGE_PEOPLE)


def test_the_gate_reads_it_in_the_same_statement_as_who_has_it(cast: Cast) -> None:
    kari = _kari(cast, make_role(cast.halden, "Lead", *SEES))
    with CaptureQueriesContext(connection) as statements:
        assert Access.of(kari).may(Permission.SEE_PEOPLE)
    assert len(statements) == 1


def test_pages_open_and_stay_shut_by_it(cast: Cast) -> None:
    auditor = browser_of(_kari(cast, make_role(cast.halden, "Auditor", *SEES, Permission.SEE_AUDIT_LOG)))
    assert auditor.get("/audit/").status_code == 200
    assert auditor.get("/users/").status_code == 200
    for closed in ("/users/disable/", "/organizations/", "/advanced/identity-provider/", "/advanced/roles/"):
        assert auditor.get(closed).status_code == 403, closed


def test_what_concerns_the_whole_enterprise_is_not_permitted_by_a_role_for_an_organization(cast: Cast) -> None:
    """Also where a row says so that no form of ours would write."""
    kari = _kari(cast, make_role(cast.halden, "Auditor", *SEES, Permission.SEE_AUDIT_LOG), cast.oslo)
    assert not Access.of(kari).may(Permission.SEE_AUDIT_LOG)
    assert browser_of(kari).get("/audit/").status_code == 403


def test_a_word_the_catalogue_does_not_know_permits_nothing(cast: Cast) -> None:
    role = CustomRole.objects.create(enterprise=cast.halden, name="Old", permissions=["see_people", "fly"])
    assert permissions_of(role) == {Permission.SEE_PEOPLE}


@pytest.mark.parametrize(
    ("holder", "permissions", "here", "elsewhere", "everywhere"),
    [
        # Who gives it         what is in it                                 for Rotterdam, Oslo, the whole enterprise
        ("aiko",   [*SEES],                                                   True,  True,  True),
        ("aiko",   [*SEES, Permission.SEE_AUDIT_LOG],                         False, False, True),
        ("aiko",   [*Permission],                                             False, False, True),
        ("marcus", [*SEES],                                                   True,  False, False),
        ("marcus", [*LOOKS_AFTER],                                            True,  False, False),
        ("marcus", [*SEES, Permission.SEE_AUDIT_LOG],                         False, False, False),
        ("tomas",  [*SEES],                                                   False, False, False),
    ],
)  # fmt: skip
def test_who_gives_a_role_has_all_that_is_in_it_there(
    cast: Cast, holder: str, permissions: list[Permission], here: bool, elsewhere: bool, everywhere: bool
) -> None:
    role, access = make_role(cast.halden, "Lead", *permissions), Access.of(getattr(cast, holder))
    gives = Permission.GIVE_ROLES
    assert access.may_give(role, cast.rotterdam, gives) is here
    assert access.may_give(role, cast.oslo, gives) is elsewhere
    assert access.may_give(role, None, gives) is everywhere
    assert (role in access.giveable_roles(cast.rotterdam, gives)) is here


def test_whoever_may_invite_but_not_give_roles_makes_nobody_who_invites(cast: Cast) -> None:
    """As Managers invite Viewers and no Managers."""
    sees = make_role(cast.halden, "Sees", *SEES)
    invites = make_role(cast.halden, "Invites", *SEES, Permission.INVITE_PEOPLE)
    for holder in (cast.tomas, _kari(cast, invites, cast.rotterdam)):
        access = Access.of(holder)
        assert access.may_give(sees, cast.rotterdam)
        assert access.may_give(Role.VIEWER, cast.rotterdam)
        assert not access.may_give(invites, cast.rotterdam)
        assert not access.may_give(Role.MANAGER, cast.rotterdam)
        assert not access.may_give(sees, cast.oslo)


def test_a_role_of_everything_is_no_enterprise_admin(cast: Cast) -> None:
    """M7, and what is added to the catalogue later: that role is given by those who have it, and by nobody else."""
    everything = make_role(cast.halden, "Everything", *Permission)
    access = Access.of(_kari(cast, everything))
    assert access.may_give(everything, None, Permission.GIVE_ROLES)
    assert access.may_give(Role.ORGANIZATION_ADMIN, None, Permission.GIVE_ROLES)
    assert not access.may_give(Role.ENTERPRISE_ADMIN, None, Permission.GIVE_ROLES)
    assert not access.people(Permission.MANAGE_PEOPLE).filter(pk__in=[cast.aiko.pk, cast.ingrid.pk]).exists()
    assert not access.may_act_on(Permission.GIVE_ROLES, cast.aiko)


def test_rights_of_two_roles_do_not_add_up(cast: Cast) -> None:
    """One role lets give and the other has what would be given: that is nobody's to give."""
    gives = make_role(cast.halden, "Gives", Permission.SEE_PEOPLE, Permission.GIVE_ROLES)
    has = make_role(cast.halden, "Has", Permission.SEE_PEOPLE, Permission.MANAGE_PEOPLE)
    kari = make_user(cast.halden, "Kari Moe", "kari@halden.example", (gives, None), (has, None))
    assert Access.of(kari).may(Permission.MANAGE_PEOPLE)
    assert not Access.of(kari).may_give(has, None, Permission.GIVE_ROLES)


@pytest.mark.parametrize(
    ("permissions", "place", "reached"),
    [
        ([*SEES],                              "rotterdam", True),
        ([*LOOKS_AFTER],                       "rotterdam", True),
        ([*SEES],                              "oslo",      False),
        ([*SEES],                              None,        False),
        ([*SEES, Permission.SEE_AUDIT_LOG],    None,        False),
        ([*SEES, Permission.MANAGE_ROLES],     "rotterdam", False),
    ],
)  # fmt: skip
def test_somebody_is_within_reach_whose_every_role_is_covered(
    cast: Cast, permissions: list[Permission], place: str | None, reached: bool
) -> None:
    """Marcus, Organization Admin of Rotterdam, and a Viewer of Rotterdam who has such a role besides."""
    role = make_role(cast.halden, "Besides", *permissions)
    person = make_user(
        cast.halden, "Chloé Martin", "chloe@halden.example", (Role.VIEWER, cast.rotterdam),
        (role, getattr(cast, place) if place else None),
    )  # fmt: skip
    for permission in (Permission.MANAGE_PEOPLE, Permission.GIVE_ROLES):
        assert Access.of(cast.marcus).may_act_on(permission, person) is reached
    assert Access.of(cast.aiko).may_act_on(Permission.MANAGE_PEOPLE, person)
    assignment = person.role_assignments.get(custom_role=role)
    assert Access.of(cast.marcus).may_revoke(assignment) is reached
    assert (
        RoleAssignment.objects.filter(Access.of(cast.marcus).reach(Permission.GIVE_ROLES), pk=assignment.pk).exists()
        is reached
    )


def test_the_help_desk_acts_on_viewers_and_on_nobody_who_may_more(cast: Cast) -> None:
    desk = make_role(cast.halden, "Help desk", *SEES, Permission.MANAGE_PEOPLE)
    reached = Access.of(_kari(cast, desk)).people(Permission.MANAGE_PEOPLE)
    assert set(reached.values_list("name", flat=True)) == {"Kari Moe", "Oluwaseun Adeyemi"}


def test_roles_of_another_enterprise_do_not_exist(cast: Cast) -> None:
    """T11."""
    foreign = make_role(cast.stranger, "Foreign", *SEES)
    assert foreign not in Access.of(cast.aiko).roles
    person = make_user(cast.halden, "Chloé Martin", "chloe@halden.example")
    answer = browser_of(cast.aiko).post(
        f"/users/{person.pk}/roles/give/", {"role": foreign.as_shown, "place": "everywhere"}
    )
    assert answer.status_code == 422
    assert not person.role_assignments.exists()


def test_a_person_has_either_a_built_in_role_or_one_of_their_own_never_both_in_one_row(cast: Cast) -> None:
    role = make_role(cast.halden, "Lead", *SEES)
    for columns in ({"role": Role.VIEWER, "custom_role": role}, {"role": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            RoleAssignment.objects.create(enterprise=cast.halden, user=cast.tomas, **columns)
    RoleAssignment.objects.create(enterprise=cast.halden, user=cast.tomas, custom_role=role)
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleAssignment.objects.create(enterprise=cast.halden, user=cast.tomas, custom_role=role)
