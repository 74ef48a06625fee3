"""A second connection for the same people: set up, proved and enabled while the first serves; people move; the first
is retired, and nobody is interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection as database
from django.urls import reverse
from django.utils import timezone

from audit.models import Event
from identity.models import Connection, Subject
from identity.ways_in import places_of
from invitations.models import Invitation, Move
from tests.cast import Browser, Cast, browser_of
from tests.identity.journey import Journey, connect, is_signed_in
from tests.identity.setting_up import Desk, words
from tests.identity.switching import switched
from tests.invitations.switching import begin, carry_out
from tests.provider import Provider
from users.models import Session, User

pytestmark = pytest.mark.servers


@pytest.fixture
def successor() -> Iterator[Provider]:
    """Halden's other Okta, to which everybody moves."""
    with Provider() as other:
        yield other


@pytest.fixture
def new(journey: Journey, successor: Provider) -> Connection:
    return connect(journey.cast.halden, successor, journey.cast.ingrid)


def fresh(connection: Connection) -> Connection:
    return Connection.objects.select_related("serving", "organization").get(pk=connection.pk)


def moving(cast: Cast, person: User, to: Connection) -> Move:
    batch = carry_out(begin(browser_of(cast.aiko), person, to=to.pk))
    move = batch.moves.select_related("enterprise", "user", "batch", "connection", "leaving").get()
    move.keep_token()
    return move


def comes_to(journey: Journey, connection: Connection, provider: Provider, move: Move, browser: Browser) -> None:
    """Dana follows the link, and signs in at the other Okta, which knows her by another subject."""
    provider.person = {"sub": "00u2dana", "email": "dana.whitfield@halden.example", "name": "Dana Whitfield"}
    old = journey.connection, journey.provider
    journey.connection, journey.provider = connection, provider
    assert switched(journey, move, browser)["Location"] == "/"
    journey.connection, journey.provider = old


def test_the_second_is_set_up_checked_tested_and_enabled_while_the_first_serves(
    journey: Journey, successor: Provider
) -> None:
    cast = journey.cast
    desk = Desk(cast.aiko).saved_at(successor)
    desk.prove()
    assert "New users go on using Okta" in desk.page().replace("new users", "New users")
    answer = desk.press("enable", revision="1")
    assert answer.status_code == 302
    page = desk.page()
    assert "New users go on using the other one until you let them use this." in page
    assert "Side by side" in page
    assert "Move 1 person here…" in page
    assert journey.sign_in()["Location"] == "/"
    assert fresh(desk.connection).is_enabled
    assert fresh(journey.connection).is_enabled
    (event,) = desk.events("connection:enabled")
    assert event.details["leads"] is False
    told = cast.ingrid.outgoing_emails.filter(name="connection_changed").latest("created_at")
    assert told.context["leader"] == "Okta"


def test_new_people_go_on_using_the_first(journey: Journey, new: Connection) -> None:
    """M3, with two to choose from: what leads is what new people use, by whatever way they come."""
    cast = journey.cast
    aiko = browser_of(cast.aiko)
    form = {"emails": "piotr.nowak@halden.example", "role": "viewer", "organization": "everywhere"}
    assert aiko.post(reverse("invitations:invite"), form | {"connection": "fitting"}).status_code == 302
    assert Invitation.objects.get(user__email_folded="piotr.nowak@halden.example").connection == journey.connection
    assert [place.connection for place in places_of(cast.halden)] == [journey.connection]
    batch = carry_out(begin(aiko, cast.tomas))
    assert batch.moves.get().connection == journey.connection


def test_the_sign_in_page_offers_both_and_tells_them_apart(
    journey: Journey, new: Connection, successor: Provider
) -> None:
    page = words(Browser(journey.cast.halden).get("/e/halden/"))
    assert "Continue with Okta Continue with Okta at 127.0.0.1" in page


def test_people_move_in_a_batch_and_each_goes_on_as_before_until_their_own_sign_in(
    journey: Journey, new: Connection, successor: Provider
) -> None:
    """T7: the subject is bound anew by the link and a proven sign-in at the new one, and by nothing less."""
    cast, browser = journey.cast, Browser(journey.cast.halden)
    page = words(browser_of(cast.aiko).get(f"/advanced/switch/?via={journey.connection.pk}&to={new.pk}"))
    assert "Dana Whitfield" in page
    assert "1 can switch" in page
    move = moving(cast, journey.dana, new)
    assert journey.sign_in()["Location"] == "/"
    comes_to(journey, new, successor, move, browser)
    journey.dana.refresh_from_db()
    assert journey.dana.connection == new
    assert [(s.connection_id, s.sub) for s in journey.dana.subjects.all()] == [(new.pk, "00u2dana")]
    assert is_signed_in(browser, journey.dana)
    assert not is_signed_in(journey.browser, journey.dana)
    journey.is_dana()
    assert journey.sign_in(Browser(cast.halden)).status_code == 403


def test_the_known_email_alone_moves_nobody(journey: Journey, new: Connection, successor: Provider) -> None:
    """T8: at the new one, somebody with Dana's email waits for an administrator, and Dana goes on as before."""
    successor.person = {"sub": "00u2dana", "email": "dana.whitfield@halden.example"}
    old = journey.connection, journey.provider
    journey.connection, journey.provider = new, successor
    assert journey.sign_in(Browser(journey.cast.halden)).status_code == 403
    journey.connection, journey.provider = old
    assert new.waiting_subjects.get().user == journey.dana
    assert [s.connection for s in Subject.objects.filter(user=journey.dana)] == [journey.connection]
    assert journey.sign_in()["Location"] == "/"


def test_new_people_use_the_second_once_an_administrator_says_so(journey: Journey, new: Connection) -> None:
    cast = journey.cast
    aiko = browser_of(cast.aiko)
    answer = aiko.post(reverse("identity:lead", args=[new.pk]), follow=True)
    assert "New users use Okta from now on." in words(answer)
    assert (fresh(new).leads, fresh(journey.connection).leads) == (True, False)
    assert [place.connection for place in places_of(cast.halden)] == [new]
    assert journey.sign_in()["Location"] == "/"
    assert Event.objects.of(cast.halden).get(action="connection:put_first").actor == cast.aiko
    told = cast.ingrid.outgoing_emails.filter(name="connection_changed").latest("created_at")
    assert told.context["what"] == "put_first"


def test_one_that_is_not_enabled_does_not_lead(journey: Journey, successor: Provider) -> None:
    desk = Desk(journey.cast.aiko).saved_at(successor)
    answer = desk.press("lead")
    assert answer.status_code == 409
    assert "Okta is not enabled. Enable it, then let new users use it." in words(answer)
    assert fresh(journey.connection).leads


def test_retiring_the_first_makes_the_second_what_new_people_use(
    journey: Journey, new: Connection, successor: Provider
) -> None:
    cast = journey.cast
    comes_to(journey, new, successor, moving(cast, journey.dana, new), Browser(cast.halden))
    aiko = browser_of(cast.aiko)
    page = words(aiko.get(reverse("identity:setup", args=[new.pk])))
    assert "Retire it…" in page
    page = words(aiko.get(reverse("identity:setup", args=[journey.connection.pk])))
    assert "New users use Okta at 127.0.0.1 from then on." in page
    cast.halden.require_provider(timezone.now() + timedelta(days=7))
    answer = aiko.post(reverse("identity:disable", args=[journey.connection.pk]))
    assert answer.status_code == 302
    assert fresh(new).leads
    assert not fresh(journey.connection).is_enabled
    cast.halden.refresh_from_db()
    # There is still a provider to use, so it is still required.
    assert cast.halden.provider_required_from is not None
    assert Session.objects.filter(user=journey.dana).count() == 1


def test_enabled_again_it_stands_beside_what_leads_by_now(journey: Journey, new: Connection) -> None:
    aiko = browser_of(journey.cast.aiko)
    aiko.post(reverse("identity:disable", args=[journey.connection.pk]))
    aiko.post(reverse("identity:enable", args=[journey.connection.pk]), {"revision": "1"})
    assert (fresh(journey.connection).is_enabled, fresh(journey.connection).leads) == (True, False)
    assert fresh(new).leads


def test_an_organization_s_connections_and_the_enterprise_s_do_not_stand_beside_each_other(
    journey: Journey, new: Connection
) -> None:
    cast = journey.cast
    new.organization = cast.oslo
    new.leads = True
    new.save()
    assert not list(new.beside())
    assert "Side by side" not in words(browser_of(cast.aiko).get(reverse("identity:setup", args=[new.pk])))


@pytest.mark.django_db(transaction=True)
def test_at_every_moment_exactly_one_leads_whoever_presses_what_at_once(
    journey: Journey, new: Connection, successor: Provider
) -> None:
    """Enable, disable and lead from three administrators at once, many times, on connections of their own."""
    old, at = journey.connection, timezone.now()
    acts = [
        lambda: fresh(old).disable(at),
        lambda: fresh(old).enable(fresh(old).latest, at),
        lambda: fresh(new).lead(),
        lambda: fresh(old).lead(),
    ]
    for round_ in range(25):
        barrier = Barrier(len(acts))

        def run(act: object, barrier: Barrier = barrier) -> str:
            try:
                barrier.wait(5)
                act()  # type: ignore[operator]
            except Exception as error:  # noqa: BLE001 - every refusal is fine, as long as the rule holds
                return type(error).__name__
            finally:
                database.close()
            return ""

        with ThreadPoolExecutor(len(acts)) as pool:
            said = set(pool.map(run, acts))
        assert said <= {"", "NotEnabledError"}, (round_, said)
        enabled = Connection.objects.of(journey.cast.halden).enabled()
        assert enabled.filter(leads=True).count() == 1
        assert fresh(new).is_enabled
