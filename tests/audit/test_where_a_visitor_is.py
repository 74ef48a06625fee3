"""The address that goes on record, and that tries are counted by (T14)."""

from __future__ import annotations

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from audit.models import client_address


@pytest.mark.parametrize(
    ("socket", "address"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        ("unix:", None),
    ],
)
def test_the_address_is_that_of_the_visitor_in_its_usual_spelling(socket: str, address: str | None) -> None:
    assert client_address(RequestFactory().get("/", REMOTE_ADDR=socket)) == address


def test_a_visitors_own_claim_is_not_believed(settings: Settings) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.2", HTTP_X_FORWARDED_FOR="203.0.113.9, 198.51.100.7")
    assert client_address(request) == "10.0.0.2"
    settings.TRUSTED_PROXIES = 1
    assert client_address(request) == "198.51.100.7"
