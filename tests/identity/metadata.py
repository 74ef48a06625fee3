"""Metadata for tests: that of an honest provider, and whatever else it might say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from identity.oidc import (
    Metadata,
    Refused,
    RelyingParty,
    authorization_url,
    parse_metadata,
)
from tests.identity.walk import REDIRECT_URI

ISSUER = "https://example.okta.com"
HONEST: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/oauth2/v1/authorize",
    "token_endpoint": f"{ISSUER}/oauth2/v1/token",
    "jwks_uri": f"{ISSUER}/oauth2/v1/keys",
    "response_types_supported": ["code"],
    "id_token_signing_alg_values_supported": ["RS256"],
}
RP = RelyingParty("c0nnect10n00", 1, ISSUER, "gatehouse", REDIRECT_URI)


def parse(**changes: Any) -> Metadata:
    document = {name: value for name, value in (HONEST | changes).items() if value is not None}
    return parse_metadata(json.dumps(document).encode(), ISSUER)


def refusal(**changes: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(**changes)
    return caught.value


def url(metadata: Metadata, rp: RelyingParty = RP, **options: Any) -> str:
    return authorization_url(rp, metadata, state="s", nonce="n", verifier="v" * 43, **options)
