"""R12: an address that is a secret is in no log line, not even in those that Django writes."""

from __future__ import annotations

import io
import logging

import pytest
from django.conf import settings
from django.urls import reverse

from console.logs import WithoutRequest
from tests.cast import Browser, Cast
from users.tokens import confirmation_token

pytestmark = pytest.mark.servers


@pytest.fixture
def log() -> io.StringIO:
    """What our handler writes, with its own filters."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.addFilter(WithoutRequest())
    logging.getLogger().addHandler(handler)
    yield said
    logging.getLogger().removeHandler(handler)


def test_a_form_without_its_cookie_is_logged_without_the_link_it_stands_behind(cast: Cast, log: io.StringIO) -> None:
    token = confirmation_token.make_token(cast.aiko)
    browser = Browser(cast.halden, enforce_csrf_checks=True)
    assert browser.post(reverse("users:confirm", args=[cast.aiko.pk, token])).status_code == 403
    assert "Forbidden" in log.getvalue()
    assert "confirm/<row:pk>/<str:token>/" in log.getvalue()
    assert token not in log.getvalue()
    assert "without_request" in settings.LOGGING["handlers"]["out"]["filters"]
