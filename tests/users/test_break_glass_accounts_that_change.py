"""T13: whatever changes how a break-glass account gets in is told to every Enterprise Admin, not to its owner alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cast import PASSWORD, Browser, Cast, browser_of, make_user
from tests.factors import give_app
from tests.smtp import Sink, link_in, text_of
from users import tasks
from users.models import OutgoingEmail, Role, User

pytestmark = pytest.mark.servers

NEW = "a new sentence to remember"


@pytest.fixture
def kari(cast: Cast) -> User:
    """A third Enterprise Admin, who has nothing to do with what happens."""
    return make_user(cast.halden, "Kari Moe", "kari@halden.example", (Role.ENTERPRISE_ADMIN, None))


def change_email(cast: Cast, person: User, sink: Sink) -> None:
    assert browser_of(cast.aiko).post(f"/users/{person.pk}/email/", {"email": "kept@halden.example"})["Location"]


def reset_factors(cast: Cast, person: User, sink: Sink) -> None:
    give_app(person)
    assert browser_of(cast.aiko).post(f"/users/{person.pk}/second-factor/reset/")["Location"]


def reset_password(cast: Cast, person: User, sink: Sink) -> None:
    browser = Browser(cast.halden)
    browser.post("/e/halden/local/forgotten/", {"email": person.email})
    tasks.sweep()
    browser.get(link_in(sink.newest()))
    assert browser.post("/reset/", {"password": NEW})["Location"]


def change_password(cast: Cast, person: User, sink: Sink) -> None:
    assert browser_of(person).post("/account/password/", {"current": PASSWORD, "password": NEW})["Location"]


ACTS: dict[Callable[[Cast, User, Sink], None], tuple[str, str]] = {
    change_email: ("The email of a break-glass account", "Aiko Tanaka changed the email of Ingrid Solberg"),
    reset_factors: ("The second factor of a break-glass account", "Aiko Tanaka reset the second factor of Ingrid"),
    reset_password: ("The password of a break-glass account", "Ingrid Solberg has a new password since"),
    change_password: ("The password of a break-glass account", "Ingrid Solberg has a new password since"),
}


@pytest.mark.parametrize("act", ACTS)
def test_every_enterprise_admin_is_told(
    cast: Cast, kari: User, smtp_sink: Sink, act: Callable[[Cast, User, Sink], None]
) -> None:
    act(cast, cast.ingrid, smtp_sink)
    told = OutgoingEmail.objects.filter(name="break_glass_changed")
    assert {row.user for row in told} == {cast.ingrid, cast.aiko, kari}
    tasks.sweep()
    [message] = smtp_sink.to("kari@halden.example")
    subject, words = ACTS[act]
    assert message["Subject"].startswith(f"{subject} of Halden Freight")
    assert words in text_of(message)
    assert "kept@halden.example" not in text_of(message)


@pytest.mark.parametrize("act", ACTS)
def test_of_other_accounts_only_their_owners_are_told(
    cast: Cast, kari: User, smtp_sink: Sink, act: Callable[[Cast, User, Sink], None]
) -> None:
    act(cast, cast.tomas, smtp_sink)
    assert not OutgoingEmail.objects.exclude(user=cast.tomas).exclude(user=None).exists()
