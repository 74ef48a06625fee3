"""T10: an invitation is redeemed once, by the person it was for, while whoever sent it may still give the role."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from identity.models import Connection
from invitations.models import Invitation, NotRedeemable
from tests.cast import Cast
from tests.invitations.conftest import EMAIL, invite
from users.models import Role

pytestmark = pytest.mark.servers


@pytest.mark.django_db(transaction=True)
def test_of_many_who_redeem_at_once_exactly_one_wins() -> None:
    """T10, on real connections."""
    cast = Cast.assemble()
    for round_number in range(20):
        invitation = invite(cast, f"p{round_number}@halden.example")
        start, outcomes = threading.Barrier(4), list[str]()

        def redeem(invitation=invitation, start=start, outcomes=outcomes) -> None:
            start.wait(timeout=10)
            try:
                with transaction.atomic():
                    Invitation.objects.get(pk=invitation.pk).redeem(email=invitation.email, at=timezone.now())
                outcomes.append("won")
            except NotRedeemable as refusal:
                outcomes.append(refusal.reason)
            finally:
                connection.close()

        threads = [threading.Thread(target=redeem) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert sorted(outcomes) == ["invitation_accepted"] * 3 + ["won"], f"round {round_number}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", ["resend", "revoke"])
def test_an_administrator_who_comes_at_the_same_moment_undoes_nothing(act: str) -> None:
    cast = Cast.assemble()
    invitation = invite(cast)
    seen_before = Invitation.objects.get(pk=invitation.pk)
    with transaction.atomic():
        invitation.redeem(email=EMAIL, at=timezone.now())
    with pytest.raises(NotRedeemable, match="invitation_accepted"):
        getattr(seen_before, act)(by=cast.ingrid, at=timezone.now())
    invitation.refresh_from_db()
    assert invitation.accepted_at
    assert invitation.user.is_active


def test_the_email_is_compared_whatever_its_case_and_form(cast: Cast, invitation: Invitation) -> None:
    """T7."""
    assert invitation.redeem(email=" \uff2cENA.Fischer@Halden.Example", at=timezone.now()).is_active


@pytest.mark.parametrize("email", ["", "other@halden.example", "l\u0435na.fischer@halden.example", EMAIL + "\u202e"])
def test_nobody_else_can_use_it(cast: Cast, invitation: Invitation, email: str) -> None:
    with pytest.raises(NotRedeemable, match="invitation_for_someone_else"):
        invitation.redeem(email=email, at=timezone.now())


def test_an_inviter_who_was_demoted_no_longer_vouches(cast: Cast) -> None:
    invitation = invite(cast, role=Role.MANAGER, organization=cast.rotterdam, by=cast.marcus)
    cast.marcus.role_assignments.update(role=Role.MANAGER)
    with pytest.raises(NotRedeemable, match="inviter_may_not_give_role"):
        invitation.redeem(email=EMAIL, at=timezone.now())
    invitation.resend(by=cast.aiko, at=timezone.now())
    assert invitation.redeem(email=EMAIL, at=timezone.now()).is_active


def test_the_person_signs_in_from_then_on_as_was_decided(cast: Cast) -> None:
    """M3: with the provider that was enabled after the invitation was issued, too."""
    invitation = invite(cast)
    okta = Connection.objects.create(enterprise=cast.halden, provider="okta", enabled_at=timezone.now())
    user = invitation.redeem(email=EMAIL, at=timezone.now())
    user.refresh_from_db()
    assert user.connection == okta
