"""The gate, as a table: who may do what, where, and to whom (point 7 of the permission table in the README)."""

from __future__ import annotations

import itertools

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404

from tests.cast import Cast, browser_of, make_user
from users.access import PERMISSIONS, Access, Permission
from users.models import Organization, Role, RoleAssignment, User

pytestmark = pytest.mark.servers

TABLE = {
    Role.ENTERPRISE_ADMIN: {
        "see_dashboard", "see_people", "invite_people", "manage_people", "give_roles", "manage_roles",
        "manage_organizations", "manage_connections", "set_session_limits", "migrate_people", "see_audit_log",
        "close_enterprise", "manage_sign_in",
    },
    Role.ORGANIZATION_ADMIN: {"see_dashboard", "see_people", "invite_people", "manage_people", "give_roles"},
    Role.MANAGER: {"see_dashboard", "see_people", "invite_people"},
    Role.VIEWER: {"see_dashboard", "see_people"},
}  # fmt: skip
UP_TO_ORGANIZATION_ADMIN = [Role.ORGANIZATION_ADMIN, Role.MANAGER, Role.VIEWER]


def test_each_role_permits_what_the_table_says_and_nothing_else() -> None:
    assert {role: set(permissions) for role, permissions in PERMISSIONS.items()} == TABLE


@pytest.mark.parametrize(
    ("name", "everywhere", "here", "elsewhere"),
    [
        ("aiko", list(Role), UP_TO_ORGANIZATION_ADMIN, UP_TO_ORGANIZATION_ADMIN),
        ("marcus", [], UP_TO_ORGANIZATION_ADMIN, []),
        ("tomas", [], [], []),
        ("oluwaseun", [], [], []),
    ],
)  # fmt: skip
def test_who_may_give_which_role_where(
    cast: Cast, name: str, everywhere: list[Role], here: list[Role], elsewhere: list[Role]
) -> None:
    """Up to one's own, within one's organizations; Enterprise Admin for the whole enterprise only."""
    access, gives = Access.of(getattr(cast, name)), Permission.GIVE_ROLES
    assert access.giveable_roles(None, gives) == everywhere
    assert access.giveable_roles(cast.rotterdam, gives) == here
    assert access.giveable_roles(cast.oslo, gives) == elsewhere


def test_a_higher_built_in_role_permits_all_that_a_lower_one_does() -> None:
    """What they may give follows from what they permit, so the ranks have to be the same as the sets."""
    for lower, higher in itertools.pairwise(sorted(Role, key=lambda role: role.rank)):
        assert PERMISSIONS[lower] < PERMISSIONS[higher]


def test_a_manager_invites_viewers_of_the_own_organization_only(cast: Cast) -> None:
    access = Access.of(cast.tomas)
    assert access.giveable_roles(cast.rotterdam) == [Role.VIEWER]
    assert access.giveable_roles(cast.oslo) == []
    assert access.giveable_roles(None) == []


def _person(cast: Cast, *roles: tuple[Role, Organization | None], **fields: object) -> User:
    return make_user(cast.halden, "Chloé Martin", "chloe.martin@halden.example", *roles, **fields)


def _reach(cast: Cast, actor: User, person: User) -> str:
    """How ``person`` answers to ``actor``: ``acts``, ``sees`` or ``nothing``."""
    access = Access.of(actor)
    try:
        access.person_or_404(person.pk, Permission.MANAGE_PEOPLE)
    except PermissionDenied:
        return "sees"
    except Http404:
        return "nothing"
    return "acts"


@pytest.mark.parametrize(
    ("roles", "aiko", "marcus", "tomas", "oluwaseun"),
    [
        # Roles of the person           Enterprise Admin, Organization Admin and Manager of Rotterdam, Viewer of Oslo
        (["viewer rotterdam"],                       "acts", "acts",    "sees",    "nothing"),
        (["organization_admin rotterdam"],           "acts", "acts",    "sees",    "nothing"),
        (["viewer rotterdam", "viewer oslo"],        "acts", "sees",    "sees",    "sees"),
        (["viewer rotterdam", "manager everywhere"], "acts", "sees",    "sees",    "nothing"),
        (["viewer oslo"],                            "acts", "nothing", "nothing", "sees"),
        (["viewer everywhere"],                      "acts", "nothing", "nothing", "nothing"),
        (["enterprise_admin everywhere"],            "acts", "nothing", "nothing", "nothing"),
        ([],                                         "acts", "nothing", "nothing", "nothing"),
    ],
)  # fmt: skip
def test_who_sees_and_who_may_act_on_somebody(
    cast: Cast, roles: list[str], aiko: str, marcus: str, tomas: str, oluwaseun: str
) -> None:
    """T11. Whoever also has a role elsewhere, or a higher one, is out of an Organization Admin's reach."""
    places = {"rotterdam": cast.rotterdam, "oslo": cast.oslo, "everywhere": None}
    pairs = [(Role(role.split()[0]), places[role.split()[1]]) for role in roles]
    person = _person(cast, *pairs)
    found = {name: _reach(cast, getattr(cast, name), person) for name in ("aiko", "marcus", "tomas", "oluwaseun")}
    assert found == {"aiko": aiko, "marcus": marcus, "tomas": tomas, "oluwaseun": oluwaseun}


def test_a_break_glass_account_is_out_of_reach_for_all_but_enterprise_admins(cast: Cast) -> None:
    account = _person(cast, (Role.VIEWER, cast.rotterdam), is_break_glass=True)
    assert _reach(cast, cast.marcus, account) == "sees"
    assert _reach(cast, cast.aiko, account) == "acts"


def test_rights_of_two_roles_do_not_add_up(cast: Cast) -> None:
    """Manager of Oslo and Organization Admin of Rotterdam: neither revokes roles in Oslo."""
    both = make_user(
        cast.halden, "Kari Moe", "kari@halden.example",
        (Role.ORGANIZATION_ADMIN, cast.rotterdam), (Role.MANAGER, cast.oslo),
    )  # fmt: skip
    person = _person(cast, (Role.VIEWER, cast.rotterdam), (Role.VIEWER, cast.oslo))
    access = Access.of(both)
    assert access.may_revoke(person.role_assignments.get(organization=cast.rotterdam))
    assert not access.may_revoke(person.role_assignments.get(organization=cast.oslo))
    assert _reach(cast, both, person) == "sees"
    assert access.giveable_roles(cast.oslo) == [Role.VIEWER]
    assert access.giveable_roles(cast.oslo, Permission.GIVE_ROLES) == []


def test_an_enterprise_wide_viewer_sees_everyone_and_touches_no_one(cast: Cast) -> None:
    viewer = make_user(cast.halden, "Kari Moe", "kari@halden.example", (Role.VIEWER, None))
    access = Access.of(viewer)
    assert set(access.people()) == set(User.objects.of(cast.halden))
    assert not access.people(Permission.MANAGE_PEOPLE).exists()


def test_an_enterprise_wide_organization_admin_reaches_all_but_enterprise_admins(cast: Cast) -> None:
    wide = make_user(cast.halden, "Kari Moe", "kari@halden.example", (Role.ORGANIZATION_ADMIN, None))
    within = set(Access.of(wide).people(Permission.MANAGE_PEOPLE))
    assert within == {wide, cast.marcus, cast.tomas, cast.oluwaseun}
    assert Access.of(wide).giveable_roles(None, Permission.GIVE_ROLES) == [
        Role.ORGANIZATION_ADMIN, Role.MANAGER, Role.VIEWER,
    ]  # fmt: skip


def test_somebody_with_three_roles_here_is_one_person(cast: Cast) -> None:
    person = _person(cast, (Role.VIEWER, cast.rotterdam), (Role.MANAGER, cast.rotterdam))
    assert list(Access.of(cast.marcus).people().filter(pk=person.pk)) == [person]


def test_the_stranger_sees_nobody_of_halden(cast: Cast) -> None:
    """T11."""
    assert set(Access.of(cast.mallory).people()) == {cast.mallory}
    for permission in Permission:
        assert not Access.of(cast.mallory).people(permission).of(cast.halden).exists()
        assert not Access.of(cast.mallory).organizations(permission).exists()


def test_an_organization_admin_cannot_give_enterprise_admin_or_roles_elsewhere_by_hand(cast: Cast) -> None:
    """The form offers neither; whoever writes the request by hand is refused as well."""
    person = _person(cast, (Role.VIEWER, cast.rotterdam))
    browser = browser_of(cast.marcus)
    for role, place in (
        ("enterprise_admin", "everywhere"), ("enterprise_admin", cast.rotterdam.pk),
        ("viewer", cast.oslo.pk), ("viewer", "everywhere"),
    ):  # fmt: skip
        answer = browser.post(f"/users/{person.pk}/roles/give/", {"role": role, "place": place})
        assert answer.status_code == 422
    assert RoleAssignment.objects.filter(user=person).count() == 1


def test_an_organization_admin_cannot_act_on_somebody_with_a_role_elsewhere(cast: Cast) -> None:
    person = _person(cast, (Role.VIEWER, cast.rotterdam), (Role.VIEWER, cast.oslo))
    browser = browser_of(cast.marcus)
    assert browser.get(f"/users/{person.pk}/").status_code == 200
    for act in ("disable", "delete", "email", "enable", "roles/give", "roles/revoke", "sessions/end"):
        assert browser.post(f"/users/{person.pk}/{act}/").status_code == 403, act
    assert browser.get(f"/users/{cast.oluwaseun.pk}/").status_code == 404
    person.refresh_from_db()
    assert person.disabled_at is None
