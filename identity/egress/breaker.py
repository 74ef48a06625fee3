"""A provider that is down is not asked again at every sign-in (T3)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from identity.egress.errors import BreakerOpen

Clock = Callable[[], float]


class Breaker:
    """Stops asking a provider that does not answer, and lets one request at a time find out when it does.

    `threshold` failures in a row open it for `pause` seconds; then one caller is let through, whose
    result closes it or opens it again. Keys are opaque and each has its own state. Thread-safe.
    """

    def __init__(
        self, *, threshold: int = 5, pause: float = 30.0, capacity: int = 4096, clock: Clock = time.monotonic
    ) -> None:
        self._threshold = threshold
        self._pause = pause
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def admit(self, key: str) -> None:
        """Raises `BreakerOpen` unless a request for `key` may be made now."""
        with self._lock:
            count, open_until = self._failures.get(key, (0, 0.0))
            if count < self._threshold:
                return
            now = self._clock()
            if now < open_until:
                raise BreakerOpen
            # Whoever comes first tries; the others wait for the result, or for another pause.
            self._failures[key] = (count, now + self._pause)

    def succeeded(self, key: str) -> None:
        """The provider answered, whatever it said."""
        if key in self._failures:
            with self._lock:
                self._failures.pop(key, None)

    def failed(self, key: str) -> None:
        """The provider did not answer."""
        with self._lock:
            count, _ = self._failures.pop(key, (0, 0.0))
            self._failures[key] = (count + 1, self._clock() + self._pause)
            while len(self._failures) > self._capacity:
                self._failures.popitem(last=False)
