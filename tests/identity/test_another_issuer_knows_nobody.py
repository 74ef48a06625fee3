"""M7: with another issuer everybody is a stranger, so it counts for the last Enterprise Admin too."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from identity.models import Connection, Revision
from tests import provider as providers
from tests.cast import Cast, browser_of
from tests.identity.journey import connect, link
from users.models import LastAdminError, Role, enterprise_admins

pytestmark = pytest.mark.servers


@pytest.fixture
def connection(cast: Cast, provider: providers.Provider) -> Connection:
    """Aiko is the only Enterprise Admin, and signs in through Okta."""
    connection = connect(cast.halden, provider, cast.ingrid)
    link(connection, cast.aiko, "00u1aiko")
    cast.ingrid.role_assignments.all().delete()
    return connection


def _elsewhere(connection: Connection, cast: Cast) -> Revision:
    revision = connection.revise(
        by=cast.aiko, at=timezone.now(), secret="s" * 20, issuer="https://other.okta.com", client_id="0oa"
    )
    revision.mark_tested(by=cast.aiko, at=timezone.now())
    return revision


def test_enabling_it_is_refused_and_says_why(cast: Cast, connection: Connection) -> None:
    revision = _elsewhere(connection, cast)
    with pytest.raises(LastAdminError):
        connection.enable(revision, timezone.now())
    page = browser_of(cast.aiko).post(
        reverse("identity:enable", args=[connection.pk]), {"revision": str(revision.number)}
    )
    assert page.status_code == 409
    assert "Nobody could administer this enterprise any more" in page.content.decode()
    connection.refresh_from_db()
    assert connection.serving.issuer != "https://other.okta.com"
    assert list(enterprise_admins(cast.halden)) == [cast.aiko]


def test_returning_to_it_is_refused(cast: Cast, connection: Connection) -> None:
    old = _elsewhere(connection, cast)
    page = browser_of(cast.aiko).post(reverse("identity:return_to", args=[connection.pk, old.number]))
    assert page.status_code == 409
    assert connection.revisions.count() == 2


def test_with_an_admin_who_has_a_password_it_is_enabled_and_the_others_do_not_count(
    cast: Cast, connection: Connection
) -> None:
    cast.marcus.role_assignments.create(enterprise=cast.halden, role=Role.ENTERPRISE_ADMIN)
    connection.enable(_elsewhere(connection, cast), timezone.now())
    assert list(enterprise_admins(cast.halden)) == [cast.marcus]
    with pytest.raises(LastAdminError):
        cast.marcus.disable(timezone.now())
