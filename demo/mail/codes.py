"""An authenticator app for trying: keys to codes, on a page. It keeps its keys in a file, so never use it for real."""

from __future__ import annotations

import binascii
import json
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyotp

STEP = 30  # seconds


class NoKey(Exception):
    """What was entered is no key of an authenticator app."""


@dataclass(frozen=True)
class Shown:
    """One key's code of now."""

    key: str
    code: str

    @property
    def hint(self) -> str:
        return f"{self.key[:4]} …"


@dataclass(frozen=True)
class Codes:
    """All keys, the newest first."""

    folder: Path

    @property
    def _file(self) -> Path:
        return self.folder / "authenticator.json"

    def _keys(self) -> list[str]:
        return json.loads(self._file.read_text()) if self._file.exists() else []

    def add(self, entered: str) -> None:
        """Keep a key as Gatehouse shows it, or the whole address behind its QR code. Raises NoKey."""
        if entered.strip().startswith("otpauth:"):
            entered = parse_qs(urlsplit(entered.strip()).query).get("secret", [""])[0]
        key = "".join(entered.split()).upper()
        try:
            pyotp.TOTP(key).now()
        except (binascii.Error, ValueError) as error:
            raise NoKey from error
        if len(key) < 16:
            raise NoKey
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps([key, *(other for other in self._keys() if other != key)]))

    def now(self) -> list[Shown]:
        return [Shown(key, pyotp.TOTP(key).now()) for key in self._keys()]

    def clear(self) -> None:
        self._file.unlink(missing_ok=True)


def seconds_left() -> int:
    return STEP - int(time.time()) % STEP
