"""A provider, a door to it, and a walk through it; and, with a database, Halden connected to it."""

from collections.abc import Iterator

import pytest

from identity.egress import Egress
from invitations.models import Move
from tests.cast import Cast
from tests.identity.journey import Journey
from tests.identity.walk import Walk, relying_party
from tests.invitations.switching import switching
from tests.provider import Provider


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def egress() -> Iterator[Egress]:
    egress = Egress(allow_loopback_http=True)
    yield egress
    egress.close()


@pytest.fixture
def walk(provider: Provider, egress: Egress) -> Walk:
    return Walk(provider, egress, relying_party(provider))


@pytest.fixture
def journey(cast: Cast, provider: Provider) -> Journey:
    return Journey(cast, provider)


@pytest.fixture
def move(journey: Journey) -> Move:
    """Aiko has begun to switch Tomás, and he has the email."""
    journey.provider.person = {"sub": "00u1tomas", "email": "tomas.herrera@halden.example", "name": "T. Herrera"}
    [move] = switching(journey.cast, journey.connection, journey.cast.tomas)
    return move
