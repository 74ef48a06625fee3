"""What was checked is passed on as it was: nobody writes to it afterwards."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from identity import egress, oidc
from identity.oidc.keys import Key

KINDS = [kind for door in (oidc, egress) for kind in vars(door).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", [kind for kind in [*KINDS, Key] if is_dataclass(kind)])
def test_nothing_is_written_to_what_was_checked(kind: type) -> None:
    """R1, R2: nor is anything hung on it."""
    one = object.__new__(kind)
    for field in fields(kind):
        with pytest.raises(FrozenInstanceError):
            setattr(one, field.name, None)
    assert not hasattr(one, "__dict__")
