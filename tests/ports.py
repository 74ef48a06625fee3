"""Ports that nobody in this run had before.

A process remembers providers by their address: what they said of themselves, and that they answered. A port that the
system gave out twice would hand one test what another one's provider had said.
"""

from __future__ import annotations

import os
import socket
from itertools import cycle

# Above what other servers are known by, below what the system gives out itself; each worker of a run has its share.
_FIRST, _END = 10_100, 32_768
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))

_ports = cycle(range(_FIRST + _WORKER, _END, _WORKERS))


def fresh_port() -> int:
    """Return a port of loopback on which nobody listens, and which this did not return before."""
    for port in _ports:
        with socket.socket() as probe:
            # As servers do: a connection that was closed a moment ago does not hold a port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("unreachable: a cycle has no end")
