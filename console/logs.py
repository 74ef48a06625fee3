"""What must never be in a log line."""

from __future__ import annotations

import logging


class WithoutRequest(logging.Filter):
    """Take the request out of a record: written out, it is its full address, with codes and states in it (R12)."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__.pop("request", None)
        return True
