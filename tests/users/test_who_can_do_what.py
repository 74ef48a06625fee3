"""The page that answers who can do one thing, and through which role; the other way round stands on a person's page."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.cast import Browser, Cast, browser_of, make_role, make_user
from users.access import Access, Permission
from users.models import RoleAssignment, User

pytestmark = pytest.mark.servers

SEES = (Permission.SEE_DASHBOARD, Permission.SEE_PEOPLE)


def _answer(browser: Browser, query: str) -> dict[str, list[str]]:
    page = browser.get(f"/users/who-can/{query}")
    assert page.status_code == 200
    return {person.name: [str(given) for given in person.through] for person in page.context["page"].rows}


def test_who_can_do_one_thing_and_through_which_role(cast: Cast) -> None:
    lead = make_role(cast.halden, "Lead", *SEES, Permission.INVITE_PEOPLE)
    RoleAssignment.objects.create(enterprise=cast.halden, user=cast.oluwaseun, custom_role=lead, organization=cast.oslo)
    assert _answer(browser_of(cast.aiko), "?what=invite_people") == {
        "Aiko Tanaka": ["Enterprise Admin, whole enterprise"],
        "Ingrid Solberg": ["Enterprise Admin, whole enterprise"],
        "Marcus Feld": ["Organization Admin, Rotterdam"],
        "Oluwaseun Adeyemi": ["Lead, Oslo terminal"],
        "Tomás Herrera": ["Manager, Rotterdam"],
    }


def test_who_can_do_it_for_one_organization(cast: Cast) -> None:
    """Whoever may do it in the whole enterprise may do it there."""
    found = _answer(browser_of(cast.aiko), f"?what=invite_people&where={cast.rotterdam.pk}")
    assert set(found) == {"Aiko Tanaka", "Ingrid Solberg", "Marcus Feld", "Tomás Herrera"}
    assert set(_answer(browser_of(cast.aiko), f"?what=invite_people&where={cast.oslo.pk}")) == {
        "Aiko Tanaka", "Ingrid Solberg",
    }  # fmt: skip


def test_it_says_the_same_as_the_gate_for_everybody_and_everything(cast: Cast) -> None:
    """Also where a row says something that the gate does not follow."""
    odd = make_role(cast.halden, "Odd", Permission.SEE_AUDIT_LOG, Permission.MANAGE_PEOPLE, Permission.SEE_PEOPLE)
    make_user(cast.halden, "Kari Moe", "kari@halden.example", (odd, cast.oslo), (odd, None))
    make_user(cast.halden, "Lars Vik", "lars@halden.example", (odd, cast.rotterdam))
    browser, people = browser_of(cast.aiko), list(User.objects.of(cast.halden))
    for permission in Permission:
        for place in (None, cast.oslo, cast.rotterdam):
            query = f"?what={permission}" + (f"&where={place.pk}" if place else "")
            able = {person.name for person in people if Access.of(person).may(permission, place)}
            assert set(_answer(browser, query)) == able, query


def test_one_sees_no_more_people_here_than_in_the_list(cast: Cast) -> None:
    assert set(_answer(browser_of(cast.tomas), "?what=see_people")) == {"Marcus Feld", "Tomás Herrera"}
    assert _answer(browser_of(cast.oluwaseun), f"?what=manage_people&where={cast.rotterdam.pk}") == {}


def test_without_a_question_everyone_is_listed_with_all_roles(cast: Cast) -> None:
    make_user(cast.halden, "Nora Berg", "nora@halden.example")
    found = _answer(browser_of(cast.aiko), "")
    assert found["Nora Berg"] == []
    assert found["Tomás Herrera"] == ["Manager, Rotterdam"]
    assert set(_answer(browser_of(cast.aiko), "?q=nora")) == {"Nora Berg"}


@pytest.mark.parametrize("query", ["?what=fly", "?where=%27", "?what=&where=", "?q=%00", "?cursor=nonsense"])
def test_nonsense_in_the_address_is_no_question(cast: Cast, query: str) -> None:
    assert len(_answer(browser_of(cast.aiko), query)) == 5


def test_a_page_costs_at_most_ten_statements_whatever_its_length(cast: Cast) -> None:
    lead = make_role(cast.halden, "Lead", *SEES, Permission.INVITE_PEOPLE)
    browser, costs = browser_of(cast.aiko), []
    for number in (3, 60):
        for n in range(number):
            make_user(
                cast.halden, f"Person {number} {n}", f"p{number}-{n}@halden.example", (lead, cast.oslo), (lead, None)
            )
        with CaptureQueriesContext(connection) as statements:
            browser.get(f"/users/who-can/?what=invite_people&where={cast.oslo.pk}&q=person")
        costs.append(len(statements))
    assert costs[0] == costs[1] <= 10, "\n".join(query["sql"] for query in statements)


def test_following_next_shows_everyone_once(cast: Cast) -> None:
    lead = make_role(cast.halden, "Lead", *SEES)
    for n in range(120):
        make_user(cast.halden, f"Person {n:03}", f"p{n}@halden.example", (lead, None))
    browser, cursor, seen = browser_of(cast.aiko), "", []
    for _page in range(3):
        found = browser.get(f"/users/who-can/?what=see_dashboard&q=person&cursor={cursor}").context["page"]
        seen += [person.name for person in found.rows]
        cursor = found.next
    assert seen == [f"Person {n:03}" for n in range(120)]
    assert cursor == ""


def test_what_one_person_can_do_names_the_role_of_ones_own(cast: Cast) -> None:
    lead = make_role(cast.halden, "Lead", *SEES, Permission.MANAGE_PEOPLE)
    RoleAssignment.objects.create(enterprise=cast.halden, user=cast.tomas, custom_role=lead)
    rows = browser_of(cast.aiko).get(f"/users/{cast.tomas.pk}/abilities/").context["rows"]
    through = {str(row["words"]): [str(given) for given in row["through"]] for row in rows}
    assert through["See people"] == ["Lead, whole enterprise"]
    assert through["Invite people, and send invitations again"] == ["Manager, Rotterdam"]


def test_a_stranger_sees_only_the_own_people(cast: Cast) -> None:
    """T11."""
    for query in ("?what=see_people", f"?what=see_people&where={cast.oslo.pk}", "?q=halden"):
        assert set(_answer(browser_of(cast.mallory), query)) <= {"Mallory Stone"}
