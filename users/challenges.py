"""Challenges for passkeys: random, good for one answer, and only where they were given out.

What is to be remembered travels sealed in the page's own form, so that showing the page writes nothing. An answer
uses its challenge up before it is looked at, whatever then comes of it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import UTC, datetime, timedelta

from users.models import FactorRefused, SpentChallenge
from users.sealing import SealBroken, seal, unseal

LASTS = timedelta(minutes=10)


def new(bound_to: str, at: datetime) -> tuple[bytes, str]:
    """Return a challenge and its sealed form, which opens only together with the same ``bound_to``.

    ``bound_to`` names who may answer: a session, or a sign-in that is half done, and what for.
    """
    challenge = secrets.token_bytes(32)
    kept = json.dumps([challenge.hex(), (at + LASTS).timestamp()]).encode()
    return challenge, seal(kept, bound_to=_place(bound_to))


def take(sealed: str, bound_to: str, at: datetime) -> bytes:
    """Return the challenge in ``sealed`` and use it up. Raises FactorRefused when it is over, used, or not ours."""
    try:
        text, ends = json.loads(unseal(sealed, bound_to=_place(bound_to)))
    except SealBroken as error:
        raise FactorRefused("challenge_over") from error
    until = datetime.fromtimestamp(ends, UTC)
    if until <= at:
        raise FactorRefused("challenge_over")
    challenge = bytes.fromhex(text)
    SpentChallenge.spend(hashlib.sha256(challenge).hexdigest(), until)
    return challenge


def _place(bound_to: str) -> str:
    return f"challenge/{bound_to}"
