"""Every scenario ends as it should, and leaves nothing behind that it should not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conformance.rows import SCENARIOS
from tests.conformance.scenario import Scenario
from tests.conformance.stage import Stage, run

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_scenario(stage: Stage, scenario: Scenario, record_property: Callable[[str, object], None]) -> None:
    """H1–H16, H18, H22–H24, H28–H32, R1, R2, R4, R12, R16: see the scenario's id."""
    for name in ("id", "module", "act", "expected"):
        record_property(name, str(getattr(scenario, name)))
    got = run(stage, scenario)
    record_property("got", str(got))
    assert got == scenario.expected
