"""A lost phone: another administrator resets the second factor, and the person hears of it."""

from __future__ import annotations

import pytest

from audit.models import Event
from tests.cast import Browser, Cast, browser_of, enable_okta
from tests.factors import enter_password, factor_page, give_app, give_codes, give_passkey, key_to_copy
from tests.smtp import Sink, text_of
from users import tasks
from users.models import Factors, Passkey

pytestmark = pytest.mark.servers


@pytest.fixture
def world(cast: Cast) -> Cast:
    give_app(cast.tomas)
    give_passkey(cast.tomas)
    give_codes(cast.tomas)
    return cast


def reset(of: str) -> str:
    return f"/users/{of}/second-factor/reset/"


def test_everything_is_gone_sessions_end_and_the_next_sign_in_sets_up_a_new_one(world: Cast, smtp_sink: Sink) -> None:
    theirs, half = browser_of(world.tomas), Browser(world.halden)
    assert enter_password(half, world.tomas)["Location"] == factor_page(world.tomas)
    answer = browser_of(world.aiko).post(reset(world.tomas.pk))
    assert answer["Location"] == f"/users/{world.tomas.pk}/"
    assert not Factors(world.tomas)
    assert not world.tomas.recovery_codes.exists()
    assert theirs.get("/account/").status_code == 302
    event = Event.objects.of(world.halden).get(action="factor:reset")
    assert (event.actor, event.target_label) == (world.aiko, world.tomas.label)
    assert event.details == {"factors": ["authenticator_app", "passkey"]}
    tasks.sweep()
    mail = smtp_sink.newest()
    assert (mail["To"], mail["Subject"]) == (world.tomas.email, "Your second factor for Halden Freight was reset")
    assert "Aiko Tanaka reset the second factor" in text_of(mail)
    # Whoever was asked for the old one is led to the new one.
    assert half.get(factor_page(world.tomas))["Location"] == "/e/halden/local/enrol/"
    page = half.get("/e/halden/local/enrol/")
    assert half.post("/e/halden/local/enrol/", {"code": key_to_copy(page).fresh_code()}).context["codes"]


def test_ones_own_is_reset_by_somebody_else_only(world: Cast) -> None:
    give_app(world.aiko)
    answer = browser_of(world.aiko).post(reset(world.aiko.pk))
    assert answer.status_code == 409
    assert "Another administrator can do this." in answer.content.decode()
    assert Factors(world.aiko)


def test_only_by_those_who_look_after_the_person(world: Cast) -> None:
    """Marcus looks after Rotterdam, where Tomás is; a stranger finds nobody."""
    assert browser_of(world.mallory).post(reset(world.tomas.pk)).status_code == 404
    assert browser_of(world.oluwaseun).post(reset(world.tomas.pk)).status_code in (403, 404)
    give_app(world.aiko)
    assert browser_of(world.marcus).post(reset(world.aiko.pk)).status_code in (403, 404)
    assert Factors(world.aiko)
    assert browser_of(world.marcus).post(reset(world.tomas.pk)).status_code == 302


def test_there_is_nothing_to_reset_of_whoever_has_none_or_uses_a_provider(world: Cast) -> None:
    browser = browser_of(world.aiko)
    assert browser.post(reset(world.oluwaseun.pk)).status_code == 302
    assert not Event.objects.filter(action="factor:reset").exists()
    world.oluwaseun.connection = enable_okta(world.halden, world.ingrid)
    world.oluwaseun.save()
    assert browser.post(reset(world.oluwaseun.pk)).status_code == 404


def test_the_page_of_a_person_says_which_there_are(world: Cast) -> None:
    browser = browser_of(world.aiko)
    page = browser.get(f"/users/{world.tomas.pk}/").content.decode()
    assert all(words in page for words in ("Authenticator app", "Laptop", "10 of 10 left", "Reset…"))
    page = browser.get(f"/users/{world.oluwaseun.pk}/").content.decode()
    assert "Oluwaseun Adeyemi has none yet. The next sign-in sets one up." in page


def test_deleting_a_person_deletes_them(world: Cast) -> None:
    world.tomas.role_assignments.all().delete()
    world.tomas.remove()
    assert not Passkey.objects.exists()
