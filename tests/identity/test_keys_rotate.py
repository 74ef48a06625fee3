"""Metadata and keys are kept, and fetched again exactly when there is reason to (R16, K5)."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.oidc import Code, KeySet, Refused
from identity.oidc.keys import fresh_seconds
from tests.identity.walk import Walk
from tests.provider import Reply, SigningKey


def fetches(walk: Walk) -> tuple[int, int]:
    """How often the provider was asked for its metadata and for its keys."""
    provider = walk.provider
    return len(provider.requests_to("/.well-known/openid-configuration")), len(provider.requests_to("/keys"))


def test_a_sign_in_costs_one_request_and_no_connection_once_all_is_known(walk: Walk) -> None:
    """R16: the token request, over the connection that is already open."""
    walk.sign_in()
    requests, connections = walk.egress.requests_made, walk.egress.connections_opened
    for _ in range(5):
        walk.sign_in()
    assert walk.egress.requests_made - requests == 5
    assert walk.egress.connections_opened == connections == walk.provider.connections == 1
    assert fetches(walk) == (1, 1)


def test_a_rotation_seconds_after_the_first_fetch_still_signs_in(walk: Walk) -> None:
    """H16: signing-key-rotation-just-before-signing, signing-key-rotation; R16."""
    walk.sign_in()
    walk.provider.rotate("second")
    assert walk.sign_in().kid == "second"
    assert fetches(walk) == (1, 2)


def test_a_hundred_unknown_kids_cost_one_fetch_a_minute(walk: Walk) -> None:
    """R16: whatever arrives."""
    walk.sign_in()
    walk.provider.signing_key = SigningKey("unpublished")
    for _ in range(20):
        assert walk.refusal() is Code.UNKNOWN_KEY
    assert fetches(walk) == (1, 2)
    walk.now += 61
    for _ in range(20):
        assert walk.refusal() is Code.UNKNOWN_KEY
    assert fetches(walk) == (1, 3)
    walk.provider.signing_key = walk.provider.keys[0]
    assert walk.sign_in().kid == "first"


def test_unknown_kids_at_once_cost_one_fetch_together(walk: Walk) -> None:
    """R16: single-flight."""
    walk.sign_in()
    walk.provider.rotate("second")
    metadata = walk.cache.metadata(walk.rp)
    gate = threading.Barrier(8)

    def find(_: int) -> Any:
        keys = walk.cache.keys(walk.rp, metadata)
        gate.wait()
        return keys.find("second", "RS256").kid

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(find, range(8))) == ["second"] * 8
    assert fetches(walk) == (1, 2)


def test_a_provider_that_names_no_keys_may_rotate_too(walk: Walk) -> None:
    """R16, H7: without a kid only the signature tells; one look a minute is spent on it."""
    walk.provider.keys = [SigningKey(None)]
    walk.provider.signing_key = walk.provider.keys[0]
    walk.sign_in()
    walk.provider.keys = [SigningKey(None, name="replacement")]
    walk.provider.signing_key = walk.provider.keys[0]
    assert walk.sign_in().kid == ""
    assert fetches(walk) == (1, 2)


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("max-age=900", 900),
        ("public, max-age=600, must-revalidate", 600),
        ('max-age="700"', 700),
        ("max-age=1", 300),
        ("max-age=5184000", 3600),
        ("no-store", 300),
        ("no-cache, max-age=1000", 300),
        ("", 300),
        ("max-age=-5", 300),
        ("max-age=soon", 300),
        ("s-maxage=900", 300),
    ],
)
def test_cache_control_is_honoured_within_bounds(cache_control: str, seconds: float) -> None:
    """R16."""
    assert fresh_seconds(cache_control) == seconds


def test_a_stale_copy_is_fetched_again(walk: Walk) -> None:
    """R16."""
    walk.provider.on_keys = lambda said, request: Reply.json(said, Cache_Control="max-age=600")
    walk.sign_in()
    walk.now += 299
    walk.sign_in()
    assert fetches(walk) == (1, 1)
    walk.now += 2
    walk.sign_in()
    assert fetches(walk) == (2, 1)
    walk.now += 300
    walk.sign_in()
    assert fetches(walk) == (3, 2)


@pytest.mark.parametrize(
    "bad",
    [Reply(500), Reply(404), Reply(200, b"<html>"), Reply.json({"issuer": "https://evil.example"}), Reply.json({})],
)
def test_the_last_good_copy_serves_and_the_problem_is_known(walk: Walk, bad: Reply) -> None:
    """R16: metadata that has gone bad or missing does not replace the last good copy silently."""
    walk.sign_in()
    assert walk.cache.problem(walk.rp.issuer) is None
    walk.provider.on_discovery = lambda said, request: bad
    walk.provider.on_keys = lambda said, request: bad
    walk.now += 301
    for _ in range(5):
        walk.sign_in()
    assert fetches(walk) == (2, 2)
    assert walk.cache.problem(walk.rp.issuer) is not None
    walk.provider.on_discovery = walk.provider.on_keys = lambda said, request: said
    walk.now += 61
    walk.sign_in()
    assert walk.cache.problem(walk.rp.issuer) is None


def test_the_last_good_copy_does_not_serve_for_ever(walk: Walk) -> None:
    """R16: a day, then the provider has to answer."""
    walk.sign_in()
    walk.provider.on_discovery = lambda said, request: Reply(500)
    walk.now += 24 * 3600 + 1
    assert walk.refusal() is Code.PROVIDER_UNAVAILABLE


def test_a_provider_that_was_just_down_is_not_asked_by_everyone(walk: Walk) -> None:
    """R16, T3: a failure is remembered for seconds, so a queue of sign-ins does not pile up on it."""
    walk.provider.on_discovery = lambda said, request: Reply(500)
    for _ in range(5):
        assert walk.refusal() is Code.PROVIDER_UNAVAILABLE
    assert fetches(walk) == (1, 0)
    walk.provider.on_discovery = lambda said, request: said
    walk.now += 6
    assert walk.sign_in().sub == "00u1alice"


def test_a_failed_look_for_a_new_key_keeps_the_old_ones(walk: Walk) -> None:
    """R16: an outage during a rotation is an outage, and the old keys go on serving."""
    walk.sign_in()
    walk.provider.on_keys = lambda said, request: Reply(500)
    published = walk.provider.signing_key
    walk.provider.signing_key = SigningKey("second")
    assert walk.refusal() is Code.PROVIDER_UNAVAILABLE
    walk.provider.signing_key = published
    assert walk.sign_in().kid == "first"


def test_what_is_forgotten_is_fetched_again(walk: Walk) -> None:
    """An administrator who repaired something need not wait."""
    walk.sign_in()
    walk.cache.forget(walk.rp.issuer)
    walk.sign_in()
    assert fetches(walk) == (2, 2)


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
