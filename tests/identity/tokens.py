"""ID tokens for tests of their verification: honest ones, and whatever else the provider's key is put under."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import strategies as st

from identity.oidc import KeySet, Metadata, Refused, RelyingParty, verify_id_token
from tests.provider import SigningKey

NOW = 1_800_000_000
ISSUER = "https://example.okta.com"
RP = RelyingParty(
    connection_id="c0nnect10n00",
    revision=1,
    issuer=ISSUER,
    client_id="gatehouse",
    redirect_uri="https://eu.gatehouse.example/sso/c0nnect10n00/callback/",
)
METADATA = Metadata(
    issuer=ISSUER,
    authorization_endpoint=f"{ISSUER}/authorize",
    token_endpoint=f"{ISSUER}/token",
    jwks_uri=f"{ISSUER}/keys",
    algorithms=("RS256", "ES256"),
    auth_methods=("client_secret_basic",),
    auth_signing_algorithms=(),
    scopes=(),
    acr_values=(),
    is_s256_advertised=True,
    is_response_issuer_promised=False,
    is_refresh_token_granted=True,
    origins_elsewhere=frozenset(),
)
RSA, EC = SigningKey("rsa"), SigningKey("ec", "ES256")


def key_set(*keys: dict[str, Any]) -> KeySet:
    return KeySet.parse(json.dumps({"keys": list(keys)}).encode())


KEYS = key_set(RSA.jwk, EC.jwk)
HONEST: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "00u1alice",
    "aud": "gatehouse",
    "exp": NOW + 3600,
    "iat": NOW,
    "nonce": "the-nonce",
}


def verify(token: str, **known: Any) -> Any:
    given = {"rp": RP, "metadata": METADATA, "keys": KEYS, "nonce": "the-nonce", "at": NOW} | known
    return verify_id_token(token, **given)


def refusal(token: str, **known: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        verify(token, **known)
    return caught.value


def saying(**claims: Any) -> str:
    """A token signed by the provider, honest but for `claims`; a claim of None is left out."""
    said = {name: value for name, value in (HONEST | claims).items() if value is not None}
    return RSA.sign(said)


def b64(document: object) -> str:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return urlsafe_b64encode(body).rstrip(b"=").decode()


def rs256(signed: str, by: SigningKey = RSA) -> bytes:
    """The signature of the provider under anything at all."""
    key = by.private
    assert isinstance(key, RSAPrivateKey)
    return key.sign(signed.encode(), PKCS1v15(), SHA256())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
