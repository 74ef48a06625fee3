"""A switch that is refused, in every way there is: a plain page with the reason, and the old way works afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import Event
from identity.models import Subject
from invitations.models import Move, Stage
from tests.cast import Browser, browser_of
from tests.identity.journey import Journey, connect, is_signed_in, sent_to
from tests.identity.switching import fresh, nothing_has_changed, opened, opened_and_pressed, pressed, switched
from tests.invitations.switching import switching
from tests.provider import Reply
from users.models import User, enterprise_admins

pytestmark = pytest.mark.servers

Meanwhile = Callable[[Journey, Move], None]


def disabled(journey: Journey, move: Move) -> None:
    journey.cast.tomas.disable(timezone.now())


def email_changed(journey: Journey, move: Move) -> None:
    User.objects.get(pk=move.user_id).change_email("t.h@halden.example")


def switched_back(journey: Journey, move: Move) -> None:
    fresh(move).undo(by=journey.cast.aiko, at=timezone.now())


def batch_undone(journey: Journey, move: Move) -> None:
    fresh(move).batch.undo(by=journey.cast.aiko, at=timezone.now())


def expired(journey: Journey, move: Move) -> None:
    Move.objects.filter(pk=move.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def connection_disabled(journey: Journey, move: Move) -> None:
    journey.connection.disable(timezone.now())


def deleted(journey: Journey, move: Move) -> None:
    journey.cast.tomas.role_assignments.all().delete()
    journey.cast.tomas.remove()


def enterprise_closed(journey: Journey, move: Move) -> None:
    journey.cast.halden.close(by=journey.cast.aiko, at=timezone.now())


@pytest.mark.parametrize(
    ("meanwhile", "reason", "opens_with"),
    [
        (enterprise_closed, "enterprise_closed", "Halden Freight is closed"),
        (disabled, "account_disabled", "This account is disabled"),
        (email_changed, "switch_email_changed", "This link has ended"),
        (switched_back, "switch_undone", "You sign in as before"),
        (batch_undone, "switch_undone", "You sign in as before"),
        (expired, "switch_expired", "This link has ended"),
        (connection_disabled, "connection_disabled", "Sign-in with Okta is switched off for now"),
        (deleted, "switch_undone", "This link has ended"),
    ],
)
def test_what_happens_in_between_is_noticed_wherever_one_stands(
    journey: Journey, move: Move, meanwhile: Meanwhile, reason: str, opens_with: str
) -> None:
    """T17, R1: while the person is at the provider, before the button is pressed, and before the link is opened."""
    page = sent_to(opened_and_pressed(journey, move))
    meanwhile(journey, move)
    assert journey.browser.get(journey.at_provider(page)).status_code == 403
    assert journey.refusal().reason == reason
    assert pressed(journey).status_code == 403
    assert journey.refusal().reason == reason
    ended = opened(journey, move)
    assert ended.status_code in (403, 410)
    assert opens_with in ended.text
    assert not Subject.objects.filter(sub="00u1tomas").exists()
    assert not is_signed_in(journey.browser, journey.cast.tomas)
    if meanwhile not in (disabled, deleted):
        journey.cast.tomas.refresh_from_db()
        assert nothing_has_changed(journey.cast.tomas)


def test_the_administrator_sees_what_stood_in_the_way(journey: Journey, move: Move) -> None:
    page = sent_to(opened_and_pressed(journey, move))
    journey.cast.tomas.disable(timezone.now())
    journey.browser.get(journey.at_provider(page))
    assert fresh(move).stage(timezone.now()) == Stage.REFUSED
    text = browser_of(journey.cast.aiko).get(f"/advanced/switch/batches/{move.batch_id}/").text
    assert "This account is disabled" in text
    assert Event.objects.get(action="session:refused").target_label == "Tomás Herrera"


def test_enabled_again_the_same_link_works(journey: Journey, move: Move) -> None:
    disabled(journey, move)
    assert opened(journey, move).status_code == 403
    User.objects.get(pk=move.user_id).enable()
    assert switched(journey, move)["Location"] == "/"


def test_opened_again_the_enterprise_lets_the_same_link_work(journey: Journey, move: Move) -> None:
    enterprise_closed(journey, move)
    assert opened(journey, move).status_code == 403
    journey.cast.halden.reopen()
    assert switched(journey, move)["Location"] == "/"


def test_no_link_is_sent_from_a_closed_enterprise_until_it_is_opened_again(journey: Journey, move: Move) -> None:
    fresh(move).remind(timezone.now())
    waiting = Move.objects.filter(pk=move.pk)
    assert waiting.due(timezone.now()).exists()
    enterprise_closed(journey, move)
    assert not waiting.due(timezone.now()).exists()
    journey.cast.halden.reopen()
    assert waiting.due(timezone.now()).exists()


def test_the_settings_changed_in_between(journey: Journey, move: Move) -> None:
    """R1: the revision is pinned."""
    page = sent_to(opened_and_pressed(journey, move))
    revision = journey.connection.revise(
        by=journey.cast.ingrid, at=timezone.now(), secret=journey.provider.clients["gatehouse"],
        issuer=journey.provider.issuer, client_id="gatehouse", scopes="openid email",
    )  # fmt: skip
    revision.mark_tested(by=journey.cast.ingrid, at=timezone.now())
    journey.connection.enable(revision, timezone.now())
    assert journey.browser.get(journey.at_provider(page)).status_code == 409
    assert journey.refusal().reason == "connection_changed"
    assert nothing_has_changed(journey.cast.tomas)


def test_another_person_with_the_link(journey: Journey, move: Move) -> None:
    """T7, T10: the page does not say for whom it was; the administrator sees who came."""
    journey.provider.person = {"sub": "00u1eve", "email": "eve@halden.example"}
    answer = switched(journey, move)
    assert answer.status_code == 403
    assert "This link is for another account" in answer.text
    assert "tomas" not in answer.text.lower()
    assert "Aiko Tanaka, who switches you, can see that this happened and why." in answer.text
    event = journey.refusal()
    assert (event.reason, event.details["got"]) == ("switch_for_someone_else", "eve@halden.example")
    assert fresh(move).refused_reason == "switch_for_someone_else"
    assert nothing_has_changed(journey.cast.tomas)
    assert 'action="/sso/' in answer.text
    assert "?for=switch&amp;prompt=login" in answer.text


def test_the_link_of_another_person(journey: Journey, move: Move) -> None:
    """Two people, one mailbox: each link is for its own account."""
    [marcus] = switching(journey.cast, journey.connection, journey.cast.marcus)
    assert switched(journey, marcus).status_code == 403
    assert journey.refusal().reason == "switch_for_someone_else"
    assert switched(journey, move)["Location"] == "/"


def test_one_person_at_the_provider_cannot_be_two_here(journey: Journey, move: Move) -> None:
    """T7: that subject is Dana's already, whatever email it says now."""
    journey.provider.person = {"sub": "00u1dana", "email": "tomas.herrera@halden.example"}
    answer = switched(journey, move)
    assert answer.status_code == 403
    assert journey.refusal().reason == "switch_subject_taken"
    assert "This link is for another account" in answer.text
    assert not journey.sessions()
    assert nothing_has_changed(journey.cast.tomas)


@pytest.mark.parametrize(
    "email", ["Tomas.Herrera@Halden.example", "TOMAS.HERRERA@HALDEN.EXAMPLE", "\uff54omas.herrera@halden.example"]
)
def test_the_email_is_compared_folded(journey: Journey, move: Move, email: str) -> None:
    """T7: NFKC and case."""
    journey.provider.person = {"sub": "00u1tomas", "email": email}
    assert switched(journey, move)["Location"] == "/"


@pytest.mark.parametrize(
    "email", ["tom\u0430s.herrera@halden.example", "tomas.herrera@halden.example.evil", "tomas.herrera", "@", "\x00"]
)
def test_an_email_that_looks_the_same_is_another(journey: Journey, move: Move, email: str) -> None:
    """T7: a Cyrillic a is not an a."""
    journey.provider.person = {"sub": "00u1tomas", "email": email}
    assert switched(journey, move).status_code in (400, 403)
    assert nothing_has_changed(journey.cast.tomas)


def test_no_email_anywhere(journey: Journey, move: Move) -> None:
    journey.provider.person = {"sub": "00u1tomas"}
    assert switched(journey, move).status_code == 403
    assert journey.refusal().reason == "email_missing"
    assert nothing_has_changed(journey.cast.tomas)


def test_no_email_in_the_token_but_at_userinfo(journey: Journey, move: Move) -> None:
    """R15."""
    journey.provider.on_id_token = lambda claims, request: {k: v for k, v in claims.items() if k != "email"}
    assert switched(journey, move)["Location"] == "/"


def test_not_assigned_at_the_provider(journey: Journey, move: Move) -> None:
    """K6: told in plain words; and that nothing is lost."""
    journey.provider.person = None
    answer = switched(journey, move)
    assert "Okta has not been told you may use this" in answer.text
    assert "Nothing has changed: your password works as before." in answer.text
    assert fresh(move).refused_reason == "not_assigned"
    assert nothing_has_changed(journey.cast.tomas)


def test_a_provider_that_is_down_locks_nobody_out(journey: Journey, move: Move) -> None:
    page = sent_to(opened_and_pressed(journey, move))
    journey.provider.on_token = lambda said, request: Reply(503)
    assert journey.browser.get(journey.at_provider(page)).status_code == 503
    assert nothing_has_changed(journey.cast.tomas)


def test_a_used_link_switches_nobody_again(journey: Journey, move: Move) -> None:
    switched(journey, move)
    other = Browser(journey.cast.halden)
    assert "This link has been used" in opened(journey, move, other).text
    assert pressed(journey, other).status_code == 403
    assert journey.refusal().reason == "switch_done"


def test_a_link_of_another_enterprise(journey: Journey, move: Move) -> None:
    """T11: Halden's link is nothing at Stranger's connection."""
    theirs = connect(journey.cast.stranger, journey.provider, journey.cast.mallory)
    opened(journey, move)
    assert journey.browser.post(f"/sso/{theirs.pk}/start/?for=switch").status_code == 403
    event = Event.objects.of(journey.cast.stranger).get(action="session:refused")
    assert event.reason == "switch_gone"
    assert "tomas" not in str(event.details).lower()
    assert fresh(move).refused_at is None


def test_a_link_begun_at_another_connection_of_the_enterprise(journey: Journey, move: Move) -> None:
    """T7: whom one connection proves is not who another one proves."""
    journey.connection.organization = journey.cast.oslo
    journey.connection.save()
    other = connect(journey.cast.halden, journey.provider, journey.cast.ingrid)
    opened(journey, move)
    page = journey.browser.post(f"/sso/{other.pk}/start/?for=switch")
    if page.status_code == 200:
        back = journey.at_provider(sent_to(page)).replace(journey.connection.pk, other.pk)
        assert journey.browser.get(back).status_code == 403
    assert journey.refusal().reason == "switch_gone"
    assert nothing_has_changed(journey.cast.tomas)


# ---- The administrators


def test_an_administrator_is_switched_like_anybody(journey: Journey) -> None:
    [move] = switching(journey.cast, journey.connection, journey.cast.aiko)
    journey.provider.person = {"sub": "00u1aiko", "email": "aiko.tanaka@halden.example"}
    assert switched(journey, move)["Location"] == "/"
    assert set(enterprise_admins(journey.cast.halden)) == {journey.cast.aiko, journey.cast.ingrid}


def test_whoever_became_the_only_one_without_a_provider_stays(journey: Journey) -> None:
    """M7: the guarantee is asked at the sign-in, whatever the dry run said."""
    [move] = switching(journey.cast, journey.connection, journey.cast.aiko)
    journey.cast.ingrid.role_assignments.all().delete()
    journey.provider.person = {"sub": "00u1aiko", "email": "aiko.tanaka@halden.example"}
    answer = switched(journey, move)
    assert answer.status_code == 403
    assert journey.refusal().reason == "switch_last_admin"
    assert "You stay with local credentials" in answer.text
    assert nothing_has_changed(journey.cast.aiko)
