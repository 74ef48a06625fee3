"""What was told in confidence, taken out of what a provider says back: clumsy ones repeat it (R12).

What is taken out is what stands there letter by letter, cut off at the end or not. Whoever wants to give a secret away
in other letters can: it is theirs as well.
"""

from __future__ import annotations

import re
from dataclasses import replace

from identity.oidc import Claims, Refused, thawed
from identity.oidc.documents import frozen_object

# Fewer characters of a secret than that may stand anywhere by chance, and say little.
FEWEST_CHARACTERS = 8
BLANK = "…"
# A signed token, whole or cut off: our assertions are such, and no record needs anybody's.
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{12,}(\.[A-Za-z0-9_-]*){0,2}")


class Confidence:
    """The secrets of one sign-in. ``add`` what becomes known on the way."""

    def __init__(self, *secrets: str) -> None:
        self._secrets: list[str] = []
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        self._secrets += [secret for secret in secrets if len(secret) >= FEWEST_CHARACTERS]

    def keep(self, text: str) -> str:
        """Return ``text`` without tokens and secrets, nor the beginning of one where ``text`` was cut off."""
        text = _TOKEN.sub(BLANK, text)
        for secret in self._secrets:
            if secret[:FEWEST_CHARACTERS] not in text:
                continue
            text = text.replace(secret, BLANK)
            if text.endswith(BLANK) and secret[:FEWEST_CHARACTERS] in text:
                cut = text.removesuffix(BLANK)
                at = cut.rfind(secret[:FEWEST_CHARACTERS])
                if secret.startswith(cut[at:]):
                    text = cut[:at] + BLANK
        return text

    def keep_all(self, value: object) -> object:
        """Return JSON data without the secrets, in names too."""
        if isinstance(value, str):
            return self.keep(value)
        if isinstance(value, dict):
            return {self.keep(name): self.keep_all(item) for name, item in value.items()}
        return [self.keep_all(item) for item in value] if isinstance(value, list) else value

    def refused(self, refused: Refused) -> Refused:
        """Return the same refusal, fit to be put on record."""
        said = None if refused.said is None else {self.keep(n): self.keep_all(v) for n, v in refused.said.items()}
        return Refused(refused.code, expected=self.keep(refused.expected), got=self.keep(refused.got), said=said)

    def claims(self, claims: Claims) -> Claims:
        """Return the same claims, fit to be put on record: what decides stays as it was proved."""
        said = thawed(claims.raw)
        if not isinstance(said, dict) or (kept := self.keep_all(said)) == said:
            return claims
        shown = ("name", "given_name", "family_name", "preferred_username", "locale", "zoneinfo")
        texts = {name: self.keep(getattr(claims, name)) for name in shown}
        return replace(claims, raw=frozen_object(kept) if isinstance(kept, dict) else claims.raw, **texts)  # type: ignore[arg-type]
