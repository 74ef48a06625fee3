"""Switches that meet other acts at the same moment, on real connections."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection as database
from django.utils import timezone

from audit.models import Event
from identity.models import Subject
from tests.cast import Browser, Cast, make_user
from tests.identity.journey import Journey, sent_to
from tests.identity.switching import opened, pressed
from tests.invitations.switching import switching
from tests.provider import Provider
from users.models import Role, User, enterprise_admins

pytestmark = pytest.mark.servers


@pytest.fixture
def real_journey(transactional_db: None, provider: Provider) -> Journey:
    return Journey(Cast.assemble(), provider)


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Do all of it in threads of their own, on connections of their own; return what came of it."""
    start, outcomes = threading.Barrier(len(acts)), list[object]()

    def run(act: Callable[[], object]) -> None:
        start.wait(timeout=10)
        try:
            outcomes.append(act())
        finally:
            database.close()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return outcomes


def come_back_at_once(browsers: list[Browser], backs: list[str]) -> list[int]:
    """Have each browser come back from the provider; return the statuses."""
    answers = at_once(*(partial(browser.get, back) for browser, back in zip(browsers, backs, strict=True)))
    return [answer.status_code for answer in answers]  # type: ignore[attr-defined]


@pytest.mark.django_db(transaction=True)
def test_a_link_used_twice_at_once_switches_once(real_journey: Journey) -> None:
    """T10: in two browsers, by the same person at the provider; ten times."""
    journey, cast = real_journey, real_journey.cast
    for number in range(10):
        person = make_user(cast.halden, f"Person {number}", f"p{number}@halden.example", (Role.VIEWER, cast.oslo))
        [move] = switching(cast, journey.connection, person)
        journey.provider.person = {"sub": f"00up{number}", "email": person.email}
        browsers = [Browser(cast.halden) for _ in range(3)]
        backs = []
        for browser in browsers:
            opened(journey, move, browser)
            backs.append(journey.at_provider(sent_to(pressed(journey, browser))))
        answers = come_back_at_once(browsers, backs)
        # Whoever comes after the commit is known by the subject, and simply signed in.
        assert set(answers) <= {302, 403}
        assert 302 in answers
        assert Subject.objects.filter(user=person).count() == 1
        assert Event.objects.filter(action="switch:redeemed", actor=person).count() == 1
        person.refresh_from_db()
        assert person.connection == journey.connection


@pytest.mark.django_db(transaction=True)
def test_two_accounts_cannot_take_one_subject_at_once(real_journey: Journey) -> None:
    """T7: two links, one person at the provider who changes the email in between; ten times."""
    journey, cast = real_journey, real_journey.cast
    for number in range(10):
        people = [make_user(cast.halden, f"P {number} {n}", f"p{number}.{n}@halden.example") for n in range(2)]
        moves = switching(cast, journey.connection, *people)
        browsers = [Browser(cast.halden) for _ in people]
        backs = []
        for browser, move in zip(browsers, moves, strict=True):
            journey.provider.person = {"sub": f"00uone{number}", "email": move.email}
            opened(journey, move, browser)
            backs.append(journey.at_provider(sent_to(pressed(journey, browser))))
        answers = come_back_at_once(browsers, backs)
        assert sorted(answers) == [302, 403]
        assert Subject.objects.filter(sub=f"00uone{number}").count() == 1
        assert (
            User.objects.filter(pk__in=[p.pk for p in people], connection=None, switching_to__isnull=False).count() == 1
        )


@pytest.mark.django_db(transaction=True)
def test_the_last_two_administrators_with_a_password_do_not_both_leave(real_journey: Journey) -> None:
    """M7, T15: both come back from the provider at once; one of them stays; ten times."""
    journey, cast = real_journey, real_journey.cast
    cast.ingrid.role_assignments.all().delete()
    for number in range(10):
        admins = [
            make_user(cast.halden, f"A {number} {n}", f"a{number}.{n}@halden.example", (Role.ENTERPRISE_ADMIN, None))
            for n in range(2)
        ]
        cast.aiko.role_assignments.all().delete()
        beginner = admins[0]
        cast.aiko, aiko = beginner, cast.aiko
        moves = switching(cast, journey.connection, *admins)
        cast.aiko = aiko
        browsers, backs = [Browser(cast.halden) for _ in admins], []
        for browser, move in zip(browsers, moves, strict=True):
            journey.provider.person = {"sub": f"00u{move.pk}", "email": move.email}
            opened(journey, move, browser)
            backs.append(journey.at_provider(sent_to(pressed(journey, browser))))
        answers = come_back_at_once(browsers, backs)
        assert sorted(answers) == [302, 403]
        assert enterprise_admins(cast.halden).filter(connection=None).count() == 1
        User.objects.filter(pk__in=[a.pk for a in admins]).delete()


@pytest.mark.django_db(transaction=True)
def test_a_deactivation_at_the_same_moment_wins(real_journey: Journey) -> None:
    """T17: whichever comes first, nobody who is disabled has a session."""
    journey, cast = real_journey, real_journey.cast
    for number in range(10):
        person = make_user(cast.halden, f"Person {number}", f"p{number}@halden.example")
        [move] = switching(cast, journey.connection, person)
        journey.provider.person = {"sub": f"00up{number}", "email": person.email}
        browser = Browser(cast.halden)
        opened(journey, move, browser)
        back = journey.at_provider(sent_to(pressed(journey, browser)))
        at_once(
            lambda browser=browser, back=back: browser.get(back), lambda person=person: person.disable(timezone.now())
        )  # type: ignore[misc]
        fresh_person = User.objects.get(pk=person.pk)
        assert fresh_person.disabled_at
        assert not fresh_person.sessions.exists()
