"""T16: everyone has to use the provider, after proof that it works, with time to get there, and it can be undone."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from audit.models import Event, Result
from identity.models import Connection
from tests.cast import PASSWORD, Browser, browser_of, make_user
from tests.identity.journey import Journey, is_signed_in, link
from tests.smtp import Sink, text_of
from users import tasks
from users.models import Enterprise, OutgoingEmail, Session, User, enterprise_admins
from users.tasks import remind_of_requirement

pytestmark = pytest.mark.servers

PAGE = "/advanced/identity-provider/required/"
UNTESTED = "No break-glass account of an Enterprise Admin was tested in the last 90 days."


@pytest.fixture
def aiko(journey: Journey) -> Browser:
    """Aiko, who has just signed in through Okta; and somebody has tested the break-glass account lately."""
    link(journey.connection, journey.cast.aiko, "00u1aiko")
    User.objects.filter(pk=journey.cast.ingrid.pk).update(break_glass_tested_at=timezone.now() - timedelta(days=89))
    journey.provider.person = {"sub": "00u1aiko", "email": journey.cast.aiko.email, "name": "Aiko Tanaka"}
    journey.sign_in()
    assert is_signed_in(journey.browser, journey.cast.aiko)
    return journey.browser


def require(browser: Browser, grace: str = "7") -> HttpResponse:
    return browser.post(PAGE, {"grace": grace})


def halden(journey: Journey) -> Enterprise:
    return Enterprise.objects.get(pk=journey.cast.halden.pk)


def begin(journey: Journey) -> None:
    """The time given is over."""
    Enterprise.objects.filter(pk=journey.cast.halden.pk).update(provider_required_from=timezone.now())


def local_sign_in(journey: Journey, user: User) -> HttpResponse:
    return Browser(journey.cast.halden).post("/e/halden/local/", {"email": user.email, "password": PASSWORD})


def test_those_who_would_be_locked_out_are_counted_and_listed_alike(journey: Journey, aiko: Browser) -> None:
    """Not the disabled, the invited, nor the break-glass account; but whoever is being switched and has not come."""
    cast = journey.cast
    cast.marcus.disable(timezone.now())
    make_user(cast.halden, "", "new@halden.example", joined_at=None)
    User.objects.filter(pk=cast.tomas.pk).update(switching_to=journey.connection)
    for page in (aiko.get(PAGE).text, require(aiko) and aiko.get(PAGE).text):
        assert "2 people" in page
        [address] = re.findall(r'href="(/users/[^"]+)">See them', page)
        listed = aiko.get(html.unescape(address))
        assert [person.email for person in listed.context["page"].rows] == [cast.oluwaseun.email, cast.tomas.email]
        assert "Status: Active or switching" in listed.text


def test_passwords_stop_working_after_the_time_given_and_everyone_concerned_is_told(
    journey: Journey, aiko: Browser
) -> None:
    assert require(aiko, "14").status_code == 302
    begins = halden(journey).provider_required_from
    assert begins
    assert timedelta(days=13, hours=23) < begins - timezone.now() <= timedelta(days=14)
    told = {email.user.email for email in OutgoingEmail.objects.filter(name="provider_required")}
    cast = journey.cast
    assert told == {cast.marcus.email, cast.tomas.email, cast.oluwaseun.email}
    assert Event.objects.of(cast.halden).get(action="provider:required").details["people_told"] == 3
    marcus = browser_of(cast.marcus)
    assert "Passwords stop working on" in marcus.get("/").content.decode()
    assert "Passwords stop working on" in aiko.get(PAGE).content.decode()


def test_until_then_the_old_way_works_and_afterwards_it_does_not(journey: Journey, aiko: Browser) -> None:
    require(aiko)
    marcus = browser_of(journey.cast.marcus)
    assert marcus.get("/users/").status_code == 200
    begin(journey)
    assert "/login/" in marcus.get("/users/")["Location"]
    refused = local_sign_in(journey, journey.cast.tomas)
    assert refused.status_code == 200
    assert "Passwords are no longer used here." in refused.content.decode()
    assert not Session.objects.filter(user=journey.cast.tomas).exists()
    assert Event.objects.filter(action="session:refused", reason="provider_required").count() == 1
    assert aiko.get("/users/").status_code == 200


def test_a_wrong_password_is_not_told_more_than_before(journey: Journey, aiko: Browser) -> None:
    require(aiko)
    begin(journey)
    page = Browser(journey.cast.halden).post(
        "/e/halden/local/", {"email": journey.cast.tomas.email, "password": "not the password"}
    )
    assert "do not fit together" in page.content.decode()
    assert "no longer used" not in page.content.decode()


def test_the_break_glass_account_keeps_its_password(journey: Journey, aiko: Browser) -> None:
    require(aiko)
    begin(journey)
    ingrid = browser_of(journey.cast.ingrid)
    assert ingrid.get("/users/").status_code == 200
    assert "no longer used" not in local_sign_in(journey, journey.cast.ingrid).content.decode()


def test_it_can_be_undone_also_for_those_who_were_shut_out(journey: Journey, aiko: Browser) -> None:
    require(aiko)
    begin(journey)
    aiko.post(f"{PAGE}release/")
    assert halden(journey).provider_required_from is None
    assert browser_of(journey.cast.tomas).get("/users/").status_code == 200
    assert Event.objects.of(journey.cast.halden).filter(action="provider:released").count() == 1


def test_whoever_was_told_that_passwords_end_is_told_that_they_go_on(
    journey: Journey, aiko: Browser, smtp_sink: Sink
) -> None:
    require(aiko)
    aiko.post(f"{PAGE}release/")
    tasks.sweep()
    cast = journey.cast
    for person in (cast.marcus, cast.tomas, cast.oluwaseun):
        *_, last = smtp_sink.to(person.email)
        assert last["Subject"] == "Your password for Halden Freight goes on working"
        assert "Aiko Tanaka has taken that back: you sign in as before." in text_of(last)
    assert not [mail for mail in smtp_sink.to(cast.ingrid.email) if "goes on working" in mail["Subject"]]


def test_it_ends_with_the_connection_on_record_and_told(journey: Journey, aiko: Browser) -> None:
    require(aiko)
    begin(journey)
    aiko.post(reverse("identity:disable", args=[journey.connection.pk]))
    assert halden(journey).provider_required_from is None
    assert browser_of(journey.cast.tomas).get("/users/").status_code == 200
    assert Event.objects.of(journey.cast.halden).get(action="provider:released").actor == journey.cast.aiko
    cast, told = journey.cast, OutgoingEmail.objects.filter(name="provider_released")
    assert {email.user for email in told} == {cast.marcus, cast.tomas, cast.oluwaseun}
    to_admins = OutgoingEmail.objects.filter(name="connection_changed", context__what="disabled")
    assert {email.context["is_released"] for email in to_admins} == {True}


def test_a_connection_that_was_not_required_ends_without_a_word_about_passwords(
    journey: Journey, aiko: Browser
) -> None:
    aiko.post(reverse("identity:disable", args=[journey.connection.pk]))
    assert Event.objects.of(journey.cast.halden).filter(action="connection:disabled").exists()
    assert not Event.objects.filter(action="provider:released").exists()
    assert not OutgoingEmail.objects.filter(name="provider_released").exists()


def test_requiring_it_twice_changes_no_date_and_tells_nobody_again(journey: Journey, aiko: Browser) -> None:
    require(aiko, "30")
    begins = halden(journey).provider_required_from
    again = require(aiko, "7")
    assert again.status_code == 409
    assert "Take that back first" in again.content.decode()
    assert halden(journey).provider_required_from == begins
    assert OutgoingEmail.objects.filter(name="provider_required").count() == 3
    refusal = Event.objects.of(journey.cast.halden).get(action="provider:required", result=Result.REFUSED)
    assert refusal.reason == "required_already"


def test_who_would_be_locked_out_is_named(journey: Journey, aiko: Browser) -> None:
    page = aiko.get(PAGE).content.decode()
    for name in ("Marcus Feld", "Tomás Herrera", "Oluwaseun Adeyemi"):
        assert f">{name}</a>" in page
    assert ">Ingrid Solberg</a>" not in page
    for number in range(8):
        make_user(journey.cast.halden, f"A person {number}", f"p{number}@halden.example")
    page = aiko.get(PAGE).content.decode()
    assert "and 3 more" in page
    assert ">Marcus Feld</a>" not in page


def test_once_the_day_has_come_the_page_says_so(journey: Journey, aiko: Browser) -> None:
    require(aiko)
    begin(journey)
    assert "Passwords have not worked since" in aiko.get(PAGE).content.decode()


def test_nobody_is_reminded_in_a_closed_enterprise(journey: Journey, aiko: Browser) -> None:
    require(aiko)
    soon = timezone.now() + timedelta(hours=47)
    mine = Enterprise.objects.filter(pk=journey.cast.halden.pk)
    mine.update(provider_required_from=soon, closed_at=timezone.now())
    remind_of_requirement()
    assert not OutgoingEmail.objects.filter(context__is_reminder=True).exists()
    mine.update(closed_at=None)
    remind_of_requirement()
    assert OutgoingEmail.objects.filter(context__is_reminder=True).count() == 3


def refused(browser: Browser, missing: str) -> None:
    page = browser.get(PAGE).content.decode()
    assert missing in page
    answer = require(browser)
    assert answer.status_code == 409
    assert not Enterprise.objects.exclude(provider_required_from=None).exists()


def test_it_is_refused_without_a_fresh_sign_in_through_the_connection(journey: Journey, aiko: Browser) -> None:
    Session.objects.filter(user=journey.cast.aiko).update(proved_at=timezone.now() - timedelta(minutes=11))
    refused(aiko, "Sign in through Okta once more, yourself")
    refused(browser_of(journey.cast.ingrid), "Sign in through Okta once more, yourself")


def test_it_is_refused_when_nobody_knows_whether_the_break_glass_account_works(journey: Journey, aiko: Browser) -> None:
    User.objects.filter(pk=journey.cast.ingrid.pk).update(break_glass_tested_at=timezone.now() - timedelta(days=91))
    refused(aiko, UNTESTED)


def test_it_is_refused_when_the_tested_break_glass_account_is_no_enterprise_admin_any_more(
    journey: Journey, aiko: Browser
) -> None:
    """T16: it gets in, and can repair nothing."""
    journey.cast.ingrid.role_assignments.all().delete()
    refused(aiko, UNTESTED)


def test_it_is_refused_with_an_untested_or_disabled_connection(journey: Journey, aiko: Browser) -> None:
    Connection.objects.update(enabled_at=None)
    refused(aiko, "No connection is enabled for the whole enterprise.")


def test_a_connection_of_one_organization_is_not_enough(journey: Journey, aiko: Browser) -> None:
    Connection.objects.update(organization=journey.cast.oslo)
    refused(aiko, "No connection is enabled for the whole enterprise.")


def test_admins_with_a_password_count_no_more_once_it_is_decided(journey: Journey, aiko: Browser) -> None:
    """M7: with the break-glass account gone, the last admin through Okta stays."""
    assert set(enterprise_admins(journey.cast.halden)) == {journey.cast.ingrid, journey.cast.aiko}
    require(aiko)
    User.objects.filter(pk=journey.cast.ingrid.pk).update(is_break_glass=False)
    assert set(enterprise_admins(journey.cast.halden)) == {journey.cast.aiko}


def test_people_are_reminded_once_shortly_before(journey: Journey, aiko: Browser) -> None:
    require(aiko)
    remind_of_requirement()
    assert not OutgoingEmail.objects.filter(name="provider_required", context__is_reminder=True).exists()
    soon = timezone.now() + timedelta(hours=47)
    Enterprise.objects.filter(pk=journey.cast.halden.pk).update(provider_required_from=soon)
    User.objects.filter(pk=journey.cast.tomas.pk).update(connection=journey.connection)
    remind_of_requirement()
    remind_of_requirement()
    reminded = OutgoingEmail.objects.filter(name="provider_required", context__is_reminder=True)
    assert {email.user.email for email in reminded} == {journey.cast.marcus.email, journey.cast.oluwaseun.email}


def test_other_roles_and_strangers_require_nothing(journey: Journey, aiko: Browser) -> None:
    assert require(browser_of(journey.cast.marcus)).status_code == 403
    require(browser_of(journey.cast.mallory))
    assert not Enterprise.objects.exclude(provider_required_from=None).exists()
