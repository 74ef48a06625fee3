"""The table of scenarios, as text: printed by script/conformance, and kept in docs/conformance.md."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.rows import SCENARIOS
from tests.conformance.scenario import Scenario

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
HEAD = """# Providers that misbehave on purpose

`script/conformance` plays these {count} sign-ins through the console, each with a real HTTP provider that does one
thing out of the ordinary, and prints this table; `script/conformance --write` writes it here. In H18 and R11 it does so
when it is asked about the session afterwards. The names of modules are those of the OpenID Foundation's conformance
suite for relying parties. Besides the outcome, every sign-in is checked for this: it ends in time and in no 5xx but
503; a refusal writes one coded event into the log of its own enterprise and no session, user, grant or subject; no
secret, code, verifier, state, nonce or token is in the page, its headers, the logs or any row of the database; and the
canary, a server that the hostile ones point at, is never reached.

| scenario | conformance module | the provider … | we must | we did |
|---|---|---|---|---|
"""


def row(scenario: Scenario, got: str) -> str:
    cells = [cell.replace("|", "\\|") for cell in (*scenario.cells, got)]
    return f"| {' | '.join(cells)} |"


def document(outcomes: dict[str, str]) -> str:
    """Return docs/conformance.md; `outcomes` are by the id of the scenario."""
    rows = [row(scenario, outcomes[scenario.id]) for scenario in SCENARIOS]
    return HEAD.format(count=len(SCENARIOS)) + "\n".join(rows) + "\n"
