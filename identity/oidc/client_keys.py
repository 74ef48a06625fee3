"""Our own keys, for proving who we are without a secret that expires (private_key_jwt, R14, K11)."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt import PyJWS
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ASSERTION_SECONDS = 60
# What a key of ours can sign with, in order of preference: RS256 is what every provider that takes keys knows, but for
# those that follow FAPI, which leave it out and know ES256.
CLIENT_ALGORITHMS = ("RS256", "ES256")
_JWS = PyJWS()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of ours. `kid` is its RFC 7638 thumbprint, so the same key always has the same name."""

    private_key: RSAPrivateKey | EllipticCurvePrivateKey = field(repr=False)
    kid: str
    algorithm: str

    @classmethod
    def generate(cls, algorithm: str) -> bytes:
        """Make a key for RS256 or ES256, and return its private half as unencrypted PEM. Raises `KeyError`."""
        key = _MAKERS[algorithm]()
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @classmethod
    def from_pem(cls, pem: bytes) -> SigningKey:
        """Read an unencrypted PEM: RSA of 2048 bits or more, or P-256. Raises `ValueError`."""
        key = load_pem_private_key(pem, password=None)
        if isinstance(key, RSAPrivateKey) and key.key_size >= 2048:
            algorithm = "RS256"
        elif isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
            algorithm = "ES256"
        else:
            raise ValueError("Not an RSA key of 2048 bits or more, nor a P-256 key")
        members = _public_members(key)
        canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
        return cls(key, urlsafe_b64encode(sha256(canonical).digest()).rstrip(b"=").decode(), algorithm)

    def public_jwk(self) -> dict[str, str]:
        """Return the public half, as it is published in our key set."""
        return {**_public_members(self.private_key), "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def assertion(self, *, client_id: str, audience: str, at: float) -> str:
        """Return a client assertion (RFC 7523, section 2.2) that is good once, for a minute from `at` (epoch)."""
        payload = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": secrets.token_urlsafe(24),
            "iat": int(at),
            "exp": int(at) + ASSERTION_SECONDS,
        }
        return _JWS.encode(json.dumps(payload).encode(), self.private_key, self.algorithm, headers={"kid": self.kid})


_MAKERS: dict[str, Callable[[], RSAPrivateKey | EllipticCurvePrivateKey]] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(SECP256R1()),
}


def _public_members(key: RSAPrivateKey | EllipticCurvePrivateKey) -> dict[str, str]:
    if isinstance(key, RSAPrivateKey):
        members = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        return {name: str(members[name]) for name in ("e", "kty", "n")}
    members = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {name: str(members[name]) for name in ("crv", "kty", "x", "y")}
