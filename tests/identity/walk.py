"""One sign-in from start to claims, over real HTTP, without the console around it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from identity.egress import Egress
from identity.oidc import (
    Claims,
    Code,
    ProviderCache,
    Refused,
    RelyingParty,
    TokenResponse,
    authorization_url,
    check_response_issuer,
    exchange_code,
    fresh_nonce,
    fresh_state,
    fresh_verifier,
    verify_id_token,
)
from tests.provider import Provider

REDIRECT_URI = "https://eu.gatehouse.example/sso/c0nnect10n00/callback/"


def relying_party(provider: Provider, **changes: Any) -> RelyingParty:
    values: dict[str, Any] = {
        "connection_id": "c0nnect10n00",
        "revision": 1,
        "issuer": provider.issuer,
        "client_id": "gatehouse",
        "client_secret": provider.clients["gatehouse"],
        "redirect_uri": REDIRECT_URI,
        "scopes": ("openid", "profile", "email", "offline_access"),
    }
    return RelyingParty(**(values | changes))


@dataclass
class Walk:
    """The relying party's side of sign-ins at `provider`. The clock of the cache stands still until moved."""

    provider: Provider
    egress: Egress
    rp: RelyingParty
    now: float = 1000.0
    cache: ProviderCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = ProviderCache(self.egress, clock=lambda: self.now)

    def tokens(self, **verify: Any) -> tuple[TokenResponse, dict[str, Any]]:
        """Go to the provider and back; return the tokens, and what verification needs to know."""
        metadata = self.cache.metadata(self.rp)
        nonce, verifier, state = fresh_nonce(), fresh_verifier(), fresh_state()
        url = authorization_url(self.rp, metadata, state=state, nonce=nonce, verifier=verifier)
        back = self.provider.code_for(url)
        assert back["state"] == state
        check_response_issuer(self.rp, metadata, back.get("iss"))
        tokens = exchange_code(self.rp, metadata, back["code"], verifier, self.egress, at=time.time())
        known = {"nonce": nonce, "at": time.time(), "access_token": tokens.access_token, "code": back["code"]}
        return tokens, known | verify

    def sign_in(self, **verify: Any) -> Claims:
        tokens, known = self.tokens(**verify)
        metadata = self.cache.metadata(self.rp)
        return verify_id_token(
            tokens.unverified_id_token, self.rp, metadata, self.cache.keys(self.rp, metadata), **known
        )

    def refusal(self, **verify: Any) -> Code:
        """Sign in, and return why that was refused."""
        try:
            self.sign_in(**verify)
        except Refused as refused:
            return refused.code
        raise AssertionError("This sign-in should have been refused")
