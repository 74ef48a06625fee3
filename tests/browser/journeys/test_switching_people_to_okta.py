"""The documented migration: roles revoked, account deleted, invited again, back through Okta with the same role."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.journeys.house import House, Visitor
from tests.cast import Cast
from tests.identity.journey import connect
from users.models import RoleAssignment

pytestmark = pytest.mark.browser


def test_a_person_with_a_password_comes_back_through_okta_with_the_same_role(
    house: House, visitor: Callable[[], Visitor]
) -> None:
    """M6, as a guided page: nobody has to remember the roles, nor the order of the steps."""
    cast = Cast.assemble()
    connect(cast.halden, house.okta, cast.ingrid)
    aiko, tomas = visitor(), visitor()
    tomas.signs_in_with_a_password(cast.tomas)
    aiko.comes_back(cast.aiko)

    aiko.go("Users")
    aiko.follow("Tomás Herrera")
    aiko.sees("Tomás Herrera")
    aiko.reads("Revoke it first; then it can be deleted, and the person invited again.")

    aiko.go("Switch to Okta")
    aiko.follow("Step by step")
    aiko.sees("Switch to Okta step by step")
    aiko.reads("You cannot lose the last administrator.")
    expect(aiko.row("Ingrid Solberg")).to_have_count(0)
    aiko.press("Switch Tomás Herrera")
    aiko.sees("Switch Tomás Herrera")
    aiko.press("Revoke 1 role")
    aiko.press("Delete the account…")
    question = aiko.dialog("Delete Tomás Herrera?")
    expect(question.get_by_role("button", name="Keep the account")).to_be_focused()
    aiko.look()
    # Tab and Enter: the dangerous button is never the one that has the focus by itself.
    aiko.page.keyboard.press("Tab")
    aiko.page.keyboard.press("Enter")
    aiko.reads("Deleted. What it did stays in the audit log.")
    aiko.press("Invite again")
    aiko.reads("Done. What is left is for the person")
    aiko.look()

    tomas.page.reload()
    tomas.sees("Sign in to Halden Freight")
    house.at_okta("Tomás Herrera", "tomas.herrera")
    tomas.open(house.link_mailed_to(cast.tomas.email, "invites you"))
    tomas.sees("Join Halden Freight on Gatehouse")
    tomas.reads("Manager, Rotterdam")
    tomas.press("Accept with Okta")
    tomas.sees("Dashboard")

    aiko.go("Users")
    expect(aiko.row("Tomás Herrera")).to_contain_text("Active")
    expect(aiko.row("Tomás Herrera")).to_contain_text("Okta")
    expect(aiko.row("Tomás Herrera")).to_contain_text("Manager, Rotterdam")


def test_the_last_administrator_is_kept_and_told_so(house: House, visitor: Callable[[], Visitor]) -> None:
    """M7, seen: the only Enterprise Admin who can sign in tries to step down."""
    cast = Cast.assemble()
    connect(cast.halden, house.okta, cast.ingrid)
    RoleAssignment.objects.filter(user=cast.aiko).delete()
    ingrid = visitor()
    ingrid.signs_in_with_a_password(cast.ingrid)
    ingrid.go("Users")
    ingrid.follow("Ingrid Solberg")
    ingrid.press("Revoke Enterprise Admin, whole enterprise")
    ingrid.press("Revoke 1 role")
    ingrid.reads("Ingrid Solberg is the only Enterprise Admin who can sign in.")
    ingrid.look()
    assert cast.ingrid.role_assignments.exists()
