"""The dashboard: where one stands, what to do next, and only what one may see."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.actions import Action
from audit.models import Event
from console.overview import Overview
from tests.cast import Cast, browser_of, enable_okta, make_user
from tests.invitations.switching import begin, switching
from users.access import Access
from users.models import Method

pytestmark = pytest.mark.servers


def _page(cast: Cast, who: str = "aiko") -> str:
    response = browser_of(getattr(cast, who)).get("/")
    assert response.status_code == 200
    return response.content.decode()


def test_a_new_enterprise_sees_what_to_do_next(cast: Cast) -> None:
    assert "Connect Okta" in _page(cast)
    assert "1 of 5 done" in _page(cast)


def test_the_checklist_goes_away_when_all_of_it_is_done(cast: Cast) -> None:
    from invitations.models import Invitation
    from users.models import Role

    made = enable_okta(cast.halden, cast.ingrid)
    Invitation.issue(
        enterprise=cast.halden, email="new@halden.example", role=Role.VIEWER, organization=cast.oslo,
        connection=made, by=cast.ingrid, at=timezone.now(),
    )  # fmt: skip
    page = _page(cast)
    assert "Switch the 4 people who still use a password" in page
    assert 'href="/advanced/switch/"' in page
    # Whoever is left with a password once somebody has begun to switch people is left on purpose.
    begin(browser_of(cast.aiko), cast.tomas)
    page = _page(cast)
    assert " done</span>" not in page
    assert "halden.okta.com" in page


def test_a_batch_is_one_line_of_what_happened_and_who_is_stuck_in_it_needs_somebody(cast: Cast) -> None:
    okta = enable_okta(cast.halden, cast.ingrid)
    marcus, tomas = switching(cast, okta, cast.marcus, cast.tomas)
    marcus.mark_refused("not_assigned", timezone.now())
    tomas.mark_bounced("No such mailbox", timezone.now())
    page = _page(cast)
    assert "Marcus Feld could not switch" in page
    assert "The switch link of Tomás Herrera bounced" in page
    overview = Overview.of(cast.halden, Access.of(cast.aiko), timezone.now(), ZoneInfo("UTC"))
    assert "batch:begun" in [event.action for event in overview.activity]
    assert "switch:begun" not in [event.action for event in overview.activity]


def test_people_and_sign_ins_are_counted_by_state_and_day(cast: Cast) -> None:
    made = enable_okta(cast.halden, cast.ingrid)
    make_user(cast.halden, "Okta Person", "okta@halden.example", connection=made)
    make_user(cast.halden, "Gone", "gone@halden.example", disabled_at=timezone.now())
    now = timezone.now()
    for days, method in ((0, Method.CONNECTION), (0, Method.PASSWORD), (3, Method.CONNECTION), (40, Method.PASSWORD)):
        Event.objects.create(
            enterprise=cast.halden, action=Action.SESSION_STARTED, at=now - timedelta(days=days),
            details={"method": method},
        )  # fmt: skip
    overview = Overview.of(cast.halden, Access.of(cast.aiko), now, timezone.get_default_timezone())
    assert (overview.people.connected, overview.people.password, overview.people.disabled) == (1, 5, 1)
    assert len(overview.days) == 30
    assert (overview.days[-1].okta, overview.days[-1].password) == (1, 1)
    assert (overview.days[-4].okta, sum(day.password for day in overview.days)) == (1, 1)


def test_a_viewer_counts_only_the_people_of_their_organization(cast: Cast) -> None:
    overview = Overview.of(cast.halden, Access.of(cast.oluwaseun), timezone.now(), timezone.get_default_timezone())
    assert overview.people.total == 1
    assert overview.checklist is None
    assert overview.activity == []


def test_the_stranger_sees_only_their_own_enterprise(cast: Cast) -> None:
    """T11."""
    Event.objects.create(enterprise=cast.halden, action=Action.SESSION_STARTED, actor_label="Ingrid Solberg")
    page = _page(cast, "mallory")
    assert "Ingrid" not in page
    assert "Halden" not in page


def test_somebody_without_a_role_is_led_to_their_own_account(cast: Cast) -> None:
    nobody = make_user(cast.halden, "No Role", "norole@halden.example")
    assert browser_of(nobody).get("/").headers["Location"] == "/account/"


def test_the_dashboard_costs_a_fixed_number_of_statements(cast: Cast) -> None:
    enable_okta(cast.halden, cast.ingrid)
    browser = browser_of(cast.aiko)
    with CaptureQueriesContext(connection) as queries:
        browser.get("/")
    assert len(queries) <= 17


def test_who_signed_in_last_is_not_told_to_those_who_do_not_see_that_person(cast: Cast) -> None:
    """T11: Oluwaseun looks at Oslo; Marcus is of Rotterdam."""
    made = enable_okta(cast.halden, cast.ingrid)
    Event.objects.create(
        enterprise=cast.halden, action=Action.SESSION_STARTED, actor=cast.marcus, actor_label=str(cast.marcus),
        details={"method": Method.CONNECTION, "connection": made.pk},
    )  # fmt: skip
    assert "Marcus Feld" in _page(cast)
    page = _page(cast, "oluwaseun")
    assert "Marcus Feld" not in page
    assert "0 signed in, 0 refused" in page
