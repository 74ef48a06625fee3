"""The real thing, for people in browsers to go through: web, worker, mail server, provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from console.celery import app
from tests.browser.journeys.house import House, Visitor
from tests.processes import web, worker
from tests.provider import Provider
from tests.smtp import Sink


@pytest.fixture(scope="package")
def servers(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Sink]]:
    """The web's port and the mail server. They stand through all journeys; only rows begin anew."""
    folder: Path = tmp_path_factory.mktemp("servers")
    with app.connection_for_write() as connection:
        connection.default_channel.queue_purge("celery")
    sink = Sink()
    sink.start()
    try:
        with worker(folder, sink.port), web(folder) as port:
            yield port, sink
    finally:
        sink.stop()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def house(transactional_db: None, servers: tuple[int, Sink], provider: Provider) -> House:
    port, sink = servers
    sink.messages.clear()
    return House(f"http://eu.localhost:{port}", sink, provider)


@pytest.fixture
def visitor(house: House, new_page: Callable[..., Page]) -> Callable[[], Visitor]:
    """Make somebody at a browser of their own, who has not been here before."""
    return lambda: Visitor(house.origin, new_page(permissions=["clipboard-read", "clipboard-write"]), house.apps)
