"""The first sign-in: a live invitation, redeemed by a proven sign-in with the invited email (T9, T10)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import Event
from identity.models import Subject
from invitations import cookies
from invitations.models import Invitation, State
from tests.cast import Browser
from tests.identity.journey import Journey, connect, is_signed_in, sent_to
from tests.provider import Reply
from users.models import Role, User

pytestmark = pytest.mark.servers


@pytest.fixture
def invitation(journey: Journey) -> Invitation:
    journey.is_piotr()
    return journey.invite()


def state(invitation: Invitation) -> State:
    invitation.refresh_from_db()
    return invitation.state(timezone.now())


def test_an_invited_person_is_in(journey: Journey, invitation: Invitation) -> None:
    """The whole of it: joined, linked by subject, signed in, on record, and the link is used up."""
    answer = journey.redeem(invitation)
    assert answer["Location"] == "/"
    piotr = User.objects.get(email="piotr.nowak@halden.example")
    assert is_signed_in(journey.browser, piotr)
    assert piotr.is_active
    assert piotr.name == "Piotr Nowak"
    assert piotr.connection == journey.connection
    assert [(a.role, a.organization) for a in piotr.role_assignments.all()] == [(Role.VIEWER, journey.cast.oslo)]
    assert Subject.objects.get(user=piotr).sub == "00u1piotr"
    assert state(invitation) == State.ACCEPTED
    actions = set(Event.objects.filter(actor=piotr).values_list("action", flat=True))
    assert {"invitation:redeemed", "session:started"} <= actions
    assert journey.browser.cookies[cookies.NAME].value == ""


def test_from_then_on_the_subject_is_enough(journey: Journey, invitation: Invitation) -> None:
    journey.redeem(invitation)
    journey.provider.person = {"sub": "00u1piotr"}
    browser = Browser(journey.cast.halden)
    assert journey.sign_in(browser)["Location"] == "/"


def test_pressing_the_button_opens_it_and_moves_on(journey: Journey, invitation: Invitation) -> None:
    """A page with a link, since the content security policy forbids a form to end anywhere else."""
    page = journey.accept(invitation)
    assert page.status_code == 200
    assert sent_to(page).startswith(f"{journey.provider.issuer}/authorize?")
    assert "Continue to Okta" in page.content.decode()
    assert page["Cache-Control"] == "no-store"
    assert state(invitation) == State.OPENED


def test_the_button_needs_the_pages_own_token(journey: Journey, invitation: Invitation) -> None:
    """Another site cannot press it for somebody."""
    strict = Browser(journey.cast.halden, enforce_csrf_checks=True)
    journey.open(invitation, strict)  # type: ignore[arg-type]
    assert strict.post(f"/sso/{journey.connection.pk}/start/").status_code == 403


def test_a_get_redeems_nothing(journey: Journey, invitation: Invitation) -> None:
    """T9: an ordinary sign-in does not use up an invitation, even when its link was opened in this browser."""
    journey.open(invitation)
    answer = journey.sign_in()
    assert answer.status_code == 403
    assert journey.refusal().reason == "invitation_waiting"
    assert "Open the link in your invitation first" in answer.content.decode()
    assert state(invitation) == State.SENT or invitation.accepted_at is None


def test_without_the_link_the_email_has_to_be_opened_first(journey: Journey, invitation: Invitation) -> None:
    assert journey.sign_in().status_code == 403
    assert journey.refusal().reason == "invitation_waiting"
    assert not Subject.objects.filter(sub="00u1piotr").exists()


def test_the_wrong_person_at_the_provider(journey: Journey, invitation: Invitation) -> None:
    """T10: the page does not say for whom it was meant; the administrator sees who came."""
    journey.provider.person = {"sub": "00u1eve", "email": "eve@halden.example"}
    answer = journey.redeem(invitation)
    assert answer.status_code == 403
    html = answer.content.decode()
    assert "piotr" not in html.lower()
    assert "eve@" not in html
    assert "Aiko Tanaka, who invited you, can see that this happened and why." in html
    assert state(invitation) == State.REFUSED
    assert invitation.refused_reason == "invitation_for_someone_else"
    event = journey.refusal()
    assert event.details["got"] == "eve@halden.example"
    assert not Subject.objects.filter(sub="00u1eve").exists()


def test_a_refused_invitation_can_still_be_accepted(journey: Journey, invitation: Invitation) -> None:
    journey.provider.person = {"sub": "00u1eve", "email": "eve@halden.example"}
    journey.redeem(invitation)
    journey.is_piotr()
    assert journey.redeem(invitation)["Location"] == "/"
    assert state(invitation) == State.ACCEPTED


def test_somebody_who_is_here_already_cannot_take_it(journey: Journey, invitation: Invitation) -> None:
    journey.is_dana()
    assert journey.redeem(invitation).status_code == 403
    assert state(invitation) == State.REFUSED
    assert invitation.refused_reason == "subject_taken"
    assert not journey.sessions()


def test_not_assigned_at_the_provider(journey: Journey, invitation: Invitation) -> None:
    """K6: told in plain words, and so is the administrator, on the invitation; it is still good."""
    journey.provider.person = None
    html = journey.redeem(invitation).content.decode()
    assert "Your invitation is still good." in html
    assert "Then open the link in your invitation again." in html
    assert state(invitation) == State.REFUSED
    assert invitation.refused_reason == "not_assigned"


@pytest.mark.parametrize(
    "email", ["Piotr.Nowak@Halden.example", "PIOTR.NOWAK@HALDEN.EXAMPLE", "\uff50iotr.nowak@halden.example"]
)
def test_the_email_is_compared_folded(journey: Journey, invitation: Invitation, email: str) -> None:
    """T7: NFKC and case."""
    journey.provider.person = {"sub": "00u1piotr", "email": email}
    assert journey.redeem(invitation)["Location"] == "/"


@pytest.mark.parametrize("email", ["piotr.n\u043ewak@halden.example", "piotr.nowak@halden.example.evil", "piotr.nowak"])
def test_an_email_that_looks_the_same_is_another(journey: Journey, invitation: Invitation, email: str) -> None:
    """T7: a Cyrillic o is not an o."""
    journey.provider.person = {"sub": "00u1piotr", "email": email}
    assert journey.redeem(invitation).status_code == 403
    assert state(invitation) == State.REFUSED


def test_no_email_in_the_token_but_at_userinfo(journey: Journey, invitation: Invitation) -> None:
    """R15: asked only for what the ID token lacks."""
    journey.provider.on_id_token = lambda claims, request: {k: v for k, v in claims.items() if k != "email"}
    assert journey.redeem(invitation)["Location"] == "/"
    assert len(journey.provider.requests_to("/userinfo")) == 1


def test_no_email_anywhere(journey: Journey, invitation: Invitation) -> None:
    journey.provider.person = {"sub": "00u1piotr"}
    assert journey.redeem(invitation).status_code == 403
    assert state(invitation) == State.REFUSED
    assert invitation.refused_reason == "email_missing"


def test_userinfo_about_somebody_else(journey: Journey, invitation: Invitation) -> None:
    """H11."""
    journey.provider.person = {"sub": "00u1eve"}
    journey.provider.on_userinfo = lambda said, request: {"sub": "other", "email": "piotr.nowak@halden.example"}
    assert journey.redeem(invitation).status_code == 400
    assert journey.refusal().reason == "userinfo_subject_mismatch"


def test_userinfo_that_is_down(journey: Journey, invitation: Invitation) -> None:
    journey.provider.person = {"sub": "00u1piotr"}
    journey.provider.on_userinfo = lambda said, request: Reply(503)
    assert journey.redeem(invitation).status_code == 503


def test_one_that_has_expired(journey: Journey, invitation: Invitation) -> None:
    page = sent_to(journey.accept(invitation))
    Invitation.objects.filter(pk=invitation.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert journey.browser.get(journey.at_provider(page)).status_code == 403
    assert journey.refusal().reason == "invitation_expired"
    assert journey.accept(invitation).status_code == 403


def test_one_that_was_revoked_meanwhile(journey: Journey, invitation: Invitation) -> None:
    page = sent_to(journey.accept(invitation))
    invitation.revoke(by=journey.cast.aiko, at=timezone.now())
    assert journey.browser.get(journey.at_provider(page)).status_code == 403
    assert journey.refusal().reason == "invitation_revoked"
    assert not User.objects.filter(email="piotr.nowak@halden.example").exists()


def test_one_that_was_used(journey: Journey, invitation: Invitation) -> None:
    journey.redeem(invitation)
    answer = journey.accept(invitation, Browser(journey.cast.halden))
    assert answer.status_code == 403
    assert journey.refusal().reason == "invitation_accepted"
    assert state(invitation) == State.ACCEPTED


def test_none_at_all(journey: Journey) -> None:
    answer = journey.browser.post(f"/sso/{journey.connection.pk}/start/")
    assert answer.status_code == 403
    assert journey.refusal().reason == "invitation_gone"


def test_one_of_another_enterprise(journey: Journey, invitation: Invitation) -> None:
    """T11: Halden's invitation is nothing at Stranger's connection."""
    theirs = connect(journey.cast.stranger, journey.provider, journey.cast.mallory)
    journey.open(invitation)
    assert journey.browser.post(f"/sso/{theirs.pk}/start/").status_code == 403
    assert state(invitation) != State.REFUSED
    event = Event.objects.of(journey.cast.stranger).get(action="session:refused")
    assert event.reason == "invitation_gone"
    assert "piotr" not in str(event.details)


def test_an_inviter_who_may_not_give_the_role_any_more(journey: Journey, invitation: Invitation) -> None:
    """T10."""
    page = sent_to(journey.accept(invitation))
    journey.cast.aiko.role_assignments.all().delete()
    assert journey.browser.get(journey.at_provider(page)).status_code == 403
    assert state(invitation) == State.REFUSED
    assert invitation.refused_reason == "inviter_may_not_give_role"


def test_what_was_redeemed_is_undone_when_the_sign_in_fails_after_it(journey: Journey, invitation: Invitation) -> None:
    """T10: a redemption without its session does not stay."""
    page = sent_to(journey.accept(invitation))
    Subject.objects.create(
        connection=journey.connection, issuer="https://before.example", sub="x", user=invitation.user
    )
    assert journey.browser.get(journey.at_provider(page)).status_code == 403
    assert journey.refusal().reason == "subject_taken"
    assert state(invitation) == State.REFUSED
    invitation.user.refresh_from_db()
    assert invitation.user.joined_at is None


def test_try_again_begins_by_post_again(journey: Journey, invitation: Invitation) -> None:
    journey.provider.person = None
    html = journey.redeem(invitation).content.decode()
    assert f'<form method="post" action="/sso/{journey.connection.pk}/start/?prompt=login">' in html
    journey.is_piotr()
    page = journey.accept(invitation, query="?prompt=login")
    assert "prompt=login" in sent_to(page)
