"""The process's one door to identity providers, with what it has cached of them.

One client means one TLS context and one pool of kept-alive connections: making a context costs more than everything
else in a sign-in.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

from django.conf import settings

from identity.egress import Egress
from identity.oidc import ProviderCache


@dataclass(frozen=True, slots=True)
class Door:
    """``egress`` makes requests; ``cache`` knows metadata and keys of the providers met so far."""

    egress: Egress
    cache: ProviderCache


_lock = threading.Lock()
_door: Door | None = None


def door() -> Door:
    """Return the door of this process, which is made when first asked for: after any fork, so never shared."""
    global _door
    if _door is None:
        with _lock:
            if _door is None:
                egress = Egress(allow_loopback_http=settings.ALLOW_LOOPBACK_ISSUERS)
                _door = Door(egress, ProviderCache(egress))
    return _door


def _forget() -> None:
    global _door
    _door = None


# A parent that asked for it before forking keeps its sockets to itself.
os.register_at_fork(after_in_child=_forget)
