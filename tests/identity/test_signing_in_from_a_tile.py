"""The tile: a sign-in that the provider begins."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from tests.cast import Browser
from tests.identity.journey import Journey, attempt_cookies, connect, is_signed_in
from users.models import Region

pytestmark = pytest.mark.servers


def initiate(journey: Journey, browser: Browser | None = None, method: str = "get", **said: str) -> HttpResponse:
    """Press the tile; ``iss`` is the provider's own unless given."""
    address = reverse("identity:initiate", args=[journey.connection.pk])
    asked = {name: value for name, value in ({"iss": journey.provider.issuer} | said).items() if value is not None}
    return getattr(browser or journey.browser, method)(address, asked)


def asked(answer: HttpResponse) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()}


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_tile_signs_in(journey: Journey, method: str) -> None:
    """H17, K8: by GET or by POST, from another site, with a fresh attempt."""
    strict = Browser(journey.cast.halden, enforce_csrf_checks=True)
    answer = initiate(journey, strict, method)
    assert answer.status_code == 302
    assert answer["Cache-Control"] == "no-store"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Location"].startswith(f"{journey.provider.issuer}/authorize?")
    assert asked(answer)["code_challenge_method"] == "S256"
    assert strict.get(journey.at_provider(answer["Location"])).status_code == 302
    assert is_signed_in(strict, journey.dana)


def test_each_press_is_an_attempt_of_its_own(journey: Journey) -> None:
    """H17, R13."""
    first, second = asked(initiate(journey)), asked(initiate(journey))
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    "issuer", [None, "", "{issuer}/", "{issuer}/oauth2/default", "https://evil.example", "{ISSUER}", "x" * 9000]
)
def test_another_issuers_tile_is_refused(journey: Journey, issuer: str | None, method: str) -> None:
    """H17: the letter counts, the provider is not visited, and the log says what to compare."""
    said = issuer and issuer.replace("{issuer}", journey.provider.issuer).replace(
        "{ISSUER}", journey.provider.issuer.upper()
    )
    answer = initiate(journey, method=method, iss=said)
    assert answer.status_code == 400
    event = journey.refusal()
    assert event.reason == "initiated_elsewhere"
    assert event.details["expected"] == journey.provider.issuer
    assert event.reference in answer.text
    assert not attempt_cookies(journey.browser)
    assert not journey.provider.requests_to("/authorize")


def test_a_hint_goes_along_as_it_is(journey: Journey) -> None:
    """H17."""
    assert (
        asked(initiate(journey, login_hint="dana.whitfield@halden.example"))["login_hint"]
        == "dana.whitfield@halden.example"
    )


@pytest.mark.parametrize("hint", ["", "d" * 255, "d" * 100_000])
def test_a_hint_that_is_too_long_is_dropped(journey: Journey, hint: str) -> None:
    """H17: half a hint would be a wrong one."""
    assert "login_hint" not in asked(initiate(journey, method="post", login_hint=hint))


def test_a_hint_cannot_add_parameters(journey: Journey) -> None:
    """H30."""
    answer = initiate(journey, login_hint="dana&prompt=none\r\nSet-Cookie: a=b")
    assert asked(answer)["login_hint"] == "dana&prompt=none Set-Cookie: a=b"
    assert "prompt" not in asked(answer)


def test_a_page_of_ours_is_where_it_ends(journey: Journey) -> None:
    """H17."""
    target = journey.cast.halden.url("/users/?status=active")
    back = journey.browser.get(journey.at_provider(initiate(journey, target_link_uri=target)["Location"]))
    assert back["Location"] == "/users/?status=active"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/users/",
        "{origin}.evil.example/",
        "{origin}@evil.example/",
        "{origin}:1/users/",
        "{origin}//evil.example/",
        "{origin}/\\evil.example/",
        "{origin}/\t/evil.example/",
        "{other region}/users/",
        "{origin}",
        "javascript:alert(1)",
        "{origin}/" + "x" * 2000,
        "{origin}/sso/c0nnect10n00/initiate/?iss=x",
    ],
)
def test_any_other_target_is_dropped(journey: Journey, target: str) -> None:
    """H17: the sign-in goes on, and ends at home."""
    target = target.replace("{origin}", journey.cast.halden.origin).replace("{other region}", Region.NA.origin)
    back = journey.browser.get(
        journey.at_provider(initiate(journey, method="post", target_link_uri=target)["Location"])
    )
    assert back["Location"] == reverse("console:dashboard")
    assert is_signed_in(journey.browser, journey.dana)


def test_the_session_there_is_lives_on_until_the_new_one_is_proved(journey: Journey) -> None:
    """H17, R6: pressing the tile ends nothing, nor does a sign-in that fails."""
    journey.sign_in()
    session = journey.sessions()[0].pk
    page = initiate(journey)["Location"]
    assert [one.pk for one in journey.sessions()] == [session]
    journey.provider.person = None
    assert journey.browser.get(journey.at_provider(page)).status_code == 403
    assert [one.pk for one in journey.sessions()] == [session]
    journey.is_dana()
    journey.browser.get(journey.at_provider(initiate(journey)["Location"]))
    assert is_signed_in(journey.browser, journey.dana)
    assert session not in [one.pk for one in journey.sessions()]


def test_a_disabled_connection_says_so(journey: Journey) -> None:
    """H17."""
    journey.connection.disable(timezone.now())
    answer = initiate(journey)
    assert answer.status_code == 403
    assert journey.refusal().reason == "connection_disabled"


def test_a_draft_starts_nothing(journey: Journey) -> None:
    journey.connection.disable(timezone.now())
    draft = connect(journey.cast.halden, journey.provider, journey.cast.ingrid, enabled=False)
    answer = journey.browser.get(reverse("identity:initiate", args=[draft.pk]), {"iss": journey.provider.issuer})
    assert answer.status_code == 403
    assert not journey.provider.requests_to("/authorize")


@pytest.mark.parametrize("method", ["get", "post"])
def test_at_another_regions_address_it_moves_to_its_own(journey: Journey, method: str) -> None:
    """R9: with what it was asked, and nothing else."""
    browser = Browser()
    address = reverse("identity:initiate", args=[journey.connection.pk])
    said = {"iss": journey.provider.issuer, "login_hint": "a&b", "other": "x"}
    answer = getattr(browser, method)(address, said, headers={"host": Region.NA.host})
    assert answer.status_code == 302
    assert answer["Location"].startswith(f"{journey.cast.halden.origin}{address}?")
    assert asked(answer) == {"iss": journey.provider.issuer, "login_hint": "a&b"}


def test_a_provider_that_is_down_is_said_to_be(journey: Journey) -> None:
    journey.provider.close()
    assert initiate(journey).status_code == 503
