"""Halden, a provider that a scenario spoils, a canary, and one sign-in from start to end."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.apps import apps
from django.db import connection
from django.db.models import Model
from django.http import HttpResponse
from django.urls import reverse
from pythonjsonlogger.json import JsonFormatter

from audit.models import Event, Result
from console.logs import WithoutRequest
from identity import providers as doors
from identity.egress import Breaker, Egress
from identity.models import Connection, Grant, Subject
from identity.oidc import ProviderCache
from tests.conformance.canary import Canary
from tests.conformance.scenario import Outcome, Renewed, Scenario
from tests.identity.journey import Journey, sent_to
from tests.provider import Provider
from tests.serving import Reply, Request, Server
from users.models import Enterprise, Session, User

LONGEST_SECONDS = 5.0
WHO_IS_WHO = (User, Session, Grant, Subject)
Back = dict[str, str]


@dataclass
class Stage:
    """What a scenario changes before the one sign-in that counts.

    `on_return` changes what the browser brings back, one after the other. `before_return` is what happens while the
    person is at the provider. `checks` are asserted at the end, beside everything that always is.
    """

    journey: Journey
    canary: Canary
    log: StringIO
    connection: Connection = field(init=False)
    browser: Any = field(init=False)
    browser_back: Any = None
    on_return: list[Callable[[Back], Back]] = field(default_factory=list)
    before_return: list[Callable[[Back], object]] = field(default_factory=list)
    checks: list[Callable[[], object]] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    others: list[Provider] = field(default_factory=list)
    servers: list[Server] = field(default_factory=list)
    is_invited: bool = False
    address: str = ""
    url: str = ""
    known: list[tuple[str, str]] = field(default_factory=list)
    recorded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.connection, self.browser = self.journey.connection, self.journey.browser
        self.secrets.add(self.provider.clients["gatehouse"])

    @property
    def provider(self) -> Provider:
        return self.journey.provider

    @property
    def enterprise(self) -> Enterprise:
        return self.connection.enterprise

    def another_provider(self) -> Provider:
        """A second, honest provider."""
        provider = Provider()
        self.others.append(provider.__enter__())
        return provider

    def serve(self, answer: Callable[[Request], Reply]) -> str:
        """Run one more server that answers as it is told; return its origin."""
        server = Server(0, answer)
        server.start()
        self.servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    def first_time(self) -> None:
        """Have Piotr come with an invitation, whom nobody knows yet."""
        self.is_invited = True
        self.journey.is_piotr()
        self.journey.open(self.journey.invite())

    # ---- There and back

    def start(self) -> HttpResponse:
        address = reverse("identity:start", args=[self.connection.pk])
        return self.browser.post(address) if self.is_invited else self.browser.get(address)

    def at_provider(self, away: HttpResponse, provider: Provider | None = None) -> Back:
        """Be at the provider; return what the browser is to bring back."""
        self.url = sent_to(away) if self.is_invited else away["Location"]
        asked = dict(parse_qsl(urlsplit(self.url).query))
        self.secrets |= {asked["state"], asked["nonce"]}
        return (provider or self.provider).code_for(self.url)

    def come_back(self, back: Back | str) -> HttpResponse:
        query = back if isinstance(back, str) else urlencode(back)
        address = self.address or reverse("identity:callback", args=[self.connection.pk])
        return (self.browser_back or self.browser).get(f"{address}?{query}")

    def sign_in(self) -> HttpResponse:
        """Start, sign in at the provider, come back: with everything the scenario does to it."""
        self.look()
        away = self.start()
        assert rows_of(*WHO_IS_WHO) == self.known
        if away.status_code >= 400:
            return away
        back = self.at_provider(away)
        for happens in self.before_return:
            happens(back)
        for change in self.on_return:
            back = change(back)
        self.look()
        return self.come_back(back)

    def look(self) -> None:
        """Note what is there, to see later what has come of it."""
        self.known, self.recorded = rows_of(*WHO_IS_WHO), set(Event.objects.values_list("pk", flat=True))

    # ---- What is known afterwards

    def requests_to(self, path: str) -> list[Request]:
        return [found for provider in [self.provider, *self.others] for found in provider.requests_to(path)]

    def handed_out(self) -> set[str]:
        """Every secret of this sign-in: ours, and what any provider issued or was told."""
        found = set(self.secrets)
        for provider in [self.provider, *self.others]:
            found |= provider.issued | {*provider.clients.values(), *provider.second_secrets.values()}
            found |= {request.headers["authorization"].split()[1] for request in provider.requests_to("/token")
                      if "authorization" in request.headers}  # fmt: skip
            for name in ("code_verifier", "client_assertion"):
                found |= {request.form[name] for request in provider.requests if name in request.form}
        return {secret for secret in found if len(secret) > 12}

    def close(self) -> None:
        for provider in self.others:
            provider.close()
        for server in self.servers:
            server.stop()
        self.canary.close()
        doors.door().egress.close()


@cache
def common_egress() -> Egress:
    """The client of most scenarios: to make one costs more than a sign-in does."""
    return Egress(allow_loopback_http=True)


def open_door(**limits: Any) -> None:
    """Give this process a new door with nothing cached and no breaker open; `limits` are those of `Egress`."""
    egress = Egress(allow_loopback_http=True, **limits) if limits else common_egress()
    egress.breaker = Breaker()
    if doors._door:
        doors._door.egress.close()  # or the connections it keeps would be left to the collector
    doors._door = doors.Door(egress, ProviderCache(egress))


@contextmanager
def everything_logged() -> Iterator[StringIO]:
    """Keep every line of every logger, as verbose as it gets, the way it is written in production."""
    tape = StringIO()
    handler = logging.StreamHandler(tape)
    handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    handler.addFilter(WithoutRequest())
    loggers = [logging.getLogger(name) for name in ("", "django", "django.request", "django.security", "gatehouse")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    try:
        yield tape
    finally:
        logging.getLogger().removeHandler(handler)
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def rows_of(*models: type[Model]) -> list[tuple[str, str]]:
    """Every value of every row of `models`, in one statement."""
    each = " UNION ALL ".join(f"SELECT '{name}', t::text FROM {name} t" for name in tables(models))  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(each)
        return sorted(cursor.fetchall())


def tables(models: Iterable[type[Model]]) -> list[str]:
    return [model._meta.db_table for model in models]


def everything_stored() -> str:
    """Every value of every row there is."""
    return str(rows_of(*apps.get_models()))


def run(stage: Stage, scenario: Scenario) -> Outcome:
    """Play `scenario` and return how it ended. Fails on whatever must never happen, however it ends."""
    if scenario.is_renewal:
        return renew(stage, scenario)
    if scenario.is_invited:
        stage.first_time()
    scenario.arrange(stage)
    for provider in [stage.provider, *stage.others]:
        provider.requests.clear()
    began = time.monotonic()
    answer = stage.sign_in()
    took = time.monotonic() - began
    assert took < LONGEST_SECONDS
    assert answer.status_code < 500 or answer.status_code == 503
    new = list(Event.objects.exclude(pk__in=stage.recorded))
    reason = ""
    if answer.status_code == 302:
        assert_signed_in(stage, answer, new)
    else:
        assert rows_of(*WHO_IS_WHO) == stage.known
        reason = assert_on_record(stage, answer, new)
    assert not stage.canary.touched
    assert_silent(stage, answer)
    keys = None if scenario.expected.keys is None else len(stage.requests_to("/keys"))
    got = Outcome(reason, answer.status_code, len(stage.requests_to("/token")), keys)
    for check in stage.checks:
        check()
    return got


def renew(stage: Stage, scenario: Scenario) -> Outcome:
    """Sign in honestly, then play `scenario` while somebody opens a page and the provider is asked about the session.

    Asked twice over in vain, it makes no difference: a session goes on or has ended, and it is told once.
    """
    assert stage.sign_in()["Location"] == "/"
    stage.journey.make_due()
    scenario.arrange(stage)
    stage.provider.requests.clear()
    before = Session.objects.get()
    stage.look()
    began = time.monotonic()
    answer = stage.browser.get("/account/")
    assert time.monotonic() - began < LONGEST_SECONDS
    new = {event.action: event for event in Event.objects.exclude(pk__in=stage.recorded)}
    assert not stage.canary.touched
    assert_silent(stage, answer)
    for check in stage.checks:
        check()
    ended, told = new.pop("session:ended-by-provider", None), new.pop("session:not-reproved", None)
    assert not new
    assert Session.objects.exists() is (ended is None)
    tokens = len(stage.requests_to("/token"))
    if ended is None:
        session = Session.objects.get()
        if "Refresh" in answer:
            assert not Grant.objects.exclude(refresh_sealed="").exists()
            return Renewed(status=answer.status_code, tokens=tokens, asks_browser=True)
        assert (session.vouched_at > before.vouched_at) is (told is None)
        assert told is None or session.expire_date == before.expire_date
        return Renewed(status=answer.status_code, told=told.reason if told else "", tokens=tokens)
    assert ended.reference in answer.content.decode()
    assert ended.enterprise == stage.enterprise
    assert answer["Cache-Control"] == "no-store"
    return Renewed(ended.reason, answer.status_code, tokens, is_alarm=ended.result == Result.ALARM)


def assert_signed_in(stage: Stage, answer: HttpResponse, new: list[Event]) -> None:
    """There is a session of the right person, through this connection, and it is on record."""
    assert answer["Location"] == "/"
    grant = Grant.objects.select_related("session__user").latest("created_at")
    assert grant.connection == stage.connection
    assert grant.session.user.email == (stage.provider.person or {}).get("email", grant.session.user.email)
    assert grant.sub == stage.provider.person["sub"]
    assert "session:started" in {event.action for event in new}
    assert "session:refused" not in {event.action for event in new}


def assert_on_record(stage: Stage, answer: HttpResponse, new: list[Event]) -> str:
    """One refusal in the log of this enterprise and nothing in any other's; its reference is on the page."""
    (event,) = new
    assert (event.action, event.enterprise) == ("session:refused", stage.enterprise)
    page = answer.content.decode()
    assert event.reference in page
    assert "<script>alert" not in page
    assert answer["Cache-Control"] == "no-store"
    assert answer["Referrer-Policy"] in ("no-referrer", "strict-origin")  # the address, with its code, goes nowhere
    return event.reason


def assert_silent(stage: Stage, answer: HttpResponse) -> None:
    """Nothing that must stay secret is in the page, its headers, the log, or any row; and a log line is one line."""
    said = {
        "page": answer.content.decode(),
        "headers": str(answer.headers),
        "log": stage.log.getvalue(),
        "database": everything_stored(),
    }
    for place, words in said.items():
        for secret in stage.handed_out():
            assert secret not in words, place
    for line in said["log"].splitlines():
        assert json.loads(line)["message"].isprintable()
