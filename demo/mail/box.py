"""Caught messages: one file each, newest first."""

from __future__ import annotations

import email
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

KEPT = 500


@dataclass(frozen=True)
class Caught:
    """A message as it arrived."""

    key: str
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "(no subject)")

    @property
    def sender(self) -> str:
        return str(self.message["From"] or "")

    @property
    def to(self) -> str:
        return str(self.message["X-Caught-To"] or self.message["To"] or "")

    @property
    def arrived_at(self) -> datetime:
        return datetime.fromtimestamp(int(self.key.partition("-")[0]) / 1e9, UTC)

    def part(self, kind: str) -> str:
        """Return the text or html (``plain`` or ``html``) of the message, or nothing."""
        body = self.message.get_body(preferencelist=(kind,))
        return body.get_content() if body else ""


@dataclass(frozen=True)
class Box:
    """All messages, in a folder."""

    folder: Path

    def keep(self, content: bytes, recipients: list[str]) -> None:
        """Write a message down, and forget the oldest when there are very many."""
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        written = self.folder / f"{name}.part"
        written.write_bytes(b"X-Caught-To: " + ", ".join(recipients).encode() + b"\r\n" + content)
        written.rename(self.folder / f"{name}.eml")
        for old in sorted(self.folder.glob("*.eml"))[:-KEPT]:
            old.unlink(missing_ok=True)

    def all(self) -> list[Caught]:
        return [self._read(path) for path in sorted(self.folder.glob("*.eml"), reverse=True)]

    def get(self, key: str) -> Caught | None:
        path = self.folder / f"{key}.eml"
        return self._read(path) if path in self.folder.glob("*.eml") else None

    def clear(self) -> None:
        for path in self.folder.glob("*.eml"):
            path.unlink(missing_ok=True)

    def _read(self, path: Path) -> Caught:
        message: Any = email.message_from_bytes(path.read_bytes(), policy=default)
        return Caught(path.stem, message)
