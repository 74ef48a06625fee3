"""R10: the client secret goes in, is used, and is never seen again."""

import logging

import pytest
from django.core.management import call_command
from django.db import connection as database

from audit.models import Event
from identity.models import Revision
from tests.cast import Cast
from tests.identity.setting_up import SECRET, Desk
from tests.provider import Provider
from users.sealing import SealBroken

pytestmark = pytest.mark.servers


def test_it_is_on_no_page_in_no_log_and_not_in_the_audit_log(
    cast: Cast, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    desk = Desk(cast.aiko)
    pages = [desk.save(provider.issuer), desk.press("check")]
    pages += [desk.browser.get(desk.url("setup")), desk.browser.get(desk.url("setup") + "?replace")]
    pages += [desk.save("https://halden-admin.okta.com"), desk.save(scopes="profile")]
    for page in pages:
        assert SECRET not in page.content.decode()
        assert SECRET not in str(page.headers)
    assert SECRET not in caplog.text
    assert all(SECRET not in str(event.details) for event in Event.objects.all())


def test_the_page_says_when_and_by_whom_it_was_set_and_its_last_four_characters(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    desk.save()
    page = desk.page()
    assert "Set today" in page
    assert "by Aiko Tanaka. It cannot be shown again." in page
    assert f"Ends in {SECRET[-4:]}" in page


def test_a_short_secret_does_not_give_away_four_characters(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    desk.save(client_secret="short")
    assert desk.connection.latest.secret.last_four == ""


def test_a_dump_of_the_database_does_not_hold_it(cast: Cast, tmp_path: object) -> None:
    Desk(cast.aiko).save()
    dump = f"{tmp_path}/dump.json"
    call_command("dumpdata", output=dump, verbosity=0)
    with open(dump) as file:
        text = file.read()
    assert "halden.okta.com" in text
    assert SECRET not in text


def test_moved_to_another_row_it_does_not_open(cast: Cast) -> None:
    ours, theirs = Desk(cast.aiko), Desk(cast.mallory)
    ours.save()
    theirs.save(client_secret="another-secret-of-some-length")
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE identity_clientsecret SET sealed = %s WHERE connection_id = %s",
            [ours.connection.latest.secret.sealed, theirs.connection.pk],
        )
    with pytest.raises(SealBroken):
        theirs.connection.latest.secret.open()
    assert ours.connection.latest.secret.open() == SECRET


def test_it_is_sealed_and_not_in_the_repr_of_what_is_made_of_it(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    desk.save()
    revision: Revision = desk.connection.latest
    assert SECRET not in revision.secret.sealed
    assert SECRET not in repr(revision.relying_party(revision.credential()))


def test_an_empty_field_keeps_it_and_a_filled_one_replaces_it(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    desk.save()
    desk.save(client_secret="", scopes="openid email")
    assert desk.connection.latest.secret.open() == SECRET
    desk.save(client_secret="the-new-secret-from-okta", scopes="openid email")
    assert desk.connection.latest.secret.open() == "the-new-secret-from-okta"
    assert desk.events("connection:revised")[0].details["changed"] == "client secret"
