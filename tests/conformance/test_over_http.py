"""The same over the network: gunicorn on one side, the provider on the other, and a browser of no framework between."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
from django.http import HttpResponse

from tests.cast import Cast
from tests.conformance.canary import Canary
from tests.conformance.rows import SCENARIOS
from tests.conformance.stage import Stage, run
from tests.identity.journey import Journey
from tests.processes import web
from tests.provider import Provider

pytestmark = pytest.mark.servers
# One of each kind; those that need to look into the process are not for here.
SAMPLE = (
    "H1/honest", "H2/another", "H9/none", "H15/another", "H22/removed", "H23/forged", "H28/token-307",
    "H29/token-bomb", "H30/error-breaks", "R1/edited", "R12/error",
)  # fmt: skip


class Remote:
    """A browser that is no test client: cookies, no redirects followed."""

    def __init__(self, port: int, host: str) -> None:
        self._base, self._host = f"http://127.0.0.1:{port}", host
        self._session = requests.Session()

    def get(self, path: str) -> HttpResponse:
        answer = self._session.get(self._base + path, headers={"Host": self._host}, allow_redirects=False, timeout=20)
        kept = {name: answer.headers[name] for name in ("Location", "Cache-Control", "Referrer-Policy", "Content-Type")
                if name in answer.headers}  # fmt: skip
        return HttpResponse(answer.content, status=answer.status_code, headers=kept)


@pytest.fixture(scope="module")
def console(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder: Path = tmp_path_factory.mktemp("console")
    with web(folder) as port:
        yield port, folder


@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_over_the_network(transactional_db: None, console: tuple[int, Path], name: str) -> None:
    """H1–H31, R1, R12: the same outcomes from a server of its own, whose log says nothing either."""
    port, folder = console
    scenario = next(scenario for scenario in SCENARIOS if scenario.id == name)
    with Provider() as provider:
        stage = Stage(Journey(Cast.assemble(), provider), Canary(), StringIO())
        remote: Any = Remote(port, f"eu.localhost:{port}")
        stage.browser = remote
        assert run(stage, scenario) == scenario.expected
        log = "".join(path.read_text() for path in folder.rglob("*.log"))
        assert log
        assert not [secret for secret in stage.handed_out() if secret in log]
        stage.close()
