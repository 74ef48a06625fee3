"""The link in the email: looking changes nothing, the secret leaves the address, and every dead end says what next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.forms.models import model_to_dict
from django.utils import timezone

from audit.models import Event
from identity.models import Connection
from invitations.models import LASTS, Invitation
from tests.cast import Browser, Cast, browser_of
from tests.invitations.conftest import EMAIL, invite, open_in

pytestmark = pytest.mark.servers


def everything(invitation: Invitation) -> tuple[object, ...]:
    fresh = Invitation.objects.get(pk=invitation.pk)
    return model_to_dict(fresh), fresh.user.joined_at, Event.objects.count()


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_mail_scanner_changes_nothing(cast: Cast, invitation: Invitation, method: str) -> None:
    """T9: neither GET nor HEAD, of the link or of the page behind it, however often."""
    before = everything(invitation)
    for _ in range(3):
        scanner = Browser(cast.halden)
        assert getattr(scanner, method)(f"/invitations/{invitation.token}/").status_code == 302
        assert getattr(scanner, method)("/invitations/open/").status_code == 200
    assert everything(invitation) == before


def test_a_link_cannot_be_posted_to(cast: Cast, invitation: Invitation) -> None:
    assert Browser(cast.halden).post(f"/invitations/{invitation.token}/").status_code == 405


def test_the_secret_leaves_the_address_at_once_and_goes_nowhere_else(cast: Cast, invitation: Invitation) -> None:
    """T9."""
    response = Browser(cast.halden).get(f"/invitations/{invitation.token}/")
    assert response["Location"] == "/invitations/open/"
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    page = open_in(Browser(cast.halden), invitation)
    assert "no-store" in page["Cache-Control"]
    assert invitation.token not in page.text


def test_the_page_says_who_invites_to_what_and_never_for_whom_it_was_meant(cast: Cast, invitation: Invitation) -> None:
    page = open_in(Browser(cast.halden), invitation)
    for words in ("Ingrid Solberg invites you", "Join Halden Freight on Gatehouse", "Viewer, ", "Oslo terminal"):
        assert words in page.text
    assert "Welcome &lt;b&gt;aboard&lt;/b&gt;." in page.text
    assert EMAIL not in page.text
    assert "lena" not in page.text.casefold()


def test_with_okta_the_page_offers_okta_and_no_password(cast: Cast) -> None:
    """M3: also to those who were invited before it was enabled."""
    early = invite(cast)
    connection = Connection.objects.create(enterprise=cast.halden, provider="okta", enabled_at=timezone.now())
    for invitation in (early, invite(cast, "second@halden.example", connection=connection)):
        page = open_in(Browser(cast.halden), invitation)
        assert "Accept with Okta" in page.text
        assert f"/sso/{connection.pk}/start/" in page.text
        assert 'type="password"' not in page.text


def test_somebody_signed_in_is_told_so_and_nothing_is_mixed(cast: Cast, invitation: Invitation) -> None:
    browser = browser_of(cast.aiko)
    page = open_in(browser, invitation)
    assert "Aiko Tanaka is signed in to Halden Freight in this browser." in page.text
    assert 'action="/logout/"' in page.text
    assert "Join Halden Freight</button>" not in page.text
    before = everything(invitation)
    answer = browser.post("/invitations/accept/", {"name": "Lena", "password": "correct horse battery"})
    assert answer["Location"] == "/invitations/open/"
    assert everything(invitation) == before


def ended(cast: Cast, how: str) -> Invitation:
    now = timezone.now()
    connection = None
    if how == "connection disabled":
        connection = Connection.objects.create(enterprise=cast.halden, provider="okta", disabled_at=now)
    invitation = invite(cast, connection=connection, by=cast.aiko)
    match how:
        case "expired":
            invitation.expires_at = now - timedelta(seconds=1)
            invitation.save()
        case "used":
            invitation.redeem(email=EMAIL, at=now)
        case "revoked":
            invitation.revoke(by=cast.ingrid, at=now)
        case "account disabled":
            invitation.user.disable(now)
        case "inviter disabled":
            cast.aiko.disable(now)
        case "inviter demoted":
            cast.aiko.role_assignments.get().revoke()
        case "address changed":
            invitation.user.change_email("other@halden.example")
    return invitation


@pytest.mark.parametrize(
    ("how", "status", "title", "next_step"),
    [
        ("expired", 410, "This invitation has ended", "Ask Aiko Tanaka to send the invitation again."),
        ("used", 410, "This invitation has been used", "sign in as usual"),
        ("revoked", 410, "This invitation was revoked", "Look for a newer email from Halden Freight."),
        ("account disabled", 403, "This account is disabled", "Ask an administrator of Halden Freight."),
        ("inviter disabled", 403, "This invitation does not hold any more", "for a new one"),
        ("inviter demoted", 403, "This invitation does not hold any more", "for a new one"),
        ("address changed", 403, "This invitation does not hold any more", "for a new one"),
        ("connection disabled", 403, "Sign-in is switched off for now", "Then open the link in your email again."),
    ],
)
def test_each_dead_end_has_its_own_page_with_the_next_step(
    cast: Cast, how: str, status: int, title: str, next_step: str
) -> None:
    """T10, and issue point 8: for looking and for accepting alike."""
    browser = Browser(cast.halden)
    invitation = ended(cast, how)
    page = open_in(browser, invitation)
    assert page.status_code == status
    assert title in page.text
    assert next_step in page.text
    assert EMAIL not in page.text
    answer = browser.post("/invitations/accept/", {"name": "Lena", "password": "correct horse battery"})
    assert answer.status_code == status
    assert how == "used" or not Invitation.objects.filter(accepted_at__isnull=False).exists()


def test_an_unknown_link_and_a_malformed_one_read_alike(cast: Cast, invitation: Invitation) -> None:
    pages = set()
    for token in ("0" * 64, "nonsense", "x" * 3000, "%00", "é", invitation.token.upper()):
        page = Browser(cast.halden).get(f"/invitations/{token}/", follow=True)
        assert page.status_code == 404
        assert "This link leads nowhere" in page.text
        assert "Halden" not in page.text
        pages.add(page.text.partition("<main")[2])
    assert len(pages) == 1


def test_a_malformed_link_does_not_show_the_invitation_opened_before(cast: Cast, invitation: Invitation) -> None:
    browser = Browser(cast.halden)
    open_in(browser, invitation)
    assert "This link leads nowhere" in browser.get("/invitations/nonsense/", follow=True).text


def test_sending_again_ends_the_older_link(cast: Cast, invitation: Invitation) -> None:
    """T10."""
    older = invitation.token
    invitation.resend(by=cast.aiko, at=timezone.now())
    invitation.keep_token()
    assert Browser(cast.halden).get(f"/invitations/{older}/", follow=True).status_code == 404
    assert "Aiko Tanaka invites you" in open_in(Browser(cast.halden), invitation).text


def test_a_link_lasts_seven_days(cast: Cast, invitation: Invitation) -> None:
    """T9: 7 days by default and never over 30."""
    assert invitation.expires_at - invitation.issued_at == LASTS == timedelta(days=7)
