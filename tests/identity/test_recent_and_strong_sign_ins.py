"""An enterprise may ask how recently and how strongly people proved who they are; what comes back is checked (K7)."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse

from identity.models import Revision
from tests.cast import Cast
from tests.identity.journey import Journey, sent_to
from tests.identity.setting_up import Desk, words
from tests.provider import Provider, Said

pytestmark = pytest.mark.servers

TWO_FACTORS = "urn:okta:loa:2fa:any"


def asks(journey: Journey, **settings: object) -> None:
    Revision.objects.filter(pk=journey.connection.serving.pk).update(**settings)


def says(journey: Journey, **claims: object) -> None:
    def change(said: Said, request: object) -> Said:
        return {name: value for name, value in (said | claims).items() if value is not None}

    journey.provider.on_id_token = change


def asked_for(journey: Journey) -> dict[str, list[str]]:
    return parse_qs(urlsplit(journey.start()["Location"]).query)


def assert_refused(journey: Journey, answer: HttpResponse, reason: str, title: str = "") -> None:
    assert answer.status_code in (400, 403)
    assert journey.refusal().reason == reason
    assert title in words(answer)
    assert not journey.sessions()


def test_nothing_is_asked_for_unless_somebody_wants_it(journey: Journey) -> None:
    assert not asked_for(journey).keys() & {"max_age", "acr_values"}
    says(journey, auth_time=1, acr="urn:example:weak")
    assert journey.sign_in()["Location"] == "/"


def test_what_is_wanted_is_asked_for(journey: Journey) -> None:
    asks(journey, max_age_minutes=90, acr_values=f"{TWO_FACTORS} urn:okta:loa:2fa:any:ifpossible")
    asked = asked_for(journey)
    assert asked["max_age"] == ["5400"]
    assert asked["acr_values"] == [f"{TWO_FACTORS} urn:okta:loa:2fa:any:ifpossible"]
    asks(journey, max_age_minutes=0)
    assert asked_for(journey)["max_age"] == ["0"]


@pytest.mark.parametrize(
    ("minutes", "age", "is_fine"), [(60, 3000, True), (60, 3700, False), (0, 30, True), (0, 120, False)]
)
def test_a_sign_in_there_must_not_be_older(journey: Journey, minutes: int, age: int, is_fine: bool) -> None:
    """A minute of difference between the clocks is forgiven."""
    asks(journey, max_age_minutes=minutes)
    says(journey, auth_time=int(time.time()) - age)
    answer = journey.sign_in()
    if is_fine:
        assert answer["Location"] == "/"
    else:
        assert_refused(journey, answer, "authentication_too_old", "Okta did not ask you to sign in again")


@pytest.mark.parametrize("auth_time", [None, "now", -1, [1], 1e300])
def test_a_provider_that_does_not_say_when_is_refused(journey: Journey, auth_time: object) -> None:
    asks(journey, max_age_minutes=60)
    says(journey, auth_time=auth_time)
    answer = journey.sign_in()
    assert answer.status_code == 400
    assert journey.refusal().reason in ("missing_claim", "bad_claim")


@pytest.mark.parametrize("acr", [None, "", "0", "urn:okta:loa:1fa:any", TWO_FACTORS.upper(), f"{TWO_FACTORS} x"])
def test_a_weaker_sign_in_is_refused(journey: Journey, acr: str | None) -> None:
    """K7: Okta ignores what it does not support, and answers with what it did instead."""
    asks(journey, acr_values=f"urn:okta:loa:2fa:any:ifpossible {TWO_FACTORS}")
    says(journey, acr=acr)
    answer = journey.sign_in()
    if acr == "":
        assert journey.refusal().reason in ("acr_mismatch", "bad_claim")
    else:
        assert_refused(journey, answer, "acr_mismatch", "Okta did not ask you for enough")


def test_one_of_those_asked_for_is_enough(journey: Journey) -> None:
    asks(journey, acr_values=f"urn:okta:loa:2fa:any:ifpossible {TWO_FACTORS}")
    says(journey, acr=TWO_FACTORS)
    assert journey.sign_in()["Location"] == "/"


def test_it_holds_for_a_first_sign_in_too(journey: Journey) -> None:
    asks(journey, acr_values=TWO_FACTORS)
    journey.is_piotr()
    invitation = journey.invite()
    assert journey.redeem(invitation).status_code == 403
    says(journey, acr=TWO_FACTORS)
    assert journey.redeem(invitation)["Location"] == "/"


def test_a_session_that_goes_on_is_not_asked_how_old_it_is_but_how_strong(journey: Journey) -> None:
    asks(journey, max_age_minutes=0, acr_values=TWO_FACTORS)
    says(journey, acr=TWO_FACTORS)
    journey.sign_in()
    says(journey, acr=TWO_FACTORS, auth_time=int(time.time()) - 3000)
    journey.make_due()
    assert journey.browser.get("/account/").status_code == 200
    says(journey, acr=None)
    journey.make_due()
    assert journey.browser.get("/account/").status_code == 200
    says(journey, acr="urn:okta:loa:1fa:any")
    journey.make_due()
    answer = journey.browser.get("/account/")
    assert answer.status_code == 403
    assert "Okta wants you to sign in again" in words(answer)


def test_so_it_is_with_a_quiet_question(journey: Journey) -> None:
    asks(journey, max_age_minutes=0, acr_values=TWO_FACTORS)
    says(journey, acr=TWO_FACTORS)
    journey.provider.on_token = lambda said, request: {k: v for k, v in said.items() if k != "refresh_token"}
    journey.sign_in()
    journey.make_due()
    url = sent_to(journey.browser.get("/account/"))
    asked = parse_qs(urlsplit(url).query)
    assert asked["acr_values"] == [TWO_FACTORS]
    assert "max_age" not in asked
    says(journey, acr=None)
    assert journey.browser.get(journey.at_provider(url)).status_code == 403
    assert not journey.sessions()


# ---- Setting it up


def test_it_is_set_with_the_other_values_and_is_a_new_revision_to_be_tested(cast: Cast, provider: Provider) -> None:
    """T5: what serves goes on serving until the test has shown that the provider does what it is asked for."""
    desk = Desk(cast.aiko).enabled_at(provider)
    values = {"max_age_minutes": "60", "acr_values": f" {TWO_FACTORS}  {TWO_FACTORS} ", "client_secret": ""}
    answer = desk.save(provider.issuer, **values)
    assert answer.status_code == 302
    desk.connection.refresh_from_db()
    newest = desk.connection.latest
    assert (newest.number, newest.max_age_minutes, newest.acr_values) == (2, 60, TWO_FACTORS)
    assert (newest.tested_at, desk.connection.serving.number) == (None, 1)
    assert desk.events("connection:revised")[0].details["changed"] == "age of sign-ins, authentication contexts"
    assert "Nothing has changed." in words(desk.browser.get(desk.save(provider.issuer, **values)["Location"]))


@pytest.mark.parametrize(
    ("field", "wrong", "error"),
    [
        ("max_age_minutes", "-1", "Enter a whole number from 0 to 43200, or nothing."),
        ("max_age_minutes", "43201", "Enter a whole number from 0 to 43200, or nothing."),
        ("max_age_minutes", "soon", "Enter a whole number from 0 to 43200, or nothing."),
        ("acr_values", "zwei​faktoren", "There is a character that no authentication context has."),
        ("acr_values", "x" * 501, "Ensure this value has at most 500 characters"),
    ],
)
def test_nonsense_is_pointed_out(cast: Cast, provider: Provider, field: str, wrong: str, error: str) -> None:
    desk = Desk(cast.aiko)
    answer = desk.save(provider.issuer, **{field: wrong})
    assert answer.status_code == 422
    assert error in words(answer)


def trial_of(desk: Desk, provider: Provider) -> HttpResponse:
    """Test a sign-in and return what the page of the result says."""
    back = provider.code_for(desk.browser.get(desk.url("test"))["Location"])
    answer = desk.browser.get(desk.url("callback"), back)
    return desk.browser.get(answer["Location"])


def test_the_test_says_what_came_back(cast: Cast, provider: Provider) -> None:
    """And refuses where a real sign-in would: then nothing can be enabled that would lock people out."""
    desk = Desk(cast.aiko)
    assert desk.save(provider.issuer, max_age_minutes="60", acr_values=TWO_FACTORS).status_code == 302
    desk.press("check")
    result = trial_of(desk, provider)
    page = words(result)
    assert "The test failed" in page
    assert "Strength of the sign-in" in page
    assert f"The person signed in with —; asked for was {TWO_FACTORS}." in page
    assert "#id_acr_values" in result.text
    assert desk.connection.latest.tested_at is None
    expiry = int(time.time()) + 3600
    provider.on_id_token = lambda said, request: said | {"acr": TWO_FACTORS, "session_expiry": expiry}
    page = words(trial_of(desk, provider))
    assert f"Among what is asked for: {TWO_FACTORS}." in page
    assert "asked for is less than 60 minutes ago." in page
    assert "A session here ends by then, whatever its own limits are." in page
    assert desk.connection.latest.tested_at is not None
