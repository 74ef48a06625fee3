"""JSON from strangers: parsed within bounds, and frozen once it is believed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn

MAX_SECONDS = 2**40


class Malformed(ValueError):
    """Not the JSON object it should be."""


def _no_constant(name: str) -> NoReturn:
    raise Malformed(name)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def parse_object(body: bytes) -> dict[str, object]:
    """Return the JSON object in `body`. Raises `Malformed` for anything else.

    NaN and infinities, half surrogate pairs and NUL characters are refused: none survives a database.
    """
    try:
        document = _DECODER.decode(body.decode("utf-8"))
        # Only an escape can smuggle these in: raw ones are not UTF-8, or not JSON.
        if b"\\u" in body:
            _refuse_unstorable(document)
    except (ValueError, RecursionError):
        raise Malformed from None
    if not isinstance(document, dict):
        raise Malformed
    return document


def _refuse_unstorable(value: object) -> None:
    if isinstance(value, str):
        value.encode("utf-8")
        if "\0" in value:
            raise Malformed
    elif isinstance(value, dict):
        for name, item in value.items():
            _refuse_unstorable(name)
            _refuse_unstorable(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_unstorable(item)


def frozen(value: object) -> object:
    """Return JSON data that nobody can change: mappings and tuples all the way down."""
    if isinstance(value, dict):
        return MappingProxyType({name: frozen(item) for name, item in value.items()})
    if isinstance(value, list):
        return tuple(frozen(item) for item in value)
    return value


def frozen_object(document: dict[str, object]) -> Mapping[str, object]:
    """Return `document`, frozen."""
    return MappingProxyType({name: frozen(item) for name, item in document.items()})


def thawed(value: object) -> object:
    """Return a plain, changeable copy of frozen data, fit for `json.dumps`."""
    if isinstance(value, Mapping):
        return {name: thawed(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [thawed(item) for item in value]
    return value


def seconds(value: object) -> float | None:
    """Return a JSON NumericDate or duration in seconds, or None when it is no sane number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # NaN is in no range, and infinity in none that ends.
    return float(value) if 0 <= value < MAX_SECONDS else None


def text(value: object, limit: int = 2048) -> str | None:
    """Return a non-empty string of at most `limit` characters, or None."""
    return value if isinstance(value, str) and 0 < len(value) <= limit else None


def texts(value: object, limit: int = 200) -> tuple[str, ...] | None:
    """Return a list of short strings as a tuple, or None when it is not one."""
    if not isinstance(value, list) or len(value) > limit:
        return None
    return tuple(value) if all(isinstance(item, str) and len(item) <= 2048 for item in value) else None
