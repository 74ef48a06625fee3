"""Deleting an account the documented way: revoke its roles, delete it, invite the person again (M6)."""

from __future__ import annotations

import pytest

from audit.models import Event, Result
from tests.cast import Cast, browser_of
from users.models import User

pytestmark = pytest.mark.servers


def _exists(user: User) -> bool:
    return User.objects.filter(pk=user.pk).exists()


def test_a_user_with_roles_is_not_deleted_and_the_page_offers_to_revoke_them(cast: Cast) -> None:
    """M6."""
    browser = browser_of(cast.aiko)
    answer = browser.post(f"/users/{cast.tomas.pk}/delete/")
    assert answer.status_code == 409
    assert "Tomás Herrera still has roles." in answer.content.decode()
    assert _exists(cast.tomas)
    assert Event.objects.of(cast.halden).get(action="user:deleted").reason == "has_roles"
    page = browser.get(f"/users/{cast.tomas.pk}/").content.decode()
    assert "Revoke 1 role…" in page
    assert f'action="/users/{cast.tomas.pk}/roles/revoke/"' in page


def test_revoke_then_delete_then_the_address_is_free(cast: Cast) -> None:
    """M6, from the person's page."""
    browser, pk = browser_of(cast.aiko), cast.tomas.pk
    assert browser.post(f"/users/{pk}/roles/revoke/").status_code == 302
    assert "Delete…" in browser.get(f"/users/{pk}/").content.decode()
    assert browser.post(f"/users/{pk}/delete/")["Location"] == "/users/"
    assert not User.objects.of(cast.halden).with_email("tomas.herrera@halden.example").exists()
    event = Event.objects.of(cast.halden).get(action="user:deleted")
    assert (event.result, event.target_id) == (Result.DONE, pk)
    assert event.target_label.startswith("Tomás Herrera")
    assert browser.get(f"/users/{pk}/").status_code == 404


def test_what_a_deleted_person_did_stays_on_record(cast: Cast) -> None:
    Event.objects.create(
        enterprise=cast.halden, action="session:started", actor=cast.tomas, actor_label=str(cast.tomas)
    )
    cast.tomas.role_assignments.get().revoke()
    browser_of(cast.aiko).post(f"/users/{cast.tomas.pk}/delete/")
    event = Event.objects.of(cast.halden).get(action="session:started")
    assert (event.actor, event.actor_label) == (None, str(cast.tomas))


def test_the_only_break_glass_account_is_not_deleted_even_without_roles(cast: Cast) -> None:
    cast.ingrid.role_assignments.all().delete()
    answer = browser_of(cast.aiko).post(f"/users/{cast.ingrid.pk}/delete/")
    assert answer.status_code == 409
    assert _exists(cast.ingrid)


def test_nobody_deletes_the_own_account(cast: Cast) -> None:
    assert browser_of(cast.aiko).post(f"/users/{cast.aiko.pk}/delete/").status_code == 409
    assert _exists(cast.aiko)


def test_a_stranger_gets_404_and_deletes_nobody(cast: Cast) -> None:
    """T11."""
    cast.tomas.role_assignments.get().revoke()
    assert browser_of(cast.mallory).post(f"/users/{cast.tomas.pk}/delete/").status_code == 404
    assert _exists(cast.tomas)
