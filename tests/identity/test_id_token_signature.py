"""A token is believed only under a signature of the provider's, in the one shape there is (R3)."""

from __future__ import annotations

import hmac
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.oidc import Code
from tests.identity.tokens import (
    EC,
    HONEST,
    METADATA,
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
    refused = refusal(token)
    assert (refused.code, refused.expected, refused.got) == (Code.ALGORITHM_NOT_ALLOWED, "RS256 ES256", algorithm)


@pytest.mark.parametrize("header", [{}, {"alg": None}, {"alg": ["RS256"]}, {"alg": 1}])
def test_a_header_without_an_algorithm_is_refused(header: dict[str, Any]) -> None:
    """H9."""
    refused = refusal(f"{b64(header)}.{b64(HONEST)}.{b64(b'x')}")
    assert (refused.code, refused.got) == (Code.ALGORITHM_NOT_ALLOWED, "")


def test_the_public_key_is_no_shared_secret() -> None:
    """H10: an HMAC made with the published key, the classic confusion."""
    signed = f"{b64({'alg': 'HS256', 'kid': 'rsa'})}.{b64(HONEST)}"
    signature = hmac.digest(json.dumps(RSA.jwk).encode(), signed.encode(), "sha256")
    assert refusal(f"{signed}.{b64(signature)}").code is Code.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("impostor", [SigningKey("impostor-rsa"), SigningKey("impostor-ec", "ES256")])
def test_a_signature_of_another_key_is_refused(impostor: SigningKey) -> None:
    """H10: invalid-sig-rs256, invalid-sig-es256."""
    kid = "rsa" if impostor.algorithm == "RS256" else "ec"
    refused = refusal(impostor.sign(HONEST, kid=kid))
    assert (refused.code, refused.expected) == (Code.BAD_SIGNATURE, impostor.algorithm)


def test_an_algorithm_must_suit_its_key() -> None:
    """R3: an ES256 token that names an RSA key."""
    assert refusal(EC.sign(HONEST, kid="rsa")).code is Code.UNKNOWN_KEY


@pytest.mark.parametrize("algorithm", ["HS256", "none", "RS384"])
def test_no_metadata_can_offer_what_we_do_not_listen_to(algorithm: str) -> None:
    """R3: asymmetric algorithms only, whatever else was let through before."""
    offering = replace(METADATA, algorithms=("none", "HS256", "RS384", "RS256"))
    token = f"{b64({'alg': algorithm, 'kid': 'rsa'})}.{b64(HONEST)}.{b64(b'x')}"
    assert refusal(token, metadata=offering).code is Code.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"jku": "https://evil.example"}, {"jwk": {}}, {"x5u": "x"}])
def test_headers_that_bring_their_own_rules_are_refused(header: dict[str, Any]) -> None:
    """R3."""
    refused = refusal(RSA.sign(HONEST, **header))
    assert (refused.code, [refused.got]) == (Code.HEADER_NOT_ALLOWED, list(header))


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "application/at+jwt", "secevent+jwt", ""])
def test_a_token_of_another_declared_type_is_not_an_id_token(typ: str) -> None:
    """R2."""
    token = f"{b64({'alg': 'RS256', 'kid': 'rsa', 'typ': typ})}.{b64(HONEST)}.{b64(b'x')}"
    refused = refusal(token)
    assert (refused.code, refused.expected, refused.got) == (Code.WRONG_TOKEN_TYPE, "jwt", typ)


@pytest.mark.parametrize("typ", [5, ["JWT"], {}, None, True])
def test_a_type_that_is_no_text_is_no_type(typ: object) -> None:
    """R4."""
    signed = f"{b64({'alg': 'RS256', 'kid': 'rsa', 'typ': typ})}.{b64(HONEST)}"
    refused = refusal(f"{signed}.{b64(rs256(signed))}")
    assert (refused.code, refused.got) == (Code.WRONG_TOKEN_TYPE, "")


@pytest.mark.parametrize("typ", ["JWT", "jwt", "application/jwt", "Application/JWT"])
def test_a_token_may_say_that_it_is_one(typ: str) -> None:
    """R2: in any case, and as a media type."""
    assert verify(RSA.sign(HONEST, typ=typ)).typ == typ
    signed = f"{b64({'alg': 'RS256', 'kid': 'rsa'})}.{b64(HONEST)}"
    assert verify(f"{signed}.{b64(rs256(signed))}").typ == ""


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


def test_a_number_is_not_the_name_of_a_key() -> None:
    """R3: not even of the key whose name has the same digits."""
    five = SigningKey("5")
    assert verify(five.sign(HONEST), keys=key_set(five.jwk)).kid == "5"
    signed = f"{b64({'alg': 'RS256', 'kid': 5})}.{b64(HONEST)}"
    assert refusal(f"{signed}.{b64(rs256(signed, five))}", keys=key_set(five.jwk)).code is Code.UNKNOWN_KEY


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
    [
        b"[]",
        b"null",
        b"",
        b"{",
        b"\xff\xfe",
        b'{"iss": NaN}',
        b'{"x": "\\ud800"}',
        b'{"x": "\\u0000"}',
        b'{"x": ["y", "\\u0000"]}',
        b'{"x": [{"\\u0000": 1}]}',
        b'{"x": {"y": ["\\udc00"]}}',
        b"[" * 90000,
    ],
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


def test_a_letter_of_another_script_is_malformed_wherever_it_stands() -> None:
    """R4: also in the one part that is looked at last."""
    header, payload, signature = saying().split(".")
    for token in (f"ü{header}.{payload}.{signature}", f"{header}.ü{payload}.{signature}", f"{header}.{payload}.ü"):
        assert refusal(token).code is Code.MALFORMED_TOKEN


def test_a_token_that_is_too_long_is_not_looked_at() -> None:
    """R4: however well it is signed."""
    assert verify(saying(padding="x" * 40_000)).sub == "00u1alice"
    assert refusal(saying(padding="x" * 60_000)).code is Code.MALFORMED_TOKEN


def test_a_token_is_at_most_64_kib_long() -> None:
    """R4: to the letter."""
    by_length = {len(token): token for token in (saying(padding="x" * count) for count in range(48_600, 48_800))}
    assert verify(by_length[65_536]).sub == "00u1alice"
    assert refusal(min((token for token in by_length.values() if len(token) > 65_536), key=len)).code is (
        Code.MALFORMED_TOKEN
    )


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
