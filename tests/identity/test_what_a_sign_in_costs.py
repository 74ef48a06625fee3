"""What a returning sign-in costs: counted, not estimated."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from identity.models import ClientAuthentication
from identity.providers import door
from tests.cast import Browser, Cast
from tests.identity.journey import Journey
from tests.provider import Provider

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def journey(transactional_db: None, provider: Provider) -> Journey:
    """Somebody has signed in through this process before: keys are cached and a connection is open."""
    journey = Journey(Cast.assemble(), provider)
    journey.sign_in(Browser(journey.cast.halden))
    return journey


def statements(captured: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in captured.captured_queries]


def is_writing(statement: str) -> bool:
    return statement.split()[0] in ("INSERT", "UPDATE", "DELETE", "BEGIN", "SAVEPOINT")


def test_a_returning_sign_in_asks_the_provider_once(journey: Journey) -> None:
    """One token request, over a connection that is open already; keys and metadata are cached."""
    journey.provider.requests.clear()
    connections, opened = journey.provider.connections, door().egress.connections_opened
    assert journey.sign_in()["Location"] == "/"
    assert [request.path for request in journey.provider.requests] == ["/token"]
    assert journey.provider.connections == connections
    assert door().egress.connections_opened == opened


def test_a_returning_sign_in_takes_nine_statements(journey: Journey) -> None:
    """Start and callback together, with audit, session and grant, BEGIN and COMMIT included."""
    with CaptureQueriesContext(database) as captured:
        assert journey.sign_in()["Location"] == "/"
    assert len(captured) == 9, "\n".join(statements(captured))
    assert not any("SAVEPOINT" in statement for statement in statements(captured))


def test_a_key_of_ours_costs_no_more_than_a_secret(journey: Journey) -> None:
    """R14: the process has opened it before; one request, nine statements."""
    connection, now = journey.connection, timezone.now()
    values = connection.latest.values | {"client_authentication": ClientAuthentication.KEY}
    revision = connection.revise(by=journey.cast.ingrid, at=now, secret=None, **values)
    revision.mark_tested(by=journey.cast.ingrid, at=now)
    connection.enable(revision, now)
    journey.provider.client_keys["gatehouse"] = connection.keys.get().public
    journey.sign_in(Browser(journey.cast.halden))
    journey.provider.requests.clear()
    with CaptureQueriesContext(database) as captured:
        assert journey.sign_in()["Location"] == "/"
    assert len(captured) == 9, "\n".join(statements(captured))
    assert [request.path for request in journey.provider.requests] == ["/token"]


def test_start_writes_nothing(journey: Journey) -> None:
    """Nothing is written down for a visitor who has proved nothing; one look at the connection is all it takes."""
    with CaptureQueriesContext(database) as captured:
        assert journey.start().status_code == 302
    assert len(captured) == 1
    assert not any(is_writing(statement) for statement in statements(captured))


def test_start_asks_the_provider_nothing(journey: Journey) -> None:
    journey.provider.requests.clear()
    journey.start()
    assert journey.provider.requests == []


def test_no_transaction_is_open_while_the_provider_is_asked(journey: Journey) -> None:
    """A slow provider holds no lock and no connection of the database's."""
    seen: list[int] = []
    with CaptureQueriesContext(database) as captured:
        journey.provider.on_token = lambda said, request: (seen.append(len(captured)), said)[1]
        journey.sign_in()
    assert not any(is_writing(statement) for statement in statements(captured)[: seen[0]])


def test_an_attempt_fits_in_a_cookie(journey: Journey) -> None:
    """Browsers drop cookies over 4096 bytes, so five of the longest still fit into a request."""
    answer = journey.start(next="/users/?q=" + "x" * 980)
    (cookie,) = (
        morsel for name, morsel in answer.cookies.items() if name.startswith(f"{settings.COOKIE_PREFIX}attempt-")
    )
    assert len(cookie.OutputString()) < 4096
