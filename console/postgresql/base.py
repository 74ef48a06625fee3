"""Django's PostgreSQL backend, with a health check that costs nothing while the connection is well."""

from __future__ import annotations

from select import POLLERR, POLLHUP, POLLIN, poll

from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL


class DatabaseWrapper(PostgreSQL):
    """Between requests a server has nothing to say, unless it goes: then its last word, or the end, is there to read.

    So an idle connection with nothing to read is taken as good, and only a doubtful one is asked ``SELECT 1``.
    """

    def is_usable(self) -> bool:
        # One that has met its end already has no descriptor to look at.
        if self.connection is None or self.connection.closed:
            return False
        poller = poll()
        poller.register(self.connection.fileno(), POLLIN | POLLHUP | POLLERR)
        return not poller.poll(0) or super().is_usable()
