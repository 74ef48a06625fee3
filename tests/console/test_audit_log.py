"""The audit log: everything of one's own enterprise, nothing of another's, as a page and as a file."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.actions import Action
from audit.models import Event, Result, record
from tests.cast import Cast, browser_of

pytestmark = pytest.mark.servers


def _download(cast: Cast, query: str = "") -> list[dict[str, str]]:
    response = browser_of(cast.aiko).get(f"/audit/download/{query}")
    assert response.status_code == 200
    return list(csv.DictReader(b"".join(response.streaming_content).decode().splitlines()))


def test_an_admin_sees_who_did_what(cast: Cast) -> None:
    record(Action.USER_DISABLED, enterprise=cast.halden, actor=cast.ingrid, target=cast.marcus)
    page = browser_of(cast.aiko).get("/audit/").content.decode()
    assert "Ingrid Solberg" in page
    assert "user:disabled" in page
    assert "Marcus Feld" in page


def test_the_stranger_sees_nothing_of_it(cast: Cast) -> None:
    """T11."""
    event = record(Action.USER_DISABLED, enterprise=cast.halden, actor=cast.ingrid, target=cast.marcus)
    mallory = browser_of(cast.mallory)
    for address in ("/audit/", f"/audit/?q={event.reference}", f"/audit/?person={cast.marcus.pk}"):
        assert "Marcus" not in mallory.get(address).content.decode()
    assert b"Marcus" not in b"".join(mallory.get("/audit/download/").streaming_content)


@pytest.mark.parametrize("who", ["marcus", "tomas", "oluwaseun"])
def test_who_is_no_enterprise_admin_gets_403(cast: Cast, who: str) -> None:
    assert browser_of(getattr(cast, who)).get("/audit/").status_code == 403
    assert browser_of(getattr(cast, who)).get("/audit/download/").status_code == 403


def test_filters_narrow_by_action_person_result_and_day(cast: Cast) -> None:
    old = datetime(2026, 3, 1, 12, tzinfo=UTC)
    record(Action.USER_DISABLED, enterprise=cast.halden, actor=cast.ingrid, target=cast.marcus)
    record(Action.SESSION_REFUSED, enterprise=cast.halden, result=Result.REFUSED, reason="expired")
    Event.objects.create(enterprise=cast.halden, action=Action.ROLE_GIVEN, at=old, actor=cast.aiko)
    assert [row["action"] for row in _download(cast, "?action=user:disabled")] == ["user:disabled"]
    assert [row["action"] for row in _download(cast, "?result=refused")] == ["session:refused"]
    assert [row["action"] for row in _download(cast, f"?person={cast.marcus.pk}")] == ["user:disabled"]
    assert [row["action"] for row in _download(cast, "?since=2026-03-01&until=2026-03-01")] == ["role:given"]
    assert [row["action"] for row in _download(cast, "?q=expired")] == ["session:refused"]


@pytest.mark.parametrize(
    "query",
    ["?since=yesterday", "?action=no-such", "?result=x", "?since=2026-05-02&until=2026-05-01", "?q=" + "x" * 500],
)
def test_a_filter_that_makes_no_sense_is_a_400_and_says_so(cast: Cast, query: str) -> None:
    for address in ("/audit/", "/audit/download/"):
        response = browser_of(cast.aiko).get(address + query)
        assert response.status_code == 400
        assert 'role="alert"' in response.content.decode()


def test_a_formula_is_only_text_in_the_file(cast: Cast) -> None:
    """A spreadsheet would run what somebody chose as a name."""
    cast.marcus.name = '=HYPERLINK("https://evil.example")'
    cast.marcus.save()
    record(Action.USER_DISABLED, enterprise=cast.halden, actor=cast.marcus)
    rows = _download(cast, "?action=user:disabled")
    assert rows[0]["actor"].startswith("'=HYPERLINK")


def test_downloading_is_itself_recorded(cast: Cast) -> None:
    _download(cast)
    assert Event.objects.of(cast.halden).filter(action=Action.AUDIT_DOWNLOADED, actor=cast.aiko).exists()


def test_markup_line_breaks_and_direction_marks_from_outside_do_no_harm(cast: Cast) -> None:
    """H30."""
    hostile = "<script>alert(1)</script>\r\nforged: line\u202eevil"
    event = record(Action.SESSION_REFUSED, enterprise=cast.halden, result=Result.REFUSED, provider_said=hostile)
    assert "\n" not in event.details["provider_said"]
    assert "\u202e" not in event.details["provider_said"]
    assert "<script>alert" not in browser_of(cast.aiko).get("/audit/").content.decode()


def test_the_page_costs_the_same_however_long_the_log(cast: Cast) -> None:
    now = timezone.now()
    browser = browser_of(cast.aiko)
    costs = []
    for _ in range(2):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert browser.get("/audit/").status_code == 200
        costs.append(len(queries))
        Event.objects.bulk_create(
            Event(enterprise=cast.halden, action="session:started", at=now - timedelta(minutes=n), actor=cast.ingrid)
            for n in range(500)
        )
    assert costs[0] == costs[1] <= 10
