"""A stage for every scenario: a provider, a canary, Halden, and a door that has met nobody yet."""

from collections.abc import Iterator

import pytest

from identity import providers as doors
from tests.cast import Cast
from tests.conformance.canary import Canary
from tests.conformance.stage import Stage, everything_logged, open_door
from tests.identity.journey import Journey
from tests.provider import Provider


@pytest.fixture
def stage(cast: Cast) -> Iterator[Stage]:
    before = doors._door
    open_door()
    with Provider() as provider, everything_logged() as log:
        stage = Stage(Journey(cast, provider), Canary(), log)
        yield stage
        stage.close()
    doors._door = before
