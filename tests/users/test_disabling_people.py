"""Keeping people out and letting them in again, one by one and several at once."""

from __future__ import annotations

import pytest
from django.utils import timezone

from audit.models import Event, Result
from tests.cast import Cast, browser_of
from users.models import User

pytestmark = pytest.mark.servers


def _is_disabled(user: User) -> bool:
    return User.objects.get(pk=user.pk).disabled_at is not None


def test_who_is_disabled_is_out_at_once_and_it_is_recorded(cast: Cast) -> None:
    """R7: the session they had is of no use for the very next request."""
    theirs = browser_of(cast.tomas)
    assert theirs.get("/users/").status_code == 200
    answer = browser_of(cast.aiko).post(f"/users/{cast.tomas.pk}/disable/")
    assert (answer.status_code, answer["Location"]) == (302, f"/users/{cast.tomas.pk}/")
    assert _is_disabled(cast.tomas)
    assert theirs.get("/users/").status_code == 302
    event = Event.objects.of(cast.halden).get(action="user:disabled")
    assert (event.actor, event.target_id, event.result) == (cast.aiko, cast.tomas.pk, Result.DONE)
    assert cast.tomas.role_assignments.exists()


def test_asking_first_changes_nothing(cast: Cast) -> None:
    page = browser_of(cast.aiko).get(f"/users/{cast.tomas.pk}/disable/").content.decode()
    assert "Disable Tomás Herrera?" in page
    assert not _is_disabled(cast.tomas)


def test_who_is_enabled_may_sign_in_again(cast: Cast) -> None:
    cast.tomas.disable(timezone.now())
    assert browser_of(cast.aiko).post(f"/users/{cast.tomas.pk}/enable/").status_code == 302
    assert not _is_disabled(cast.tomas)
    assert Event.objects.of(cast.halden).filter(action="user:enabled").exists()


def test_nobody_disables_the_own_account(cast: Cast) -> None:
    """The way back would need somebody else, so somebody else has to do it."""
    answer = browser_of(cast.aiko).post(f"/users/{cast.aiko.pk}/disable/")
    assert answer.status_code == 409
    assert "This is your own account." in answer.content.decode()
    assert not _is_disabled(cast.aiko)
    assert Event.objects.of(cast.halden).get(action="user:disabled").reason == "own_account"


def test_the_only_break_glass_account_stays(cast: Cast) -> None:
    answer = browser_of(cast.aiko).post(f"/users/{cast.ingrid.pk}/disable/")
    assert answer.status_code == 409
    assert "the only break-glass account" in answer.content.decode()
    assert not _is_disabled(cast.ingrid)
    assert Event.objects.of(cast.halden).get(action="user:disabled").reason == "break_glass"


def test_a_stranger_gets_404_and_disables_nobody(cast: Cast) -> None:
    """T11, one by one and in bulk."""
    browser = browser_of(cast.mallory)
    assert browser.post(f"/users/{cast.tomas.pk}/disable/").status_code == 404
    assert browser.post("/users/disable/", {"user": [cast.tomas.pk, cast.marcus.pk]}).status_code == 404
    assert not User.objects.of(cast.halden).exclude(disabled_at=None).exists()


def test_several_are_asked_about_by_name_before_anything_happens(cast: Cast) -> None:
    page = browser_of(cast.aiko).get("/users/disable/", {"user": [cast.tomas.pk, cast.marcus.pk]}).content.decode()
    assert "Disable 2 people?" in page
    assert not User.objects.of(cast.halden).exclude(disabled_at=None).exists()


def test_several_are_disabled_and_each_result_is_told(cast: Cast) -> None:
    """Each goes through the same gate as alone: the own account and the break-glass account stay."""
    ids = [cast.tomas.pk, cast.marcus.pk, cast.aiko.pk, cast.ingrid.pk, cast.mallory.pk, "nonsense", "\x00"[:0]]
    answer = browser_of(cast.aiko).post("/users/disable/", {"user": ids})
    assert {one.person: one.is_done for one in answer.context["chosen"]} == {
        cast.tomas: True, cast.marcus: True, cast.aiko: False, cast.ingrid: False,
    }  # fmt: skip
    assert set(User.objects.exclude(disabled_at=None)) == {cast.tomas, cast.marcus}
    page = answer.content.decode()
    assert "2 people are disabled" in page
    assert "the only break-glass account" in page
    assert Event.objects.of(cast.halden).filter(action="user:disabled", result=Result.DONE).count() == 2


def test_an_organization_admin_disables_only_whom_the_role_reaches(cast: Cast) -> None:
    answer = browser_of(cast.marcus).post("/users/disable/", {"user": [cast.tomas.pk, cast.oluwaseun.pk, cast.aiko.pk]})
    assert [one.person for one in answer.context["chosen"]] == [cast.tomas]
    assert set(User.objects.exclude(disabled_at=None)) == {cast.tomas}


def test_choosing_nobody_leads_back_to_the_list(cast: Cast) -> None:
    browser = browser_of(cast.aiko)
    assert browser.post("/users/disable/")["Location"] == "/users/"
    assert browser.get("/users/disable/")["Location"] == "/users/"
