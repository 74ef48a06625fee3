"""Tests that run beside each other: each of pytest-xdist's workers has a broker of its own, as it has a database.

Loaded with ``-p`` before anything reads the settings.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if _worker.startswith("gw") and os.environ.get("REDIS_URL"):
    _url = urlsplit(os.environ["REDIS_URL"])
    _number = int(_url.path.strip("/") or 0) + 1 + int(_worker.removeprefix("gw"))
    os.environ["REDIS_URL"] = _url._replace(path=f"/{_number}").geturl()
