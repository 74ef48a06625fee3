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
    sign-in is a first one, by an invitation.
    """

    id: str
    module: str
    act: str
    arrange: Act
    expected: Outcome
    is_invited: bool = False

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
        return Scenario(f"{self.id}/{name}", module or self.module or "–", act, arrange, expected, is_invited)
