"""K11, R1: a secret is replaced while people sign in, and none of them notices."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection as database
from django.utils import timezone

from audit.models import GATEHOUSE, Event
from identity.models import Connection, Revision
from tests.cast import Browser, Cast
from tests.identity.journey import Journey
from tests.identity.setting_up import Desk, words
from tests.provider import Provider, Reply, Request, Said

pytestmark = pytest.mark.servers

OLD, NEW = "a-secret-of-32-characters-or-more", "the-second-secret-that-is-good-too"


def fresh(connection: Connection) -> Connection:
    return Connection.objects.select_related("serving__secret", "enterprise").get(pk=connection.pk)


def add(journey: Journey, secret: str = NEW, *, is_tested: bool = True, **changes: str) -> Revision:
    """Have Ingrid save ``secret`` beside the one that serves, with ``changes``, and test it."""
    connection, now = fresh(journey.connection), timezone.now()
    values = connection.latest.values | changes
    revision = connection.revise(by=journey.cast.ingrid, at=now, secret=secret, **values)
    if is_tested:
        revision.mark_tested(by=journey.cast.ingrid, at=now)
    return revision


def use(journey: Journey, revision: Revision) -> None:
    fresh(journey.connection).enable(revision, timezone.now())


def refusals(journey: Journey) -> list[Event]:
    return list(Event.objects.of(journey.cast.halden).filter(action="credential:refused"))


def test_what_began_before_the_new_secret_finishes_with_it(journey: Journey) -> None:
    """Only the new one is good by then."""
    back = journey.at_provider(journey.start()["Location"])
    use(journey, add(journey))
    journey.provider.clients["gatehouse"] = NEW
    assert journey.browser.get(back)["Location"] == "/"
    assert len(journey.provider.requests_to("/token")) == 1


@pytest.mark.parametrize("there_and_back", [False, True])
def test_other_terms_refuse_what_began_before(journey: Journey, there_and_back: bool) -> None:
    """R1: also when the old ones have come back meanwhile."""
    first = fresh(journey.connection).serving
    back = journey.at_provider(journey.start()["Location"])
    use(journey, add(journey, scopes="openid email"))
    if there_and_back:
        fresh(journey.connection).return_to(first, by=journey.cast.ingrid, at=timezone.now())
    assert journey.browser.get(back).status_code == 409
    assert journey.refusal().reason == "connection_changed"
    assert not journey.provider.requests_to("/token")


def test_settings_saved_and_left_in_between_change_nothing_for_anybody(journey: Journey) -> None:
    back = journey.at_provider(journey.start()["Location"])
    first = fresh(journey.connection).latest.values
    add(journey, scopes="openid email")
    journey.provider.clients["gatehouse"] = NEW
    use(journey, add(journey, **first))
    assert journey.browser.get(back)["Location"] == "/"


# ---- What goes another way


def test_an_old_secret_deactivated_too_early_is_made_up_for(journey: Journey) -> None:
    """The new one is tested and not enabled yet; the code is still good, since nobody has looked at it."""
    add(journey)
    journey.provider.clients["gatehouse"] = NEW
    assert journey.sign_in()["Location"] == "/"
    assert journey.sign_in(Browser(journey.cast.halden))["Location"] == "/"
    old, new = journey.connection.secrets.order_by("set_at")
    assert old.is_refused
    assert not new.is_refused
    (event,) = refusals(journey)
    assert event.actor_label == GATEHOUSE
    assert event.details == {"refused": f"…{OLD[-4:]}", "used": f"…{NEW[-4:]}", "revision": 1}


def test_a_new_secret_that_is_taken_back_falls_to_the_old_one(journey: Journey) -> None:
    use(journey, add(journey))
    assert journey.provider.clients["gatehouse"] == OLD
    assert journey.sign_in()["Location"] == "/"


def test_a_secret_that_was_never_tested_is_not_sent(journey: Journey) -> None:
    add(journey, is_tested=False)
    journey.provider.clients["gatehouse"] = NEW
    assert journey.sign_in().status_code == 400
    assert journey.refusal().reason == "invalid_client"
    assert len(journey.provider.requests_to("/token")) == 1


def test_nor_is_one_of_another_client_or_issuer_or_one_that_was_retired(journey: Journey) -> None:
    add(journey, client_id="another")
    use(journey, add(journey, "a-third-secret-of-some-length", client_id="gatehouse"))
    first = journey.connection.secrets.order_by("set_at")[0]
    first.retire(timezone.now())
    first.refresh_from_db()
    assert first.sealed == ""
    assert journey.sign_in().status_code == 400
    assert len(journey.provider.requests_to("/token")) == 1


def test_a_refused_code_is_not_tried_again(journey: Journey) -> None:
    """Only a client that was not known has used nothing up."""
    use(journey, add(journey))
    journey.provider.clients["gatehouse"] = NEW
    journey.provider.on_token = lambda said, request: Reply.json({"error": "invalid_grant"}, 400)
    assert journey.sign_in().status_code == 400
    assert len(journey.provider.requests_to("/token")) == 1
    assert refusals(journey) == []


def test_when_nothing_is_taken_the_first_refusal_is_what_counts(journey: Journey) -> None:
    use(journey, add(journey))
    journey.provider.clients["gatehouse"] = "something-nobody-has-told-us"
    assert journey.sign_in().status_code == 400
    assert journey.refusal().reason == "invalid_client"
    assert len(journey.provider.requests_to("/token")) == 2
    assert all(secret.is_refused for secret in journey.connection.secrets.all())
    assert refusals(journey) == []


def test_two_secrets_are_kept_and_the_rest_is_erased(journey: Journey) -> None:
    for number in range(4):
        use(journey, add(journey, f"secret-number-{number}-of-some-length"))
    kept = journey.connection.secrets.kept()
    assert [secret.open()[:15] for secret in kept] == ["secret-number-3", "secret-number-2"]
    assert journey.connection.secrets.filter(sealed="").count() == 3


def test_a_secret_pasted_wrong_is_erased_by_the_next_one(journey: Journey) -> None:
    add(journey, "pasted-wrong-and-never-tested", is_tested=False)
    add(journey)
    assert {secret.open() for secret in journey.connection.secrets.kept()} == {OLD, NEW}


def test_a_revision_whose_secret_is_erased_is_not_returned_to(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).enabled_at(provider)
    for number in (2, 3):
        desk.save(provider.issuer, client_secret=f"secret-of-revision-{number}-and-more")
        desk.prove()
        desk.press("enable", revision=str(number))
    answer = desk.press("return_to", 1)
    assert answer.status_code == 409
    assert "The client secret of revision 1 is retired." in words(answer)
    page = desk.page()
    assert "Return to 2" in page
    assert "Return to 1" not in page


# ---- Everybody at once


@pytest.mark.django_db(transaction=True)
def test_a_secret_enabled_during_the_callback_refuses_nobody(transactional_db: None, provider: Provider) -> None:
    """R1: the terms are asked for once more when the user is looked up; they are the same."""
    journey = Journey(Cast.assemble(), provider)
    revision = add(journey)

    def meanwhile(said: Said, request: Request) -> Said:
        try:
            use(journey, revision)
        finally:
            database.close()
        return said

    provider.on_token = meanwhile
    assert journey.sign_in()["Location"] == "/"
    assert fresh(journey.connection).serving == revision


@pytest.mark.django_db(transaction=True)
def test_sign_ins_running_through_a_rotation_all_succeed(transactional_db: None, provider: Provider) -> None:
    """Six people sign in without a pause, slowly enough for every step to meet attempts at every stage."""
    journey = Journey(Cast.assemble(), provider)
    over, ended = threading.Event(), list[tuple[str, int]]()
    phase = ["before"]

    def pause(said: Said, request: Request) -> Said:
        threading.Event().wait(0.03)
        return said

    provider.on_token = provider.on_authorize = pause

    def sign_in_over_and_over() -> None:
        try:
            while not over.is_set():
                began = phase[0]
                ended.append((began, journey.sign_in(Browser(journey.cast.halden)).status_code))
        finally:
            database.close()

    def wait_for_some() -> None:
        seen = len(ended)
        while len(ended) < seen + 12:
            threading.Event().wait(0.02)

    with ThreadPoolExecutor(6) as pool:
        threads = [pool.submit(sign_in_over_and_over) for _ in range(6)]
        try:
            wait_for_some()
            phase[0], provider.second_secrets["gatehouse"] = "both are good over there", NEW
            wait_for_some()
            revision, phase[0] = add(journey), "added here"
            wait_for_some()
            use(journey, revision)
            phase[0] = "in use"
            wait_for_some()
            phase[0], provider.clients["gatehouse"] = "the old one is gone over there", NEW
            wait_for_some()
            journey.connection.secrets.order_by("set_at")[0].retire(timezone.now())
            phase[0] = "retired"
            wait_for_some()
        finally:
            over.set()
        for thread in threads:
            thread.result()
    assert [event.reason for event in Event.objects.filter(action="session:refused")] == []
    assert {status for _began, status in ended} == {302}
    assert len({began for began, _status in ended}) == 6
    assert refusals(journey) == []
    assert journey.connection.secrets.kept().get().open() == NEW
