"""Disabling says what it does and to whom, does that, and never locks everyone out (M7)."""

import pytest
from django.urls import reverse
from django.utils import timezone

from identity.models import Connection, Grant, Subject
from invitations.models import Invitation
from tests.cast import Cast, browser_of, make_user
from tests.identity.setting_up import Desk, words
from tests.provider import Provider
from users.models import Method, OutgoingEmail, Role, Session, User

pytestmark = pytest.mark.servers


def by_okta(connection: Connection, user: User) -> None:
    user.connection, user.password = connection, "!"
    user.save()
    Subject.objects.create(connection=connection, issuer=connection.serving.issuer, sub=user.pk, user=user)


def signed_in_by_okta(connection: Connection, user: User) -> None:
    by_okta(connection, user)
    user.sessions.all().delete()
    browser_of(user)
    session = Session.objects.get(user=user)
    Session.objects.filter(pk=session.pk).update(method=Method.CONNECTION)
    Grant.objects.create(
        session=session, connection=connection, issuer=connection.serving.issuer, sub=user.pk, revision=1
    )


def test_the_dialog_counts_who_is_affected_and_who_is_not(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).enabled_at(provider)
    signed_in_by_okta(desk.connection, cast.tomas)
    by_okta(desk.connection, cast.marcus)
    Invitation.issue(
        enterprise=cast.halden, email="piotr@halden.example", role=Role.VIEWER, organization=None,
        connection=desk.connection, by=cast.aiko, at=timezone.now(),
    )  # fmt: skip
    page = desk.page()
    assert "2 people sign in with it and cannot until it is enabled again." in page
    assert "1 of them is signed in now, and is signed out at once." in page
    assert "1 open invitation waits until Okta is enabled again." in page
    assert "Nothing changes for the 2 people with a password." in page
    assert "The break-glass account keeps working" in page
    assert "Disable Okta for 2 people" in page


def test_it_does_what_it_says(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).enabled_at(provider)
    signed_in_by_okta(desk.connection, cast.tomas)
    browser_of(cast.marcus)
    assert desk.press("disable").status_code == 302
    desk.connection.refresh_from_db()
    assert desk.connection.status == "disabled"
    assert not Session.objects.filter(user=cast.tomas).exists()
    assert Session.objects.filter(user=cast.marcus).exists()
    event = desk.events("connection:disabled")[0]
    assert event.details == {"people": 1, "sessions_ended": 1}
    assert OutgoingEmail.objects.filter(context__what="disabled").count() == 2


def test_the_last_administrator_s_way_in_is_not_disabled(cast: Cast, provider: Provider) -> None:
    """M7: refused at the last, and nothing has changed."""
    desk = Desk(cast.aiko).enabled_at(provider)
    cast.ingrid.role_assignments.all().delete()
    signed_in_by_okta(desk.connection, cast.aiko)
    desk.browser = browser_of(cast.aiko)
    answer = desk.press("disable")
    assert answer.status_code == 409
    assert "Nobody could administer this enterprise any more" in words(answer)
    desk.connection.refresh_from_db()
    assert desk.connection.is_enabled
    assert Session.objects.filter(user=cast.aiko).exists()
    assert not desk.events("connection:disabled")


def test_what_is_not_enabled_is_not_disabled_again(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).saved_at(provider)
    assert desk.press("disable").status_code == 409


def test_it_can_be_enabled_again_without_another_test(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).enabled_at(provider)
    desk.press("disable")
    assert desk.press("enable", revision="1").status_code == 302
    desk.connection.refresh_from_db()
    assert desk.connection.status == "enabled"


def test_what_was_in_use_or_invited_with_is_not_deleted(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).enabled_at(provider)
    desk.press("disable")
    assert desk.press("discard").status_code == 409
    draft = Desk(cast.aiko)
    make_user(cast.halden, "", "piotr@halden.example", joined_at=None, connection=draft.connection)
    assert draft.press("discard").status_code == 409
    assert Connection.objects.count() == 2
    assert not desk.events("connection:deleted")


def test_a_broken_or_disabled_connection_leaves_the_console_to_those_with_a_password(
    cast: Cast, provider: Provider
) -> None:
    desk = Desk(cast.ingrid).enabled_at(provider)
    desk.press("disable")
    assert desk.browser.get(reverse("identity:connections")).status_code == 200
