"""K11: the page shows which secrets are known, which serves, when each was used; and one of them can be retired."""

from datetime import timedelta

import pytest
from django.utils import timezone

from identity import tasks
from identity.models import Connection
from tests.cast import Cast
from tests.identity.journey import Journey
from tests.identity.setting_up import SECRET, Desk, words
from tests.provider import Provider

pytestmark = pytest.mark.servers

NEW = "the-second-secret-of-some-lengthX1yZ"


@pytest.fixture
def desk(cast: Cast, provider: Provider) -> Desk:
    """A connection that serves, with a second secret saved beside the first."""
    desk = Desk(cast.aiko).enabled_at(provider)
    desk.save(provider.issuer, client_secret=NEW)
    desk.connection.refresh_from_db()
    return desk


def test_both_are_shown_with_who_set_them_and_what_they_do(desk: Desk) -> None:
    page = desk.page()
    assert f"…{NEW[-4:]} set today" in page
    assert "Not in use yet with revision 2" in page
    assert f"…{SECRET[-4:]} set today" in page
    assert "by Aiko Tanaka" in page
    assert "Serves" in page
    assert "Retire…" not in page


def test_the_one_before_is_kept_in_reserve_and_can_be_retired(desk: Desk, provider: Provider) -> None:
    desk.prove()
    desk.press("enable", revision="2")
    old = desk.connection.secrets.order_by("set_at")[0]
    page = desk.page()
    assert "In reserve if Okta refuses the other" in page
    assert "Retire…" in page
    assert desk.press("retire_secret", old.pk).status_code == 302
    old.refresh_from_db()
    assert old.sealed == ""
    assert f"…{SECRET[-4:]} set" not in desk.page()
    (event,) = desk.events("secret:retired")
    assert event.details == {"secret": f"…{SECRET[-4:]}"}
    assert desk.press("retire_secret", old.pk).status_code == 404


def test_the_one_that_serves_is_not_retired(desk: Desk) -> None:
    answer = desk.press("retire_secret", desk.connection.serving.secret_id)
    assert answer.status_code == 409
    assert "Sign-ins depend on this secret." in words(answer)
    assert desk.connection.serving.secret.open() == SECRET


def test_those_of_another_connection_are_not_there(desk: Desk, cast: Cast) -> None:
    """T11."""
    secret = desk.connection.secrets.first()
    for other in (Desk(cast.aiko), Desk(cast.mallory)):
        for name in ("retire_secret", "secret_expiry"):
            assert other.press(name, secret.pk).status_code == 404


def test_when_one_was_used_is_noted_but_not_at_every_sign_in(journey: Journey) -> None:
    """To the minute: a write at every sign-in would cost more than it tells."""
    journey.sign_in()
    secret = journey.connection.secrets.get()
    first = secret.used_at
    assert first is not None
    journey.sign_in()
    secret.refresh_from_db()
    assert secret.used_at == first
    secret.used_at = first - timedelta(minutes=2)
    secret.save()
    journey.sign_in()
    secret.refresh_from_db()
    assert secret.used_at > first


def test_a_refused_one_says_so_until_it_is_taken_again(journey: Journey) -> None:
    desk = Desk.__new__(Desk)
    desk.user, desk.connection = journey.cast.aiko, journey.connection
    desk.browser = Desk(journey.cast.aiko).browser
    good = journey.provider.clients["gatehouse"]
    journey.provider.clients["gatehouse"] = "another"
    journey.sign_in()
    assert "Refused Today" in desk.page()
    journey.provider.clients["gatehouse"] = good
    journey.sign_in()
    assert "Refused Today" not in desk.page()


def test_one_in_reserve_that_has_expired_is_erased_by_the_clock(desk: Desk, provider: Provider) -> None:
    """The one that serves is not, whatever its date: that may be wrong, and sign-ins depend on it."""
    desk.prove()
    desk.press("enable", revision="2")
    desk.connection.secrets.update(expires_on=timezone.now().date() - timedelta(days=1))
    tasks.take_turns()
    assert desk.connection.secrets.kept().get().open() == NEW
    (event,) = desk.events("secret:retired")
    assert event.reason == "expired"
    connection = Connection.objects.get(pk=desk.connection.pk)
    assert connection.is_enabled
