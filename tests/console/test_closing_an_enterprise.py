"""Close an enterprise: asked twice, everything exported first, thirty days to return, then nothing is left."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone

from audit.models import Event, Result
from identity.models import Connection
from invitations.models import Invitation
from tests.cast import PASSWORD, Browser, Cast, browser_of, enable_okta, make_role
from users.access import Permission
from users.models import ClosedError, Enterprise, OutgoingEmail, Role, RoleAssignment, Session, User
from users.models.enterprise import RETURN_WITHIN
from users.tasks import delete_closed

pytestmark = [pytest.mark.servers, pytest.mark.django_db]

CLOSE = "/advanced/enterprise/close/"
HALDEN = "Halden Freight"


def close(browser: Browser, name: str = HALDEN) -> HttpResponse:
    return browser.post(CLOSE, {"name": name})


def exported_and_closed(browser: Browser) -> HttpResponse:
    assert browser.get("/advanced/enterprise/export/").status_code == 200
    return close(browser)


def told(name: str) -> set[str]:
    return {email.user.email for email in OutgoingEmail.objects.filter(name=name).select_related("user")}


def test_it_is_closed_once_everything_was_exported_and_the_name_is_typed(cast: Cast) -> None:
    aiko = browser_of(cast.aiko)
    response = close(aiko)
    assert response.status_code == 422
    assert "Export everything first." in response.content.decode()
    response = aiko.get("/advanced/enterprise/export/")
    assert response["Content-Disposition"].startswith('attachment; filename="halden-')
    response = close(aiko, "Stranger Ltd")
    assert response.status_code == 422
    assert "This is not the name. It is Halden Freight." in response.content.decode()
    assert not Enterprise.objects.get(pk=cast.halden.pk).is_closed
    assert close(aiko, " halden  freight ")["Location"] == "/closed/"
    closed = Enterprise.objects.get(pk=cast.halden.pk)
    assert closed.closed_by == cast.aiko
    event = Event.objects.of(cast.halden).get(action="enterprise:closed")
    assert (event.actor, event.result) == (cast.aiko, Result.ALARM)
    assert told("enterprise_closed") == {cast.ingrid.email, cast.aiko.email}


def test_an_export_of_long_ago_does_not_count(cast: Cast) -> None:
    aiko = browser_of(cast.aiko)
    aiko.get("/advanced/enterprise/export/")
    Event.objects.filter(action="enterprise:exported").update(at=timezone.now() - timedelta(hours=25))
    assert close(aiko).status_code == 422


def test_every_other_session_ends_and_nothing_is_served_but_the_page_that_says_so(cast: Cast) -> None:
    """R7: a request is served only for somebody of an open enterprise."""
    aiko, marcus, mallory = browser_of(cast.aiko), browser_of(cast.marcus), browser_of(cast.mallory)
    exported_and_closed(aiko)
    assert Session.objects.of(cast.halden).count() == 1
    assert marcus.get("/users/").status_code == 302
    for path in ("/", "/users/", "/account/", "/advanced/identity-provider/", CLOSE):
        assert aiko.get(path)["Location"] == "/closed/", path
    assert aiko.post("/users/invite/", {"emails": "x@halden.example"})["Location"] == "/closed/"
    scripted = aiko.get("/users/", headers={"HX-Request": "true"})
    assert (scripted.status_code, scripted["HX-Redirect"]) == (403, "/closed/")
    page = aiko.get("/closed/")
    assert page.status_code == 403
    assert "Aiko Tanaka closed it on" in page.content.decode()
    assert "Open Halden Freight again" in page.content.decode()
    assert mallory.get("/users/").status_code == 200


def test_people_can_sign_in_and_learn_whom_to_ask(cast: Cast) -> None:
    exported_and_closed(browser_of(cast.aiko))
    marcus = Browser(cast.halden)
    assert "Halden Freight is closed." in marcus.get("/e/halden/local/").content.decode()
    assert marcus.sign_in(cast.marcus).get("/")["Location"] == "/closed/"
    page = marcus.get("/closed/").content.decode()
    assert "ask an Enterprise Admin" in page
    assert "again</button>" not in page
    assert marcus.post("/closed/reopen/").status_code == 403
    assert marcus.get("/advanced/enterprise/export/").status_code == 403
    assert Enterprise.objects.get(pk=cast.halden.pk).is_closed


def test_an_admin_who_comes_back_opens_it_and_all_is_as_it_was(cast: Cast) -> None:
    before = User.objects.of(cast.halden).count()
    exported_and_closed(browser_of(cast.aiko))
    ingrid = Browser(cast.halden).sign_in(cast.ingrid)
    assert ingrid.post("/closed/reopen/")["Location"] == "/"
    assert ingrid.get("/users/").status_code == 200
    assert User.objects.of(cast.halden).count() == before
    assert Event.objects.of(cast.halden).get(action="enterprise:reopened").actor == cast.ingrid
    assert told("enterprise_reopened") == {cast.ingrid.email, cast.aiko.email}
    assert ingrid.get("/closed/")["Location"] == "/"


def test_an_invitation_waits_while_it_is_closed(cast: Cast) -> None:
    now = timezone.now()
    invitation = Invitation.issue(
        enterprise=cast.halden, email="new@halden.example", role=Role.VIEWER, organization=None, connection=None,
        by=cast.aiko, at=now,
    )  # fmt: skip
    assert Invitation.objects.due(now).filter(pk=invitation.pk).exists()
    assert invitation.keep_token()
    exported_and_closed(browser_of(cast.aiko))
    assert not Invitation.objects.due(timezone.now()).filter(pk=invitation.pk).exists()
    visitor = Browser(cast.halden)
    visitor.get(f"/invitations/{invitation.token}/")
    page = visitor.get("/invitations/open/")
    assert page.status_code == 403
    assert "Halden Freight is closed" in page.content.decode()
    visitor.post("/invitations/accept/", {"name": "New", "password": PASSWORD})
    assert User.objects.get(email="new@halden.example").joined_at is None
    Enterprise.objects.get(pk=cast.halden.pk).reopen()
    assert visitor.get("/invitations/open/").status_code == 200


def test_admins_are_reminded_a_week_and_a_day_before_the_end_once_each(cast: Cast) -> None:
    closed_at = timezone.now() - RETURN_WITHIN
    for passed, reminders in ((timedelta(days=10), 0), (timedelta(days=3), 1), (timedelta(hours=3), 2)):
        Enterprise.objects.filter(pk=cast.halden.pk).update(closed_at=closed_at + passed)
        delete_closed()
        delete_closed()
        assert OutgoingEmail.objects.filter(name="enterprise_ends_soon", user=cast.aiko).count() == reminders
    assert Enterprise.objects.filter(pk=cast.halden.pk).exists()


def test_after_thirty_days_nothing_of_it_is_left_and_nothing_else_is_touched(cast: Cast) -> None:
    okta = enable_okta(cast.halden, cast.aiko)
    User.objects.filter(pk=cast.marcus.pk).update(connection=okta)
    Connection.objects.create(enterprise=cast.halden, provider="okta", organization=cast.oslo, created_by=cast.aiko)
    lead = make_role(cast.halden, "Lead", Permission.SEE_PEOPLE)
    RoleAssignment.objects.create(enterprise=cast.halden, user=cast.marcus, custom_role=lead, organization=cast.oslo)
    Invitation.issue(
        enterprise=cast.halden, email="new@halden.example", role=lead, organization=None, connection=None,
        by=cast.aiko, at=timezone.now(),
    )  # fmt: skip
    exported_and_closed(browser_of(cast.aiko))
    strangers = User.objects.of(cast.stranger).count()
    Enterprise.objects.filter(pk=cast.halden.pk).update(closed_at=timezone.now() - RETURN_WITHIN)
    delete_closed()
    tables = connection.introspection.table_names()
    assert Enterprise.objects.get() == cast.stranger
    with connection.cursor() as cursor:
        for table in tables:
            columns = {column.name for column in connection.introspection.get_table_description(cursor, table)}
            if "enterprise_id" in columns:
                cursor.execute(f"SELECT count(*) FROM {table} WHERE enterprise_id = %s", [cast.halden.pk])  # noqa: S608
                assert cursor.fetchone() == (0,), table
    assert User.objects.of(cast.stranger).count() == strangers
    left = Event.objects.get(action="enterprise:deleted")
    assert (left.enterprise, left.target_label) == (None, HALDEN)
    assert Browser(cast.stranger).get("/e/halden/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_who_opens_it_at_the_last_moment_keeps_it(cast: Cast) -> None:
    """Opened and deleted at the same time, twenty times: either all of it is there and open, or nothing is."""
    for round_number in range(20):
        enterprise = Enterprise.objects.create(name="Late", slug=f"late-{round_number}", region="eu")
        Enterprise.objects.filter(pk=enterprise.pk).update(closed_at=timezone.now() - RETURN_WITHIN)
        enterprise.refresh_from_db()
        start, outcomes = threading.Barrier(2), []

        def opens(enterprise: Enterprise = enterprise, start: threading.Barrier = start, said: list = outcomes) -> None:
            start.wait()
            try:
                enterprise.reopen()
                said.append("opened")
            except (ClosedError, Enterprise.DoesNotExist):
                pass
            connection.close()

        def deletes(pk: str = enterprise.pk, start: threading.Barrier = start, said: list = outcomes) -> None:
            mine = Enterprise.objects.get(pk=pk)
            start.wait()
            if mine.delete_for_good(timezone.now()):
                said.append("deleted")
            connection.close()

        threads = [threading.Thread(target=opens), threading.Thread(target=deletes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(outcomes) == 1
        found = Enterprise.objects.filter(pk=enterprise.pk).first()
        assert (found is not None and not found.is_closed) == (outcomes == ["opened"])


def test_a_stranger_and_lesser_roles_cannot_close_it(cast: Cast) -> None:
    for person in (cast.marcus, cast.tomas, cast.oluwaseun):
        assert browser_of(person).get("/advanced/enterprise/").status_code == 403
        assert close(browser_of(person)).status_code == 403
    mallory = browser_of(cast.mallory)
    mallory.get("/advanced/enterprise/export/")
    assert close(mallory).status_code == 422
    assert not Enterprise.objects.filter(closed_at__isnull=False).exists()
