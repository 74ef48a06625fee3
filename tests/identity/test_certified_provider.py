"""One journey against a certified provider that nobody here wrote: npm's ``oidc-provider``, with PKCE required."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.utils import timezone

from identity.models import Grant, Subject
from tests.cast import Browser, Cast
from tests.identity.certified import Certified
from tests.identity.journey import Journey, connect, is_signed_in, sent_to
from users.models import User

pytestmark = pytest.mark.servers


@pytest.fixture
def journey(cast: Cast) -> Iterator[Journey]:
    certified = Certified()
    journey = Journey.__new__(Journey)
    journey.cast, journey.provider, journey.browser = cast, certified, Browser(cast.halden)
    journey.connection = connect(cast.halden, certified, cast.ingrid)
    with certified.running(journey.connection.redirect_uri):
        yield journey


def test_grete_accepts_her_invitation_and_signs_in_again(journey: Journey) -> None:
    """M4, M5, H1: invited, in by a strict certified provider, and in again by subject alone."""
    invitation = journey.invite("grete.lund@halden.example")
    assert journey.redeem(invitation)["Location"] == "/"
    grete = User.objects.get(email="grete.lund@halden.example")
    assert is_signed_in(journey.browser, grete)
    assert grete.name == "Grete Lund"
    assert Subject.objects.get(user=grete).sub == "certified-grete"
    again = Browser(journey.cast.halden)
    assert journey.sign_in(again)["Location"] == "/"
    assert is_signed_in(again, grete)
    assert {grant.issuer for grant in Grant.objects.all()} == {journey.provider.issuer}


def test_it_refuses_what_we_did_not_ask_for(journey: Journey) -> None:
    """R13: without PKCE this provider says no; a code with another verifier is worth nothing to it."""
    invitation = journey.invite("grete.lund@halden.example")
    page = sent_to(journey.accept(invitation))
    stripped = re.sub(r"&code_challenge(_method)?=[^&]+", "", page)
    back = journey.provider.code_for(stripped)
    assert back["error"] == "invalid_request"
    answer = journey.browser.get(f"/sso/{journey.connection.pk}/callback/", back)
    assert answer.status_code == 400
    assert journey.refusal().reason == "invalid_request"
    invitation.refresh_from_db()
    assert invitation.state(timezone.now()) == "refused"


def test_a_code_of_one_attempt_is_worth_nothing_in_another(journey: Journey) -> None:
    """H23, R13: a code that was injected into somebody's sign-in does not match its verifier."""
    invitation = journey.invite("grete.lund@halden.example")
    stolen = journey.provider.code_for(sent_to(journey.accept(invitation)))
    own = journey.provider.code_for(sent_to(journey.accept(invitation)))
    answer = journey.browser.get(f"/sso/{journey.connection.pk}/callback/", own | {"code": stolen["code"]})
    assert answer.status_code == 400
    assert journey.refusal().reason == "invalid_grant"
