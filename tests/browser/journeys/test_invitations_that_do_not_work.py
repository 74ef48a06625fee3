"""Every refusal of an invitation has a page of its own with the next step, and the administrator sees it too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from invitations.models import Invitation
from tests.browser.journeys.house import House, Visitor
from tests.cast import Cast
from tests.identity.journey import connect

pytestmark = pytest.mark.browser

PIOTR, LENA = "piotr.nowak@halden.example", "lena.fischer@halden.example"


@pytest.fixture
def aiko(house: House, visitor: Callable[[], Visitor]) -> Visitor:
    """Aiko, signed in, at the page for inviting people with Okta."""
    cast = Cast.assemble()
    connect(cast.halden, house.okta, cast.ingrid)
    aiko = visitor()
    aiko.comes_back(cast.aiko)
    return aiko


def invite(aiko: Visitor, *emails: str) -> None:
    aiko.open("/users/invite/")
    aiko.fill("Email addresses", "\n".join(emails))
    aiko.press("Invite people")
    expect(aiko.row(emails[0])).to_be_visible()


def test_links_that_lead_nowhere_any_more(house: House, aiko: Visitor, visitor: Callable[[], Visitor]) -> None:
    """Expired, revoked and unknown links: what is true, and whom to ask, before anybody goes to Okta."""
    invite(aiko, PIOTR, LENA)
    expired, revoked = house.link_mailed_to(PIOTR, "invites you"), house.link_mailed_to(LENA, "invites you")
    Invitation.objects.filter(email=PIOTR).update(expires_at=timezone.now() - timedelta(minutes=1))
    aiko.press(f"Acts for {LENA}")
    aiko.press("Revoke…")
    aiko.look()
    aiko.press("Revoke 1 invitation")
    aiko.open("/invitations/?state=all")
    expect(aiko.row(PIOTR)).to_contain_text("Expired")
    expect(aiko.row(LENA)).to_contain_text("Revoked")
    aiko.look()

    somebody = visitor()
    somebody.open(expired)
    somebody.sees("This invitation has ended")
    somebody.reads("Ask Aiko Tanaka to send the invitation again.")
    somebody.open(revoked)
    somebody.sees("This invitation was revoked")
    somebody.reads("If there is none, ask Aiko Tanaka")
    somebody.open(f"/invitations/{'0' * 64}/")
    somebody.sees("This link leads nowhere")
    somebody.reads("Open the newest invitation email")


def test_a_link_works_once(house: House, aiko: Visitor, visitor: Callable[[], Visitor]) -> None:
    """Whoever opens it again is led to the usual sign-in."""
    invite(aiko, PIOTR)
    link = house.link_mailed_to(PIOTR, "invites you")
    house.at_okta("Piotr Nowak")
    piotr, again = visitor(), visitor()
    piotr.open(link)
    piotr.press("Accept with Okta")
    piotr.has_heading("Dashboard")
    again.open(link)
    again.sees("This invitation has been used")
    again.follow("Sign in")
    again.sees("Sign in to Halden Freight")


def test_what_okta_and_gatehouse_say_no_to(house: House, aiko: Visitor, visitor: Callable[[], Visitor]) -> None:
    """M4: not assigned, and the wrong person signed in at Okta: said to them, and to the administrator."""
    invite(aiko, PIOTR, LENA)
    house.okta.person = None
    lena, piotr = visitor(), visitor()
    lena.open(house.link_mailed_to(LENA, "invites you"))
    lena.press("Accept with Okta")
    lena.sees("Okta has not been told you may use this")
    lena.reads("Ask your IT team to assign you")
    lena.reads("Aiko Tanaka, who invited you, can see that this happened and why.")

    house.at_okta("Samir Haddad")
    piotr.open(house.link_mailed_to(PIOTR, "invites you"))
    piotr.press("Accept with Okta")
    piotr.sees("This invitation is for another account")
    piotr.reads("If you have another Okta account, use that one.")

    aiko.go("Invitations")
    expect(aiko.row(LENA)).to_contain_text("Refused by Okta")
    expect(aiko.row(LENA)).to_contain_text("Not assigned to the app")
    expect(aiko.row(PIOTR)).to_contain_text("Someone with another email signed in")
    aiko.look()

    # Neither is lost: once Okta is put right, the same page goes on.
    house.at_okta("Piotr Nowak")
    piotr.press("Use another Okta account")
    piotr.has_heading("Dashboard")


def test_somebody_else_is_signed_in_in_this_browser(
    house: House, aiko: Visitor, visitor: Callable[[], Visitor]
) -> None:
    """The two are not mixed: sign out first, and the invitation is there again."""
    invite(aiko, LENA)
    aiko.open(house.link_mailed_to(LENA, "invites you"))
    aiko.sees("Join Halden Freight on Gatehouse")
    aiko.reads("Aiko Tanaka is signed in to Halden Freight in this browser.")
    expect(aiko.page.get_by_role("button", name="Accept with Okta")).to_have_count(0)
    aiko.press("Sign out")
    aiko.sees("Join Halden Freight on Gatehouse")
    house.at_okta("Lena Fischer")
    aiko.press("Accept with Okta")
    aiko.sees("Dashboard")
    expect(aiko.page.get_by_role("button", name="Lena Fischer: your account")).to_be_visible()
