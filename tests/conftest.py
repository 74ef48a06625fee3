"""Fixtures everyone shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings as everybodys
from pytest_django import Settings

from tests.cast import Cast
from tests.smtp import Sink


def pytest_configure() -> None:
    everybodys.PASSWORD_HASHERS = ["tests.hashing.QuickArgon2"]


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()


@pytest.fixture
def smtp_sink(settings: Settings) -> Iterator[Sink]:
    """A real SMTP server, to which this test's email goes."""
    sink = Sink()
    sink.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    yield sink
    sink.stop()
