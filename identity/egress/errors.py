"""Why a request got no usable answer."""


class EgressError(Exception):
    """A request that got no usable answer. Its text is its code: no address, no body, no secret."""

    code = "egress"

    def __init__(self) -> None:
        super().__init__(self.code)


class Blocked(EgressError):
    """The address, or the scheme, is one this door never opens to."""

    code = "blocked"


class Unreachable(EgressError):
    """No connection, no TLS, or no intelligible HTTP."""

    code = "unreachable"


class TimedOut(EgressError):
    """The exchange, or the part of it that connects, ran out of time."""

    code = "timed_out"


class TooLarge(EgressError):
    """The answer is larger than `MAX_BYTES`, as sent or as decoded."""

    code = "too_large"


class Redirected(EgressError):
    """The answer is a redirect. It was not followed and its target saw nothing."""

    code = "redirected"


class BreakerOpen(EgressError):
    """Not tried: the last tries failed a moment ago."""

    code = "breaker_open"
