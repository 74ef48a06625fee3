"""T8: somebody the provider vouches for, with the email of an account, waits for an administrator's yes."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import Event
from identity.models import Connection, Subject, WaitingSubject
from tests.cast import Browser, browser_of, make_user
from tests.identity.journey import Journey, is_signed_in
from users.models import OutgoingEmail, Role, User

pytestmark = pytest.mark.servers

NEW = "00u2new"


def comes_as_somebody_new(journey: Journey, email: str = "dana.whitfield@halden.example", sub: str = NEW) -> Browser:
    journey.provider.person = {"sub": sub, "email": email, "name": "Dana W."}
    browser = Browser(journey.cast.halden)
    answer = journey.sign_in(browser)
    assert answer.status_code == 403
    return browser


def waiting() -> WaitingSubject:
    return WaitingSubject.objects.get()


def link(journey: Journey, by: User | None = None, pk: str = "") -> int:
    url = f"/advanced/identity-provider/waiting/{pk or waiting().pk}/link/"
    return browser_of(by or journey.cast.aiko).post(url).status_code


def test_it_is_refused_and_waits_and_the_page_says_nothing_of_the_account(journey: Journey) -> None:
    browser = comes_as_somebody_new(journey)
    comes_as_somebody_new(journey)
    assert not is_signed_in(browser, journey.dana)
    assert (waiting().sub, waiting().user, waiting().name) == (NEW, journey.dana, "Dana W.")
    assert journey.refusal().reason == "account_not_linked"
    aiko = browser_of(journey.cast.aiko)
    both = aiko.get(f"/advanced/identity-provider/waiting/{waiting().pk}/").content.decode()
    assert "00u1dana" in both
    assert NEW in both
    assert "Somebody came with the email of Dana Whitfield" in aiko.get("/").content.decode()
    assert "1 person waits for your yes or no." in aiko.get("/advanced/identity-provider/").content.decode()
    assert "Look at both, and decide" in aiko.get(f"/users/{journey.dana.pk}/").content.decode()
    assert NEW in aiko.get("/advanced/identity-provider/waiting/").content.decode()


def test_after_a_yes_the_new_one_comes_in_and_the_old_one_does_not(journey: Journey) -> None:
    roles = list(journey.dana.role_assignments.values_list("pk", flat=True))
    journey.sign_in()
    comes_as_somebody_new(journey)
    assert link(journey) == 302
    assert journey.sessions() == []
    journey.sign_in()
    assert is_signed_in(journey.browser, journey.dana)
    assert list(journey.dana.role_assignments.values_list("pk", flat=True)) == roles
    journey.is_dana()
    before = Browser(journey.cast.halden)
    journey.sign_in(before)
    assert not is_signed_in(before, journey.dana)
    event = Event.objects.of(journey.cast.halden).get(action="subject:linked")
    assert (event.actor, event.target_id, event.details["subject"]) == (journey.cast.aiko, journey.dana.pk, NEW)
    assert OutgoingEmail.objects.get(name="subject_linked").user == journey.dana


def test_after_a_no_it_stays_out_and_waits_no_more(journey: Journey) -> None:
    comes_as_somebody_new(journey)
    browser_of(journey.cast.aiko).post(f"/advanced/identity-provider/waiting/{waiting().pk}/refuse/")
    comes_as_somebody_new(journey)
    assert not WaitingSubject.objects.undecided().exists()
    assert Event.objects.of(journey.cast.halden).filter(action="subject:refused").count() == 1
    journey.is_dana()
    journey.sign_in()
    assert is_signed_in(journey.browser, journey.dana)


def test_a_no_can_be_thought_over_but_not_overlooked(journey: Journey) -> None:
    comes_as_somebody_new(journey)
    aiko, page = browser_of(journey.cast.aiko), f"/advanced/identity-provider/waiting/{waiting().pk}/"
    aiko.post(f"{page}refuse/")
    assert "Nobody waits" in aiko.get("/advanced/identity-provider/waiting/").content.decode()
    kept_out = aiko.get("/advanced/identity-provider/waiting/?kept_out").content.decode()
    assert NEW in kept_out
    assert "Aiko Tanaka" in kept_out
    assert "Somebody else: keep out" not in aiko.get(page).content.decode()
    browser_of(journey.cast.ingrid).post(f"{page}refuse/")
    assert waiting().refused_by == journey.cast.aiko
    assert Event.objects.of(journey.cast.halden).filter(action="subject:refused").count() == 1
    # Whose page was older than the no learns of it first.
    assert link(journey, journey.cast.ingrid) == 409
    assert not Subject.objects.filter(sub=NEW).exists()
    assert aiko.post(f"{page}link/", {"kept_out": "on"}).status_code == 302
    assert Subject.objects.get(user=journey.dana).sub == NEW


def test_somebody_with_a_password_is_moved_by_a_yes_and_the_password_is_gone(journey: Journey) -> None:
    tomas = journey.cast.tomas
    browser = comes_as_somebody_new(journey, tomas.email)
    assert link(journey) == 302
    journey.sign_in(browser)
    assert is_signed_in(browser, tomas)
    tomas.refresh_from_db()
    assert tomas.connection == journey.connection
    assert not tomas.has_usable_password()


def test_a_break_glass_account_never_links(journey: Journey) -> None:
    comes_as_somebody_new(journey, journey.cast.ingrid.email)
    assert not WaitingSubject.objects.exists()
    row = WaitingSubject.objects.create(
        connection=journey.connection, issuer=journey.provider.issuer, sub=NEW, user=journey.cast.ingrid, email="x@y.zz"
    )
    assert link(journey, pk=row.pk) == 409
    assert not Subject.objects.filter(user=journey.cast.ingrid).exists()


def test_nobody_says_yes_for_themselves(journey: Journey) -> None:
    comes_as_somebody_new(journey, journey.cast.aiko.email)
    assert link(journey) == 403
    assert link(journey, journey.cast.ingrid) == 302


def test_an_account_that_is_disabled_or_an_issuer_that_changed_links_nothing(journey: Journey) -> None:
    comes_as_somebody_new(journey)
    User.objects.filter(pk=journey.dana.pk).update(disabled_at=timezone.now())
    assert link(journey) == 409
    User.objects.filter(pk=journey.dana.pk).update(disabled_at=None)
    WaitingSubject.objects.update(issuer="https://another.okta.example")
    assert link(journey) == 409
    WaitingSubject.objects.update(issuer=journey.provider.issuer)
    Connection.objects.update(enabled_at=None, disabled_at=timezone.now())
    assert link(journey) == 409
    assert Subject.objects.get(user=journey.dana).sub == "00u1dana"


def test_the_only_admin_left_can_sign_in_after_being_linked(journey: Journey) -> None:
    """M7."""
    cast = journey.cast
    comes_as_somebody_new(journey, cast.aiko.email)
    User.objects.filter(pk=cast.ingrid.pk).update(disabled_at=timezone.now())
    admin = (Role.ENTERPRISE_ADMIN, None)
    other = make_user(cast.halden, "Not joined by a way in", "n@halden.example", admin, connection=journey.connection)
    assert link(journey, other) == 302  # Aiko comes in by Okta from now on, known by the new subject.
    browser = Browser(cast.halden)
    journey.sign_in(browser)
    assert is_signed_in(browser, cast.aiko)


def test_only_those_who_set_up_connections_decide_and_only_in_their_enterprise(journey: Journey) -> None:
    comes_as_somebody_new(journey)
    assert link(journey, journey.cast.marcus) == 403
    assert link(journey, journey.cast.mallory) == 404
    assert "Look at both" not in browser_of(journey.cast.marcus).get(f"/users/{journey.dana.pk}/").content.decode()
    assert waiting().refused_at is None


@pytest.mark.django_db(transaction=True)
def test_of_two_administrators_saying_yes_at_once_one_links(journey: Journey) -> None:
    comes_as_somebody_new(journey)
    pk, answers, start = waiting().pk, [], threading.Barrier(2)

    def says_yes(admin: User) -> None:
        browser = browser_of(admin)
        start.wait()
        answers.append(browser.post(f"/advanced/identity-provider/waiting/{pk}/link/").status_code)
        connection.close()

    threads = [threading.Thread(target=says_yes, args=(who,)) for who in (journey.cast.aiko, journey.cast.ingrid)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answers) in ([302, 404], [302, 409])
    assert Subject.objects.get(user=journey.dana).sub == NEW
