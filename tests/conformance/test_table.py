"""What is written about the scenarios is what they are."""

from __future__ import annotations

import re
from pathlib import Path

from identity.refused import REASONS
from tests.conformance.rows import SCENARIOS
from tests.conformance.table import DOCUMENT, document

README = Path(__file__).resolve().parents[2] / "README.md"


def test_no_two_scenarios_have_one_name() -> None:
    assert len({scenario.id for scenario in SCENARIOS}) == len(SCENARIOS)


def test_the_document_lists_exactly_the_scenarios_there_are_and_each_ended_as_it_must() -> None:
    """``script/conformance --write`` brings it up to date."""
    assert DOCUMENT.read_text() == document({scenario.id: str(scenario.expected) for scenario in SCENARIOS})


def test_the_readme_says_how_many_there_are() -> None:
    (said,) = re.findall(r"(\d+) sign-ins with providers that misbehave", README.read_text())
    assert int(said) == len(SCENARIOS)


def test_every_reason_that_is_expected_is_one_there_is() -> None:
    known = {reason.value for reason in REASONS}
    assert {scenario.expected.reason for scenario in SCENARIOS} - {""} <= known


def test_every_row_of_the_sign_in_has_scenarios() -> None:
    """H1–H16, H18, H22–H24, H28–H32; what else ends sessions or begins elsewhere has tests of its own."""
    rows = {scenario.id.partition("/")[0] for scenario in SCENARIOS}
    numbers = [*range(1, 17), 18, *range(22, 25), *range(28, 33)]
    assert {f"H{number}" for number in numbers} <= rows
