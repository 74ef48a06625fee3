"""Switching people in place: begun, carried out in parts, reminded, switched back. Nobody is locked out meanwhile."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event
from identity.models import Connection
from invitations.models import Batch, Busy, Doing, Move, NotRedeemable, Stage, Verdict
from tests.cast import PASSWORD, Browser, Cast, browser_of, enable_okta, make_user
from tests.invitations.switching import PAGE, begin, carry_out, looked_at, press, switching
from users.models import Role, Status, User

pytestmark = pytest.mark.servers


@pytest.fixture
def okta(cast: Cast) -> Connection:
    return enable_okta(cast.halden, cast.ingrid)


def stages(batch: Batch) -> dict[str, Stage]:
    now = timezone.now()
    return {move.user.short_name: move.stage(now) for move in batch.moves.select_related("user", "batch")}


def can_still_sign_in(user: User) -> bool:
    form = {"email": user.email, "password": PASSWORD}
    return Browser(user.enterprise).post(f"/e/{user.enterprise.slug}/local/", form).status_code == 302


def test_those_who_can_are_taken_in_and_the_others_are_counted(cast: Cast, okta: Connection) -> None:
    batch = carry_out(begin(browser_of(cast.aiko)))
    assert set(stages(batch)) == {"Aiko", "Marcus", "Oluwaseun", "Tomás"}
    assert batch.doing == Doing.NOTHING
    assert batch.taken == batch.expected == 4
    assert batch.left_out == {Verdict.BREAK_GLASS: 1}
    cast.tomas.refresh_from_db()
    assert cast.tomas.status == Status.SWITCHING
    assert cast.tomas.connection is None
    assert not Move.objects.filter(user=cast.ingrid).exists()


def test_until_they_come_their_password_works_and_nothing_else_has_changed(cast: Cast, okta: Connection) -> None:
    roles = list(cast.tomas.role_assignments.values())
    browser = browser_of(cast.tomas)
    switching(cast, okta, cast.tomas)
    assert can_still_sign_in(cast.tomas)
    assert browser.get("/account/").status_code == 200
    assert list(cast.tomas.role_assignments.values()) == roles


def test_every_part_is_on_record(cast: Cast, okta: Connection) -> None:
    browser = browser_of(cast.aiko)
    batch = carry_out(begin(browser, cast.marcus, cast.tomas))
    browser.post(f"{PAGE}batches/{batch.pk}/undo/")
    carry_out(batch)
    events = Event.objects.of(cast.halden).filter(actor=cast.aiko)
    assert sorted(events.values_list("action", "target_label")) == [
        ("batch:begun", "A batch"),
        ("batch:undone", "A batch"),
        ("switch:begun", "Marcus Feld"),
        ("switch:begun", "Tomás Herrera"),
        ("switch:undone", "Marcus Feld"),
        ("switch:undone", "Tomás Herrera"),
    ]


def test_beginning_twice_takes_nobody_in_twice(cast: Cast, okta: Connection) -> None:
    browser = browser_of(cast.aiko)
    first, second = begin(browser), begin(browser)
    carry_out(second)
    carry_out(first)
    assert Move.objects.count() == 4
    assert Batch.objects.get(pk=first.pk).left_out == {Verdict.BREAK_GLASS: 1, Verdict.SWITCHING: 4}


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_one_batch_take_everybody_in_once() -> None:
    """On real connections: the sweep may find a batch that is being worked on."""
    cast = Cast.assemble()
    enable_okta(cast.halden, cast.ingrid)
    people = [make_user(cast.halden, f"Person {n}", f"p{n}@halden.example") for n in range(30)]
    batch = begin(browser_of(cast.aiko), *people)
    start = threading.Barrier(4)

    def work() -> None:
        start.wait(timeout=10)
        try:
            while Batch.objects.get(pk=batch.pk).go_on(timezone.now(), 3):
                pass
        finally:
            database.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert Move.objects.count() == 30
    assert Batch.objects.get(pk=batch.pk).taken == 30
    assert Event.objects.filter(action="switch:begun").count() == 30


def test_whoever_joined_after_it_began_is_not_in_it(cast: Cast, okta: Connection) -> None:
    batch = begin(browser_of(cast.aiko))
    make_user(cast.halden, "New Here", "new@halden.example")
    assert "New" not in stages(carry_out(batch))


def test_an_administrator_who_lost_the_right_meanwhile_switches_nobody(cast: Cast, okta: Connection) -> None:
    batch = begin(browser_of(cast.aiko))
    cast.aiko.role_assignments.all().delete()
    assert stages(carry_out(batch)) == {}


def test_disabled_between_the_dry_run_and_the_worker(cast: Cast, okta: Connection) -> None:
    batch = begin(browser_of(cast.aiko), cast.marcus, cast.tomas)
    cast.tomas.disable(timezone.now())
    assert set(stages(carry_out(batch))) == {"Marcus"}
    assert Batch.objects.get(pk=batch.pk).left_out == {Verdict.DISABLED: 1}


def test_more_people_than_the_administrator_was_shown_are_not_switched_unseen(cast: Cast, okta: Connection) -> None:
    browser = browser_of(cast.aiko)
    form = looked_at(browser)
    make_user(cast.halden, "Yusuf Karim", "yusuf@halden.example")
    answer = press(browser, form)
    assert answer.status_code == 422
    assert "Meanwhile 5 can switch, more than you were shown." in answer.text
    assert not Batch.objects.exists()


def test_nobody_to_switch_is_said_so(cast: Cast, okta: Connection) -> None:
    browser = browser_of(cast.aiko)
    answer = press(browser, looked_at(browser, cast.ingrid))
    assert answer.status_code == 422
    assert "Nobody of these can switch now." in answer.text


@pytest.mark.parametrize(
    "form", [{"name": ""}, {"name": "x" * 101}, {"count": "many"}, {"message": "x" * 1001}, {"name": "\u202e"}]
)
def test_a_form_filled_in_wrong_begins_nothing(cast: Cast, okta: Connection, form: dict[str, str]) -> None:
    browser = browser_of(cast.aiko)
    answer = press(browser, looked_at(browser), **form)
    assert answer.status_code == 422
    assert not Batch.objects.exists()


# ---- Switched back


def test_one_person_is_switched_back(cast: Cast, okta: Connection) -> None:
    _marcus, tomas = switching(cast, okta, cast.marcus, cast.tomas)
    answer = browser_of(cast.aiko).post(f"{PAGE}people/{tomas.pk}/undo/", {"next": f"/users/{cast.tomas.pk}/"})
    assert answer["Location"] == f"/users/{cast.tomas.pk}/"
    assert stages(tomas.batch) == {"Marcus": Stage.SENT, "Tomás": Stage.UNDONE}
    cast.tomas.refresh_from_db()
    assert cast.tomas.status == Status.ACTIVE
    assert can_still_sign_in(cast.tomas)
    assert Move.objects.get(pk=tomas.pk).obstacle(timezone.now()) == "switch_undone"
    assert carry_out(begin(browser_of(cast.aiko), cast.tomas)).taken == 1


def test_a_whole_batch_is_switched_back_for_those_who_wait(cast: Cast, okta: Connection) -> None:
    marcus, oluwaseun, tomas = switching(cast, okta, cast.marcus, cast.oluwaseun, cast.tomas)
    arrived(marcus)
    browser_of(cast.aiko).post(f"{PAGE}batches/{tomas.batch_id}/undo/")
    # From this moment on, before any worker has got to it.
    for move in (oluwaseun, tomas):
        with pytest.raises(NotRedeemable, match="switch_undone"):
            arrived(move)
    carry_out(tomas.batch)
    assert stages(tomas.batch) == {"Marcus": Stage.DONE, "Oluwaseun": Stage.UNDONE, "Tomás": Stage.UNDONE}
    cast.tomas.refresh_from_db()
    assert cast.tomas.status == Status.ACTIVE
    cast.marcus.refresh_from_db()
    assert cast.marcus.connection == okta


def arrived(move: Move) -> User:
    with transaction.atomic():
        return Move.objects.select_related("enterprise").get(pk=move.pk).redeem(email=move.email, at=timezone.now())


def test_a_batch_that_is_undone_takes_nobody_in_any_more(cast: Cast, okta: Connection) -> None:
    batch = begin(browser_of(cast.aiko))
    batch.go_on(timezone.now(), 2)
    batch.undo(by=cast.aiko, at=timezone.now())
    carry_out(batch)
    assert not User.objects.filter(switching_to__isnull=False).exists()
    assert set(stages(batch).values()) <= {Stage.UNDONE}
    assert Move.objects.count() <= 2


def test_whoever_has_switched_is_not_switched_back(cast: Cast, okta: Connection) -> None:
    [tomas] = switching(cast, okta, cast.tomas)
    arrived(tomas)
    answer = browser_of(cast.aiko).post(f"{PAGE}people/{tomas.pk}/undo/", follow=True)
    assert "Tomás Herrera has switched meanwhile. Nothing was changed." in answer.text
    cast.tomas.refresh_from_db()
    assert cast.tomas.connection == okta


@pytest.mark.django_db(transaction=True)
def test_arriving_and_being_switched_back_at_once_ends_in_one_of_the_two() -> None:
    """On real connections, twenty times."""
    cast = Cast.assemble()
    okta = enable_okta(cast.halden, cast.ingrid)
    for number in range(20):
        person = make_user(cast.halden, f"Person {number}", f"p{number}@halden.example")
        [move] = switching(cast, okta, person)
        start, outcomes = threading.Barrier(2), list[str]()

        def act(what, move=move, start=start, outcomes=outcomes) -> None:
            start.wait(timeout=10)
            try:
                what(move)
                outcomes.append(what.__name__)
            except NotRedeemable:
                outcomes.append("too late")
            finally:
                database.close()

        def undone(move: Move) -> None:
            Move.objects.select_related("enterprise").get(pk=move.pk).undo(by=cast.aiko, at=timezone.now())

        threads = [threading.Thread(target=act, args=[what]) for what in (arrived, undone)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        person.refresh_from_db()
        assert person.switching_to is None
        assert sorted(outcomes) in (["arrived", "too late"], ["too late", "undone"]), outcomes
        assert (person.connection == okta) == ("arrived" in outcomes)
        assert person.has_usable_password() == ("undone" in outcomes)


# ---- Reminded


def waited(move: Move, since: timedelta = timedelta(hours=25)) -> None:
    Move.objects.filter(pk=move.pk).update(sent_at=timezone.now() - since)


def test_those_who_wait_since_yesterday_are_reminded(cast: Cast, okta: Connection) -> None:
    _marcus, tomas = switching(cast, okta, cast.marcus, cast.tomas)
    old_token = tomas.token
    waited(tomas)
    browser = browser_of(cast.aiko)
    page = browser.get(f"{PAGE}batches/{tomas.batch_id}/")
    assert page.context["progress"].to_remind == 1
    browser.post(f"{PAGE}batches/{tomas.batch_id}/remind/")
    carry_out(tomas.batch)
    assert stages(tomas.batch) == {"Marcus": Stage.SENT, "Tomás": Stage.SENDING}
    assert not Move.objects.with_token(old_token).exists()
    fresh = Move.objects.get(pk=tomas.pk)
    assert (fresh.serial, fresh.reminders) == (2, 1)
    assert Event.objects.get(action="switch:reminded").target_label == "Tomás Herrera"


def test_reminders_are_bounded(cast: Cast, okta: Connection) -> None:
    [tomas] = switching(cast, okta, cast.tomas)
    browser = browser_of(cast.aiko)
    for number in range(1, 8):
        answer = browser.post(f"{PAGE}people/{tomas.pk}/remind/", follow=True)
        fresh = Move.objects.select_related("enterprise").get(pk=tomas.pk)
        assert fresh.reminders == min(number, 5)
        fresh.mark_sent(timezone.now())
    assert "Tomás Herrera was reminded often enough. Nothing was sent." in answer.text
    waited(tomas)
    assert browser.get(f"{PAGE}batches/{tomas.batch_id}/").context["progress"].to_remind == 0


def test_one_that_is_on_its_way_is_not_sent_again(cast: Cast, okta: Connection) -> None:
    [tomas] = switching(cast, okta, cast.tomas)
    browser = browser_of(cast.aiko)
    for _ in range(3):
        browser.post(f"{PAGE}people/{tomas.pk}/remind/")
    assert Move.objects.get(pk=tomas.pk).reminders == 1


def test_a_batch_does_one_thing_at_a_time_but_undoing_comes_first(cast: Cast, okta: Connection) -> None:
    batch = begin(browser_of(cast.aiko))
    with pytest.raises(Busy):
        batch.remind(by=cast.aiko, at=timezone.now())
    batch.undo(by=cast.aiko, at=timezone.now())
    with pytest.raises(NotRedeemable):
        batch.undo(by=cast.aiko, at=timezone.now())
    with pytest.raises(NotRedeemable):
        batch.remind(by=cast.aiko, at=timezone.now())


def test_a_link_goes_to_the_address_there_is_now_once_it_is_confirmed(cast: Cast, okta: Connection) -> None:
    """T7: until then nothing proves that it is theirs."""
    [tomas] = switching(cast, okta, cast.tomas)
    cast.tomas.change_email("t.herrera@halden.example")
    browser = browser_of(cast.aiko)
    answer = browser.post(f"{PAGE}people/{tomas.pk}/remind/", follow=True)
    assert "has a new email that is not confirmed yet" in answer.text
    assert (
        Move.objects.select_related("user", "batch").get(pk=tomas.pk).obstacle(timezone.now()) == "switch_email_changed"
    )
    User.objects.filter(pk=cast.tomas.pk).update(email_confirmed_at=timezone.now())
    browser.post(f"{PAGE}people/{tomas.pk}/remind/")
    fresh = Move.objects.select_related("user", "batch").get(pk=tomas.pk)
    assert fresh.email == "t.herrera@halden.example"
    assert fresh.obstacle(timezone.now()) == ""


# ---- Seen


def test_how_a_stage_is_told_and_how_it_is_counted_agree(cast: Cast, okta: Connection) -> None:
    now = timezone.now()
    people = [make_user(cast.halden, f"Person {n}", f"p{n}@halden.example") for n in range(12)]
    moves = switching(cast, okta, *people)
    past, batch = now - timedelta(days=1), moves[0].batch
    for move, fields in zip(
        moves,
        [
            {}, {"sent_at": None}, {"opened_at": past}, {"expires_at": past}, {"refused_at": past},
            {"bounced_at": past}, {"bounced_at": past, "opened_at": past}, {"undone_at": past}, {"redeemed_at": past},
            {"user": None}, {"refused_at": past, "expires_at": past}, {"redeemed_at": past, "user": None},
        ],
        strict=True,
    ):  # fmt: skip
        Move.objects.filter(pk=move.pk).update(**fields)
    for undone in (False, True):
        if undone:
            Batch.objects.filter(pk=batch.pk).update(undone_at=past)
        for stage in Stage:
            counted = set(Move.objects.at_stage(stage, now).values_list("pk", flat=True))
            told = {move.pk for move in Move.objects.select_related("batch") if move.stage(now) == stage}
            assert counted == told, stage


def test_the_batch_shows_everybody_and_can_be_searched(cast: Cast, okta: Connection) -> None:
    moves = switching(cast, okta, cast.marcus, cast.oluwaseun, cast.tomas)
    browser, page = browser_of(cast.aiko), f"{PAGE}batches/{moves[0].batch_id}/"
    moves[2].mark_refused("not_assigned", timezone.now())
    text = browser.get(page).text
    assert "Not assigned to the app" in text
    assert [str(row.move) for row in browser.get(page + "?show=refused").context["rows"]] == ["Tomás Herrera"]
    assert [str(row.move) for row in browser.get(page + "?q=FELD").context["rows"]] == ["Marcus Feld"]
    overview = browser.get(PAGE).text
    assert "1 refused:" in overview
    assert "not assigned to the app" in overview
    assert 'class="count">1<' in overview


def test_the_page_of_a_batch_costs_the_same_for_a_few_and_for_many(cast: Cast, okta: Connection) -> None:
    browser = browser_of(cast.aiko)
    batch = carry_out(begin(browser, cast.tomas, cast.marcus))
    counts = []
    for more in (0, 100):
        people = [
            make_user(cast.halden, f"Person {n}", f"p{n}@halden.example", (Role.VIEWER, None)) for n in range(more)
        ]
        if people:
            batch = carry_out(begin(browser, *people))
        with CaptureQueriesContext(database) as queries:
            page = browser.get(f"{PAGE}batches/{batch.pk}/")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 10, counts
    assert len(page.context["rows"]) == 50
    following = browser.get(f"{PAGE}batches/{batch.pk}/?cursor={page.context['page'].next}")
    assert len(following.context["rows"]) == 50


def test_the_page_of_a_person_offers_to_begin_and_to_switch_back(cast: Cast, okta: Connection) -> None:
    browser = browser_of(cast.aiko)
    assert f"{PAGE}?user={cast.tomas.pk}" in browser.get(f"/users/{cast.tomas.pk}/").text
    [move] = switching(cast, okta, cast.tomas)
    page = browser.get(f"/users/{cast.tomas.pk}/").text
    assert "Tomás Herrera is switching to Okta." in page
    assert f"{PAGE}people/{move.pk}/undo/" in page
    assert "Switch to Okta…" not in browser.get(f"/users/{cast.ingrid.pk}/").text


def test_a_page_that_is_open_asks_for_news_only_while_there_will_be_some(cast: Cast, okta: Connection) -> None:
    batch = begin(browser_of(cast.aiko), cast.tomas)
    browser, page = browser_of(cast.aiko), f"{PAGE}batches/{batch.pk}/progress/"
    assert "hx-trigger" in browser.get(page).text
    carry_out(batch)
    assert "hx-trigger" in browser.get(page).text
    Move.objects.update(sent_at=timezone.now())
    assert "hx-trigger" not in browser.get(page).text


def test_a_stranger_gets_404(cast: Cast, okta: Connection) -> None:
    """T11."""
    [move] = switching(cast, okta, cast.tomas)
    mallory = browser_of(cast.mallory)
    for path in (f"batches/{move.batch_id}/", f"batches/{move.batch_id}/progress/"):
        assert mallory.get(PAGE + path).status_code == 404
    for path in (f"batches/{move.batch_id}/undo/", f"people/{move.pk}/undo/", f"people/{move.pk}/remind/"):
        assert mallory.post(PAGE + path).status_code == 404
