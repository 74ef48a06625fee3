"""The web application and its worker as processes of a test's own, on the test database."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests
from django.conf import settings
from django.db import connection

from demo.processes import Child, Ports
from tests.okta import ROOT


def environment(**own: str) -> dict[str, str]:
    """What such a process needs to know. The database has to be there: ask for ``django_db_setup`` first."""
    database = connection.settings_dict
    server = f"{database['HOST']}:{database['PORT'] or 5432}"
    user = database["USER"] + (f":{database['PASSWORD']}" if database["PASSWORD"] else "")
    return {
        **os.environ,
        "GATEHOUSE_MODE": "development",
        "DATABASE_URL": f"postgres://{user}@{server}/{database['NAME']}",
        "REDIS_URL": settings.REDIS_URL,
        "ALLOW_LOOPBACK_ISSUERS": "true",
        **own,
    }


@contextmanager
def worker(folder: Path, smtp_port: int, **own: str) -> Iterator[psutil.Process]:
    """A real Celery worker, sending to a real SMTP server on 127.0.0.1, as long as the context lasts."""
    child = Child("worker", folder)
    process = child.start(
        [sys.executable, "-m", "celery", "-A", "console", "worker", "--pool", "solo", "--loglevel", "INFO",
         "--without-gossip", "--without-mingle", "--without-heartbeat"],
        environment=environment(EMAIL_URL=f"smtp://127.0.0.1:{smtp_port}", **own),
        folder=ROOT,
    )  # fmt: skip
    try:
        child.wait_until(lambda: b"ready." in child.log_file.read_bytes())
        yield process
    finally:
        child.stop()


@contextmanager
def web(folder: Path, **own: str) -> Iterator[int]:
    """The web application behind gunicorn on a port of 127.0.0.1, as long as the context lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    port = Ports(folder / "ports.json").take("web")
    child = Child("web", folder)
    child.start(
        [sys.executable, "-m", "gunicorn", "console.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4"],
        environment=environment(PORT=str(port), **own),
        folder=ROOT,
    )
    try:
        child.wait_until(lambda: _is_ready(port))
        yield port
    finally:
        child.stop()


def _is_ready(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).ok
    except (requests.ConnectionError, requests.Timeout):
        return False


def wait_until(
    what: Callable[[], object],
    seconds: float = 20,
    otherwise: Callable[[], object] = lambda: "it did not happen in time",
) -> None:
    """Wait for ``what`` to hold; fails when it does not within ``seconds``, and then says ``otherwise``."""
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends, otherwise()
        time.sleep(0.05)
