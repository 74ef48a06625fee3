"""Identifiers that are shown to people: in addresses, redirect URIs and references."""

from __future__ import annotations

import re
import secrets

# Crockford's base32: no i, l, o, u, so nothing is misread aloud or spells a word by accident.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_LENGTH = 12


def new_id() -> str:
    """Return 12 random characters (60 bits), the primary key of every row that has an address."""
    return _letters(ID_LENGTH)


def new_reference() -> str:
    """Return a short reference such as ``7K2M-41QX`` (40 bits) that a person can read to somebody."""
    word = _letters(8).upper()
    return f"{word[:4]}-{word[4:]}"


def _letters(number: int) -> str:
    """Return that many random characters: 32 of them, so the low five bits of a random byte choose fairly."""
    return "".join([ALPHABET[byte & 31] for byte in secrets.token_bytes(number)])


def reference_as_typed(text: str) -> str:
    """Return the reference that somebody read out and somebody typed, or nothing when ``text`` is none.

    Case, spaces and the hyphen do not matter, and what looks like a letter we do not use is the digit it looks like.
    """
    word = re.sub(r"[\s-]", "", text).upper().translate(str.maketrans("OIL", "011"))
    return f"{word[:4]}-{word[4:]}" if re.fullmatch(f"[{ALPHABET.upper()}]{{8}}", word) else ""


def is_id(text: str) -> bool:
    """Return whether ``text`` could be such a key: what a form or an address names is not asked for otherwise."""
    return re.fullmatch(RowId.regex, text) is not None


class RowId:
    """The path converter for such a primary key, so that ``/users/invite/`` is not taken for a person."""

    regex = f"[{ALPHABET}]{{{ID_LENGTH}}}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value
