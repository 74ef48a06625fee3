"""The demo Okta as a process of a test's own, and a browser-less person who signs in there."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

from demo.processes import Child, Ports

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class DemoOkta:
    """A running demo Okta, and what an administrator pastes into Gatehouse to use it."""

    origin: str
    issuer: str
    client_id: str
    client_secret: str
    child: Child


@contextmanager
def demo_okta(folder: Path) -> Iterator[DemoOkta]:
    """Run the demo Okta with its data in ``folder``, as long as the context lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    port = Ports(folder / "ports.json").take("okta")
    origin = f"http://127.0.0.1:{port}"
    child = Child("okta", folder)
    child.start([sys.executable, "-m", "demo.okta", folder / "data", str(port)], environment=os.environ, folder=ROOT)
    try:
        child.wait_until(lambda: is_up(origin))
        yield DemoOkta(origin, **json.loads((folder / "data" / "client.json").read_text()), child=child)
    finally:
        child.stop()


def is_up(origin: str) -> bool:
    try:
        return requests.get(origin, timeout=5).ok
    except requests.ConnectionError:
        return False


class Person:
    """Somebody with a cookie jar; follows redirects within the demo Okta, and stops where it sends them away."""

    def __init__(self, okta: DemoOkta) -> None:
        self.okta = okta
        self.browser = requests.Session()

    def open(self, url: str) -> requests.Response:
        """Open the address; the answer is a page of the Okta, or the redirect that leaves it."""
        return self._follow(self.browser.get(url, allow_redirects=False, timeout=10))

    def pick(self, page: requests.Response, email: str) -> requests.Response:
        """On the sign-in page, be the person with this address."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert token, page.text
        form = {"csrfmiddlewaretoken": token[1], "email": email}
        return self._follow(self.browser.post(page.url, form, allow_redirects=False, timeout=10))

    def _follow(self, answer: requests.Response) -> requests.Response:
        while answer.is_redirect:
            target = urljoin(answer.url, answer.headers["Location"])
            if not target.startswith(self.okta.origin):
                break
            answer = self.browser.get(target, allow_redirects=False, timeout=10)
        return answer


def sent_to(answer: requests.Response) -> tuple[str, dict[str, str]]:
    """Return where a redirect leads, without its query, and the query."""
    parts = urlsplit(answer.headers["Location"])
    return parts._replace(query="").geturl(), {name: values[0] for name, values in parse_qs(parts.query).items()}
