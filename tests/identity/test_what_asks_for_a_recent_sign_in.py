"""T5: every act that changes how people sign in asks for a recent proof first, and then does what was asked."""

from __future__ import annotations

import pytest

from identity.models import Connection, Provider
from tests import provider as providers
from tests.cast import Cast, hold, long_ago
from tests.identity.setting_up import SECRET, Desk, words
from tests.proving import confirm, held_by, is_asked
from users.models import HeldForm

pytestmark = pytest.mark.servers

NEW_SECRET = "another-secret-of-32-characters-or-more"


@pytest.fixture
def desk(cast: Cast, provider: providers.Provider) -> Desk:
    """Aiko, whose sign-in is eleven minutes old, and an enabled connection with two revisions."""
    desk = Desk(cast.aiko).enabled_at(provider)
    assert desk.save(provider.issuer, client_secret="", scopes="openid email").status_code == 302
    long_ago(cast.aiko)
    return desk


def fresh(desk: Desk) -> Connection:
    return Connection.objects.get(pk=desk.connection.pk)


def test_changing_a_setting(desk: Desk, provider: providers.Provider) -> None:
    """The secret travels no further than the first request: it waits here, sealed, and is on no page."""
    question = desk.save(provider.issuer, client_secret=NEW_SECRET)
    assert is_asked(question)
    assert desk.connection.latest.number == 2
    assert NEW_SECRET not in desk.browser.get(question["Location"]).content.decode()
    assert confirm(desk.browser, question)["Location"].endswith("#check")
    newest = desk.connection.latest
    assert (newest.number, newest.secret.open()) == (3, NEW_SECRET)


def test_changing_who_it_is_for(cast: Cast, provider: providers.Provider) -> None:
    desk = Desk(cast.aiko).saved_at(provider)
    long_ago(cast.aiko)
    question = desk.save(provider.issuer, client_secret="", organization=cast.oslo.pk)
    assert is_asked(question)
    confirm(desk.browser, question)
    assert fresh(desk).organization == cast.oslo


def test_the_first_values_of_a_draft(cast: Cast, provider: providers.Provider) -> None:
    desk = Desk(cast.aiko)
    long_ago(cast.aiko)
    assert is_asked(desk.save(provider.issuer))


def test_saving_without_a_change_asks_nothing(desk: Desk, provider: providers.Provider) -> None:
    answer = desk.save(provider.issuer, client_secret="", scopes="openid email")
    assert answer["Location"].endswith("#check")
    assert desk.connection.latest.number == 2


def test_what_cannot_be_saved_is_said_first(desk: Desk) -> None:
    assert desk.save("not an issuer").status_code == 422


@pytest.mark.parametrize("act", ["enable", "disable", "return_to"])
def test_enabling_disabling_and_going_back(desk: Desk, provider: providers.Provider, act: str) -> None:
    if act == "enable":
        desk.connection.latest.mark_tested(by=desk.user, at=desk.connection.latest.created_at)
    before = fresh(desk)
    args = [1] if act == "return_to" else []
    question = desk.press(act, *args, revision="2")
    assert is_asked(question)
    assert (fresh(desk).serving_id, fresh(desk).enabled_at) == (before.serving_id, before.enabled_at)
    assert confirm(desk.browser, question).status_code == 302
    after = fresh(desk)
    assert (after.serving_id, after.enabled_at) != (before.serving_id, before.enabled_at)


def test_applying_a_fix(cast: Cast, provider: providers.Provider) -> None:
    desk = Desk(cast.aiko).saved_at(provider)
    provider.on_discovery = lambda said, request: (
        said | {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    )
    desk.press("check")
    long_ago(cast.aiko)
    question = desk.press("fix", client_authentication="client_secret_post")
    assert is_asked(question)
    assert desk.connection.latest.client_authentication == "client_secret_basic"
    confirm(desk.browser, question)
    assert desk.connection.latest.client_authentication == "client_secret_post"


def test_deleting_a_draft(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    long_ago(cast.aiko)
    question = desk.press("discard")
    assert is_asked(question)
    assert confirm(desk.browser, question).status_code == 302
    assert not Connection.objects.exists()


def test_what_new_people_use(desk: Desk) -> None:
    assert is_asked(desk.press("lead"))


@pytest.mark.parametrize("act", ["check", "test"])
def test_looking_asks_nothing(desk: Desk, act: str) -> None:
    answer = desk.press("check") if act == "check" else desk.browser.get(desk.url("test"))
    assert answer.status_code == 302
    assert not is_asked(answer)
    assert not HeldForm.objects.exists()


def test_beginning_a_draft_asks_nothing(desk: Desk) -> None:
    answer = desk.browser.post("/advanced/identity-provider/new/", {"provider": Provider.OIDC, "scope": "enterprise"})
    assert answer.status_code == 302
    assert not is_asked(answer)


def test_what_was_held_is_looked_at_anew(desk: Desk, provider: providers.Provider) -> None:
    """Somebody else has saved meanwhile: enabling what is not the newest any more is refused, as ever."""
    desk.connection.latest.mark_tested(by=desk.user, at=desk.connection.latest.created_at)
    question = desk.press("enable", revision="2")
    desk.connection.revise(
        by=desk.user, at=desk.connection.latest.created_at, secret=None, issuer=provider.issuer, client_id="other"
    )
    answer = confirm(desk.browser, question)
    assert answer.status_code == 409
    assert "The settings have changed since" in words(answer)


def test_the_page_says_why_and_never_what(desk: Desk, provider: providers.Provider) -> None:
    page = words(desk.browser.get(desk.save(provider.issuer, client_secret=NEW_SECRET)["Location"]))
    assert "This changes who gets into Halden Freight" in page
    assert "not older than 10 minutes" in page
    assert NEW_SECRET not in page
    assert SECRET not in page


def test_another_enterprises_connection_is_a_404_even_when_held(desk: Desk, cast: Cast) -> None:
    """T11: Mallory is asked like everybody, and then nothing is there for her."""
    stranger = Desk(cast.mallory)
    long_ago(cast.mallory)
    question = stranger.browser.post(desk.url("disable"))
    assert is_asked(question)
    assert held_by(question).user == cast.mallory
    assert confirm(stranger.browser, question).status_code == 404
    assert fresh(desk).is_enabled
    theirs = hold(cast.aiko.sessions.get(), desk.url("disable"))
    assert stranger.browser.post(desk.url("disable"), {"held": theirs.pk}).status_code == 404
    assert fresh(desk).is_enabled
