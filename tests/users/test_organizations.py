"""Organizations: created, renamed, and deleted when nothing belongs to them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event, Result
from identity.models import Connection, Provider
from invitations.models import Invitation
from tests.cast import Cast, browser_of
from users.models import Organization, Role, RoleAssignment

pytestmark = pytest.mark.servers


def test_an_organization_is_created_and_recorded(cast: Cast) -> None:
    assert browser_of(cast.aiko).post("/organizations/create/", {"name": "  Gdańsk   terminal "}).status_code == 302
    assert Organization.objects.of(cast.halden).filter(name="Gdańsk terminal").exists()
    assert Event.objects.of(cast.halden).get(action="organization:created").target_label == "Gdańsk terminal"


def test_an_organization_is_renamed(cast: Cast) -> None:
    answer = browser_of(cast.aiko).post(f"/organizations/{cast.oslo.pk}/rename/", {"name": "Oslo harbour"})
    assert answer.status_code == 302
    cast.oslo.refresh_from_db()
    assert cast.oslo.name == "Oslo harbour"
    details = Event.objects.of(cast.halden).get(action="organization:renamed").details
    assert details == {"before": "Oslo terminal", "after": "Oslo harbour"}


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "Rotterdam", "rOTTERDAM", "Os\u202elo", "Os\x00lo", "Os\u200blo"])
def test_a_name_that_is_none_or_taken_is_refused(cast: Cast, name: str) -> None:
    before = set(Organization.objects.values_list("name", flat=True))
    browser = browser_of(cast.aiko)
    assert browser.post("/organizations/create/", {"name": name}).status_code == 422
    assert browser.post(f"/organizations/{cast.oslo.pk}/rename/", {"name": name}).status_code == 422
    assert set(Organization.objects.values_list("name", flat=True)) == before


def test_two_enterprises_may_use_the_same_name(cast: Cast) -> None:
    assert browser_of(cast.mallory).post("/organizations/create/", {"name": "Rotterdam"}).status_code == 302


def test_the_spelling_of_its_own_name_may_change(cast: Cast) -> None:
    assert (
        browser_of(cast.aiko).post(f"/organizations/{cast.oslo.pk}/rename/", {"name": "OSLO terminal"}).status_code
        == 302
    )


def test_an_empty_organization_is_deleted(cast: Cast) -> None:
    empty = Organization.objects.create(enterprise=cast.halden, name="Gdańsk")
    assert browser_of(cast.aiko).post(f"/organizations/{empty.pk}/delete/").status_code == 302
    assert not Organization.objects.filter(pk=empty.pk).exists()
    assert Event.objects.of(cast.halden).get(action="organization:deleted").result == Result.DONE


def test_what_stands_in_the_way_is_named_and_nothing_is_deleted(cast: Cast) -> None:
    Connection.objects.create(enterprise=cast.halden, provider=Provider.OKTA, organization=cast.rotterdam)
    Invitation.issue(
        enterprise=cast.halden, email="new@halden.example", role=Role.VIEWER, organization=cast.rotterdam,
        connection=None, by=cast.aiko, at=timezone.now(),
    )  # fmt: skip
    answer = browser_of(cast.aiko).post(f"/organizations/{cast.rotterdam.pk}/delete/")
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "3 people have a role here." in page
    assert "1 connection is for it." in page
    assert "1 invitation to it is open." in page
    assert Organization.objects.filter(pk=cast.rotterdam.pk).exists()
    assert [e.reason for e in Event.objects.of(cast.halden).filter(action="organization:deleted")] == ["not_empty"]


def test_an_open_invitation_alone_stands_in_the_way(cast: Cast) -> None:
    place = Organization.objects.create(enterprise=cast.halden, name="Gdańsk")
    invitation = Invitation.issue(
        enterprise=cast.halden, email="new@halden.example", role=Role.VIEWER, organization=place,
        connection=None, by=cast.aiko, at=timezone.now(),
    )  # fmt: skip
    RoleAssignment.objects.filter(organization=place).delete()
    browser = browser_of(cast.aiko)
    assert browser.post(f"/organizations/{place.pk}/delete/").status_code == 409
    invitation.revoke(by=cast.aiko, at=timezone.now())
    assert browser.post(f"/organizations/{place.pk}/delete/").status_code == 302


def test_the_list_counts_people_once_and_costs_the_same_for_many(cast: Cast) -> None:
    RoleAssignment.objects.create(
        enterprise=cast.halden, user=cast.marcus, role=Role.VIEWER, organization=cast.rotterdam
    )
    browser = browser_of(cast.aiko)
    with CaptureQueriesContext(connection) as few:
        page = browser.get("/organizations/")
    assert {o.name: o.people for o in page.context["page"].rows} == {"Oslo terminal": 1, "Rotterdam": 2}
    for number in range(80):
        Organization.objects.create(enterprise=cast.halden, name=f"Part {number}")
    with CaptureQueriesContext(connection) as many:
        browser.get("/organizations/")
    assert len(many) == len(few) <= 10


def test_without_any_the_page_says_when_one_needs_them(cast: Cast) -> None:
    page = browser_of(cast.mallory).get("/organizations/").content.decode()
    assert "No organizations yet" in page
    assert "Halden" not in page


def test_a_stranger_gets_404_and_changes_nothing(cast: Cast) -> None:
    """T11."""
    browser = browser_of(cast.mallory)
    assert browser.post(f"/organizations/{cast.oslo.pk}/rename/", {"name": "Mine"}).status_code == 404
    assert browser.post(f"/organizations/{cast.oslo.pk}/delete/").status_code == 404
    assert set(Organization.objects.of(cast.halden)) == {cast.oslo, cast.rotterdam}
