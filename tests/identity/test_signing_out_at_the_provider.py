"""Signing out here first, and then at the provider."""

from __future__ import annotations

import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from audit.models import Event
from identity.providers import door
from tests.cast import Browser, browser_of
from tests.identity.journey import Journey, connect, is_signed_in, sent_to
from tests.provider import Reply, Request
from users.models import Region, Session

pytestmark = pytest.mark.servers


def asked(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def seen(page: HttpResponse) -> str:
    return re.sub(r'"x-csrftoken": "\w+"', "", page.text)


def followed(journey: Journey, page: HttpResponse) -> str:
    """Go where the page moves on to, through a page of ours if it is one, and return the last address."""
    url = sent_to(page)
    return str(journey.browser.get(url)["Location"]) if url.startswith("/") else url


def test_signing_out_ends_the_session_here_and_leads_on(journey: Journey) -> None:
    """H19: with the client, the page to come back to, a state, and nothing else."""
    journey.sign_in()
    page = journey.browser.post("/logout/")
    assert page.status_code == 200
    assert not journey.sessions()
    assert not is_signed_in(journey.browser, journey.dana)
    assert page["Cache-Control"] == "no-store"
    assert page["Referrer-Policy"] == "no-referrer"
    url = sent_to(page)
    assert url.startswith(f"{journey.provider.issuer}/logout?")
    assert f'href="{url}"'.replace("&", "&amp;") in page.text
    query = asked(url)
    assert set(query) == {"client_id", "post_logout_redirect_uri", "state"}
    assert query["client_id"] == ["gatehouse"]
    assert query["post_logout_redirect_uri"] == [
        journey.cast.halden.url(reverse("identity:signed_out", args=[journey.connection.pk]))
    ]
    event = Event.objects.of(journey.cast.halden).filter(action="session:ended").get()
    assert (event.actor_id, event.reason) == (journey.dana.pk, "signed_out")


def test_each_time_with_another_state(journey: Journey) -> None:
    """H19, R13."""
    states = set()
    for _ in range(3):
        journey.sign_in()
        states.add(asked(sent_to(journey.browser.post("/logout/")))["state"][0])
    assert len(states) == 3


@pytest.mark.parametrize(
    "query", ["", "?state=", "?state=somebody-elses", "?error=access_denied", "?state=<b>&iss=x&next=//evil"]
)
def test_the_page_one_comes_back_to_is_the_same_for_all(journey: Journey, query: str) -> None:
    """H19: with the state, with another one, with none."""
    address = reverse("identity:signed_out", args=[journey.connection.pk])
    plain = Browser(journey.cast.halden).get(address)
    page = Browser(journey.cast.halden).get(address + query)
    assert page.status_code == 200
    assert page["Cache-Control"] == "no-store"
    assert page["Referrer-Policy"] == "no-referrer"
    assert "evil" not in page.text
    assert seen(page) == seen(plain)
    assert 'href="/e/halden/"' in page.text


def test_it_ends_nothing_by_itself(journey: Journey) -> None:
    """A link to it signs nobody out."""
    journey.sign_in()
    journey.browser.get(reverse("identity:signed_out", args=[journey.connection.pk]))
    journey.browser.get(reverse("identity:logout_at_provider", args=[journey.connection.pk]))
    assert is_signed_in(journey.browser, journey.dana)


def test_the_way_back_is_the_regions_whatever_the_request_says(journey: Journey) -> None:
    """R9."""
    for host in (Region.NA.host, "eu.localhost:1"):
        answer = Browser().get(
            reverse("identity:logout_at_provider", args=[journey.connection.pk]), headers={"host": host}
        )
        assert asked(answer["Location"])["post_logout_redirect_uri"][0].startswith(f"{journey.cast.halden.origin}/sso/")


def test_a_provider_without_sign_out_is_left_alone(journey: Journey) -> None:
    """H19: Google is one."""
    journey.provider.on_discovery = lambda said, request: {
        name: value for name, value in said.items() if name != "end_session_endpoint"
    }
    journey.sign_in()
    assert journey.browser.post("/logout/")["Location"] == "/e/halden/"
    assert not journey.sessions()


def test_a_query_of_the_endpoints_own_is_kept(journey: Journey) -> None:
    """H31: except for what is ours to say."""
    journey.provider.on_discovery = lambda said, request: (
        said | {"end_session_endpoint": f"{journey.provider.issuer}/logout?tenant=7&client_id=evil"}
    )
    journey.sign_in()
    query = asked(sent_to(journey.browser.post("/logout/")))
    assert query["tenant"] == ["7"]
    assert query["client_id"] == ["gatehouse"]


def test_a_provider_that_is_down_holds_nobody_up(journey: Journey) -> None:
    """H19: its metadata is known, so nothing is asked; the session is over before anything else."""
    journey.sign_in()
    journey.provider.close()
    before = len(journey.provider.requests)
    page = journey.browser.post("/logout/")
    assert not journey.sessions()
    assert sent_to(page).startswith(journey.provider.issuer)
    assert len(journey.provider.requests) == before


def test_a_provider_not_met_yet_is_asked_after_the_session_is_over(journey: Journey) -> None:
    """H19: in another request, since it might take its time."""
    journey.sign_in()
    door().cache.forget(journey.provider.issuer)
    before = len(journey.provider.requests)
    page = journey.browser.post("/logout/")
    assert not journey.sessions()
    assert len(journey.provider.requests) == before
    assert sent_to(page) == reverse("identity:logout_at_provider", args=[journey.connection.pk])
    onward = journey.browser.get(sent_to(page))
    assert onward["Location"].startswith(f"{journey.provider.issuer}/logout?")
    assert onward["Cache-Control"] == "no-store"


def test_a_provider_not_met_yet_that_is_down_or_hangs_is_left_alone(journey: Journey) -> None:
    """H19: bounded, and it ends on a page that says what is so."""
    journey.sign_in()
    door().cache.forget(journey.provider.issuer)
    journey.provider.on_discovery = lambda said, request: Reply(500)
    began = time.monotonic()
    assert followed(journey, journey.browser.post("/logout/")) == reverse(
        "identity:signed_out", args=[journey.connection.pk]
    )
    assert time.monotonic() - began < 10
    assert not journey.sessions()


def test_endpoints_nobody_said_yes_to_are_not_visited(journey: Journey) -> None:
    """H31."""
    journey.sign_in()
    door().cache.forget(journey.provider.issuer)
    journey.provider.on_discovery = lambda said, request: said | {"end_session_endpoint": "https://evil.example/logout"}
    assert followed(journey, journey.browser.post("/logout/")) == reverse(
        "identity:signed_out", args=[journey.connection.pk]
    )


def test_a_password_session_ends_here_and_asks_no_provider(journey: Journey) -> None:
    """H19: also when the enterprise has one."""
    for user in (journey.cast.aiko, journey.cast.ingrid, journey.dana):
        assert browser_of(user).post("/logout/")["Location"] == "/e/halden/"
    assert not Session.objects.exists()


def test_after_the_issuer_has_changed_the_old_one_is_not_visited(journey: Journey) -> None:
    journey.sign_in()
    journey.connection.serving.issuer = "https://elsewhere.example"
    journey.connection.serving.save()
    assert journey.browser.post("/logout/")["Location"] == "/e/halden/"
    assert not journey.sessions()


def test_signing_out_for_an_invitation_comes_back_to_it(journey: Journey) -> None:
    """Not to the provider: the invitation is waiting."""
    journey.sign_in()
    assert journey.browser.post("/logout/", {"next": "/invitations/open/"})["Location"] == "/invitations/open/"
    assert not journey.sessions()


def test_a_session_that_is_over_is_led_to_the_entrance(journey: Journey) -> None:
    journey.sign_in()
    Session.objects.all().delete()
    assert journey.browser.post("/logout/")["Location"] == "/login/"


def test_a_disabled_connections_provider_is_not_visited(journey: Journey) -> None:
    journey.connection.disable(timezone.now())
    draft = connect(journey.cast.halden, journey.provider, journey.cast.ingrid, enabled=False)
    for connection in (journey.connection, draft):
        answer = journey.browser.get(reverse("identity:logout_at_provider", args=[connection.pk]))
        assert answer["Location"] == reverse("identity:signed_out", args=[connection.pk])


def test_there_and_back_again(journey: Journey) -> None:
    """H19: what the provider answers is the way to our page."""
    journey.sign_in()
    url = sent_to(journey.browser.post("/logout/"))
    query = {name: values[0] for name, values in asked(url).items()}
    back = journey.provider.answer(Request("GET", urlsplit(url).path, query, {}, {})).headers["Location"]
    assert back.startswith(journey.cast.halden.origin)
    assert journey.browser.get(back.removeprefix(journey.cast.halden.origin)).status_code == 200
