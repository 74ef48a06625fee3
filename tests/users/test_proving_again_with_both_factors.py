"""Step-up of somebody with a second factor asks for both again: the sign-in's own proof, no less (ASVS 7.5.3)."""

from __future__ import annotations

import pytest
from django.http import HttpResponse

from audit.models import Event
from tests.cast import PASSWORD, Browser, Cast, browser_of, long_ago
from tests.factors import App, asked_for_passkey, give_app, give_codes, give_passkey, passkey_answer
from tests.proving import held_by, is_asked
from users.models import Factors, HeldForm

pytestmark = pytest.mark.servers

PROVE = "/account/prove/"


@pytest.fixture
def app(cast: Cast) -> App:
    return give_app(cast.aiko)


@pytest.fixture
def aiko(cast: Cast, app: App) -> Browser:
    """Aiko's browser, in which she signed in eleven minutes ago."""
    browser = browser_of(cast.aiko)
    long_ago(cast.aiko)
    return browser


def prove(browser: Browser, query: str = "", **sent: str) -> HttpResponse:
    return browser.post(f"{PROVE}?next=/users/{query}", {"password": PASSWORD, **sent})


def is_proved(cast: Cast) -> bool:
    return Event.objects.of(cast.halden).filter(action="session:proved").exists()


def test_the_password_alone_is_no_proof(cast: Cast, aiko: Browser) -> None:
    assert prove(aiko).status_code == 422
    assert not is_proved(cast)


def test_password_and_code_are(cast: Cast, aiko: Browser, app: App) -> None:
    code = app.fresh_code()
    assert prove(aiko, code=code)["Location"] == "/users/"
    assert is_proved(cast)
    long_ago(cast.aiko)
    assert prove(aiko, code=code).status_code == 422, "a code works once, here too"


def test_a_wrong_code_is_said_and_on_record(cast: Cast, aiko: Browser, app: App) -> None:
    answer = prove(aiko, code=app.code(7))
    assert "This is not the code that the app shows now." in answer.content.decode()
    event = Event.objects.of(cast.halden).get(action="session:refused")
    assert (event.reason, event.details) == ("wrong_code", {"second_factor": "authenticator_app", "purpose": "step_up"})


def test_a_code_is_not_used_up_by_a_wrong_password(cast: Cast, aiko: Browser, app: App) -> None:
    code = app.fresh_code()
    assert prove(aiko, password="a guess", code=code).status_code == 422
    assert prove(aiko, code=code)["Location"] == "/users/"


def test_password_and_passkey_are(cast: Cast, aiko: Browser) -> None:
    key = give_passkey(cast.aiko)
    page = aiko.get(PROVE)
    assert "Confirm with a passkey" in page.content.decode()
    assert prove(aiko, **passkey_answer(key, page))["Location"] == "/users/"


def test_an_answer_for_the_sign_in_is_none_for_this(cast: Cast, aiko: Browser) -> None:
    """A challenge is bound to the session that asks."""
    key, other = give_passkey(cast.aiko), browser_of(cast.aiko)
    long_ago(cast.aiko)
    assert prove(aiko, **passkey_answer(key, other.get(PROVE))).status_code == 422


def test_a_recovery_code_is_one_too(cast: Cast, aiko: Browser) -> None:
    code = give_codes(cast.aiko)[0]
    assert "Recovery code" in aiko.get(f"{PROVE}?recovery").content.decode()
    assert prove(aiko, "&recovery", code=code)["Location"] == "/users/"
    assert cast.aiko.recovery_codes.unused().count() == 9


def test_whoever_has_only_passkeys_is_asked_for_no_code(cast: Cast) -> None:
    give_passkey(cast.marcus)
    browser = browser_of(cast.marcus)
    long_ago(cast.marcus)
    page = browser.get(PROVE)
    assert asked_for_passkey(page)
    assert 'name="code"' not in page.content.decode()


def test_guesses_count_with_those_at_the_sign_in(cast: Cast, aiko: Browser, app: App) -> None:
    """T14."""
    for _ in range(6):
        assert prove(aiko, code=app.code(7)).status_code == 422
    assert prove(aiko, code=app.code()).status_code == 429


@pytest.mark.parametrize("path", ["/account/app/remove/", "/account/recovery-codes/", "/advanced/local-sign-in/"])
def test_what_weakens_an_account_asks(cast: Cast, aiko: Browser, app: App, path: str) -> None:
    give_passkey(cast.aiko)
    question = aiko.post(path, {"second_factor": "optional"})
    assert is_asked(question)
    assert Factors(cast.aiko).app
    sent = {"held": held_by(question).pk, "password": PASSWORD, "code": app.fresh_code()}
    answer = aiko.post(question["Location"], sent)
    assert aiko.post(answer["Location"], sent).status_code in (200, 302)
    assert not HeldForm.objects.filter(used_at=None).exists()
    cast.halden.refresh_from_db()
    done = {
        "/account/app/remove/": not Factors(cast.aiko).app,
        "/account/recovery-codes/": cast.aiko.recovery_codes.count() == 10,
        "/advanced/local-sign-in/": not cast.halden.is_second_factor_required,
    }
    assert done[path]


def test_resetting_somebodys_asks(cast: Cast, aiko: Browser) -> None:
    give_app(cast.tomas)
    assert is_asked(aiko.post(f"/users/{cast.tomas.pk}/second-factor/reset/"))
    assert Factors(cast.tomas)


@pytest.mark.parametrize("path", ["/account/app/", "/account/passkeys/add/"])
def test_a_new_one_is_shown_only_after_a_proof(cast: Cast, aiko: Browser, path: str) -> None:
    """Whoever finds an open browser does not add a factor of their own."""
    assert is_asked(aiko.get(path))
    assert is_asked(aiko.post(path, {"code": "123456", "name": "x", "passkey": "{}", "challenge": "x"}))
