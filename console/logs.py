"""What must never be in a log line."""

from __future__ import annotations

import logging


class WithoutRequest(logging.Filter):
    """Take the request out of a record: written out, it is its full address, with codes and states in it (R12).

    Django's own lines about a request also say its path, and that of an emailed link is its secret: the route is
    said instead.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        request = record.__dict__.pop("request", None)
        path = getattr(request, "path", None)
        if path and isinstance(record.args, tuple):
            match = getattr(request, "resolver_match", None)
            spellings = {path, path.encode("unicode_escape").decode("ascii")}
            record.args = tuple(
                (match.route if match else "-") if argument in spellings else argument for argument in record.args
            )
        return True
