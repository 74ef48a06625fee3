"""T16: once passwords have ended, or the connection before is disabled, the link of a switch is the only way in.

Then nobody is told to sign in as before, and whoever switches somebody back is told what that takes away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from identity.models import Connection
from invitations.models import Move
from tests.cast import browser_of
from tests.identity.journey import Journey, connect
from tests.identity.switching import fresh, opened, opened_and_pressed, pressed, switched
from tests.invitations.switching import PAGE, begin, carry_out, switching
from tests.provider import Provider
from users.models import User

pytestmark = pytest.mark.servers


@pytest.fixture
def okta(journey: Journey) -> Connection:
    return journey.connection


@pytest.fixture
def former(journey: Journey) -> Iterator[Connection]:
    """The Okta that Tomás signed in by until now."""
    with Provider() as other:
        connection = connect(journey.cast.halden, other, journey.cast.ingrid)
        User.objects.filter(pk=journey.cast.tomas.pk).update(connection=connection)
        yield connection


def passwords_end(journey: Journey) -> None:
    journey.cast.halden.require_provider(timezone.now() - timedelta(days=1))


def expired(move: Move) -> None:
    Move.objects.filter(pk=move.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def switched_back(move: Move) -> None:
    fresh(move).undo(by=User.objects.get(name="Aiko Tanaka"), at=timezone.now())


def closed(move: Move) -> None:
    move.enterprise.close(by=User.objects.get(name="Aiko Tanaka"), at=timezone.now())


def disabled(move: Move) -> None:
    move.connection.disable(timezone.now())


# ---- Whoever has the link


@pytest.mark.parametrize("meanwhile", [expired, switched_back, closed])
def test_a_link_that_ended_does_not_promise_what_ended_before_it(
    journey: Journey, move: Move, meanwhile: Callable[[Move], None]
) -> None:
    """Wherever one stands: at the link, at its button, or on the way back from the provider."""
    page = opened_and_pressed(journey, move)
    passwords_end(journey)
    meanwhile(move)
    there = journey.browser.get(journey.at_provider(page.headers["Refresh"].partition("url=")[2]))
    for answer in (opened(journey, move), pressed(journey), there):
        assert answer.status_code in (403, 410)
        assert "as before" not in answer.text
        if meanwhile is not closed:
            assert "our password no longer works" in answer.text


def test_passwords_that_still_work_are_named(journey: Journey, move: Move) -> None:
    switched_back(move)
    opened(journey, move)
    assert "You were switched back" in (text := pressed(journey).text)
    assert "Nothing has changed: your password works as before." in text


def test_whoever_comes_without_the_link_is_not_sent_back_to_a_password(journey: Journey, move: Move) -> None:
    passwords_end(journey)
    journey.provider.person = {"sub": "00u1tomas", "email": "tomas.herrera@halden.example"}
    text = journey.sign_in().text
    assert "Open the link in your email first" in text
    assert "as before" not in text


def test_the_link_works_all_the_same(journey: Journey, move: Move) -> None:
    passwords_end(journey)
    assert switched(journey, move)["Location"] == "/"


def test_a_link_from_a_disabled_connection_says_that_this_one_has_ended(
    journey: Journey, okta: Connection, former: Connection
) -> None:
    [move] = switching(journey.cast, okta, journey.cast.tomas, to=okta.pk)
    former.disable(timezone.now())
    page = opened(journey, move).text
    assert f"Has ended already: {former.title} no longer works" in page
    assert "is required" not in page
    expired(move)
    assert f"{former.title} no longer works" in (text := opened(journey, move).text)
    assert "as before" not in text


def test_while_the_new_connection_is_disabled_too_the_page_says_to_wait(journey: Journey, move: Move) -> None:
    passwords_end(journey)
    Connection.objects.filter(pk=move.connection_id).update(enabled_at=None)
    text = opened(journey, move).text
    assert "It is your way in, since your password no longer works." in text
    assert "as before" not in text


# ---- Whoever switches them: Ingrid, whose break-glass account goes on


def test_switching_one_person_back_asks_first_and_says_that_it_locks_out(journey: Journey, move: Move) -> None:
    ingrid = browser_of(journey.cast.ingrid)
    person, batch = f"/users/{journey.cast.tomas.pk}/", f"{PAGE}batches/{move.batch_id}/"
    warning = "then this person cannot sign in until somebody switches them again"
    for page in (person, batch):
        assert warning not in ingrid.get(page).text
    passwords_end(journey)
    for page in (person, batch):
        text = ingrid.get(page).text
        assert warning in text
        assert "as before" not in text
        assert "your password" not in text
    answer = ingrid.post(f"{PAGE}people/{move.pk}/undo/", {"next": person}, follow=True)
    assert "Tomás Herrera was switched back and cannot sign in" in answer.text


def test_switching_a_batch_back_counts_whom_it_locks_out(journey: Journey, okta: Connection) -> None:
    cast = journey.cast
    [move, _other] = switching(cast, okta, cast.marcus, cast.tomas)
    passwords_end(journey)
    ingrid, page = browser_of(cast.ingrid), f"{PAGE}batches/{move.batch_id}/"
    text = ingrid.get(page).text
    assert "Whoever waits has only the link to get in" in text
    assert "2 with only the link to get in" in text
    assert "2 people cannot sign in then, until somebody switches them again" in text
    assert "as before" not in text
    answer = ingrid.post(f"{page}undo/", follow=True)
    assert "2 people cannot sign in until they are switched again." in answer.text
    carry_out(move.batch)
    text = ingrid.get(page).text
    assert "2 switched back and locked out" in text
    assert "as before" not in text
    # Switched again, they have a link again.
    carry_out(begin(ingrid, cast.tomas))
    assert "1 switched back and locked out" in ingrid.get(page).text


def test_of_those_who_wait_only_some_may_have_nothing_else(
    journey: Journey, okta: Connection, former: Connection
) -> None:
    cast = journey.cast
    [move, _tomas] = switching(cast, okta, cast.marcus, cast.tomas, to=okta.pk)
    former.disable(timezone.now())
    text = browser_of(cast.aiko).get(f"{PAGE}batches/{move.batch_id}/").text
    assert "1 of those who wait has only the link to get in." in text
    assert "1 person cannot sign in then" in text


def test_the_dry_run_counts_who_is_locked_out_and_promises_them_nothing(
    journey: Journey, okta: Connection, former: Connection
) -> None:
    ingrid, address = browser_of(journey.cast.ingrid), f"{PAGE}?user={journey.cast.tomas.pk}&to={okta.pk}"
    assert ingrid.get(address).context["run"].locked_out == 0
    passwords_end(journey)
    # Tomás signs in by a connection, and so goes on.
    assert ingrid.get(address).context["run"].locked_out == 0
    former.disable(timezone.now())
    page = ingrid.get(address)
    assert page.context["run"].locked_out == 1
    assert "Whoever is locked out gets in by it" in page.text
    assert "Until they have followed it and signed in, they sign in as before." not in page.text


def test_a_person_whose_password_works_is_not_told_otherwise(journey: Journey, move: Move) -> None:
    aiko = browser_of(journey.cast.aiko)
    text = aiko.get(f"/users/{journey.cast.tomas.pk}/").text
    assert "Until the first sign-in there, the password works as before." in text
    answer = aiko.post(f"{PAGE}people/{move.pk}/undo/", follow=True)
    assert "Tomás Herrera signs in as before. The link has ended." in answer.text
