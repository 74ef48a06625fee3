"""Tests that run beside each other: each of pytest-xdist's workers has a broker of its own, as it has a database.

The longest tests come first, or at the end one worker would be busy with them and the others with nothing.
Loaded with ``-p`` before anything reads the settings.
"""

from __future__ import annotations

import gc
import os
from urllib.parse import urlsplit

import pytest

# Files whose tests wait, for servers that are killed or for many who meet: a minute each, or half of one.
LONG = (
    "invitations/test_switching_many_people.py", "demo/test_running_it.py", "test_whatever_administrators_do.py",
    "identity/test_servers_that_go_away.py", "users/test_the_last_admin_stays.py",
    "users/test_nobody_gives_what_they_lack.py", "production/test_what_compose_runs.py",
    "invitations/test_a_real_worker.py", "identity/test_switch_races.py", "identity/test_reminders_of_expiry.py",
    "identity/test_losing_the_role_while_waiting.py", "identity/test_proving_who_we_are.py",
    "browser/journeys/test_from_sign_up_to_signed_in_people.py", "browser/journeys/test_switching_in_place.py",
    "browser/journeys/test_every_page_has_no_findings.py",
)  # fmt: skip

_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if _worker.startswith("gw") and os.environ.get("REDIS_URL"):
    _url = urlsplit(os.environ["REDIS_URL"])
    _number = int(_url.path.strip("/") or 0) + 1 + int(_worker.removeprefix("gw"))
    os.environ["REDIS_URL"] = _url._replace(path=f"/{_number}").geturl()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have each worker begin with some of the long files: at first, each gets an equal part of the list."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    if workers < 2:
        return
    files = [file for file in LONG if any(item.nodeid.startswith(f"tests/{file}::") for item in items)]
    short = [item for item in items if item.nodeid.split("::")[0].removeprefix("tests/") not in files]
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        own = files[worker::workers]
        end = len(items) * (worker + 1) // workers
        ordered += [item for file in own for item in items if item.nodeid.startswith(f"tests/{file}::")]
        count = max(0, end - len(ordered))
        ordered += short[:count]
        del short[:count]
    items[:] = ordered + short


def pytest_collection_finish() -> None:
    """Do not look for garbage among what is here to stay, thousands of tests, and look for it less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
