"""The mail catcher as a process of a test's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from demo.processes import Child, Ports
from tests.okta import ROOT, is_up


@dataclass(frozen=True)
class MailCatcher:
    """A running mail catcher: SMTP on 127.0.0.1, and the page to read what arrived."""

    smtp_port: int
    origin: str

    def messages(self) -> list[dict[str, Any]]:
        """Return all messages, newest first: id, to, from, subject, text and html."""
        return requests.get(f"{self.origin}/messages.json", timeout=5).json()


@contextmanager
def mail_catcher(folder: Path) -> Iterator[MailCatcher]:
    """Run the mail catcher with its messages in ``folder``, as long as the context lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = Ports(folder / "ports.json")
    smtp, page = ports.take("smtp"), ports.take("mail")
    origin = f"http://127.0.0.1:{page}"
    child = Child("mail", folder)
    command = [sys.executable, "-m", "demo.mail", folder / "messages", str(smtp), str(page)]
    child.start(command, environment=os.environ, folder=ROOT)
    try:
        child.wait_until(lambda: is_up(origin))
        yield MailCatcher(smtp, origin)
    finally:
        child.stop()
