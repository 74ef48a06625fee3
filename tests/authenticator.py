"""An authenticator in software: makes passkeys and signs with them (WebAuthn). What it counts can be turned back."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

PRESENT, VERIFIED, WITH_KEY = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """Holds one passkey, for the page at ``origin``."""

    origin: str
    count: int = 0
    counts: bool = True
    flags: int = PRESENT | VERIFIED
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: str, **changes: Any) -> str:
        """Answer ``navigator.credentials.create``; ``changes`` are to what the browser would say."""
        asked = json.loads(options)
        data = self._data(asked["rp"]["id"], with_key=True)
        response = {
            "clientDataJSON": self._client_data("webauthn.create", asked["challenge"], changes),
            "attestationObject": _text(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
            "transports": ["internal"],
        }
        return self._answer(response)

    def get(self, options: str, *, rp_id: str = "", **changes: Any) -> str:
        """Answer ``navigator.credentials.get``."""
        asked = json.loads(options)
        client_data = self._client_data("webauthn.get", asked["challenge"], changes)
        data = self._data(rp_id or asked["rpId"])
        signed = data + hashlib.sha256(base64url_to_bytes(client_data)).digest()
        response = {
            "clientDataJSON": client_data,
            "authenticatorData": _text(data),
            "signature": _text(self.key.sign(signed, ec.ECDSA(hashes.SHA256()))),
        }
        return self._answer(response)

    def _answer(self, response: dict[str, Any]) -> str:
        return json.dumps({"id": _text(self.id), "rawId": _text(self.id), "type": "public-key", "response": response})

    def _client_data(self, kind: str, challenge: str, changes: dict[str, Any]) -> str:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False, **changes}
        return _text(json.dumps(said).encode())

    def _data(self, rp_id: str, *, with_key: bool = False) -> bytes:
        self.count += self.counts
        flags = self.flags | (WITH_KEY if with_key else 0)
        head = hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")
        return head + (bytes(16) + len(self.id).to_bytes(2, "big") + self.id + self._public() if with_key else b"")

    def _public(self) -> bytes:
        """The public key as COSE writes it: EC2, ES256, P-256."""
        point = self.key.public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})


def _text(data: bytes) -> str:
    return bytes_to_base64url(data)
