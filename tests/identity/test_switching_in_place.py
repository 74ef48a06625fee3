"""The sign-in that switches somebody: the emailed link, and a proven sign-in with that email; then, in one transaction,
the subject is bound and the old way ends.
"""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from audit.models import Event
from identity.models import Connection, Subject
from invitations import cookies
from invitations.models import Move, Stage
from tests.cast import Browser, Cast, browser_of
from tests.identity.journey import Journey, connect, is_signed_in, sent_to
from tests.identity.switching import (
    PATH,
    fresh,
    nothing_has_changed,
    opened,
    opened_and_pressed,
    pressed,
    signs_in_with_password,
    switched,
)  # fmt: skip
from tests.invitations.switching import begin, carry_out
from users.models import User

pytestmark = pytest.mark.servers


def test_the_first_sign_in_ends_the_old_way_and_keeps_the_rest(journey: Journey, move: Move) -> None:
    """The whole of it: subject bound, password gone, older sessions ended, roles and history as they were."""
    tomas = journey.cast.tomas
    roles = list(tomas.role_assignments.values())
    history = set(Event.objects.filter(actor=tomas).values_list("pk", flat=True))
    elsewhere = browser_of(tomas)
    answer = switched(journey, move)
    assert answer["Location"] == "/"
    assert is_signed_in(journey.browser, tomas)
    tomas.refresh_from_db()
    assert tomas.connection == journey.connection
    assert tomas.switching_to is None
    assert not tomas.has_usable_password()
    assert tomas.name == "Tomás Herrera"
    assert Subject.objects.get(user=tomas).sub == "00u1tomas"
    assert list(tomas.role_assignments.values()) == roles
    assert history <= set(Event.objects.filter(actor=tomas).values_list("pk", flat=True))
    assert tomas.sessions.count() == 1
    assert elsewhere.get("/account/").status_code == 302
    assert fresh(move).stage(timezone.now()) == Stage.DONE
    assert journey.browser.cookies[cookies.SWITCH_NAME].value == ""
    event = Event.objects.get(action="switch:redeemed")
    assert (event.actor, event.target_label, event.details["before"]) == (tomas, "Okta", "password")
    assert "You sign in with Okta from now on." in journey.browser.get("/account/").text
    assert tomas.outgoing_emails.get().name == "switched"


def test_from_then_on_okta_is_the_way_and_the_password_is_not(journey: Journey, move: Move) -> None:
    switched(journey, move)
    assert not signs_in_with_password(journey.cast.tomas)
    browser = Browser(journey.cast.halden)
    assert journey.sign_in(browser)["Location"] == "/"
    assert is_signed_in(browser, journey.cast.tomas)


def test_all_of_it_is_one_transaction(journey: Journey, move: Move) -> None:
    """T10: when the last step fails, the first has not happened."""
    page = sent_to(opened_and_pressed(journey, move))
    with database.cursor() as cursor:
        cursor.execute("ALTER TABLE identity_grant ADD CONSTRAINT nobody CHECK (sub <> '00u1tomas')")
    journey.browser.raise_request_exception = False
    try:
        assert journey.browser.get(journey.at_provider(page)).status_code == 500
    finally:
        with database.cursor() as cursor:
            cursor.execute("ALTER TABLE identity_grant DROP CONSTRAINT nobody")
    assert nothing_has_changed(journey.cast.tomas)
    assert fresh(move).redeemed_at is None


def test_whoever_is_signed_in_with_the_password_goes_straight_on(journey: Journey, move: Move) -> None:
    browser = browser_of(journey.cast.tomas)
    assert "Continue with Okta" in opened(journey, move, browser).text
    assert switched(journey, move, browser)["Location"] == "/"
    assert is_signed_in(browser, journey.cast.tomas)


def test_somebody_else_who_is_signed_in_is_asked_to_sign_out_first(journey: Journey, move: Move) -> None:
    page = opened(journey, move, browser_of(journey.cast.aiko)).text
    assert "Aiko Tanaka is signed in to Halden Freight in this browser." in page
    assert "tomas" not in page.lower()


# ---- The link


def test_opening_it_changes_nothing_and_the_secret_leaves_the_address(journey: Journey, move: Move) -> None:
    """T9: also for a mail scanner, which sends HEAD or GET and keeps no cookies."""
    before = Move.objects.filter(pk=move.pk).values().get()
    for _ in range(3):
        scanner = Client(headers={"host": journey.cast.halden.origin.split("://")[1]})
        for answer in (scanner.get(f"{PATH}{move.token}/"), scanner.head(f"{PATH}{move.token}/")):
            assert answer["Location"] == PATH
            assert answer["Referrer-Policy"] == "no-referrer"
            assert "no-store" in answer["Cache-Control"]
            assert move.token not in str(answer.headers)
    opened(journey, move)
    assert Move.objects.filter(pk=move.pk).values().get() == before
    assert nothing_has_changed(journey.cast.tomas)


def test_the_page_does_not_say_for_whom_it_is(journey: Journey, move: Move) -> None:
    page = opened(journey, move).text
    assert "Aiko Tanaka is switching you" in page
    assert "tom" not in page.lower().replace("bottom", "").replace("customs", "")


def test_the_secret_is_nowhere_in_the_database_and_is_not_an_invitations(journey: Journey, move: Move) -> None:
    """T9: 256 bits, stored hashed."""
    assert len(move.token) == 64
    assert not any(move.token in str(value) for value in Move.objects.filter(pk=move.pk).values().get().values())
    page = journey.browser.get(f"/invitations/{move.token}/", follow=True)
    assert page.status_code == 404


def test_a_cookie_of_an_invitation_is_none_of_a_switch(journey: Journey, move: Move) -> None:
    response = HttpResponse()
    cookies.keep(response, move.token)
    journey.browser.cookies[cookies.SWITCH_NAME] = response.cookies[cookies.NAME].value
    assert journey.browser.get(PATH).status_code == 404


def test_the_button_needs_the_pages_own_token(journey: Journey, move: Move) -> None:
    """Another site cannot press it for somebody."""
    strict = Browser(journey.cast.halden, enforce_csrf_checks=True)
    strict.get(f"{PATH}{move.token}/", follow=True)
    assert strict.post(f"/sso/{journey.connection.pk}/start/?for=switch").status_code == 403


def test_without_the_link_a_sign_in_there_switches_nobody(journey: Journey, move: Move) -> None:
    """T7: never by the email alone."""
    answer = journey.sign_in()
    assert answer.status_code == 403
    assert journey.refusal().reason == "switch_waiting"
    assert "Open the link in your email first" in answer.text
    assert nothing_has_changed(journey.cast.tomas)


def test_a_newer_link_ends_the_older(journey: Journey, move: Move) -> None:
    """T10."""
    Move.objects.get(pk=move.pk).remind(timezone.now())
    assert opened(journey, move).status_code == 404
    assert pressed(journey).status_code == 403
    assert journey.refusal().reason == "switch_gone"
    newer = fresh(move)
    newer.keep_token()
    assert switched(journey, newer)["Location"] == "/"


def test_without_any_link(journey: Journey) -> None:
    assert pressed(journey).status_code == 403
    assert journey.refusal().reason == "switch_gone"


def test_a_page_left_open_over_a_resend_says_so_at_the_button(journey: Journey, move: Move) -> None:
    opened(journey, move)
    Move.objects.get(pk=move.pk).remind(timezone.now())
    answer = pressed(journey)
    assert answer.status_code == 403
    assert "This link is no longer good" in answer.text


# ---- From one connection to another


def test_somebody_who_signs_in_by_a_connection_moves_to_another(journey: Journey) -> None:
    """T7: the subject is bound anew by a proven sign-in at the new one; until then the old one is the way."""
    cast = journey.cast
    old = journey.connection
    old.organization = cast.oslo
    old.save()
    new = connect(cast.halden, journey.provider, cast.ingrid)
    move = _moving(cast, journey.dana, new)
    assert journey.sign_in()["Location"] == "/"
    journey.provider.person = {"sub": "00u2dana", "email": "dana.whitfield@halden.example"}
    journey.connection = new
    browser = Browser(cast.halden)
    answer = switched(journey, move, browser)
    assert answer["Location"] == "/"
    journey.dana.refresh_from_db()
    assert journey.dana.connection == new
    assert [(s.connection, s.sub) for s in journey.dana.subjects.all()] == [(new, "00u2dana")]
    assert not is_signed_in(journey.browser, journey.dana)
    assert is_signed_in(browser, journey.dana)
    journey.connection = old
    journey.is_dana()
    assert journey.sign_in(Browser(cast.halden)).status_code == 403


def _moving(cast: Cast, person: User, to: Connection) -> Move:
    batch = carry_out(begin(browser_of(cast.aiko), person, to=to.pk))
    move = batch.moves.select_related("enterprise", "user", "batch", "connection", "leaving").get()
    move.keep_token()
    return move
