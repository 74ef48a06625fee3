"""Metadata and keys are kept, and fetched again exactly when there is reason to (R16, K5)."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from identity.oidc import Code, Refused, check_provider, discover, fetch_keys, keys, with_userinfo
from identity.oidc.keys import fresh_seconds
from tests.identity.walk import Walk, relying_party
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


def test_a_rotation_excuses_no_signature(walk: Walk) -> None:
    """R3, R16: keys without names that have just changed are looked at again, and then they decide."""
    walk.provider.keys = [SigningKey(None)]
    walk.provider.signing_key = walk.provider.keys[0]
    walk.sign_in()
    walk.provider.keys = [SigningKey(None, name="replacement")]
    walk.provider.signing_key = SigningKey(None, name="impostor")
    assert walk.refusal() is Code.BAD_SIGNATURE
    assert fetches(walk) == (1, 2)


def test_a_bad_signature_under_a_known_name_costs_no_look(walk: Walk) -> None:
    """R16, H16: only an unknown name, or none, is a reason to ask again."""
    walk.sign_in()
    walk.provider.rotate("second")
    walk.provider.on_id_token = lambda said, request: SigningKey("impostor").sign(said, kid="first")
    assert walk.refusal() is Code.BAD_SIGNATURE
    assert fetches(walk) == (1, 1)


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
        ("max-age = 900", 900),
        ("MAX-AGE=900", 900),
        ("private,max-age=900", 900),
        ("max-age=300", 300),
        ("max-age=3600", 3600),
        ("public, no-store, max-age=900", 300),
        ("max-age=900,no-cache", 300),
        ("max-age=900, x-no-store-hint", 900),
        ("NO-STORE, max-age=900", 300),
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


def test_each_document_is_kept_for_as_long_as_it_says_itself(walk: Walk) -> None:
    """R16."""
    walk.provider.on_discovery = lambda said, request: Reply.json(said, Cache_Control="max-age=600")
    walk.sign_in()
    walk.now += 599
    walk.sign_in()
    assert fetches(walk) == (1, 2)
    walk.now += 1
    walk.sign_in()
    assert fetches(walk) == (2, 2)


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
    walk.cache.forget(walk.rp.issuer)
    walk.sign_in()
    walk.cache.forget("https://another.example.com")
    walk.sign_in()
    assert fetches(walk) == (1, 1)
    walk.cache.forget(walk.rp.issuer)
    walk.sign_in()
    assert fetches(walk) == (2, 2)


def test_the_last_good_keys_do_not_serve_for_ever_either(walk: Walk) -> None:
    """R16, R3: keys that nobody has published for a day prove nothing, to the second."""
    walk.sign_in()
    metadata = walk.cache.metadata(walk.rp)
    walk.provider.on_keys = lambda said, request: Reply(500)
    walk.now += 24 * 3600 - 1
    assert walk.cache.keys(walk.rp, metadata).find("first", "RS256").kid == "first"
    walk.now += 1
    with pytest.raises(Refused) as caught:
        walk.cache.keys(walk.rp, metadata).find("first", "RS256")
    assert caught.value.code is Code.PROVIDER_UNAVAILABLE


class Held:
    """What the provider would say, held back until it is let go."""

    def __init__(self) -> None:
        self.is_asked = threading.Event()
        self.go = threading.Event()

    def __call__(self, said: dict[str, Any], request: object) -> dict[str, Any]:
        self.is_asked.set()
        assert self.go.wait(5)
        return said


def test_with_a_copy_in_hand_nobody_waits_for_the_one_who_fetches(walk: Walk) -> None:
    """R16: a slow provider slows one sign-in and not all of them."""
    metadata = walk.cache.metadata(walk.rp)
    walk.provider.on_discovery = held = Held()
    walk.now += 301
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(walk.cache.metadata, walk.rp)
        assert held.is_asked.wait(5)
        other = pool.submit(walk.cache.metadata, walk.rp)
        try:
            assert other.result(2) is metadata
            assert not one.done()
        finally:
            held.go.set()
        assert one.result() is not metadata
    assert fetches(walk) == (2, 0)


@pytest.mark.parametrize("age", [None, 24 * 3600])
def test_without_a_good_copy_everybody_waits_for_one_answer(walk: Walk, age: float | None) -> None:
    """R16: at first, and when the last good copy is a day old; the provider is asked once."""
    if age:
        walk.cache.metadata(walk.rp)
        walk.now += age
    walk.provider.on_discovery = held = Held()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(walk.cache.metadata, walk.rp) for _ in range(4)]
        assert held.is_asked.wait(5)
        time.sleep(0.1)
        assert not any(one.done() for one in waiting)
        held.go.set()
        assert len({id(one.result()) for one in waiting}) == 1
    assert fetches(walk) == (2 if age else 1, 0)


def test_the_look_for_an_unknown_key_is_in_nobodys_way(walk: Walk) -> None:
    """R16: whoever has a known one goes by the fresh copy meanwhile."""
    walk.sign_in()
    metadata = walk.cache.metadata(walk.rp)
    walk.provider.on_keys = held = Held()
    with ThreadPoolExecutor(2) as pool:
        unknown = pool.submit(walk.cache.keys(walk.rp, metadata).find, "other", "RS256")
        assert held.is_asked.wait(5)
        known = pool.submit(walk.cache.keys(walk.rp, metadata).find, "first", "RS256")
        try:
            assert known.result(2).kid == "first"
        finally:
            held.go.set()
        with pytest.raises(Refused):
            unknown.result()


def test_a_provider_is_asked_in_the_name_of_the_connection(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    """T3: one connection's dead provider opens nobody else's breaker."""
    names: list[str] = []
    admit = walk.egress.breaker.admit

    def noted(key: str) -> None:
        names.append(key)
        admit(key)

    monkeypatch.setattr(walk.egress.breaker, "admit", noted)
    claims = walk.sign_in()
    metadata = walk.cache.metadata(walk.rp)
    with pytest.raises(Refused):
        walk.cache.keys(walk.rp, metadata).find("other", "RS256")  # looked for afresh
    with pytest.raises(Refused):
        with_userinfo(claims, walk.rp, metadata, "no-token-of-theirs", walk.egress)
    fetch_keys(metadata, walk.egress, key="another")
    discover(walk.rp.issuer, walk.egress, key="a third")
    check_provider(walk.rp, walk.egress)
    assert names == ["c0nnect10n00"] * 5 + ["another", "a third"] + ["c0nnect10n00"] * 2


def test_a_key_that_cannot_be_told_from_another_costs_no_look(walk: Walk) -> None:
    """R16: a look is for a key that is not there."""
    twin = SigningKey("second").jwk | {"kid": "first"}
    walk.provider.on_keys = lambda said, request: {"keys": [SigningKey("first").jwk, twin]}
    with pytest.raises(Refused) as caught:
        walk.cache.keys(walk.rp, walk.cache.metadata(walk.rp)).find("first", "RS256")
    assert caught.value.code is Code.AMBIGUOUS_KEY
    assert fetches(walk) == (1, 1)


def test_nothing_is_newer_than_keys_that_nobody_has_seen(walk: Walk) -> None:
    """R16: a second look follows a first one."""
    keys = walk.cache.keys(walk.rp, walk.cache.metadata(walk.rp))
    assert keys.refetch() is False
    assert fetches(walk) == (1, 0)


def test_what_is_known_is_told_without_a_question(walk: Walk) -> None:
    """H19: signing somebody out waits for no provider, and goes by no metadata of a day ago."""
    assert walk.cache.known(walk.rp) is None
    metadata = walk.cache.metadata(walk.rp)
    walk.now += 24 * 3600 - 1
    assert walk.cache.known(walk.rp) == metadata
    walk.now += 1
    assert walk.cache.known(walk.rp) is None
    assert fetches(walk) == (1, 0)


def test_what_is_known_is_still_to_be_accepted(walk: Walk) -> None:
    """H31."""
    walk.provider.on_discovery = lambda said, request: said | {"token_endpoint": "https://tokens.example.net/"}
    for look in (walk.cache.metadata, walk.cache.known):
        with pytest.raises(Refused) as caught:
            look(walk.rp)
        assert caught.value.code is Code.ENDPOINTS_ELSEWHERE


@pytest.mark.parametrize(("has_copy", "seconds"), [(False, 5), (True, 60)])
def test_a_failed_look_is_repeated_after_a_while(walk: Walk, has_copy: bool, seconds: float) -> None:
    """R16: soon when there is nothing, and in a minute when the last good copy serves."""
    if has_copy:
        walk.cache.metadata(walk.rp)
        walk.now += 300
    walk.provider.on_discovery = lambda said, request: Reply.json({"issuer": "https://evil.example"})
    asked = fetches(walk)[0]

    def look() -> None:
        if has_copy:
            walk.cache.metadata(walk.rp)
            return
        with pytest.raises(Refused) as caught:
            walk.cache.metadata(walk.rp)
        assert caught.value.code is Code.DISCOVERY_ISSUER_MISMATCH
        assert (caught.value.expected, caught.value.got) == (walk.rp.issuer, "https://evil.example")

    look()
    walk.now += seconds - 0.5
    look()
    assert fetches(walk)[0] == asked + 1
    walk.now += 0.5
    look()
    assert fetches(walk)[0] == asked + 2


def test_an_unknown_key_is_worth_a_look_again_after_a_minute_exactly(walk: Walk) -> None:
    """R16, H16."""
    walk.sign_in()
    walk.provider.signing_key = SigningKey("unpublished")
    for later, looks in ((0, 2), (59.5, 2), (0.5, 3)):
        walk.now += later
        assert walk.refusal() is Code.UNKNOWN_KEY
        assert fetches(walk) == (1, looks)


def test_a_problem_is_known_by_the_issuer_that_has_it(walk: Walk) -> None:
    """R16: of the keys as of the metadata, and of nobody else's."""
    walk.provider.on_keys = lambda said, request: Reply(404)
    assert walk.refusal() is Code.KEYS_MALFORMED
    assert walk.cache.problem(walk.rp.issuer) is Code.KEYS_MALFORMED
    assert walk.cache.problem("https://another.example.com") is None
    walk.now += 301
    walk.provider.on_discovery = lambda said, request: Reply(404)
    assert walk.refusal() is Code.KEYS_MALFORMED
    assert walk.cache.problem(walk.rp.issuer) is Code.DISCOVERY_NOT_FOUND


def test_only_so_many_providers_are_kept(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    """R16: the one that was not asked about for longest goes, of metadata and of keys."""
    monkeypatch.setattr(keys, "CAPACITY", 2)
    walk.sign_in()
    metadata = walk.cache.metadata(walk.rp)
    strangers = [relying_party(walk.provider, issuer=f"{walk.rp.issuer}/{number}") for number in range(2)]

    def meet(number: int) -> None:
        assert walk.cache.known(strangers[number]) is None
        walk.cache.keys(walk.rp, replace(metadata, jwks_uri=f"{walk.rp.issuer}/keys/{number}"))

    meet(0)
    walk.sign_in()
    meet(1)
    walk.sign_in()
    assert fetches(walk) == (1, 1)
    meet(0)
    meet(1)
    walk.sign_in()
    assert fetches(walk) == (2, 2)
