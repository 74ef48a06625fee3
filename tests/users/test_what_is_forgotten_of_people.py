"""Deleting somebody: the label stays where the audit log needs it, and no address or identifier stays anywhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from audit.models import Event, Result, record
from identity.models import Connection, Grant, Subject, WaitingSubject
from identity.refused import Reason
from invitations.models import Batch, Choice, Invitation, Move, Switch
from tests.cast import Cast, browser_of, enable_okta, make_user
from users.models import LastAdminError, Method, OutgoingEmail, Role, Session, User

pytestmark = pytest.mark.servers

# Each stands for a kind of data, and is looked for in every column of every table.
EMAIL, OLD_EMAIL, AT_OKTA = "canary.now@halden.example", "canary.old@halden.example", "Canary.Okta@halden.example"
SUB, WAITING_SUB = "00ucanarysubject", "00ucanarywaiting"
CANARIES = ("canary.now@", "canary.old@", "canary.okta@", SUB, WAITING_SUB)
NAME = "Kari Moe"


@pytest.fixture
def okta(cast: Cast) -> Connection:
    return enable_okta(cast.halden, cast.aiko)


def _kari(cast: Cast, okta: Connection) -> User:
    """Somebody about whom there is a row of every kind; all but the last of what she did lies in the past."""
    invitation = Invitation.issue(
        enterprise=cast.halden, email=OLD_EMAIL, role=Role.VIEWER, organization=None, connection=None, by=cast.aiko,
        at=timezone.now(),
    )  # fmt: skip
    record("invitation:issued", enterprise=cast.halden, actor=cast.aiko, target=invitation, role="Viewer")
    kari = invitation.redeem(email=OLD_EMAIL, at=timezone.now())
    kari.enterprise, kari.name = cast.halden, NAME
    kari.save()
    kari.role_assignments.all().delete()
    kari.change_email(EMAIL)
    record("user:email-changed", enterprise=cast.halden, actor=kari, target=kari, before=OLD_EMAIL, after=EMAIL)
    kari.hear_email(AT_OKTA)
    record("user:email-differs", enterprise=cast.halden, target=kari, email=EMAIL, at_the_provider=AT_OKTA)
    browser_of(kari)
    session = kari.sessions.get()
    Grant.objects.create(session=session, connection=okta, issuer="https://halden.okta.com", sub=SUB, revision=1)
    Subject.objects.create(connection=okta, issuer="https://halden.okta.com", sub=SUB, user=kari)
    WaitingSubject.objects.create(
        connection=okta, issuer="https://halden.okta.com", sub=WAITING_SUB, user=kari, email=AT_OKTA
    )
    record("subject:linked", enterprise=cast.halden, target=kari, subject=SUB)
    record(
        "session:refused", enterprise=cast.halden, target=okta, result=Result.REFUSED, got=AT_OKTA.lower(),
        reason=Reason.ACCOUNT_NOT_LINKED.value, claims={"sub": WAITING_SUB, "email": AT_OKTA, "name": "Kari"},
    )  # fmt: skip
    record("session:started", enterprise=cast.halden, actor=kari, target=okta, method=Method.CONNECTION.value)
    OutgoingEmail.objects.create(
        enterprise=cast.halden, user=kari, name="email_changed", context={"to": OLD_EMAIL, "before": OLD_EMAIL}
    )
    batch = Batch.objects.create(
        enterprise=cast.halden, name=f"“{OLD_EMAIL.upper()}”", begun_by=cast.aiko,
        message=f"Write to {AT_OKTA} with questions.", chosen=Choice(text=OLD_EMAIL.upper()).as_json(),
    )  # fmt: skip
    Move.objects.create(
        enterprise=cast.halden, batch=batch, user=kari, name=NAME, listed_as=f"kari moe {EMAIL}", email=EMAIL,
        connection=okta, expires_at=timezone.now() + timedelta(days=7), bounce_reason=f"<{EMAIL}> is unknown",
    )  # fmt: skip
    return User.objects.get(pk=kari.pk)


def _rows_with(*words: str) -> list[str]:
    """Return where in the database one of ``words`` stands, in any column of any table, whatever its case."""
    found = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            cursor.execute(f"SELECT t::text FROM {table} AS t")  # noqa: S608
            rows = [row for (row,) in cursor.fetchall()]
            found += [f"{table}: {row}" for row in rows for word in words if word.lower() in row.lower()]
    return found


def _delete(cast: Cast, person: User) -> Any:
    return browser_of(cast.aiko).post(f"/users/{person.pk}/delete/")


def test_no_address_and_no_identifier_is_left_in_any_table(cast: Cast, okta: Connection) -> None:
    kari = _kari(cast, okta)
    there = _rows_with(*CANARIES)
    assert all(any(canary.lower() in row.lower() for row in there) for canary in CANARIES), "each is there before"
    assert _delete(cast, kari).status_code == 302
    assert _rows_with(*CANARIES) == []


def test_what_was_done_is_still_to_be_read_with_who_did_it(cast: Cast, okta: Connection) -> None:
    kari = _kari(cast, okta)
    events = Event.objects.of(cast.halden).count()
    _delete(cast, kari)
    left = Event.objects.of(cast.halden)
    assert left.count() == events + 1
    assert left.get(action="session:started", target_id=okta.pk).actor_label == NAME
    assert left.get(action="invitation:issued").target_label == NAME
    assert left.get(action="user:deleted").target_label == NAME
    changed = left.get(action="user:email-changed")
    assert (changed.actor_label, changed.target_label) == (NAME, NAME)
    assert changed.details == {"before": "…", "after": "…"}
    refused = left.get(action="session:refused")
    assert (refused.reason, refused.details["got"], refused.details["claims"]) == ("account_not_linked", "…", "…")
    assert NAME in browser_of(cast.aiko).get("/audit/").content.decode()


def test_a_batch_still_says_that_somebody_of_this_name_was_in_it(cast: Cast, okta: Connection) -> None:
    _delete(cast, _kari(cast, okta))
    move = Move.objects.of(cast.halden).get()
    assert (str(move), move.listed_as, move.email, move.bounce_reason) == (NAME, "kari moe", "", "")


@pytest.mark.parametrize(
    ("sought", "left"),
    [
        ("canary.now@halden.example", "…"),
        ("Canary.Now@hal", "…"),
        ("moe canary.now@halden.example", "moe …"),
        ("@halden.example", "@halden.example"),
        ("other@halden.example", "other@halden.example"),
        ("canary", "canary"),
    ],
)
def test_a_batch_that_was_chosen_by_an_address_forgets_as_much_of_it_as_was_sought(
    cast: Cast, sought: str, left: str
) -> None:
    """What finds others, too, or is no address, stays."""
    person = make_user(cast.halden, NAME, EMAIL)
    choice = Choice(text=sought, filters={"role": "viewer"})
    Batch.objects.create(enterprise=cast.halden, name=f"“{sought}”, Viewer", chosen=choice.as_json())
    _delete(cast, person)
    batch = Batch.objects.get()
    assert (batch.name, Choice.from_json(batch.chosen)) == (f"“{left}”, Viewer", Choice((), left, choice.filters))


def test_a_batch_of_one_who_never_had_a_name_is_not_called_by_the_address(cast: Cast) -> None:
    person, other = make_user(cast.halden, "", EMAIL), make_user(cast.stranger, "", EMAIL)
    for user in (person, other):
        Batch.objects.create(enterprise=user.enterprise, name=EMAIL, message=f"Hello {EMAIL}.")
    _delete(cast, person)
    assert [(batch.name, batch.message) for batch in Batch.objects.of(cast.halden)] == [("…", "Hello ….")]
    assert Batch.objects.of(cast.stranger).get().name == EMAIL


def test_who_never_had_a_name_keeps_the_address_as_a_label_and_nowhere_else(cast: Cast) -> None:
    """Else nobody could tell who it was that did something; in what else an event says it is gone."""
    person = make_user(cast.halden, "", EMAIL)
    record("session:started", enterprise=cast.halden, actor=person, target=person)
    record("user:email-changed", enterprise=cast.halden, actor=person, target=person, before=OLD_EMAIL, after=EMAIL)
    _delete(cast, person)
    assert Event.objects.of(cast.halden).get(action="session:started").actor_label == EMAIL
    assert Event.objects.of(cast.halden).get(action="user:email-changed").details == {"before": "…", "after": "…"}
    assert not _rows_with(OLD_EMAIL)


def test_an_address_that_is_somebody_elses_by_now_is_theirs(cast: Cast) -> None:
    """M6: the old account got another address, and the person was invited again with their own."""
    old = make_user(cast.halden, "Kari Old", OLD_EMAIL)
    old.change_email("away@halden.example")
    record("user:email-changed", enterprise=cast.halden, target=old, before=OLD_EMAIL, after="away@halden.example")
    new = make_user(cast.halden, "", OLD_EMAIL)
    record("session:started", enterprise=cast.halden, actor=new, target=new)
    _delete(cast, old)
    assert Event.objects.of(cast.halden).get(action="session:started").actor_label == OLD_EMAIL
    assert Event.objects.of(cast.halden).get(action="user:email-changed").details["after"] == "…"


@pytest.mark.parametrize(
    "other", ["x.canary.now@halden.example", "canary.now@halden.example.org", "canary.now@halden.examples"]
)
def test_an_address_that_only_looks_alike_stays(cast: Cast, other: str) -> None:
    person = make_user(cast.halden, NAME, EMAIL)
    record("user:email-changed", enterprise=cast.halden, target=cast.tomas, before=other, after=EMAIL.upper())
    _delete(cast, person)
    details = Event.objects.of(cast.halden).get(action="user:email-changed").details
    assert details == {"before": other, "after": "…"}


def test_nothing_of_another_enterprise_is_touched(cast: Cast) -> None:
    """T11: the same address may have an account in another enterprise; the two know nothing of each other."""
    person = make_user(cast.halden, NAME, EMAIL)
    namesake = make_user(cast.stranger, "", EMAIL)
    record("session:started", enterprise=cast.stranger, actor=namesake, target=namesake, email=EMAIL)
    _delete(cast, person)
    event = Event.objects.of(cast.stranger).get(action="session:started")
    assert (event.actor_label, event.details) == (EMAIL, {"email": EMAIL})
    assert User.objects.filter(pk=namesake.pk).exists()


def test_who_is_not_deleted_is_not_forgotten(cast: Cast) -> None:
    record("user:email-changed", enterprise=cast.halden, target=cast.tomas, before=OLD_EMAIL, after=cast.tomas.email)
    assert _delete(cast, cast.tomas).status_code == 409
    assert Event.objects.of(cast.halden).get(action="user:email-changed").details["before"] == OLD_EMAIL


def test_a_switch_that_is_under_way_still_knows_whom_to_invite_again(cast: Cast, okta: Connection) -> None:
    """M6: the account is deleted in between; what led to the new account is forgotten with the new one."""
    person = make_user(cast.halden, NAME, EMAIL)
    switch = Switch.begin(person, by=cast.aiko, at=timezone.now())
    _delete(cast, person)
    switch = Switch.objects.get(pk=switch.pk)
    assert (switch.email, switch.user) == (EMAIL, None)
    again = switch.invite(by=cast.aiko, at=timezone.now()).redeem(email=EMAIL, at=timezone.now())
    again.role_assignments.all().delete()
    _delete(cast, again)
    assert not Switch.objects.exists()
    assert not _rows_with(EMAIL)


def test_a_switch_that_is_given_up_then_keeps_nothing(cast: Cast) -> None:
    person = make_user(cast.halden, NAME, EMAIL)
    switch = Switch.begin(person, by=cast.aiko, at=timezone.now())
    _delete(cast, person)
    Switch.objects.get(pk=switch.pk).give_up(by=cast.aiko, at=timezone.now())
    assert not _rows_with(EMAIL)


def test_disabling_ends_sessions_and_grants_at_once_and_deleting_everything_else(cast: Cast, okta: Connection) -> None:
    kari = _kari(cast, okta)
    browser_of(cast.aiko).post(f"/users/{kari.pk}/disable/")
    assert not Session.objects.filter(user=kari).exists()
    assert not Grant.objects.exists()
    assert Subject.objects.filter(user=kari).exists()
    _delete(cast, kari)
    assert not Subject.objects.filter(connection=okta).exists()


def test_when_disabling_is_undone_sessions_and_grants_are_as_before(cast: Cast) -> None:
    """All of it in one transaction: M7 keeps the last admin, and with the account whatever was open."""
    cast.ingrid.role_assignments.all().delete()
    browser_of(cast.aiko)
    session = cast.aiko.sessions.get()
    Grant.objects.create(
        session=session, connection=enable_okta(cast.halden, cast.aiko), issuer="https://halden.okta.com", sub=SUB,
        revision=1,
    )  # fmt: skip
    with pytest.raises(LastAdminError):
        cast.aiko.disable(timezone.now())
    assert Session.objects.filter(pk=session.pk).exists()
    assert Grant.objects.filter(session=session).exists()
