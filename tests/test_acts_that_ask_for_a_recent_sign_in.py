"""T5, at acts no other file asks about: with a sign-in of eleven minutes ago each asks first, and does nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import Event
from tests.cast import browser_of, enable_okta, long_ago
from tests.proving import is_asked
from tests.routes import ROUTES, World

pytestmark = pytest.mark.servers

ACTS: dict[str, dict[str, Any]] = {
    "console:close": {"name": "Halden Freight"},
    "identity:email_rule": {"rule": "follow"},
    "identity:link_subject": {},
    "identity:release": {},
    "invitations:batch_begin": {"name": "A batch", "count": "1000"},
}


@pytest.mark.parametrize("name", ACTS)
def test_a_sign_in_of_long_ago_is_not_enough(world: World, name: str) -> None:
    halden, aiko = world.cast.halden, world.cast.aiko
    enable_okta(halden, world.cast.ingrid)
    halden.require_provider(timezone.now())
    browser, address = browser_of(world.cast.ingrid), reverse(name, args=ROUTES[name].args(world))
    if name == "console:close":
        assert b"".join(browser.get(reverse("console:export")).streaming_content)
    long_ago(world.cast.ingrid)
    before = Event.objects.of(halden).count()
    assert is_asked(browser.post(address, {**ACTS[name], "user": [aiko.pk]}))
    assert Event.objects.of(halden).count() == before
