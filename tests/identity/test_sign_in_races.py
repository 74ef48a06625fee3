"""Two things at once, on real connections to the database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection as database
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone

from identity.backends import _serving
from identity.models import Connection, Subject
from identity.news import tell_admins
from invitations.models import State
from tests.cast import Browser, Cast
from tests.identity.journey import Journey, sent_to
from tests.meanwhile import between_check_and_commit, waiting_for_a_lock
from tests.processes import wait_until
from tests.provider import Provider, Reply, Request, Said
from users.models import OutgoingEmail, Role, RoleAssignment, Session, User

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def journey(transactional_db: None, provider: Provider) -> Journey:
    return Journey(Cast.assemble(), provider)


def in_a_thread(browser: Browser, url: str) -> HttpResponse:
    try:
        return browser.get(url)
    finally:
        database.close()


def test_a_deactivation_during_the_callback_wins(journey: Journey) -> None:
    """T17: Dana is disabled while her provider is being asked; she gets no session."""
    asked, disabled = threading.Event(), threading.Event()

    def wait(said: Said, request: Request) -> Said | Reply:
        asked.set()
        disabled.wait(5)
        return said

    journey.provider.on_token = wait
    back = journey.at_provider(journey.start()["Location"])
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(in_a_thread, journey.browser, back)
        assert asked.wait(5)
        journey.dana.disable(timezone.now())
        disabled.set()
        assert answer.result().status_code == 403
    assert journey.refusal().reason == "account_disabled"
    assert not journey.sessions()


def test_a_deactivation_at_any_moment_leaves_no_session(journey: Journey) -> None:
    """T17: whoever is first, nobody who is disabled is signed in afterwards."""
    for number in range(20):
        browser = Browser(journey.cast.halden)
        back = journey.at_provider(journey.start(browser)["Location"])
        # The provider answers, and the administrator presses the button, at the same moment but for a hair.
        barrier = threading.Barrier(2)
        journey.provider.on_token = lambda said, request, barrier=barrier: (barrier.wait(5), said)[1]

        def disable(barrier: threading.Barrier = barrier, delay: float = number * 0.0005) -> None:
            barrier.wait(5)
            threading.Event().wait(delay)
            try:
                User.objects.get(pk=journey.dana.pk).disable(timezone.now())
            finally:
                database.close()

        with ThreadPoolExecutor(2) as pool:
            answer = pool.submit(in_a_thread, browser, back)
            pool.submit(disable).result()
            assert answer.result().status_code in (302, 403)
        assert not journey.sessions()
        User.objects.get(pk=journey.dana.pk).enable()


def test_one_invitation_is_redeemed_once(journey: Journey) -> None:
    """T10: the same link in two browsers, finished at the same moment: exactly one is in."""
    for number in range(10):
        email = f"piotr{number}@halden.example"
        journey.provider.person = {"sub": f"00u{number}", "email": email}
        invitation = journey.invite(email)
        browsers = [Browser(journey.cast.halden) for _ in range(2)]
        backs = [journey.at_provider(sent_to(journey.accept(invitation, browser))) for browser in browsers]
        barrier = threading.Barrier(2)
        journey.provider.on_token = lambda said, request, barrier=barrier: (barrier.wait(5), said)[1]
        with ThreadPoolExecutor(2) as pool:
            answers = [answer.status_code for answer in pool.map(in_a_thread, browsers, backs)]
        # Whoever came second is the same person: in as well when the first had finished, and refused otherwise.
        assert sorted(answers)[0] == 302
        assert set(answers) <= {302, 403}
        invitation.refresh_from_db()
        assert invitation.state(timezone.now()) == State.ACCEPTED
        assert Subject.objects.filter(sub=f"00u{number}").count() == 1
        assert Session.objects.filter(user__email=email).count() == answers.count(302)


def test_one_person_at_the_provider_takes_one_account(journey: Journey) -> None:
    """T7: two invitations, both for addresses the same person has had; one subject is one user."""
    invitations = [journey.invite(f"p{n}@halden.example") for n in range(2)]
    browsers = [Browser(journey.cast.halden) for _ in range(2)]
    backs = []
    for invitation, browser in zip(invitations, browsers, strict=True):
        journey.provider.person = {"sub": "00u1same", "email": invitation.email}
        backs.append(journey.at_provider(sent_to(journey.accept(invitation, browser))))
    barrier = threading.Barrier(2)
    journey.provider.on_token = lambda said, request: (barrier.wait(5), said)[1]
    with ThreadPoolExecutor(2) as pool:
        answers = sorted(answer.status_code for answer in pool.map(in_a_thread, browsers, backs))
    assert answers == [302, 403]
    assert Subject.objects.filter(sub="00u1same").count() == 1
    assert User.objects.filter(email__startswith="p", joined_at__isnull=False, subjects__sub="00u1same").count() == 1


def in_between(journey: Journey, back: str, act: Callable[[Connection], object]) -> HttpResponse:
    """Finish a sign-in, and ``act`` on the connection between the moment it is found enabled and its COMMIT."""
    return between_check_and_commit(
        lambda: journey.browser.get(back), lambda: act(Connection.objects.get(pk=journey.connection.pk))
    )


def test_a_connection_disabled_between_the_lookup_and_the_commit_leaves_no_session(journey: Journey) -> None:
    """Whoever disables it waits for the sign-in that has found it enabled, and ends its session, too."""
    back = journey.at_provider(journey.start()["Location"])
    answer = in_between(journey, back, lambda connection: connection.disable(timezone.now()))
    assert answer["Location"] == "/"
    assert not journey.sessions()
    assert journey.browser.get("/account/").status_code == 302


def test_so_it_is_with_an_invitation(journey: Journey) -> None:
    journey.is_piotr()
    back = journey.at_provider(sent_to(journey.accept(journey.invite())))
    in_between(journey, back, lambda connection: connection.disable(timezone.now()))
    assert not Session.objects.filter(user__email="piotr.nowak@halden.example").exists()


def while_the_code_is_exchanged(journey: Journey, act: Callable[[], object]) -> None:
    """Have ``act`` done, in another transaction, while the provider is asked for the tokens."""

    def answer(said: Said, request: Request) -> Said:
        try:
            act()
        finally:
            database.close()
        return said

    journey.provider.on_token = answer


@pytest.mark.parametrize("sub", ["00u1dana", "00u1nobody"])
def test_disabled_while_the_code_is_exchanged(journey: Journey, sub: str) -> None:
    """R1: the person is told what is so, whether known here or not."""
    assert journey.provider.person
    journey.provider.person["sub"] = sub
    while_the_code_is_exchanged(journey, lambda: journey.connection.disable(timezone.now()))
    assert journey.sign_in().status_code == 403
    assert journey.refusal().reason == "connection_disabled"
    assert not journey.sessions()


@pytest.mark.parametrize("sub", ["00u1dana", "00u1nobody"])
def test_settings_edited_while_the_code_is_exchanged(journey: Journey, sub: str) -> None:
    """R1: the terms are those of the attempt up to the session itself."""

    def edit() -> None:
        newer = journey.connection.revise(
            by=journey.cast.ingrid, at=timezone.now(), secret=None,
            issuer=journey.provider.issuer, client_id="gatehouse", scopes="openid email",
        )  # fmt: skip
        newer.mark_tested(by=journey.cast.ingrid, at=timezone.now())
        journey.connection.enable(newer, timezone.now())

    assert journey.provider.person
    journey.provider.person["sub"] = sub
    while_the_code_is_exchanged(journey, edit)
    assert journey.sign_in().status_code == 409
    assert journey.refusal().reason == "connection_changed"
    assert not journey.sessions()


def test_a_connection_disabled_at_any_moment_leaves_no_session(journey: Journey) -> None:
    """Nor does an administrator who signs in just then keep the other from disabling it (no deadlock)."""
    RoleAssignment.objects.create(enterprise=journey.cast.halden, user=journey.dana, role=Role.ENTERPRISE_ADMIN)
    for number in range(20):
        browser = Browser(journey.cast.halden)
        back = journey.at_provider(journey.start(browser)["Location"])
        barrier = threading.Barrier(2)
        journey.provider.on_token = lambda said, request, barrier=barrier: (barrier.wait(5), said)[1]

        def disable(barrier: threading.Barrier = barrier, delay: float = number * 0.0005) -> None:
            barrier.wait(5)
            threading.Event().wait(delay)
            try:
                with transaction.atomic():
                    connection = Connection.objects.get(pk=journey.connection.pk)
                    connection.disable(timezone.now())
                    tell_admins(connection, "disabled", by=journey.cast.ingrid, people=1)
            finally:
                database.close()

        with ThreadPoolExecutor(2) as pool:
            answer = pool.submit(in_a_thread, browser, back)
            pool.submit(disable).result()
            assert answer.result().status_code in (302, 403)
        assert not journey.sessions()
        journey.connection.refresh_from_db()
        journey.connection.enable(journey.connection.latest, timezone.now())


def test_an_administrator_who_signs_in_just_then_is_told_of_it_all_the_same(journey: Journey) -> None:
    """The connection is locked before the person: the other way round, each would wait for the other."""
    back = journey.at_provider(journey.start()["Location"])
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            journey.connection.lock()
            answer = pool.submit(in_a_thread, journey.browser, back)
            wait_until(lambda: waiting_for_a_lock() == 1)
            # Whoever is written to is looked at when this is committed.
            OutgoingEmail.objects.create(enterprise=journey.cast.halden, user=journey.dana, name="any", context={})
        assert answer.result(10)["Location"] == "/"


def test_other_terms_that_come_to_serve_meanwhile_are_not_those_of_the_attempt(journey: Journey) -> None:
    """R1: either the sign-in was first, or it is refused."""
    now = timezone.now()
    values = journey.connection.latest.values | {"scopes": "openid email"}
    revision = journey.connection.revise(by=journey.cast.ingrid, at=now, secret=None, **values)
    revision.mark_tested(by=journey.cast.ingrid, at=now)
    back = journey.at_provider(journey.start()["Location"])
    answer = in_between(journey, back, lambda connection: connection.enable(connection.latest, now))
    assert answer["Location"] == "/"
    assert journey.grant().revision == 1
    again = journey.at_provider(journey.start(Browser(journey.cast.halden))["Location"])
    assert journey.browser.get(again).status_code == 400


def test_many_sign_ins_at_once_do_not_wait_for_each_other(journey: Journey) -> None:
    """They share what they need of the connection: one that takes long holds up nobody else."""
    with transaction.atomic():
        assert _serving(journey.cast.halden, journey.connection, journey.connection.serving.terms)
        with ThreadPoolExecutor(1) as pool:
            back = journey.at_provider(journey.start()["Location"])
            assert pool.submit(in_a_thread, journey.browser, back).result(5)["Location"] == "/"
