"""``python -m tests.conformance [--write] [-k name …]``: play the scenarios, and print a line for each."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest


class Table:
    """Prints a line when a scenario has ended; knows how all of them did."""

    def __init__(self) -> None:
        self.out = sys.stdout
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and not report.failed:
            return
        known = dict(report.user_properties)
        cells = [str(known.get(name, "?")) for name in ("id", "module", "act", "expected")]
        # What failed before there was an outcome says why instead.
        got = str(known.get("got") or report.longreprtext.strip().splitlines()[-1])
        self.outcomes[cells[0]] = got
        print(" | ".join(["NOT" if report.failed else "ok ", *cells, got]), file=self.out, flush=True)


def main(arguments: list[str]) -> int:
    table = Table()
    scenarios = str(Path(__file__).with_name("test_scenarios.py"))
    others = [argument for argument in arguments if argument != "--write"]
    with redirect_stdout(StringIO()):
        status = pytest.main([scenarios, *others], plugins=[table])
    if "--write" in arguments and status == 0:
        from tests.conformance.table import DOCUMENT, document  # Django stands only now

        DOCUMENT.write_text(document(table.outcomes))
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
