"""Which keys of a provider's set are used, and for what (R3)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.oidc import Code, KeySet, Refused, fetch_keys
from tests.identity.tokens import b64
from tests.identity.walk import Walk
from tests.provider import Reply, SigningKey


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, Code.PROVIDER_UNAVAILABLE),
        (503, Code.PROVIDER_UNAVAILABLE),
        (429, Code.PROVIDER_UNAVAILABLE),
        (404, Code.KEYS_MALFORMED),
        (201, Code.KEYS_MALFORMED),
    ],
)
def test_keys_under_any_other_status_are_none(walk: Walk, status: int, code: Code) -> None:
    """R4, H29: however good they look."""
    walk.provider.on_keys = lambda said, request: Reply.json(said, status)
    metadata = walk.cache.metadata(walk.rp)
    with pytest.raises(Refused) as caught:
        fetch_keys(metadata, walk.egress, key="c1")
    assert (caught.value.code, caught.value.got) == (code, str(status))
    walk.provider.on_keys = lambda said, request: said
    assert fetch_keys(metadata, walk.egress, key="c1").find("first", "RS256").bits == 2048


def test_es256_keys_work_over_the_wire(walk: Walk) -> None:
    """R3."""
    walk.provider.rotate("curve", "ES256")
    assert walk.sign_in().algorithm == "ES256"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": 5}', b"\xff", b'{"keys": [' + b"{}," * 200]
)
def test_what_is_no_key_set_is_refused(body: bytes) -> None:
    """R4."""
    with pytest.raises(Refused) as caught:
        KeySet.parse(body)
    assert caught.value.code is Code.KEYS_MALFORMED


LEFT_OUT = "left out"


def test_a_key_set_has_at_most_a_hundred_members() -> None:
    """R4: and the ones nobody can use are counted."""
    good = SigningKey("good").jwk
    keys = KeySet.parse(json.dumps({"keys": [good, *[{}] * 99]}).encode())
    assert (len(keys.keys), keys.ignored) == (1, 99)
    for members, code in (
        ([good, *[{}] * 100], Code.KEYS_MALFORMED),
        ([], Code.NO_USABLE_KEYS),
        ([5], Code.NO_USABLE_KEYS),
    ):
        with pytest.raises(Refused) as caught:
            KeySet.parse(json.dumps({"keys": members}).encode())
        assert caught.value.code is code
    assert keys.refetch() is False


@pytest.mark.parametrize(
    ("base", "change", "algorithms"),
    [
        ("RS256", {}, {"RS256"}),
        ("RS256", {"alg": None}, {"RS256", "PS256"}),
        ("RS256", {"alg": "PS256"}, {"PS256"}),
        ("RS256", {"alg": "ES256"}, None),
        ("RS256", {"alg": "RS384"}, None),
        ("RS256", {"use": None}, None),
        ("RS256", {"use": LEFT_OUT}, {"RS256"}),
        ("RS256", {"use": LEFT_OUT, "key_ops": ["verify"], "alg": LEFT_OUT}, {"RS256", "PS256"}),
        ("RS256", {"use": "enc"}, None),
        ("RS256", {"key_ops": ["sign", "verify"]}, {"RS256"}),
        ("RS256", {"key_ops": ["sign"]}, None),
        ("RS256", {"key_ops": "verify"}, None),
        ("RS256", {"key_ops": None}, None),
        ("RS256", {"d": "AQAB"}, None),
        ("RS256", {"k": "AQAB"}, None),
        ("RS256", {"kty": "EC"}, None),
        ("RS256", {"kty": ["RSA"]}, None),
        ("RS256", {"n": ""}, None),
        ("RS256", {"n": "A"}, None),
        ("RS256", {"n": "ü"}, None),
        ("RS256", {"e": "A"}, None),
        ("ES256", {"x": "A"}, None),
        ("ES256", {"x": "ü"}, None),
        ("RS256", {"e": 65537}, None),
        ("RS256", {"e": "AQABAQ"}, {"RS256"}),
        ("RS256", {"e": "AQAAAAE"}, None),
        ("ES256", {}, {"ES256"}),
        ("ES256", {"alg": None}, {"ES256"}),
        ("ES256", {"alg": "RS256"}, None),
        ("ES256", {"crv": "P-384"}, None),
        ("ES256", {"crv": None}, None),
        ("ES256", {"y": None}, None),
        ("ES256", {"kty": "RSA"}, None),
        ("ES256", {"kid": 5}, {"ES256"}),
    ],
)
def test_a_key_is_for_what_it_says_it_is_for(base: str, change: dict[str, Any], algorithms: set[str] | None) -> None:
    """R3: and one that says nothing of an algorithm is for each that suits it."""
    good, member = SigningKey("good"), SigningKey("base", base).jwk | change
    member = {name: value for name, value in member.items() if value != LEFT_OUT}
    keys = KeySet.parse(json.dumps({"keys": [good.jwk, member]}).encode())
    assert [set(key.parsed) for key in keys.keys[1:]] == ([algorithms] if algorithms else [])
    for key in keys.keys[1:]:
        assert (key.kty, key.bits) == (("EC", 256) if base == "ES256" else ("RSA", 2048))
        assert key.kid == (None if "kid" in change else "base")


def test_a_modulus_has_its_longest_length() -> None:
    """R3: a huge one would make every verification slow."""
    good = SigningKey("good").jwk
    for size, count in ((1024, 2), (1025, 1), *((size, 2) for size in range(256, 276))):
        long = good | {"kid": "long", "n": b64(b"\xff" * size)}
        assert len(KeySet.parse(json.dumps({"keys": [good, long]}).encode()).keys) == count


def test_a_key_that_is_not_there_or_not_alone_is_named() -> None:
    """R4: whoever has to repair it sees which."""
    first, twin = SigningKey("first").jwk, SigningKey("second").jwk | {"kid": "first"}
    small = SigningKey("small", bits=1024)
    nameless = SigningKey(None).jwk
    assert KeySet.parse(json.dumps({"keys": [nameless]}).encode()).find(None, "RS256").kid is None
    assert KeySet.parse(json.dumps({"keys": [first]}).encode()).find(None, "RS256").kid == "first"
    for members, kid, code, expected, got in [
        ([nameless], "first", Code.UNKNOWN_KEY, "", "first"),
        ([first], "other", Code.UNKNOWN_KEY, "", "other"),
        ([first], "first", Code.UNKNOWN_KEY, "", "first"),
        ([first], None, Code.UNKNOWN_KEY, "", ""),
        ([first, twin], "first", Code.AMBIGUOUS_KEY, "", "first"),
        ([first, twin], None, Code.AMBIGUOUS_KEY, "kid", ""),
        ([small.jwk], "small", Code.KEY_TOO_SMALL, "2048", "1024"),
    ]:
        keys = KeySet.parse(json.dumps({"keys": members}).encode())
        algorithm = "ES256" if code is Code.UNKNOWN_KEY and kid != "other" else "RS256"
        with pytest.raises(Refused) as caught:
            keys.find(kid, algorithm)
        assert (caught.value.code, caught.value.expected, caught.value.got) == (code, expected, got)


def test_ps256_is_verified_as_what_it_is() -> None:
    """R3: a key without an algorithm of its own verifies each, and neither for the other."""
    signer = SigningKey("ps")
    [key] = KeySet.parse(json.dumps({"keys": [signer.jwk | {"alg": None}]}).encode()).keys
    signed = signer.sign({}).rpartition(".")
    signature = urlsafe_b64decode(signed[2] + "==")
    assert key.verifies("RS256", signed[0].encode(), signature)
    assert not key.verifies("PS256", signed[0].encode(), signature)


# A NUL, or half a surrogate pair, would spoil the whole document and not only the key.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
json_values = st.none() | st.booleans() | st.integers() | texts | st.lists(texts, max_size=2)


@settings(max_examples=300, deadline=None)
@given(
    changes=st.dictionaries(
        st.sampled_from(["kty", "n", "e", "x", "y", "crv", "use", "alg", "kid", "key_ops", "d", "k"]), json_values
    ),
    base=st.sampled_from(["RS256", "ES256"]),
)
def test_whatever_a_key_looks_like_it_is_used_or_left_out(changes: dict[str, Any], base: str) -> None:
    """R4."""
    good = SigningKey("good")
    member = SigningKey("base", base).jwk | changes
    keys = KeySet.parse(json.dumps({"keys": [good.jwk, member, "junk", None, [], 5]}).encode())
    assert 1 <= len(keys.keys) <= 2
