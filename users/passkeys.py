"""Passkeys: what the browser is asked for, and what its answer proves (WebAuthn). No database.

A passkey belongs to one host, that of the enterprise's region, and answers only at that region's origin (R9): both
come from the settings, never from the request. Attestation is not asked for, since no make of authenticator is
preferred. The person was asked for a password just before, so a touch is enough: whether the authenticator also asks
for a finger or a PIN is up to it ("preferred").
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json,
    parse_attestation_object,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from users.models import Enterprise, FactorRefused, Passkey, User

ALGORITHMS = [
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
LONGEST_ANSWER = 10_000  # characters; a few hundred are usual
TIMEOUT = 5 * 60 * 1000  # milliseconds that a browser waits for a finger

# How the library says that an answer is nonsense, or not the right one.
_NO = (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Registered:
    """A new passkey, verified. ``credential_id`` is in base64url."""

    credential_id: str
    public_key: bytes
    sign_count: int
    is_synced: bool
    transports: list[str]


def host(enterprise: Enterprise) -> str:
    """Return the relying party's id: the host of the enterprise's region, without a port."""
    return urlsplit(enterprise.origin).hostname or ""


def to_register(user: User, known: Iterable[Passkey], challenge: bytes) -> str:
    """Return the options, as JSON, for a new passkey of ``user`` that is not one of ``known``."""
    return options_to_json(
        webauthn.generate_registration_options(
            rp_id=host(user.enterprise),
            rp_name="Gatehouse",
            user_id=user.pk.encode(),
            user_name=user.email,
            user_display_name=user.label,
            challenge=challenge,
            timeout=TIMEOUT,
            authenticator_selection=AuthenticatorSelectionCriteria(
                # Password managers keep, and carry to the next phone, only those that can be found by themselves.
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.PREFERRED,
            ),
            exclude_credentials=[_descriptor(passkey) for passkey in known],
            supported_pub_key_algs=ALGORITHMS,
        )
    )


def to_use(enterprise: Enterprise, passkeys: Iterable[Passkey], challenge: bytes) -> str:
    """Return the options, as JSON, for using one of ``passkeys``."""
    return options_to_json(
        webauthn.generate_authentication_options(
            rp_id=host(enterprise),
            challenge=challenge,
            timeout=TIMEOUT,
            allow_credentials=[_descriptor(passkey) for passkey in passkeys],
            user_verification=UserVerificationRequirement.PREFERRED,
        )
    )


def _descriptor(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    known = {transport.value: transport for transport in AuthenticatorTransport}
    return PublicKeyCredentialDescriptor(
        id=base64url_to_bytes(passkey.credential_id),
        transports=[known[name] for name in passkey.transports if name in known] or None,
    )


def registered(answer: str, *, enterprise: Enterprise, challenge: bytes) -> Registered:
    """Return the passkey that ``answer``, from the browser, brings. Raises FactorRefused."""
    try:
        credential = parse_registration_credential_json(answer)
        statement = parse_attestation_object(credential.response.attestation_object)
        # Nothing else was asked for; a signature of the new key by itself is the one thing browsers may leave in.
        is_plain = statement.fmt == AttestationFormat.NONE
        if not is_plain and (statement.fmt != AttestationFormat.PACKED or statement.att_stmt.x5c):
            raise FactorRefused("passkey_refused")
        verified = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=host(enterprise),
            expected_origin=enterprise.origin,
            require_user_presence=True,
            supported_pub_key_algs=ALGORITHMS,
        )
        # Without attestation nothing has been signed with it yet: a key that is no key shows only here.
        decoded_public_key_to_cryptography(decode_credential_public_key(verified.credential_public_key))
        transports = json.loads(answer)["response"].get("transports") or []
    except _NO as error:
        raise FactorRefused("passkey_refused") from error
    known = {transport.value for transport in AuthenticatorTransport}
    return Registered(
        credential_id=bytes_to_base64url(verified.credential_id),
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        is_synced=verified.credential_backed_up,
        transports=[name for name in transports if isinstance(name, str) and name in known],
    )


def claimed_id(answer: str) -> str:
    """Return the id, in base64url, of the passkey that ``answer`` claims to come from. Proves nothing."""
    try:
        claimed = json.loads(answer)["id"]
    except _NO as error:
        raise FactorRefused("passkey_refused") from error
    return claimed if isinstance(claimed, str) else ""


def proven_count(answer: str, *, passkey: Passkey, enterprise: Enterprise, challenge: bytes) -> int:
    """Return what the authenticator counts, once ``answer`` is proven to come from ``passkey``. Raises FactorRefused.

    The library compares counters before it verifies the signature, so it is not given ours: an alarm about a copied
    passkey is to rest on an answer that is genuine.
    """
    try:
        verified = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=host(enterprise),
            expected_origin=enterprise.origin,
            credential_public_key=bytes(passkey.public_key),
            credential_current_sign_count=0,
        )
    except _NO as error:
        raise FactorRefused("passkey_refused") from error
    return verified.new_sign_count
