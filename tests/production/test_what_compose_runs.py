"""Production's shape: migrate, two web processes, worker and clock, as the image and compose have them."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import requests
from django.conf import settings

from demo.processes import Child, Ports
from tests.processes import environment, wait_until
from tests.production.image import Image, probe_command, service, variables, web_command
from tests.smtp import Sink

HOST = "eu.gatehouse.example"
FOUNDER = "ingrid.solberg@halden.example"
PASSWORD = "correct horse battery staple"


@dataclass
class Running:
    """The containers, as processes. ``ask`` goes to one of the web processes as the proxy would."""

    image: Image
    ports: list[int]
    children: dict[str, Child]
    sink: Sink
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, web: int, path: str, data: dict[str, str] | None = None, scheme: str = "https") -> requests.Response:
        headers = {
            "Host": HOST,
            "X-Forwarded-For": "203.0.113.7",
            "X-Forwarded-Proto": scheme,
            "Referer": f"https://{HOST}{path}",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        response = requests.request(
            "POST" if data else "GET",
            f"http://127.0.0.1:{self.ports[web]}{path}",
            data=data,
            headers=headers,
            allow_redirects=False,
            timeout=20,
        )
        self.cookies |= response.cookies.get_dict()
        return response

    def log(self, name: str) -> str:
        return self.children[name].log_file.read_text()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[tuple[Image, Sink]]:
    sink = Sink()
    sink.start()
    given = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "SEALING_KEYS": "a:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        **{f"ORIGIN_{region.upper()}": f"https://{region}.gatehouse.example" for region in ("na", "eu", "au")},
        "EMAIL_FROM": "Gatehouse <no-reply@gatehouse.example>",
        "EMAIL_URL": f"smtp://127.0.0.1:{sink.port}",
    }
    server = environment()["DATABASE_URL"].rpartition("/")[0]
    name = f"production_{secrets.token_hex(4)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    own = variables(given) | {"DATABASE_URL": f"{server}/{name}", "REDIS_URL": settings.REDIS_URL}
    yield Image.build(tmp_path_factory.mktemp("image"), own), sink
    sink.stop()
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="module")
def running(image: tuple[Image, Sink], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    built, sink = image
    folder: Path = tmp_path_factory.mktemp("containers")
    built.run(service("migrate"))
    ports = [Ports(folder / "ports.json").take(name) for name in ("web-1", "web-2")]
    beat = [str(folder / "beat") if word.endswith("/beat") else word for word in service("beat")]
    commands = {
        "web-1": web_command(ports[0]),
        "web-2": web_command(ports[1]),
        "worker": service("worker"),
        "beat": beat,
    }
    children = {name: Child(name, folder) for name in commands}
    try:
        for name, command in commands.items():
            built.start(children[name], command)
        for index, name in enumerate(("web-1", "web-2")):
            children[name].wait_until(lambda index=index: _answers(ports[index]), seconds=60)
        children["worker"].wait_until(lambda: "ready." in children["worker"].log_file.read_text(), seconds=60)
        yield Running(built, ports, children, sink)
    finally:
        for child in children.values():
            child.stop()


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).ok
    except (requests.ConnectionError, requests.Timeout):
        return False


pytestmark = [pytest.mark.servers, pytest.mark.django_db]


def test_the_settings_are_those_of_production(image: tuple[Image, Sink]) -> None:
    built, _sink = image
    assert built.settings["GATEHOUSE_MODE"] == "production"
    assert "no issues" in built.run(["python", "manage.py", "check", "--deploy", "--fail-level", "WARNING"])


def test_the_probe_of_the_image_finds_it_well(running: Running) -> None:
    for port in running.ports:
        running.image.run(probe_command(port))


def test_plain_http_is_sent_to_https(running: Running) -> None:
    response = running.ask(0, "/signup/", scheme="http")
    assert (response.status_code, response.headers["Location"]) == (301, f"https://{HOST}/signup/")


def test_pages_bring_their_styles_under_names_that_may_be_kept(running: Running) -> None:
    page = running.ask(0, "/signup/")
    assert page.status_code == 200
    assert "max-age=63072000" in page.headers["Strict-Transport-Security"]
    sheet = re.search(r'href="(/static/css/base\.[0-9a-f]+\.css)"', page.text)
    assert sheet
    kept = running.ask(1, sheet[1])
    assert (kept.status_code, "immutable" in kept.headers["Cache-Control"]) == (200, True)


def test_an_enterprise_signs_up_at_one_web_process_and_is_known_at_the_other(running: Running) -> None:
    page = running.ask(0, "/signup/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token
    answers = {
        "csrfmiddlewaretoken": token[1],
        "name": "Halden Freight",
        "slug": "halden",
        "region": "eu",
        "your_name": "Ingrid Solberg",
        "email": FOUNDER,
        "password": PASSWORD,
    }
    assert running.ask(0, "/signup/", answers).status_code == 302
    # The founder stands between the password and the session, and sets up a second factor next.
    assert "__Host-halfway" in running.cookies
    enrolling = running.ask(1, "/e/halden/local/enrol/")
    assert enrolling.status_code == 200
    assert 'id="app-key"' in enrolling.text
    # The worker's container sends what the web's has asked for.
    wait_until(lambda: running.sink.to(FOUNDER))


def test_logs_are_lines_of_json_with_the_request_and_without_what_it_carried(running: Running) -> None:
    running.ask(0, "/login/?next=/users/%3Fcanary-of-the-query")
    lines = [json.loads(line) for line in running.log("web-1").splitlines() if line.startswith("{")]
    assert [line for line in lines if line.get("route") == "login/" and line["request_id"]]
    assert "canary-of-the-query" not in running.log("web-1")


def test_nothing_is_written_beside_the_code(running: Running) -> None:
    image = running.image
    assert image.as_it_is() == image.built
    assert not [path for path in image.built if path.stat().st_mode & 0o222]


def test_every_container_stops_when_asked(running: Running) -> None:
    """Last in this file: it stops them. An engine kills after ten seconds what has not ended by itself."""
    for name, child in running.children.items():
        process = child.process()
        assert process is not None, name
        process.terminate()
        process.wait(10)
