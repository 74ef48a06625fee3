"""The only door to the internet: HTTP to addresses that strangers typed in, made safe (T2, T3).

Every request resolves the name once, looks at every address in the answer, and connects to one it
has looked at; TLS, SNI and Host go by the original name. It never follows a redirect and reads no
proxy, no netrc and no cookie from anywhere. Time and size are bounded for the whole exchange.

Connections are kept alive and share one TLS context: making a context costs more than everything
else in a sign-in. The address check runs whenever a connection is opened, so one that is reused has
been checked too, and one that the other end has closed is seen before a word is said on it. A POST of
which anything may have arrived is never sent a second time. Make one `Egress` per process, after any fork.
"""

from identity.egress.addresses import is_public, system_resolver
from identity.egress.breaker import Breaker
from identity.egress.client import Egress, Response
from identity.egress.errors import (
    Blocked,
    BreakerOpen,
    EgressError,
    Redirected,
    TimedOut,
    TooLarge,
    Unreachable,
)

__all__ = [
    "Blocked",
    "Breaker",
    "BreakerOpen",
    "Egress",
    "EgressError",
    "Redirected",
    "Response",
    "TimedOut",
    "TooLarge",
    "Unreachable",
    "is_public",
    "system_resolver",
]
