"""Over https, cookies of a sign-in are the browser's own business: ``__Host-``, Secure, for this host and path only."""

from __future__ import annotations

import base64
import os
import subprocess
import sys

from tests.okta import ROOT

SCRIPT = """
import django
django.setup()
from django.http import HttpResponse
from django.test import RequestFactory
from identity import attempts
from identity.attempts import Attempt
from invitations import cookies
request = RequestFactory(headers={"host": "eu.gatehouse.example"}).get("/")
state, response = "s" * 43, HttpResponse()
attempts.keep(response, request, state, Attempt("c", 1, "https://issuer.example", "n", "v"))
cookies.keep(response, "token")
print(response.cookies.output(header=""))
request.COOKIES = {name: morsel.value for name, morsel in response.cookies.items()}
assert attempts.opened(request, state)
gone = HttpResponse()
attempts.clear(gone, request, state)
cookies.clear(gone)
print(gone.cookies.output(header=""))
"""


def test_every_cookie_is_bound_to_the_host() -> None:
    """R10: set and deleted in the one way that browsers accept for the prefix."""
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "console.settings",
        "GATEHOUSE_MODE": "production",
        "SECRET_KEY": "k" * 64,
        "SEALING_KEYS": "a:" + base64.urlsafe_b64encode(b"s" * 32).decode(),
        "DATABASE_URL": os.environ["DATABASE_URL"],
        "REDIS_URL": os.environ["REDIS_URL"],
    } | {f"ORIGIN_{region}": f"https://{region.lower()}.gatehouse.example" for region in ("NA", "EU", "AU")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    assert len(lines) == 4
    for line in lines:
        assert line.strip().startswith("__Host-")
        for word in ("Secure", "Path=/", "SameSite=Lax"):
            assert word in line
        assert "Domain" not in line
    assert sum("HttpOnly" in line for line in lines) == 2
    assert sum("Max-Age=0" in line for line in lines) == 2
