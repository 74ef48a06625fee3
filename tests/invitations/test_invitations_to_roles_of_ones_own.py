"""Inviting people to roles that an enterprise has made itself, and what may happen to these roles meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event
from invitations.models import Invitation, NotRedeemable
from invitations.tasks import write
from tests.cast import Cast, browser_of, make_role
from users.access import Access, Permission
from users.models import CustomRole, Organization, Role, RoleAssignment, User

pytestmark = pytest.mark.servers

SEES = (Permission.SEE_DASHBOARD, Permission.SEE_PEOPLE)
NEW = "new@halden.example"


@pytest.fixture
def desk(cast: Cast) -> CustomRole:
    return make_role(cast.halden, "Desk", *SEES)


def _invite(role: CustomRole | Role, by: User, organization: Organization | None = None) -> Invitation:
    return Invitation.issue(
        enterprise=by.enterprise, email=NEW, role=role, organization=organization, connection=None, by=by,
        at=timezone.now(),
    )  # fmt: skip


def _post(by: User, role: str, place: str):  # type: ignore[no-untyped-def]
    return browser_of(by).post("/users/invite/", {"emails": NEW, "role": role, "organization": place})


def test_somebody_is_invited_to_it_and_may_what_it_permits_once_here(cast: Cast, desk: CustomRole) -> None:
    assert _post(cast.aiko, desk.as_shown, cast.oslo.pk).status_code == 302
    invitation = Invitation.objects.of(cast.halden).get()
    assert (invitation.held, invitation.get_role_display()) == (desk, "Desk")
    user = invitation.redeem(email=NEW, at=timezone.now())
    assert Access.of(user).may(Permission.SEE_PEOPLE, cast.oslo)
    assert not Access.of(user).may(Permission.SEE_PEOPLE, cast.rotterdam)
    assert Event.objects.of(cast.halden).get(action="invitation:issued").details["role"] == "Desk"


def test_the_email_and_the_list_call_it_by_its_name(cast: Cast, desk: CustomRole) -> None:
    invitation = _invite(desk, cast.aiko, cast.oslo)
    message = write(invitation)
    assert message is not None
    assert "invites you as Desk, Oslo terminal" in " ".join(str(message.body).split())
    assert "Desk, <bdi>Oslo terminal</bdi>" in browser_of(cast.aiko).get("/invitations/").content.decode()


def test_the_form_offers_what_may_be_given_and_nothing_else(cast: Cast, desk: CustomRole) -> None:
    invites = make_role(cast.halden, "Invites", *SEES, Permission.INVITE_PEOPLE)
    audits = make_role(cast.halden, "Audits", *SEES, Permission.SEE_AUDIT_LOG)
    offered = {
        name: browser_of(getattr(cast, name)).get("/users/invite/").content.decode()
        for name in ("aiko", "marcus", "tomas")
    }
    assert all(desk.as_shown in page for page in offered.values())
    assert [invites.as_shown in page for page in offered.values()] == [True, True, False]
    assert [audits.as_shown in page for page in offered.values()] == [True, False, False]


def test_an_address_may_name_it(cast: Cast, desk: CustomRole) -> None:
    page = browser_of(cast.aiko).get(f"/users/invite/?role={desk.key}").content.decode()
    assert f'<option value="{desk.as_shown}" selected>' in page
    assert '<option value="viewer" selected>' in browser_of(cast.aiko).get("/users/invite/?role=x").content.decode()


@pytest.mark.parametrize(("role", "place"), [("audits", "oslo"), ("audits", "everywhere"), ("desk", "oslo")])
def test_an_organization_admin_invites_to_no_more_than_the_own_role_there(
    cast: Cast, desk: CustomRole, role: str, place: str
) -> None:
    audits = make_role(cast.halden, "Audits", *SEES, Permission.SEE_AUDIT_LOG)
    shown = {"audits": audits, "desk": desk}[role].as_shown
    assert _post(cast.marcus, shown, cast.oslo.pk if place == "oslo" else place).status_code == 200
    assert not Invitation.objects.of(cast.halden).exists()


def test_a_role_for_the_whole_enterprise_only_is_not_invited_to_for_an_organization(cast: Cast) -> None:
    audits = make_role(cast.halden, "Audits", *SEES, Permission.SEE_AUDIT_LOG)
    answer = _post(cast.aiko, audits.as_shown, cast.oslo.pk)
    assert "Audits permits what concerns the whole enterprise." in answer.content.decode()
    assert not Invitation.objects.of(cast.halden).exists()


def test_whoever_invited_must_still_have_all_that_is_in_it(cast: Cast, desk: CustomRole) -> None:
    """T10: the role grew since, beyond what the inviter may give; once it is small again, the invitation is good."""
    invitation = _invite(desk, cast.marcus, cast.rotterdam)
    assert invitation.obstacle(timezone.now()) == ""
    desk.edit(
        name="Desk", description="", permissions=[*SEES, Permission.MANAGE_CONNECTIONS], by=cast.aiko,
        at=timezone.now(),
    )  # fmt: skip
    with pytest.raises(NotRedeemable) as refusal:
        Invitation.objects.get().redeem(email=NEW, at=timezone.now())
    assert refusal.value.reason == "inviter_may_not_give_role"
    desk.edit(name="Desk", description="", permissions=[*SEES], by=cast.aiko, at=timezone.now())
    assert Invitation.objects.get().redeem(email=NEW, at=timezone.now()).is_active


def test_a_role_changed_while_the_form_is_open_is_not_invited_to(cast: Cast, desk: CustomRole) -> None:
    shown = desk.as_shown
    desk.edit(name="Desk", description="", permissions=list(Permission), by=cast.ingrid, at=timezone.now())
    answer = _post(cast.aiko, shown, "everywhere")
    assert "changed or deleted a moment ago" in answer.content.decode()
    assert not Invitation.objects.of(cast.halden).exists()


def test_a_stranger_invites_nobody_to_it(cast: Cast, desk: CustomRole) -> None:
    """T11."""
    _post(cast.mallory, desk.as_shown, "everywhere")
    assert not Invitation.objects.exists()
    assert "Desk" not in browser_of(cast.mallory).get("/users/invite/").content.decode()


# ---- Revoking forgets the person, with every role given since


def _invited_viewer_with(cast: Cast, role: Role | CustomRole, place: Organization | None) -> Invitation:
    invitation = _invite(Role.VIEWER, cast.tomas, cast.rotterdam)
    person = invitation.user
    assert person is not None
    RoleAssignment.objects.give(user=person, role=role, organization=place, by=cast.aiko, at=timezone.now())
    return invitation


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_manager_does_not_revoke_who_was_given_more_since(cast: Cast, elsewhere: bool) -> None:
    role, place = (Role.VIEWER, cast.oslo) if elsewhere else (Role.ORGANIZATION_ADMIN, cast.rotterdam)
    invitation = _invited_viewer_with(cast, role, place)
    browser, address = browser_of(cast.tomas), f"/invitations/{invitation.pk}/revoke/"
    page = browser.get("/invitations/").content.decode()
    assert NEW in page
    assert address not in page
    assert browser.post(address).status_code == 403
    assert User.objects.of(cast.halden).with_email(NEW).exists()
    invitation.refresh_from_db()
    assert invitation.revoked_at is None
    assert browser_of(cast.aiko).post(address).status_code == 302
    assert not User.objects.of(cast.halden).with_email(NEW).exists()


def test_a_manager_revokes_who_was_given_something_the_manager_could_give_too(cast: Cast, desk: CustomRole) -> None:
    invitation = _invited_viewer_with(cast, desk, cast.rotterdam)
    assert browser_of(cast.tomas).post(f"/invitations/{invitation.pk}/revoke/").status_code == 302
    assert not User.objects.of(cast.halden).with_email(NEW).exists()


def test_the_list_of_invitations_costs_the_same_with_many(cast: Cast, desk: CustomRole) -> None:
    browser, costs = browser_of(cast.aiko), []
    for number in (2, 40):
        for n in range(number):
            invitation = Invitation.issue(
                enterprise=cast.halden, email=f"n{number}-{n}@halden.example", role=desk, organization=cast.oslo,
                connection=None, by=cast.aiko, at=timezone.now() - timedelta(minutes=n),
            )  # fmt: skip
            assert invitation.user_id
        with CaptureQueriesContext(connection) as statements:
            browser.get("/invitations/")
        costs.append(len(statements))
    assert costs[0] == costs[1] <= 10, "\n".join(query["sql"] for query in statements)
