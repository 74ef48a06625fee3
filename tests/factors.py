"""Second factors for the cast, and signing in with both."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from html import unescape

import pyotp
from django.http import HttpResponse
from django.utils import timezone

from tests.authenticator import Authenticator
from tests.cast import PASSWORD, Browser
from users.models import Factors, RecoveryCode, User
from users.models.factor import STEP, new_secret
from users.passkeys import registered, to_register


@dataclass
class App:
    """An authenticator app. It never shows a code that was used: sign-ins right after one another need not wait."""

    secret: str
    last: int = field(default=0)

    def code(self, ahead: int = 0) -> str:
        """The code of now, or of ``ahead`` steps from now."""
        return pyotp.TOTP(self.secret).generate_otp(int(timezone.now().timestamp()) // STEP + ahead)

    def fresh_code(self) -> str:
        """A code that counts now and has not been shown yet; waits for one if there is none."""
        while True:
            now = int(timezone.now().timestamp()) // STEP
            step = max(self.last + 1, now)
            if step <= now + 1:
                self.last = step
                return pyotp.TOTP(self.secret).generate_otp(step)
            time.sleep(0.5)


def give_app(user: User) -> App:
    """Let ``user`` have an authenticator app, none of whose codes was used."""
    app = App(new_secret())
    Factors(user).add_app(app.secret, 0, timezone.now())
    return app


def give_passkey(user: User, name: str = "Laptop", **of: object) -> Authenticator:
    """Let ``user`` have a passkey; ``of`` its authenticator."""
    key = Authenticator(user.enterprise.origin, **of)  # type: ignore[arg-type]
    challenge = b"a challenge of a fixture's own..."
    answer = key.create(to_register(user, [], challenge))
    Factors(user).add_passkey(name, registered(answer, enterprise=user.enterprise, challenge=challenge), timezone.now())
    return key


def give_codes(user: User) -> list[str]:
    return RecoveryCode.objects.issue(user, timezone.now())


def enter_password(
    browser: Browser, user: User, address: str = "127.0.0.1", path: str = "", **more: str
) -> HttpResponse:
    answers = {"email": user.email, "password": PASSWORD, **more}
    return browser.post(path or f"/e/{user.enterprise.slug}/local/", answers, REMOTE_ADDR=address)


def factor_page(user: User) -> str:
    return f"/e/{user.enterprise.slug}/local/factor/"


def sign_in_with(
    factor: App | Authenticator, browser: Browser, user: User, address: str = "127.0.0.1", **more: str
) -> HttpResponse:
    """Password, and then a code of the app, or an answer of the passkey."""
    answer = enter_password(browser, user, address, **more)
    assert answer["Location"] == factor_page(user)
    if isinstance(factor, App):
        return browser.post(factor_page(user), {"code": factor.fresh_code()}, REMOTE_ADDR=address)
    return browser.post(factor_page(user), passkey_answer(factor, browser.get(factor_page(user))), REMOTE_ADDR=address)


def passkey_answer(key: Authenticator, page: HttpResponse, **changes: str) -> dict[str, str]:
    """What the browser sends when ``page`` asks for a passkey and ``key`` is used."""
    options, challenge = asked_for_passkey(page)
    ask = key.get if '"rpId"' in options else key.create
    return {"passkey": ask(options, **changes), "challenge": challenge}


def asked_for_passkey(page: HttpResponse) -> tuple[str, str]:
    """Return the options and the sealed challenge that ``page`` asks for a passkey with."""
    text = page.content.decode()
    options = re.search(r'data-options="([^"]*)"', text)
    challenge = re.search(r'name="challenge" value="([^"]*)"', text)
    assert options is not None
    assert challenge is not None
    return unescape(options[1]), challenge[1]


def key_to_copy(page: HttpResponse) -> App:
    """Set up an app as somebody does who copies the key from ``page``."""
    shown = re.search(r'id="app-key">([A-Z2-7 ]+)<', page.content.decode())
    assert shown is not None
    return App(shown[1].replace(" ", ""))
