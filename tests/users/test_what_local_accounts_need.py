"""Advanced → Local sign-in: a second factor is required unless an Enterprise Admin says otherwise."""

from __future__ import annotations

import re

import pytest

from audit.models import Event
from tests.cast import Cast, browser_of
from tests.factors import give_app, give_passkey

pytestmark = pytest.mark.servers

PAGE = "/advanced/local-sign-in/"


def test_it_is_required_from_the_beginning(cast: Cast) -> None:
    assert cast.halden.is_second_factor_required
    [chosen] = [radio for radio in re.findall("<input[^>]*>", _page(cast)) if "checked" in radio]
    assert 'value="required"' in chosen


def _page(cast: Cast) -> str:
    return " ".join(browser_of(cast.aiko).get(PAGE).content.decode().split())


def test_the_page_counts_who_has_one(cast: Cast) -> None:
    give_app(cast.aiko)
    give_passkey(cast.aiko)
    give_passkey(cast.ingrid)
    page = _page(cast)
    assert "5 accounts sign in with a password, 2 of them with a second factor." in page
    assert "3 accounts have none yet and set one up at their next sign-in." in page


def test_a_change_is_recorded_once_and_is_this_enterprises_own(cast: Cast) -> None:
    browser = browser_of(cast.aiko)
    for wanted, is_required in (("optional", False), ("optional", False), ("required", True)):
        assert browser.post(PAGE, {"second_factor": wanted})["Location"] == PAGE
        cast.halden.refresh_from_db()
        assert cast.halden.is_second_factor_required == is_required
    events = Event.objects.of(cast.halden).filter(action="local-sign-in:changed").order_by("at")
    assert [event.details for event in events] == [{"second_factor": "optional"}, {"second_factor": "required"}]
    cast.stranger.refresh_from_db()
    assert cast.stranger.is_second_factor_required


@pytest.mark.parametrize("wanted", ["", "never", "\x00", "True"])
def test_nonsense_changes_nothing(cast: Cast, wanted: str) -> None:
    assert browser_of(cast.aiko).post(PAGE, {"second_factor": wanted}).status_code == 422
    cast.halden.refresh_from_db()
    assert cast.halden.is_second_factor_required
