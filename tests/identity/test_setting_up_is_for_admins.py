"""Setting up is for Enterprise Admins of the enterprise; to everyone else it does not exist (T11)."""

import pytest

from identity.models import Connection
from tests.cast import Cast, browser_of
from tests.identity.setting_up import Desk
from tests.provider import Provider

pytestmark = pytest.mark.servers

POSTS = ("setup", "fix", "check", "enable", "disable", "discard")


def test_a_stranger_gets_404_and_changes_nothing(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).enabled_at(provider)
    asked = len(provider.requests)
    desk.browser = browser_of(cast.mallory)
    for name in ("setup", "test", "test_result"):
        assert desk.browser.get(desk.url(name)).status_code == 404
    for name in POSTS:
        assert desk.press(name, revision="1", issuer="https://evil.example").status_code == 404
    assert desk.press("return_to", 1).status_code == 404
    assert Connection.objects.get().serving.issuer == provider.issuer
    assert Connection.objects.get().is_enabled
    assert len(provider.requests) == asked


def test_other_roles_may_not(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).saved_at(provider)
    for user in (cast.marcus, cast.tomas, cast.oluwaseun):
        desk.browser = browser_of(user)
        assert desk.browser.get(desk.url("setup")).status_code == 403
        assert {desk.press(name).status_code for name in POSTS} == {403}
