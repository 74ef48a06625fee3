"""Every reason there is has a way to it through the real console, and ends as a page and an entry in the audit log.

Most are reached by scenarios of ``tests/conformance``; the others by a way of their own here. Whoever adds a reason
adds one or the other.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import Event
from identity.models import ClientAuthentication, Connection
from identity.oidc import Code
from identity.providers import door
from identity.refused import REASONS, Reason, reason_of
from invitations.models import Invitation, Move
from tests.cast import Browser, browser_of, long_ago, make_user
from tests.conformance.rows import SCENARIOS
from tests.identity.journey import Journey, connect, sent_to
from tests.identity.switching import fresh, opened, opened_and_pressed, pressed, switched
from tests.invitations.switching import switching
from users.models import Enterprise, Role, User

pytestmark = pytest.mark.servers
Way = Callable[[Journey], object]


def errs(error: str) -> Way:
    """The provider sends the person back with this error."""

    def way(journey: Journey) -> None:
        journey.provider.on_authorize = lambda said, request: {
            "state": said["state"], "iss": said["iss"], "error": error,
        }  # fmt: skip
        journey.sign_in()

    return way


def invited(meanwhile: Callable[[Journey, Invitation], object]) -> Way:
    """Piotr accepts his invitation, and while he is at the provider something happens."""

    def way(journey: Journey) -> None:
        journey.is_piotr()
        invitation = journey.invite()
        page = sent_to(journey.accept(invitation))
        meanwhile(journey, invitation)
        journey.browser.get(journey.at_provider(page))

    return way


def steps_up(claims: dict[str, object]) -> Way:
    """Dana is asked to prove herself anew, and the provider says this about it."""

    def way(journey: Journey) -> None:
        journey.sign_in()
        long_ago(journey.dana)
        journey.provider.on_id_token = lambda said, request: said | claims
        journey.browser.get(journey.at_provider(journey.browser.get("/sso/step-up/?next=/account/")["Location"]))

    return way


def a_test_of_somebody_elses(journey: Journey) -> None:
    draft = connect(journey.cast.halden, journey.provider, journey.cast.aiko, enabled=False)
    browser = browser_of(journey.cast.aiko)
    page = browser.get(reverse("identity:test", args=[draft.pk]))
    browser.sign_in(journey.cast.ingrid)
    browser.get(journey.at_provider(page["Location"]).replace(journey.connection.pk, draft.pk))


def a_test_of_nothing(journey: Journey) -> None:
    draft = Connection.objects.create(enterprise=journey.cast.halden, provider="okta", created_by=journey.cast.aiko)
    draft.revise(by=journey.cast.aiko, at=timezone.now(), secret=None, issuer=journey.provider.issuer, client_id="x")
    browser_of(journey.cast.aiko).get(reverse("identity:test", args=[draft.pk]))


def a_check_without_a_common_way_to_prove_ourselves(journey: Journey) -> None:
    """A sign-in never gets so far: the check finds it, and without a check there is no test and no enabling."""
    journey.provider.on_discovery = lambda said, request: (
        said | {"token_endpoint_auth_methods_supported": ["tls_client_auth"]}
    )
    draft = Connection.objects.create(enterprise=journey.cast.halden, provider="okta", created_by=journey.cast.aiko)
    draft.revise(
        by=journey.cast.aiko, at=timezone.now(), secret="s" * 20, issuer=journey.provider.issuer, client_id="x",
        client_authentication=ClientAuthentication.BASIC,
    )  # fmt: skip
    browser_of(journey.cast.aiko).post(reverse("identity:check", args=[draft.pk]))


def a_secret_that_was_moved(journey: Journey) -> None:
    secret = journey.connection.secrets.get()
    secret.sealed = secret.sealed[:-6] + "AAAAAA"
    secret.save()
    journey.start()


def somebody_who_waits_for_the_link(journey: Journey) -> None:
    journey.invite()
    journey.is_piotr()
    journey.sign_in()


def somebody_else_confirms(journey: Journey) -> None:
    journey.sign_in()
    long_ago(journey.dana)
    journey.is_piotr()
    journey.browser.get(journey.at_provider(journey.browser.get("/sso/step-up/?next=/account/")["Location"]))


def the_session_ended_meanwhile(journey: Journey) -> None:
    journey.sign_in()
    long_ago(journey.dana)
    back = journey.at_provider(journey.browser.get("/sso/step-up/?next=/account/")["Location"])
    journey.dana.sessions.all().delete()
    journey.browser.get(back)


def an_invitation_used_twice(journey: Journey) -> None:
    journey.is_piotr()
    invitation = journey.invite()
    journey.redeem(invitation)
    journey.accept(invitation, Browser(journey.cast.halden))


def an_invitation_at_another_connection(journey: Journey) -> None:
    """Piotr is to use the enterprise's, and begins at that of Oslo."""
    journey.is_piotr()
    journey.open(journey.invite())
    oslos = connect(journey.cast.halden, journey.provider, journey.cast.ingrid, enabled=False)
    oslos.organization = journey.cast.oslo
    oslos.save()
    revision = oslos.latest
    assert revision is not None
    revision.tested_at = timezone.now()
    revision.save()
    oslos.enable(revision, timezone.now())
    page = sent_to(journey.browser.post(reverse("identity:start", args=[oslos.pk])))
    journey.browser.get(journey.at_provider(page).replace(journey.connection.pk, oslos.pk))


def switching_while(meanwhile: Callable[[Journey, Move], object], who: str = "tomas") -> Way:
    """Somebody with the link of a switch is at the provider, and meanwhile something happens."""

    def way(journey: Journey) -> None:
        user = getattr(journey.cast, who)
        [move] = switching(journey.cast, journey.connection, user)
        journey.provider.person = {"sub": f"00u1{who}", "email": user.email}
        page = sent_to(opened_and_pressed(journey, move))
        meanwhile(journey, move)
        journey.browser.get(journey.at_provider(page))

    return way


def at_the_provider_is(sub: str, email: str) -> Callable[[Journey, Move], object]:
    def meanwhile(journey: Journey, move: Move) -> None:
        journey.provider.person = {"sub": sub, "email": email}

    return meanwhile


def the_link_of_a_switch_is_left_aside(journey: Journey) -> None:
    switching(journey.cast, journey.connection, journey.cast.tomas)
    journey.provider.person = {"sub": "00u1tomas", "email": journey.cast.tomas.email}
    journey.sign_in()


def the_link_of_a_switch_is_used_twice(journey: Journey) -> None:
    [move] = switching(journey.cast, journey.connection, journey.cast.tomas)
    journey.provider.person = {"sub": "00u1tomas", "email": journey.cast.tomas.email}
    switched(journey, move)
    other = Browser(journey.cast.halden)
    opened(journey, move, other)
    pressed(journey, other)


def somebody_else_signed_in_there(journey: Journey) -> None:
    """Dana has a session without a refresh token, so her browser is asked, quietly."""
    journey.provider.on_token = lambda said, request: {k: v for k, v in said.items() if k != "refresh_token"}
    journey.sign_in()
    journey.make_due()
    door()._pulses.pop(journey.provider.issuer, None)
    page = sent_to(journey.browser.get("/account/"))
    journey.is_piotr()
    journey.browser.get(journey.at_provider(page))


def a_closed_enterprise(journey: Journey) -> None:
    """It is opened again afterwards, as its log is read only then."""
    halden = Enterprise.objects.filter(pk=journey.cast.halden.pk)
    invited(lambda journey, invitation: halden.update(closed_at=timezone.now()))(journey)
    halden.update(closed_at=None)


WAYS: dict[Code | Reason, Way] = {
    Code.INTERACTION_REQUIRED: errs("interaction_required"),
    Code.CONSENT_REQUIRED: errs("consent_required"),
    Code.CLIENT_AUTHENTICATION_IMPOSSIBLE: a_check_without_a_common_way_to_prove_ourselves,
    Code.AUTHENTICATION_TOO_OLD: steps_up({"auth_time": 1_700_000_000}),
    Reason.NOT_THE_TESTER: a_test_of_somebody_elses,
    Reason.NOT_THE_SAME_PERSON: somebody_else_confirms,
    Reason.NOT_THE_SAME_SESSION: the_session_ended_meanwhile,
    Reason.CONNECTION_INCOMPLETE: a_test_of_nothing,
    Reason.SECRET_UNREADABLE: a_secret_that_was_moved,
    Reason.INITIATED_ELSEWHERE: lambda journey: journey.browser.get(
        reverse("identity:initiate", args=[journey.connection.pk]), {"iss": "https://evil.example"}
    ),
    Reason.SUBJECT_TAKEN: invited(lambda journey, invitation: journey.is_dana()),
    Reason.INVITATION_WAITING: somebody_who_waits_for_the_link,
    Reason.INVITATION_GONE: lambda journey: journey.browser.post(
        reverse("identity:start", args=[journey.connection.pk])
    ),
    Reason.INVITATION_ACCEPTED: an_invitation_used_twice,
    Reason.INVITATION_REVOKED: invited(
        lambda journey, invitation: invitation.revoke(by=journey.cast.aiko, at=timezone.now())
    ),
    Reason.INVITATION_EXPIRED: invited(
        lambda journey, invitation: Invitation.objects.filter(pk=invitation.pk).update(
            expires_at=timezone.now() - timedelta(seconds=1)
        )
    ),
    Reason.INVITATION_FOR_ANOTHER_WAY: an_invitation_at_another_connection,
    Reason.SIGNED_IN_AS_ANOTHER: somebody_else_signed_in_there,
    Reason.SWITCH_WAITING: the_link_of_a_switch_is_left_aside,
    Reason.SWITCH_GONE: pressed,
    Reason.SWITCH_DONE: the_link_of_a_switch_is_used_twice,
    Reason.SWITCH_UNDONE: switching_while(
        lambda journey, move: fresh(move).undo(by=journey.cast.aiko, at=timezone.now())
    ),
    Reason.SWITCH_EXPIRED: switching_while(
        lambda journey, move: Move.objects.filter(pk=move.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    ),
    Reason.SWITCH_EMAIL_CHANGED: switching_while(
        lambda journey, move: User.objects.get(pk=move.user_id).change_email("t.h@halden.example")
    ),
    Reason.SWITCH_FOR_SOMEONE_ELSE: switching_while(at_the_provider_is("00u1eve", "eve@halden.example")),
    Reason.SWITCH_SUBJECT_TAKEN: switching_while(at_the_provider_is("00u1dana", "tomas.herrera@halden.example")),
    Reason.SWITCH_LAST_ADMIN: switching_while(
        lambda journey, move: journey.cast.ingrid.role_assignments.all().delete(), who="aiko"
    ),
    Reason.ENTERPRISE_CLOSED: a_closed_enterprise,
    Reason.INVITER_GONE: invited(lambda journey, invitation: journey.cast.aiko.disable(timezone.now())),
    Reason.INVITER_MAY_NOT_GIVE_ROLE: invited(
        lambda journey, invitation: journey.cast.aiko.role_assignments.all().delete()
    ),
}


def test_there_is_a_way_to_every_reason() -> None:
    played = {reason_of(scenario.expected.reason) for scenario in SCENARIOS} - {None}
    assert played | set(WAYS) == set(REASONS)


@pytest.mark.parametrize("reason", WAYS, ids=str)
def test_the_way_to_it(journey: Journey, reason: Code | Reason) -> None:
    """R4: the person has a page or a result, and an administrator finds the reason, in words, with the fix."""
    WAYS[reason](journey)
    event = Event.objects.of(journey.cast.halden).filter(reason=reason.value).newest_first()[0]
    # Somebody new: a few of the ways cost the administrators of the cast their role.
    rita = make_user(journey.cast.halden, "Rita Holm", "rita.holm@halden.example", (Role.ENTERPRISE_ADMIN, None))
    page = browser_of(rita).get("/audit/", {"q": event.reference}).content.decode()
    assert f"<code>{reason.value}</code>" in page
    assert "What to do" in page
