"""What a scenario is: one entry of the table, with what the provider does and what we must answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conformance.stage import Stage

Act = Callable[["Stage"], None]
CLIENT_TEST = "oidcc-client-test-"
FAPI = "fapi2-security-profile-final-client-test-"


@dataclass(frozen=True)
class Outcome:
    """How a sign-in ends: with a session, or refused for `reason` with the HTTP status `status`.

    `tokens` is how often the token endpoint is asked. `keys`, where it matters, is how often the keys are.
    """

    reason: str = ""
    status: int = 302
    tokens: int = 1
    keys: int | None = None

    def __str__(self) -> str:
        end = f"refused: {self.reason}, {self.status}" if self.reason else "signed in"
        asked = f"{self.tokens} token request{'' if self.tokens == 1 else 's'}"
        return f"{end}; {asked}" + ("" if self.keys is None else f", {self.keys} for keys")


@dataclass(frozen=True)
class Renewed(Outcome):
    """How it ends when the provider is asked about a session: it goes on, or has ended for `reason`.

    `told` is what the administrators are told of why it could not be asked. `is_alarm` marks an ending that no honest
    provider causes. With `asks_browser`, the refresh token is given up and the browser goes to ask.
    """

    status: int = 200
    told: str = ""
    is_alarm: bool = False
    asks_browser: bool = False

    def __str__(self) -> str:
        alarm = " with an alarm" if self.is_alarm else ""
        end = f"session ended{alarm}: {self.reason}, {self.status}" if self.reason else "session goes on"
        end = "the browser is sent to ask" if self.asks_browser else end
        told = f", told: {self.told}" if self.told else ""
        return f"{end}{told}; {self.tokens} token request{'' if self.tokens == 1 else 's'}"


def goes_on(told: str = "", tokens: int = 1) -> Renewed:
    return Renewed(told=told, tokens=tokens)


def left_to_browser() -> Renewed:
    return Renewed(asks_browser=True)


def ended(reason: str, *, is_alarm: bool = False, tokens: int = 1) -> Renewed:
    return Renewed(reason, 403, tokens, is_alarm=is_alarm)


def signed_in(**asked: int) -> Outcome:
    return replace(Outcome(), **asked)


def refused(reason: str, status: int = 400, **asked: int) -> Outcome:
    return replace(Outcome(reason, status), **asked)


def at_once(reason: str, status: int = 400) -> Outcome:
    """Refused before the token endpoint is ever asked."""
    return refused(reason, status, tokens=0)


@dataclass(frozen=True)
class Scenario:
    """`id` is the row of the requirements and a name; `module` is the conformance module's, where there is one.

    `act` says in words what the provider, or somebody on the way, does; `arrange` does it. With `is_invited`, the
    sign-in is a first one, by an invitation. With `is_renewal`, it is done honestly before, and what is played is how
    the provider is asked about the session.
    """

    id: str
    module: str
    act: str
    arrange: Act
    expected: Outcome
    is_invited: bool = False
    is_renewal: bool = False

    @property
    def cells(self) -> tuple[str, str, str, str]:
        return self.id, self.module, self.act, str(self.expected)


@dataclass(frozen=True)
class Row:
    """A row of the requirements: called with the rest, it makes a scenario."""

    id: str
    module: str = ""

    def __call__(
        self, name: str, act: str, arrange: Act, expected: Outcome, *, module: str = "", is_invited: bool = False
    ) -> Scenario:
        return Scenario(
            f"{self.id}/{name}", module or self.module or "–", act, arrange, expected, is_invited,
            is_renewal=isinstance(expected, Renewed),
        )  # fmt: skip
