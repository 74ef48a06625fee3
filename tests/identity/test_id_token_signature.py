"""A token is believed only under a signature of the provider's, in the one shape there is (R3)."""

from __future__ import annotations

import hmac
import json
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.oidc import Code
from tests.identity.tokens import (
    EC,
    HONEST,
    RSA,
    b64,
    json_values,
    key_set,
    refusal,
    rs256,
    saying,
    verify,
)
from tests.provider import SigningKey


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "", "HS256", "HS512", "RS384", "ES384", "EdDSA", "PS256"]
)
def test_no_other_algorithm_is_listened_to(algorithm: str) -> None:
    """H9, H10: idtoken-sig-none, invalid-null-alg, invalid-sig-hs256, invalid-alternate-alg.

    PS256 is one of ours but this provider does not offer it.
    """
    token = f"{b64({'alg': algorithm, 'typ': 'JWT', 'kid': 'rsa'})}.{b64(HONEST)}."
    assert refusal(token).code is Code.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("header", [{}, {"alg": None}, {"alg": ["RS256"]}, {"alg": 1}])
def test_a_header_without_an_algorithm_is_refused(header: dict[str, Any]) -> None:
    """H9."""
    assert refusal(f"{b64(header)}.{b64(HONEST)}.{b64(b'x')}").code is Code.ALGORITHM_NOT_ALLOWED


def test_the_public_key_is_no_shared_secret() -> None:
    """H10: an HMAC made with the published key, the classic confusion."""
    signed = f"{b64({'alg': 'HS256', 'kid': 'rsa'})}.{b64(HONEST)}"
    signature = hmac.digest(json.dumps(RSA.jwk).encode(), signed.encode(), "sha256")
    assert refusal(f"{signed}.{b64(signature)}").code is Code.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("impostor", [SigningKey("impostor-rsa"), SigningKey("impostor-ec", "ES256")])
def test_a_signature_of_another_key_is_refused(impostor: SigningKey) -> None:
    """H10: invalid-sig-rs256, invalid-sig-es256."""
    kid = "rsa" if impostor.algorithm == "RS256" else "ec"
    assert refusal(impostor.sign(HONEST, kid=kid)).code is Code.BAD_SIGNATURE


def test_an_algorithm_must_suit_its_key() -> None:
    """R3: an ES256 token that names an RSA key."""
    assert refusal(EC.sign(HONEST, kid="rsa")).code is Code.UNKNOWN_KEY


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"jku": "https://evil.example"}, {"jwk": {}}, {"x5u": "x"}])
def test_headers_that_bring_their_own_rules_are_refused(header: dict[str, Any]) -> None:
    """R3."""
    assert refusal(RSA.sign(HONEST, **header)).code is Code.HEADER_NOT_ALLOWED


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "application/at+jwt", "secevent+jwt", ""])
def test_a_token_of_another_declared_type_is_not_an_id_token(typ: str) -> None:
    """R2."""
    token = f"{b64({'alg': 'RS256', 'kid': 'rsa', 'typ': typ})}.{b64(HONEST)}.{b64(b'x')}"
    assert refusal(token).code is Code.WRONG_TOKEN_TYPE


def test_no_kid_is_fine_with_one_key_and_ambiguous_with_two() -> None:
    """H7, H8: kid-absent-single-jwks, kid-absent-multiple-jwks."""
    nameless = SigningKey(None)
    token = nameless.sign(HONEST)
    encryption = SigningKey("enc").jwk | {"use": "enc"}
    assert verify(token, keys=key_set(nameless.jwk)).kid == ""
    assert verify(token, keys=key_set(nameless.jwk, encryption)).sub == "00u1alice"
    assert refusal(token, keys=key_set(nameless.jwk, RSA.jwk)).code is Code.AMBIGUOUS_KEY
    assert refusal(token, keys=key_set(nameless.jwk, EC.jwk)).code is Code.AMBIGUOUS_KEY


def test_two_keys_of_one_name_are_ambiguous() -> None:
    """R3."""
    twin = SigningKey("twin").jwk | {"kid": "rsa"}
    assert refusal(saying(), keys=key_set(RSA.jwk, twin)).code is Code.AMBIGUOUS_KEY


@pytest.mark.parametrize("kid", [5, "", ["rsa"], {}])
def test_a_kid_is_a_string(kid: object) -> None:
    token = f"{b64({'alg': 'RS256', 'kid': kid})}.{b64(HONEST)}.{b64(b'x')}"
    assert refusal(token).code is Code.UNKNOWN_KEY


def test_a_small_rsa_key_is_not_enough() -> None:
    """R3: RSA of 2048 bits or more."""
    small = SigningKey("small", bits=1024)
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        token = small.sign(HONEST)
    assert refusal(token, keys=key_set(small.jwk)).code is Code.KEY_TOO_SMALL


@pytest.mark.parametrize(
    "change",
    [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "RS512"}, {"d": "private"}, {"kty": "oct"}, {"n": "AQAB=!"}],
)
def test_keys_that_are_not_for_these_signatures_are_not_used(change: dict[str, Any]) -> None:
    """R3: keys for signatures only; published private keys are nobody's."""
    assert refusal(saying(), keys=key_set(RSA.jwk | change, EC.jwk)).code is Code.UNKNOWN_KEY


def test_an_absurd_key_is_left_out_before_it_costs_anything() -> None:
    huge_modulus = RSA.jwk | {"n": b64(b"\xff" * 1200)}
    huge_exponent = RSA.jwk | {"e": b64(b"\xff" * 256)}
    off_the_curve = EC.jwk | {"x": b64(b"\x01" * 32)}
    assert len(key_set(huge_modulus, huge_exponent, off_the_curve, EC.jwk).keys) == 1


@pytest.mark.parametrize(
    "payload",
    [b"[]", b"null", b"", b"{", b"\xff\xfe", b'{"iss": NaN}', b'{"x": "\\ud800"}', b'{"x": "\\u0000"}', b"[" * 90000],
)
def test_a_payload_that_is_no_sane_object_is_malformed(payload: bytes) -> None:
    """R4: signed by the provider, and still nothing a database could keep."""
    signed = f"{b64({'alg': 'RS256', 'kid': 'rsa'})}.{b64(payload[:40000])}"
    signature = rs256(signed)
    assert refusal(f"{signed}.{b64(signature)}").code is Code.MALFORMED_TOKEN


@pytest.mark.parametrize("spoil", ["a.b", "....", "", "a.b.c.d.e", "ü.b.c", "x" * 70000, "!.b.c"])
def test_what_has_not_the_shape_of_a_token_is_malformed(spoil: str) -> None:
    """R4; five parts would be an encrypted one."""
    assert refusal(spoil).code is Code.MALFORMED_TOKEN


def test_a_token_that_is_too_long_is_not_looked_at() -> None:
    """R4: however well it is signed."""
    assert verify(saying(padding="x" * 40_000)).sub == "00u1alice"
    assert refusal(saying(padding="x" * 60_000)).code is Code.MALFORMED_TOKEN


def test_a_token_has_one_spelling() -> None:
    """A second spelling of the same bytes is refused, padding and stray characters included."""
    token = saying()
    assert refusal(token + "=").code is Code.MALFORMED_TOKEN
    assert refusal(token + "\n").code is Code.MALFORMED_TOKEN
    assert refusal(token.replace(".", ".\n", 1)).code is Code.BAD_SIGNATURE


@settings(max_examples=150, deadline=None)
@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "b64", "zip"]), json_values | st.just("RS256")))
def test_whatever_a_header_says_is_a_refusal(header: dict[str, Any]) -> None:
    """R4: nobody signed these."""
    assert isinstance(refusal(f"{b64(header)}.{b64(HONEST)}.{b64(b'x' * 256)}").code, Code)


@settings(max_examples=150, deadline=None)
@given(token=st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_=-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}"))
def test_any_string_is_a_refusal(token: str) -> None:
    """R4."""
    assert isinstance(refusal(token).code, Code)
