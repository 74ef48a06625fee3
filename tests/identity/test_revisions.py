"""A change is a new revision, not in use until tested; the old one serves until then and can be returned to (T5)."""

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.cast import Cast
from tests.identity.setting_up import SECRET, Desk, words
from tests.provider import Provider

pytestmark = pytest.mark.servers


def changed(desk: Desk, provider: Provider) -> None:
    desk.save(provider.issuer, client_secret="another-secret-of-some-length", scopes="openid email")
    desk.connection.refresh_from_db()


def test_what_serves_goes_on_serving_and_the_page_says_which(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).enabled_at(provider)
    changed(desk, provider)
    assert desk.connection.serving.number == 1
    assert desk.connection.waiting.number == 2
    page = desk.page()
    assert "Revision 2 is not in use until tested and enabled. Revision 1 serves." in page
    assert "Return to revision 1" in page


def test_a_tested_revision_takes_over_when_it_is_enabled(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).enabled_at(provider)
    changed(desk, provider)
    desk.prove()
    assert desk.press("enable", revision="2").status_code == 302
    desk.connection.refresh_from_db()
    assert desk.connection.serving.number == 2


def test_returning_copies_values_secret_and_proof_and_serves_at_once(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).enabled_at(provider)
    changed(desk, provider)
    assert desk.press("return_to", 1).status_code == 302
    desk.connection.refresh_from_db()
    newest = desk.connection.latest
    assert newest.number == 3
    assert desk.connection.serving == newest
    assert newest.values == desk.connection.revisions.get(number=1).values
    assert newest.secret.open() == SECRET
    assert newest.tested_by == cast.aiko
    event = desk.events("connection:revised")[0]
    assert event.details == {"revision": 3, "returned_to": 1}
    assert "Revision 3 has the values of revision 1, and serves." in desk.page()


def test_what_was_never_proved_is_not_returned_to(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).enabled_at(provider)
    changed(desk, provider)
    answer = desk.press("return_to", 2)
    assert answer.status_code == 409
    assert "Revision 2 was never tested." in words(answer)
    assert desk.press("return_to", 9).status_code == 404


def test_returning_to_a_disabled_connection_does_not_enable_it(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).enabled_at(provider)
    desk.press("disable")
    changed(desk, provider)
    desk.press("return_to", 1)
    desk.connection.refresh_from_db()
    assert not desk.connection.is_enabled


def test_whom_it_is_for_changes_only_while_it_is_not_in_use(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).enabled_at(provider)
    desk.save(provider.issuer, client_secret="", organization=cast.oslo.pk)
    desk.connection.refresh_from_db()
    assert desk.connection.organization is None
    desk.press("disable")
    desk.save(provider.issuer, client_secret="", organization=cast.oslo.pk)
    desk.connection.refresh_from_db()
    assert desk.connection.organization == cast.oslo
    assert desk.connection.latest.number == 1


def test_the_list_costs_the_same_however_long_it_is(cast: Cast, provider: Provider) -> None:
    for _ in range(7):
        desk = Desk(cast.aiko)
        desk.save()
        desk.save(scopes="openid")
    with CaptureQueriesContext(database) as queries:
        page = words(desk.browser.get(reverse("identity:connections")))
    assert page.count("halden.okta.com") == 7
    assert len(queries) <= 10
