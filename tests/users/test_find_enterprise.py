"""T12: finding one's enterprise says nothing about who has an account where."""

from __future__ import annotations

import re

import pytest
from django.db import connection as database
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.cast import Browser, Cast, make_enterprise, make_user
from tests.factors import give_app, sign_in_with
from tests.smtp import Sink, link_in
from users import tasks
from users.models import Region

pytestmark = pytest.mark.servers

# The same page is never the same bytes: its token is masked anew each time.
_TOKEN = re.compile(r"\b[0-9A-Za-z]{64}\b")


def find(where: str, browser: Browser | None = None, **more: str) -> HttpResponse:
    return (browser or Browser()).post("/login/", {"where": where, **more})


@pytest.mark.parametrize(
    "where", ["halden", "HALDEN", " halden ", "/e/halden", "https://eu.gatehouse.example/e/halden/local/?x=1"]
)
def test_an_address_leads_to_its_page(cast: Cast, where: str) -> None:
    assert find(where)["Location"] == "/e/halden/"
    assert find(where, next="/users/")["Location"] == "/e/halden/?next=%2Fusers%2F"


def test_an_unknown_address_is_answered_alike_and_without_looking(db: None) -> None:
    with CaptureQueriesContext(database) as queries:
        answer = find("nowhere-here")
    assert (answer.status_code, answer["Location"]) == (302, "/e/nowhere-here/")
    assert len(queries) == 0
    page = Browser().get("/e/nowhere-here/")
    assert page.status_code == 404
    assert "There is no enterprise at this address" in page.content.decode()
    for path in ("/e/nowhere-here/local/", "/e/nowhere-here/local/forgotten/"):
        assert Browser().get(path).status_code == 404
        assert Browser().post(path, {"email": "a@b.example", "password": "x"}).status_code == 404


def test_an_email_is_answered_by_email_one_for_each_enterprise(cast: Cast, smtp_sink: Sink) -> None:
    other = make_enterprise("Other", "other", Region.AU)
    make_user(other, "Aiko", "AIKO.tanaka@halden.example")
    make_user(make_enterprise("Gone", "gone"), "Aiko", cast.aiko.email, disabled_at=timezone.now())
    answer = find("Aiko.Tanaka@halden.example")
    assert answer["Location"] == "/login/?sent"
    assert "Look into your mailbox" in Browser().get("/login/?sent").content.decode()
    tasks.sweep()
    assert [(m["To"], m["Subject"], link_in(m)) for m in smtp_sink.messages] == [
        ("aiko.tanaka@halden.example", "The sign-in page of Halden Freight", "/e/halden/"),
        ("AIKO.tanaka@halden.example", "The sign-in page of Other", "/e/other/"),
    ]


def test_the_answer_and_the_work_are_the_same_for_known_and_unknown(cast: Cast) -> None:
    seen = set()
    for number, email in enumerate((cast.aiko.email, "nobody@halden.example")):
        browser = Browser(REMOTE_ADDR=f"198.51.100.{number}")
        with CaptureQueriesContext(database) as queries:
            answer = find(email, browser)
        work = tuple(" ".join(q["sql"].split()[:3]) for q in queries if "SAVEPOINT" not in q["sql"])
        page = browser.get(answer["Location"])
        seen.add((answer.status_code, answer["Location"], _TOKEN.sub("", page.content.decode()), work))
    assert len(seen) == 1


@pytest.mark.parametrize(
    "where", ["", "a b", "x@", "@", "ha", "https://evil.example/", "a@b", "\x00", "x" * 400, "-x-"]
)
def test_nonsense_is_said_to_be_neither(db: None, where: str) -> None:
    response = find(where)
    assert response.status_code == 200
    assert list(response.context["form"].errors) == ["where"]


def test_a_browser_that_has_signed_in_comes_back_to_its_own_door(cast: Cast) -> None:
    browser = Browser(cast.halden)
    assert browser.get("/account/", follow=True).redirect_chain == [("/login/?next=/account/", 302)]
    sign_in_with(give_app(cast.aiko), browser, cast.aiko)
    hint = browser.cookies["enterprise"]
    assert (hint.value, hint["httponly"], hint["samesite"], hint["path"]) == ("halden", True, "Lax", "/")
    browser.post("/logout/")
    browser.get("/")
    answer = browser.get("/login/?next=/account/")
    assert answer["Location"] == f"{Region.EU.origin}/e/halden/?next=%2Faccount%2F"
    assert browser.get("/login/?other").status_code == 200


def test_looking_at_a_page_does_not_make_it_ones_own(cast: Cast) -> None:
    """A link to somebody else's enterprise must not be what an expired session leads to."""
    browser = Browser(cast.halden)
    browser.get("/e/stranger/")
    browser.get("/e/stranger/local/")
    assert browser.get("/login/").status_code == 200


@pytest.mark.parametrize("hint", ["gone-by-now", "../../x", "'; drop table", "x" * 5000])
def test_a_hint_that_leads_nowhere_is_ignored(db: None, hint: str) -> None:
    browser = Browser()
    browser.cookies["enterprise"] = hint
    assert browser.get("/login/").status_code == 200


def test_an_unsafe_next_is_dropped_on_the_way(cast: Cast) -> None:
    assert find("halden", next="https://evil.example/")["Location"] == "/e/halden/"
    assert "evil" not in Browser().get("/login/?next=//evil.example").content.decode()
