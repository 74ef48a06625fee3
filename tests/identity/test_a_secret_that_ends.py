"""When a secret expires is noted with it, and said wherever it matters, before and after."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from tests.cast import Cast, browser_of
from tests.identity.setting_up import Desk, words
from tests.provider import Provider

pytestmark = pytest.mark.servers


def in_days(days: int) -> date:
    return timezone.now().date() + timedelta(days=days)


def named(day: date) -> str:
    return date_format(day, "j F Y")


@pytest.fixture
def desk(cast: Cast, provider: Provider) -> Desk:
    return Desk(cast.aiko).enabled_at(provider)


def ends(desk: Desk, days: int) -> None:
    """Have the secret that serves end in so many days."""
    desk.connection.secrets.update(expires_on=in_days(days))


# ---- Noting it


def test_it_is_noted_with_the_secret(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    desk.save(secret_expires_on=in_days(180).isoformat())
    assert desk.connection.latest.secret.expires_on == in_days(180)
    assert f"Expires {named(in_days(180))}." in desk.page()


def test_without_a_date_it_does_not_expire(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    desk.save()
    assert desk.connection.latest.secret.expires_on is None
    assert "No date noted" in desk.page()


@pytest.mark.parametrize(
    ("provider", "sentence"),
    [
        ("okta", "Secrets of Okta do not expire: leave it empty."),
        ("entra", "6 months from now unless you chose another."),
        ("duo", "You are reminded 30, 14, 7 and 1 days before."),
    ],
)
def test_the_help_says_what_is_usual_there(cast: Cast, provider: str, sentence: str) -> None:
    assert sentence in Desk(cast.aiko, provider).page()


def test_a_day_that_is_over_or_is_no_day_is_refused(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    answer = desk.save(secret_expires_on=in_days(-1).isoformat())
    assert answer.status_code == 422
    assert "This day is over. Enter the one the provider names." in words(answer)
    answer = desk.save(secret_expires_on="31/02/2027")
    assert "This is no day. Write it like 2027-03-31." in words(answer)
    assert desk.connection.latest is None


def test_changing_only_the_date_needs_no_new_test(desk: Desk, provider: Provider) -> None:
    """No revision comes of it, whichever of the two ways it is changed."""
    secret = desk.connection.secrets.get()
    assert desk.press("secret_expiry", secret.pk, expires_on=in_days(90).isoformat()).status_code == 302
    secret.refresh_from_db()
    assert secret.expires_on == in_days(90)
    desk.save(provider.issuer, client_secret="", secret_expires_on=in_days(60).isoformat())
    secret.refresh_from_db()
    assert secret.expires_on == in_days(60)
    assert desk.connection.revisions.count() == 1
    assert "When the client secret ends is noted. Nothing has to be tested for that." in desk.page()
    dated = desk.events("secret:dated")
    assert [event.details["expires_on"] for event in dated] == [in_days(60).isoformat(), in_days(90).isoformat()]


def test_an_empty_date_beside_an_empty_secret_keeps_the_date(desk: Desk, provider: Provider) -> None:
    ends(desk, 90)
    desk.save(provider.issuer, client_secret="", scopes="openid email")
    assert desk.connection.secrets.get().expires_on == in_days(90)


def test_a_date_can_be_taken_back(desk: Desk) -> None:
    ends(desk, 90)
    secret = desk.connection.secrets.get()
    desk.press("secret_expiry", secret.pk, expires_on="")
    secret.refresh_from_db()
    assert secret.expires_on is None


def test_a_wrong_date_there_is_refused_in_a_sentence(desk: Desk) -> None:
    secret = desk.connection.secrets.get()
    for wrong in ("tomorrow", in_days(-400).isoformat(), "9" * 5000, "\x00"):
        answer = desk.press("secret_expiry", secret.pk, expires_on=wrong)
        assert answer.status_code == 422
    assert not desk.events("secret:dated")


# ---- Saying it


@pytest.mark.parametrize(
    ("days", "when", "is_banner"),
    [
        (45, "", False),
        (30, "expires in 30 days", False),
        (15, "expires in 15 days", False),
        (14, "expires in 14 days", True),
        (1, "expires tomorrow", True),
        (0, "expires today", True),
        (-3, "expired on", True),
    ],
)
def test_who_looks_is_told_in_time(desk: Desk, days: int, when: str, is_banner: bool) -> None:
    """In the list and among the findings from 30 days on; as a banner and on the dashboard from 14."""
    ends(desk, days)
    page, dashboard = desk.page(), words(desk.browser.get("/"))
    listed = words(desk.browser.get(reverse("identity:connections")))
    assert f"{named(in_days(days))}" in page
    assert (f"Client secret {when}" in listed) is bool(when)
    assert (f"The client secret of Okta {when}" in page) is bool(when)
    fact = f"The client secret of Okta {when}"
    assert (fact in dashboard) is is_banner
    assert (fact in listed) is is_banner
    assert page.count(fact) == 2 * is_banner + (bool(when) and not is_banner)


def test_an_expired_secret_is_a_finding_with_its_fix(desk: Desk) -> None:
    ends(desk, -3)
    page = desk.page()
    assert f"Client secret : failed The client secret of Okta expired on {named(in_days(-3))}." in page
    assert "Add a new secret, test it, and use it." in page
    assert "1 finding stands in the way." in page


def test_when_its_successor_is_under_way_the_banner_is_about_that(desk: Desk, provider: Provider) -> None:
    ends(desk, 5)
    desk.save(provider.issuer, client_secret="the-second-secret-of-some-length")
    page = desk.page()
    assert "Revision 2 is not in use until tested and enabled." in page
    assert "Nobody can sign in with Okta after that." not in page


def test_a_public_key_never_ends(desk: Desk, provider: Provider) -> None:
    ends(desk, 5)
    desk.save(provider.issuer, client_secret="", client_authentication="private_key_jwt")
    desk.connection.latest.mark_tested(by=desk.user, at=timezone.now())
    desk.press("enable", revision="2")
    assert "expires in" not in words(desk.browser.get(reverse("identity:connections")))
    assert "A public key, which does not expire" in words(desk.browser.get("/"))


def test_only_who_may_do_something_about_it_is_told(desk: Desk, cast: Cast) -> None:
    ends(desk, 5)
    assert "client secret of Okta" not in words(browser_of(cast.marcus).get("/"))
    assert "client secret of Okta" not in words(browser_of(cast.mallory).get("/"))
