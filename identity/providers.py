"""The process's one door to identity providers, with what it has cached of them.

One client means one TLS context and one pool of kept-alive connections: making a context costs more than everything
else in a sign-in.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field

from django.conf import settings

from identity.egress import Egress
from identity.oidc import ProviderCache, RelyingParty, discover

# Seconds for which a provider that has just answered is taken to answer.
PULSE_LASTS = 10.0


@dataclass(frozen=True, slots=True)
class Door:
    """``egress`` makes requests; ``cache`` knows metadata and keys of the providers met so far."""

    egress: Egress
    cache: ProviderCache
    _pulses: dict[str, float] = field(default_factory=dict)

    def feel_pulse(self, rp: RelyingParty) -> None:
        """Find out whether the provider answers now, which what is cached does not tell. Raises Refused if not.

        Before a browser is sent there unasked: it would be left standing at a door that does not open.
        """
        if time.monotonic() - self._pulses.get(rp.issuer, -PULSE_LASTS) < PULSE_LASTS:
            return
        discover(rp.issuer, self.egress, key=rp.connection_id)
        self._pulses[rp.issuer] = time.monotonic()


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
