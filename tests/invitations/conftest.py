"""Invitations to work with, and a worker that is a process of its own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from demo.processes import Child
from invitations.models import Invitation
from tests.cast import Browser, Cast
from users.models import Organization, Role, User

ROOT = Path(__file__).resolve().parents[2]
EMAIL = "lena.fischer@halden.example"


def invite(
    cast: Cast,
    email: str = EMAIL,
    *,
    role: Role = Role.VIEWER,
    organization: Organization | None = None,
    by: User | None = None,
    **values: object,
) -> Invitation:
    """An invitation to Halden whose link works, as if it had been sent."""
    invitation = Invitation.issue(
        enterprise=cast.halden,
        email=email,
        role=role,
        organization=organization,
        connection=values.pop("connection", None),
        by=by or cast.ingrid,
        at=values.pop("at", timezone.now()),
        message=values.pop("message", ""),
    )
    invitation.keep_token()
    for name, value in values.items():
        setattr(invitation, name, value)
    invitation.save()
    return invitation


@pytest.fixture
def invitation(cast: Cast) -> Invitation:
    return invite(cast, organization=cast.oslo, message="Welcome <b>aboard</b>.")


def open_in(browser: Browser, invitation: Invitation):
    """Open the link as its person does, and return the page behind it."""
    return browser.get(f"/invitations/{invitation.token}/", follow=True)


@contextmanager
def worker(folder: Path, smtp_port: int, redis: str = "", **environment: str) -> Iterator[psutil.Process]:
    """A real Celery worker on the test database, sending to a real SMTP server, as long as the context lasts."""
    name = connection.settings_dict["NAME"]
    host, port = connection.settings_dict["HOST"], connection.settings_dict["PORT"] or 5432
    child = Child("worker", folder)
    process = child.start(
        [sys.executable, "-m", "celery", "-A", "console", "worker", "--pool", "solo", "--loglevel", "INFO",
         "--without-gossip", "--without-mingle", "--without-heartbeat"],
        environment={
            **os.environ,
            "GATEHOUSE_MODE": "development",
            "DATABASE_URL": f"postgres://{connection.settings_dict['USER']}@{host}:{port}/{name}",
            "REDIS_URL": redis or settings.REDIS_URL,
            "EMAIL_URL": f"smtp://127.0.0.1:{smtp_port}",
            **environment,
        },
        folder=ROOT,
    )  # fmt: skip
    try:
        child.wait_until(lambda: b"ready." in child.log_file.read_bytes())
        yield process
    finally:
        child.stop()


def wait_until(what: Callable[[], object], seconds: float = 20) -> None:
    """Wait for ``what`` to hold; fails when it does not within ``seconds``."""
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.05)
