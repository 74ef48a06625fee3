"""Secrets at rest: AES-256-GCM, bound to where they stand, with the key's id inside (R10)."""

from __future__ import annotations

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE_LENGTH = 12  # bytes, as NIST SP 800-38D recommends for random nonces


class SealBroken(Exception):
    """The value does not open: changed, moved from another row or column, or sealed with a key we do not have."""


def seal(plain: bytes, *, bound_to: str) -> str:
    """Seal ``plain`` with the first key and return ``keyid.base64url``.

    ``bound_to`` names the place (enterprise, row, column) as associated data: elsewhere the value does not open.
    """
    key_id, key = next(iter(settings.SEALING_KEYS.items()))
    nonce = secrets.token_bytes(NONCE_LENGTH)
    sealed = nonce + AESGCM(key).encrypt(nonce, plain, f"{key_id}\0{bound_to}".encode())
    return f"{key_id}.{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode()}"


def unseal(sealed: str, *, bound_to: str) -> bytes:
    """Return what was sealed for ``bound_to``. Raises SealBroken, without saying why."""
    key_id, _, encoded = sealed.partition(".")
    key = settings.SEALING_KEYS.get(key_id)
    try:
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        if key is None or len(raw) <= NONCE_LENGTH:
            raise SealBroken
        return AESGCM(key).decrypt(raw[:NONCE_LENGTH], raw[NONCE_LENGTH:], f"{key_id}\0{bound_to}".encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken from error
