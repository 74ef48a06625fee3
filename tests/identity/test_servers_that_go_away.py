"""The provider, the broker and the database die for real, in the middle of things, and come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from django.db import transaction
from django.utils import timezone

from console.celery import app
from demo.servers import Postgres
from identity.models import Connection, Provider, WaitingSubject
from tests.cast import Browser, Cast, make_user
from tests.factors import give_app, sign_in_with
from tests.identity.journey import Journey, is_signed_in
from tests.okta import ROOT, DemoOkta, Person, demo_okta
from tests.processes import environment, wait_until, web
from users.models import Session, User

pytestmark = [pytest.mark.servers]

EMAIL = "dana.whitfield@halden.example"


@pytest.fixture(scope="module")
def okta(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoOkta]:
    with demo_okta(tmp_path_factory.mktemp("okta")) as running:
        yield running


def connected(cast: Cast, okta: DemoOkta) -> Connection:
    now = timezone.now()
    connection = Connection.objects.create(enterprise=cast.halden, provider=Provider.OKTA, created_by=cast.aiko)
    revision = connection.revise(
        by=cast.aiko, at=now, secret=okta.client_secret, issuer=okta.issuer, client_id=okta.client_id
    )
    revision.mark_tested(by=cast.aiko, at=now)
    connection.enable(revision, now)
    return connection


def sign_in(browser: Browser, connection: Connection, person: Person) -> None:
    away = browser.get(f"/sso/{connection.pk}/start/")["Location"]
    page = person.open(away)
    back = page if page.is_redirect else person.pick(page, EMAIL)
    parts = urlsplit(back.headers["Location"])
    browser.get(f"{parts.path}?{parts.query}")


def is_due(user: User) -> None:
    now = timezone.now()
    Session.objects.filter(user=user).update(vouch_due_at=now - timedelta(seconds=1))


@pytest.mark.django_db(transaction=True)
def test_a_provider_that_is_killed_while_it_is_asked_throws_nobody_out_and_is_asked_again(okta: DemoOkta) -> None:
    """R11: stopped with our question in hand, then killed with SIGKILL; later it is there again."""
    cast = Cast.assemble()
    connection = connected(cast, okta)
    dana = make_user(cast.halden, "Dana Whitfield", EMAIL, password="!", connection=connection)
    browser, person = Browser(cast.halden), Person(okta)
    sign_in(browser, connection, person)
    with transaction.atomic():
        WaitingSubject.objects.get().link(by=cast.aiko, at=timezone.now())
    sign_in(browser, connection, person)
    assert is_signed_in(browser, dana)
    process = okta.child.process()
    assert process is not None
    is_due(dana)
    os.killpg(process.pid, signal.SIGSTOP)
    killer = threading.Timer(1, os.killpg, (process.pid, signal.SIGKILL))
    killer.start()
    began = time.monotonic()
    assert browser.get("/account/").status_code == 200
    assert 0.9 < time.monotonic() - began < 8
    killer.join()
    assert is_signed_in(browser, dana)
    port = str(urlsplit(okta.origin).port)
    okta.child.start(
        [sys.executable, "-m", "demo.okta", okta.child.folder / "data", port], environment=os.environ, folder=ROOT
    )
    okta.child.wait_until(lambda: _answers(okta.origin))
    wait_until(lambda: _asked_again(browser, dana), seconds=60)
    assert is_signed_in(browser, dana)
    person.browser.close()


def _asked_again(browser: Browser, user: User) -> bool:
    """Ask once more; a provider that did not answer is left alone for a while."""
    is_due(user)
    assert browser.get("/account/").status_code == 200
    row = Session.objects.get(user=user)
    time.sleep(0.5)
    return row.vouch_due_at is not None and row.vouch_due_at > timezone.now() + timedelta(minutes=1)


def _answers(origin: str) -> bool:
    try:
        return requests.get(origin, timeout=5).ok
    except requests.RequestException:
        return False


def test_with_the_broker_gone_people_sign_in_both_ways_and_nothing_is_less_checked(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.conf, "broker_url", "redis://127.0.0.1:9/0")
    monkeypatch.setattr(app, "_pool", None)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
    journey.sign_in()
    assert is_signed_in(journey.browser, journey.dana)
    tomas, local = journey.cast.tomas, Browser(journey.cast.halden)
    sign_in_with(give_app(tomas), local, tomas)
    assert is_signed_in(local, tomas)
    stranger = Browser(journey.cast.halden)
    journey.provider.person = {"sub": "00u1somebody", "email": EMAIL, "name": "Somebody"}
    assert journey.sign_in(stranger).status_code == 403
    assert not is_signed_in(stranger, journey.dana)
    wrong = stranger.post("/e/halden/local/", {"email": tomas.email, "password": "not the password"})
    assert "do not fit together" in wrong.content.decode()


@pytest.mark.django_db
def test_after_the_database_was_restarted_the_next_request_works(tmp_path: Path) -> None:
    """A kept connection is dead then, and has to be found out before it is used."""
    database = Postgres(tmp_path, is_durable=False)
    database.start()
    seed = "from users.models import Enterprise as E; E.objects.create(name='Halden', slug='halden', region='eu')"
    try:
        own = {"DATABASE_URL": database.url}
        for command in (["migrate", "--no-input"], ["shell", "--command", seed]):
            subprocess.run(
                [sys.executable, "manage.py", *command], cwd=ROOT, env=environment(**own), check=True,
                capture_output=True,
            )  # fmt: skip
        with web(tmp_path / "web", **own) as port:
            assert _pages(port, 8) == [200] * 8
            database.stop()
            assert _pages(port, 1)[0] >= 500
            database.start()
            assert _pages(port, 8) == [200] * 8
    finally:
        database.stop()
        database.destroy()


def _pages(port: int, times: int) -> list[int]:
    """Open a page that needs the database, as often as to meet each of the server's threads, and return the answers."""
    url, host = f"http://127.0.0.1:{port}/e/halden/local/", {"Host": f"eu.localhost:{port}"}
    return [requests.get(url, headers=host, timeout=20).status_code for _ in range(times)]
