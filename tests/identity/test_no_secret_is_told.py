"""R12: no secret, code, verifier, token or state in logs, exceptions, signals, pages or the database."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from django.apps import apps
from django.contrib.auth import signals
from django.core import signing
from django.db import models
from django.http import HttpResponse
from pythonjsonlogger.json import JsonFormatter

from console.logs import WithoutRequest
from tests.identity.journey import Journey, sent_to
from tests.provider import Reply, Request, Said

pytestmark = pytest.mark.servers


class Sinks:
    """Everything that was said during a sign-in, and every secret that went through it."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.secrets = {journey.provider.clients["gatehouse"]}
        self.log = io.StringIO()
        self.signals: list[str] = []
        self.pages: list[str] = []

    def listen(self, said: Said, request: Request) -> Said:
        self.secrets |= {request.form["code"], request.form["code_verifier"]}
        self.secrets |= {str(said[name]) for name in ("access_token", "id_token", "refresh_token") if name in said}
        return said

    def go(self, url: str) -> HttpResponse:
        """From the provider's address to the end."""
        self.secrets |= {parse_qs(urlsplit(url).query)[name][0] for name in ("state", "nonce")}
        back = self.journey.at_provider(url)
        self.secrets |= set(parse_qs(urlsplit(back).query).get("code", []))
        answer = self.journey.browser.get(back)
        self.pages.append(answer.content.decode() + str(answer.headers))
        return answer

    def database(self) -> str:
        """Every value of every row there is."""
        rows: list[object] = []
        for model in apps.get_models():
            rows += model._base_manager.values_list() if isinstance(model._base_manager, models.Manager) else []
        return str(rows)

    def assert_silent(self) -> None:
        said = {"log": self.log.getvalue(), "signals": str(self.signals), "pages": str(self.pages)}
        said["database"] = self.database()
        assert said["log"]
        for place, words in said.items():
            for secret in self.secrets:
                assert secret not in words, place


@pytest.fixture
def sinks(journey: Journey) -> Iterator[Sinks]:
    """Listen at every logger, as verbosely as it can be set, through the formatter and filter that are installed."""
    sinks = Sinks(journey)
    journey.provider.on_token = sinks.listen
    handler = logging.StreamHandler(sinks.log)
    handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    handler.addFilter(WithoutRequest())
    names = ["", "django", "django.request", "django.security", "mozilla_django_oidc", "gatehouse"]
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]

    def heard(**kwargs: object) -> None:
        sinks.signals.append(str(kwargs))

    every = (signals.user_logged_in, signals.user_login_failed, signals.user_logged_out)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    for signal in every:
        signal.connect(heard, weak=False, dispatch_uid="sinks")
    logging.getLogger().addHandler(handler)
    yield sinks
    logging.getLogger().removeHandler(handler)
    for signal in every:
        signal.disconnect(dispatch_uid="sinks")
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


def test_of_a_sign_in_nothing_is_told(journey: Journey, sinks: Sinks) -> None:
    assert sinks.go(journey.start()["Location"]).status_code == 302
    assert len(sinks.secrets) == 8
    sinks.assert_silent()


def test_of_a_first_sign_in_nothing_is_told(journey: Journey, sinks: Sinks) -> None:
    journey.is_piotr()
    invitation = journey.invite()
    sinks.secrets.add(invitation.token)
    assert sinks.go(sent_to(journey.accept(invitation))).status_code == 302
    sinks.assert_silent()


def test_of_a_refused_sign_in_nothing_is_told(journey: Journey, sinks: Sinks) -> None:
    journey.is_piotr()
    assert sinks.go(journey.start()["Location"]).status_code == 403
    sinks.assert_silent()


@pytest.mark.parametrize("status", [200, 400, 503])
def test_of_a_provider_that_repeats_what_it_heard_nothing_is_told(journey: Journey, sinks: Sinks, status: int) -> None:
    """The 503 is logged as an error by Django itself, with the request: its address carries a code and a state."""

    def repeat(said: Said, request: Request) -> Reply:
        sinks.listen(said, request)
        return Reply.json({**request.form, "html": request.headers}, status)

    journey.provider.on_token = repeat
    assert sinks.go(journey.start()["Location"]).status_code in (400, 503)
    sinks.assert_silent()


def test_of_a_token_that_does_not_verify_nothing_is_told(journey: Journey, sinks: Sinks) -> None:
    journey.provider.on_id_token = lambda claims, request: claims | {"nonce": "wrong"}
    assert sinks.go(journey.start()["Location"]).status_code == 400
    sinks.assert_silent()


def test_the_filter_takes_the_request_out_of_every_line(sinks: Sinks) -> None:
    """Whatever formatter is used: JSON lines write out everything that is attached to a record."""
    logging.getLogger("django.request").error("x", extra={"request": "GET /?code=secret"})
    assert "request" not in json.loads(sinks.log.getvalue().splitlines()[-1])


def test_cookies_say_nothing_to_whoever_holds_them(journey: Journey, sinks: Sinks) -> None:
    url = journey.start()["Location"]
    query = parse_qs(urlsplit(url).query)
    for morsel in journey.browser.cookies.values():
        with pytest.raises(signing.BadSignature):
            signing.loads(morsel.value)
        assert query["nonce"][0] not in morsel.value
