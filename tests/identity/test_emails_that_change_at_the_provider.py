"""Somebody's email changes at the provider: shown as a difference, or followed, as the administrator picked."""

from __future__ import annotations

import pytest

from audit.models import Event
from identity.models import Connection, EmailRule
from tests.cast import browser_of, make_user
from tests.identity.journey import Journey, is_signed_in
from users.models import OutgoingEmail, User

pytestmark = pytest.mark.servers

OLD, NEW = "dana.whitfield@halden.example", "dana.ek@halden.example"


def renamed(journey: Journey, email: str = NEW) -> None:
    journey.provider.person = {**journey.provider.person, "email": email}


def follow(journey: Journey) -> None:
    Connection.objects.filter(pk=journey.connection.pk).update(email_rule=EmailRule.FOLLOW)


def dana(journey: Journey) -> User:
    return User.objects.get(pk=journey.dana.pk)


def actions(journey: Journey) -> list[str]:
    events = Event.objects.of(journey.cast.halden).filter(action__startswith="user:email")
    return [event.action for event in events.order_by("at", "id")]


def test_the_difference_is_shown_and_the_account_stays_the_same(journey: Journey) -> None:
    """T7: the subject is the key, so a new email is never a new account."""
    before = User.objects.count()
    renamed(journey)
    journey.sign_in()
    journey.sign_in()
    assert is_signed_in(journey.browser, journey.dana)
    assert User.objects.count() == before
    assert (dana(journey).email, dana(journey).provider_email) == (OLD, NEW)
    assert actions(journey) == ["user:email-differs"]
    aiko = browser_of(journey.cast.aiko)
    page = aiko.get(f"/users/{journey.dana.pk}/").content.decode()
    assert f"Okta says <bdi>{NEW}</bdi>" in page
    assert "Dana Whitfield has another email at the provider" in aiko.get("/").content.decode()


def test_the_same_address_in_another_spelling_is_no_difference(journey: Journey) -> None:
    renamed(journey, "Dana.Whitfield@HALDEN.example")
    journey.sign_in()
    assert dana(journey).provider_email == ""
    assert actions(journey) == []


def test_an_administrator_takes_the_new_address(journey: Journey) -> None:
    renamed(journey)
    journey.sign_in()
    aiko = browser_of(journey.cast.aiko)
    assert aiko.post(f"/users/{journey.dana.pk}/email/take/").status_code == 302
    assert (dana(journey).email, dana(journey).provider_email) == (NEW, "")
    to = {email.context.get("to") for email in OutgoingEmail.objects.filter(name="email_changed")}
    assert to == {OLD, NEW}
    again = aiko.post(f"/users/{journey.dana.pk}/email/take/")
    assert again.status_code == 422
    assert "Nothing is to be done." in again.content.decode()


def test_what_is_posted_along_is_not_the_address_that_is_taken(journey: Journey) -> None:
    renamed(journey)
    journey.sign_in()
    browser_of(journey.cast.aiko).post(f"/users/{journey.dana.pk}/email/take/", {"email": "else@evil.example"})
    assert dana(journey).email == NEW


def test_an_administrator_keeps_the_old_address_until_the_provider_names_yet_another(journey: Journey) -> None:
    renamed(journey)
    journey.sign_in()
    aiko = browser_of(journey.cast.aiko)
    aiko.post(f"/users/{journey.dana.pk}/email/keep/")
    page = aiko.get(f"/users/{journey.dana.pk}/").content.decode()
    assert "Okta says" not in page
    assert NEW in page  # Among the facts.
    journey.sign_in()
    assert not dana(journey).has_email_to_decide
    renamed(journey, "dana.third@halden.example")
    journey.sign_in()
    assert dana(journey).has_email_to_decide


def test_a_difference_to_a_new_address_is_to_be_decided_anew(journey: Journey) -> None:
    """Also while the provider goes on naming the same: what was kept was another address."""
    renamed(journey)
    journey.sign_in()
    aiko = browser_of(journey.cast.aiko)
    aiko.post(f"/users/{journey.dana.pk}/email/keep/")
    aiko.post(f"/users/{journey.dana.pk}/email/", {"email": "dana.third@halden.example"})
    journey.sign_in()
    assert dana(journey).has_email_to_decide
    assert "Okta says" in aiko.get(f"/users/{journey.dana.pk}/").content.decode()


def test_a_difference_that_is_over_is_forgotten(journey: Journey) -> None:
    renamed(journey)
    journey.sign_in()
    renamed(journey, OLD)
    journey.sign_in()
    assert dana(journey).provider_email == ""


def test_a_provider_that_sends_no_email_changes_nothing(journey: Journey) -> None:
    renamed(journey)
    journey.sign_in()
    journey.provider.person = {"sub": "00u1dana", "name": "Dana"}
    journey.sign_in()
    assert dana(journey).provider_email == NEW


def test_the_address_is_followed_where_that_is_the_rule(journey: Journey) -> None:
    follow(journey)
    renamed(journey)
    journey.sign_in()
    found = dana(journey)
    assert (found.email, found.email_confirmed_at, found.provider_email) == (NEW, None, "")
    assert actions(journey) == ["user:email-changed"]
    names = sorted(OutgoingEmail.objects.filter(user=journey.dana).values_list("name", flat=True))
    assert names == ["confirm_email", "email_changed", "email_changed"]


def test_an_address_somebody_else_has_is_shown_and_not_followed(journey: Journey) -> None:
    follow(journey)
    make_user(journey.cast.halden, "Another Dana", NEW)
    renamed(journey)
    journey.sign_in()
    assert is_signed_in(journey.browser, journey.dana)
    assert (dana(journey).email, dana(journey).provider_email) == (OLD, NEW)
    refused = browser_of(journey.cast.aiko).post(f"/users/{journey.dana.pk}/email/take/")
    assert refused.status_code == 422
    assert "Somebody in Halden Freight has this address." in refused.content.decode()
    assert dana(journey).email == OLD


def test_an_address_that_is_none_is_never_followed(journey: Journey) -> None:
    follow(journey)
    renamed(journey, "dana@" + "x" * 70 + ".example")
    journey.sign_in()
    assert is_signed_in(journey.browser, journey.dana)
    assert dana(journey).email == OLD


def test_the_rule_is_picked_on_the_connection_and_on_record(journey: Journey) -> None:
    url = f"/advanced/identity-provider/{journey.connection.pk}/email-rule/"
    aiko = browser_of(journey.cast.aiko)
    assert aiko.post(url, {"email_rule": "follow"}).status_code == 302
    assert Connection.objects.get(pk=journey.connection.pk).email_rule == EmailRule.FOLLOW
    assert Event.objects.of(journey.cast.halden).get(action="connection:email-rule-changed").details["rule"] == "follow"
    assert aiko.post(url, {"email_rule": "nonsense"}).status_code == 422
    assert browser_of(journey.cast.mallory).post(url, {"email_rule": "show"}).status_code == 404
    assert Connection.objects.get(pk=journey.connection.pk).email_rule == EmailRule.FOLLOW


def test_a_stranger_and_lesser_roles_decide_nothing(journey: Journey) -> None:
    renamed(journey)
    journey.sign_in()
    for act in ("take", "keep"):
        assert browser_of(journey.cast.mallory).post(f"/users/{journey.dana.pk}/email/{act}/").status_code == 404
        assert browser_of(journey.cast.oluwaseun).post(f"/users/{journey.dana.pk}/email/{act}/").status_code == 403
    assert dana(journey).has_email_to_decide
