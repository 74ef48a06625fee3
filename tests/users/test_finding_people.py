"""The list of people: who is in it, in which order, found how, at which cost."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from identity.models import Connection, Provider
from tests.cast import Browser, Cast, browser_of, make_user
from users.models import Role, RoleAssignment, User

pytestmark = pytest.mark.servers


def _names(browser: Browser, query: str = "") -> list[str]:
    page = browser.get(f"/users/{query}")
    assert page.status_code == 200
    return re.findall(r'<span class="person-text"><a href="/users/\w+/"><bdi>([^<]*)</bdi>', page.content.decode())


def _crowd(cast: Cast, number: int) -> list[User]:
    """People with every kind of row that a line of the list shows."""
    okta = Connection.objects.create(enterprise=cast.halden, provider=Provider.OKTA)
    now = timezone.now()
    users = User.objects.bulk_create(
        User(
            enterprise=cast.halden, name=f"Person {n:04}", email=f"p{n:04}@halden.example",
            email_folded=f"p{n:04}@halden.example", joined_at=now, connection=okta if n % 2 else None, password="!",
            last_login=now - timedelta(minutes=n) if n % 3 else None,
        )
        for n in range(number)
    )  # fmt: skip
    RoleAssignment.objects.bulk_create(
        RoleAssignment(enterprise=cast.halden, user=user, role=role, organization=cast.rotterdam)
        for user in users
        for role in (Role.VIEWER, Role.MANAGER)
    )
    return users


def test_everyone_in_the_enterprise_is_listed_by_name(cast: Cast) -> None:
    assert _names(browser_of(cast.aiko)) == [
        "Aiko Tanaka", "Ingrid Solberg", "Marcus Feld", "Oluwaseun Adeyemi", "Tomás Herrera",
    ]  # fmt: skip


def test_a_stranger_finds_only_the_own_people(cast: Cast) -> None:
    """T11: also with Halden's organization, connection and search words in the address."""
    _crowd(cast, 3)
    okta = cast.halden.connections.get()
    browser = browser_of(cast.mallory)
    for query in ("", "?q=halden", f"?organization={cast.rotterdam.pk}", f"?via={okta.pk}"):
        assert set(_names(browser, query)) <= {"Mallory Stone"}


def test_somebody_of_one_organization_sees_its_people_only(cast: Cast) -> None:
    assert _names(browser_of(cast.tomas)) == ["Marcus Feld", "Tomás Herrera"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=SOLBERG", ["Ingrid Solberg"]),
        ("?q=o.adeyemi@", ["Oluwaseun Adeyemi"]),
        ("?q=tomás", ["Tomás Herrera"]),
        ("?q=ＡＩＫＯ.TANAKA@halden.example", ["Aiko Tanaka"]),  # Full-width letters, as some keyboards type them.
        ("?q=%25", []),  # A percent sign is looked for, not obeyed.
        ("?q=%00aiko", ["Aiko Tanaka"]),
        ("?q=" + "x" * 5000, []),
        ("?role=manager", ["Tomás Herrera"]),
        ("?role=any&q=a&status=disabled", []),
        ("?via=break-glass", ["Ingrid Solberg"]),
        ("?status=active&q=marcus", ["Marcus Feld"]),
    ],
)
def test_search_and_filters_narrow_the_list(cast: Cast, query: str, found: list[str]) -> None:
    assert _names(browser_of(cast.aiko), query) == found


def test_filters_find_the_disabled_the_invited_and_an_organization(cast: Cast) -> None:
    cast.oluwaseun.disable(timezone.now())
    make_user(cast.halden, "", "new@halden.example", (Role.VIEWER, cast.oslo), joined_at=None)
    browser = browser_of(cast.aiko)
    assert _names(browser, "?status=disabled") == ["Oluwaseun Adeyemi"]
    assert _names(browser, "?status=invited") == ["new@halden.example"]
    assert _names(browser, f"?organization={cast.oslo.pk}") == ["new@halden.example", "Oluwaseun Adeyemi"]


@pytest.mark.parametrize(
    "query",
    ["?status=nonsense", "?via=nonsense", "?role=1&role=2", "?sort=-1", "?cursor=nonsense", "?organization=%27"],
)
def test_nonsense_in_the_address_shows_the_whole_list(cast: Cast, query: str) -> None:
    assert len(_names(browser_of(cast.aiko), query)) == 5


def test_nobody_matching_offers_the_way_back(cast: Cast) -> None:
    page = browser_of(cast.aiko).get("/users/?q=zzz&status=disabled&role=viewer").content.decode()
    assert "No one matches." in page
    assert "Clear 2 filters" in page


@pytest.mark.parametrize("sort", ["name", "last"])
def test_following_next_shows_everyone_once_in_order(cast: Cast, sort: str) -> None:
    _crowd(cast, 120)
    browser, seen, address = browser_of(cast.aiko), [], f"/users/?sort={sort}"
    while address:
        page = browser.get(address)
        seen += [person.pk for person in page.context["page"].rows]
        cursor = page.context["page"].next
        address = f"/users/?sort={sort}&cursor={cursor}" if cursor else ""
    people = User.objects.of(cast.halden)
    assert len(seen) == len(set(seen)) == people.count()
    if sort == "name":
        assert seen == list(people.order_by("listed_as", "id").values_list("pk", flat=True))
    else:
        times = [person.last_login for person in sorted(people, key=lambda person: seen.index(person.pk))]
        signed_in = [time for time in times if time]
        assert signed_in == sorted(signed_in, reverse=True)
        assert not any(times[len(signed_in) :])


@pytest.mark.parametrize("query", ["", "?q=person&status=active&role=viewer&sort=last"])
@pytest.mark.parametrize("name", ["aiko", "marcus"])
def test_a_page_costs_at_most_ten_statements_whatever_its_length(cast: Cast, name: str, query: str) -> None:
    _crowd(cast, 3)
    browser = browser_of(getattr(cast, name))
    with CaptureQueriesContext(connection) as few:
        browser.get(f"/users/{query}")
    User.objects.of(cast.halden).filter(name__startswith="Person").delete()
    Connection.objects.of(cast.halden).delete()
    _crowd(cast, 200)
    with CaptureQueriesContext(connection) as many:
        browser.get(f"/users/{query}")
    assert len(many) == len(few) <= 10, "\n".join(query["sql"] for query in many)


def test_searching_among_many_uses_the_index(cast: Cast) -> None:
    addresses = [f"{n}@halden.example" for n in range(20_000)]
    User.objects.bulk_create(
        User(
            enterprise=cast.halden, email=address, email_folded=address, password="!",
            name=f"Person {hashlib.sha256(address.encode()).hexdigest()}",
        )
        for address in addresses
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT gin_clean_pending_list('user_search')")
        cursor.execute("ANALYZE users_user")
    assert "user_search" in User.objects.of(cast.halden).search("2718@halden").explain()


def test_the_first_sentence_counts_people_by_how_they_sign_in(cast: Cast) -> None:
    _crowd(cast, 4)
    cast.oluwaseun.disable(timezone.now())
    make_user(cast.halden, "", "new@halden.example", joined_at=None)
    page = browser_of(cast.aiko).get("/users/").content.decode()
    assert "9 people: 2 with Okta, 5 with a password, 1 break-glass, 1 disabled. 1 more is invited." in page


def test_times_are_in_the_persons_own_zone(cast: Cast) -> None:
    User.objects.filter(pk=cast.aiko.pk).update(time_zone="Asia/Tokyo")
    page = browser_of(cast.aiko).get("/users/").content.decode()
    assert "(Tokyo)" in page
    assert "(Tokyo)" not in browser_of(cast.ingrid).get("/users/").content.decode()


def test_a_name_that_is_markup_is_shown_as_text(cast: Cast) -> None:
    make_user(cast.halden, "<script>alert(1)</script>", "x@halden.example")
    page = browser_of(cast.aiko).get("/users/?q=script").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
