"""A provider's keys, and the cache that keeps them and its metadata (R3, R16, K5)."""

from __future__ import annotations

import re
import threading
import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from identity.egress import Egress, Response
from identity.oidc.authorization import RelyingParty
from identity.oidc.documents import Malformed, parse_object, text
from identity.oidc.metadata import Metadata, discovery_url, fetch, metadata_of
from identity.oidc.refusals import Code, Refused

MAX_KEYS = 100
RSA_BITS_MIN = 2048
RSA_BITS_MAX = 8192

FRESH_SECONDS_MIN = 300.0
FRESH_SECONDS_MAX = 3600.0
# How long the last good copy serves while the provider gives no better one.
LAST_GOOD_SECONDS = 24 * 3600.0
RETRY_SECONDS = 60.0
RETRY_SECONDS_WITH_NOTHING = 5.0
UNKNOWN_KEY_SECONDS = 60.0
CAPACITY = 4096

_ALGORITHMS_OF = {"RSA": ("RS256", "PS256"), "EC": ("ES256",)}
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_NEVER_STORED = re.compile(r"(?:^|[,\s])(no-store|no-cache)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Key:
    """One public key for signatures, parsed once and ready for each algorithm it may be used with."""

    kid: str | None
    kty: str
    bits: int
    parsed: dict[str, PyJWK] = field(repr=False, hash=False, compare=False)

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Whether `signature` over `signed` is this key's, by exactly `algorithm`."""
        jwk = self.parsed[algorithm]
        return jwk.Algorithm.verify(signed, jwk.key, signature)


class KeySource(Protocol):
    """Where verification gets a key from. `find` raises `Refused`; `refetch` says whether anything changed."""

    def find(self, kid: str | None, algorithm: str) -> Key: ...

    def refetch(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable signature keys of a JWK Set (RFC 7517). `ignored` counts the members that are not."""

    keys: tuple[Key, ...]
    ignored: int = 0

    @classmethod
    def parse(cls, body: bytes) -> KeySet:
        """Read a JWK Set. Members for encryption, symmetric, private or broken ones are left out.

        Raises `Refused` when it is no JWK Set, or when nothing usable is in it.
        """
        try:
            members = parse_object(body).get("keys")
        except Malformed:
            raise Refused(Code.KEYS_MALFORMED) from None
        if not isinstance(members, list) or len(members) > MAX_KEYS:
            raise Refused(Code.KEYS_MALFORMED)
        keys = tuple(key for key in map(_parse_key, members) if key)
        if not keys:
            raise Refused(Code.NO_USABLE_KEYS)
        return cls(keys, len(members) - len(keys))

    def find(self, kid: str | None, algorithm: str) -> Key:
        """Return the one key that may have signed with `algorithm` under `kid`.

        Without a kid, only the sole key of a set will do (Core, section 10.1). Raises `Refused`.
        """
        if kid is None and len(self.keys) > 1:
            raise Refused(Code.AMBIGUOUS_KEY, expected="kid")
        found = [key for key in self.keys if kid in (None, key.kid) and algorithm in key.parsed]
        if not found:
            raise Refused(Code.UNKNOWN_KEY, got=kid or "")
        if len(found) > 1:
            raise Refused(Code.AMBIGUOUS_KEY, got=kid or "")
        if found[0].kty == "RSA" and found[0].bits < RSA_BITS_MIN:
            raise Refused(Code.KEY_TOO_SMALL, expected=RSA_BITS_MIN, got=found[0].bits)
        return found[0]

    def refetch(self) -> bool:
        """A set on its own has nowhere to get another from."""
        return False


def _parse_key(member: object) -> Key | None:
    if not isinstance(member, dict) or "d" in member or "k" in member:
        return None
    operations = member.get("key_ops", ["verify"])
    if member.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    kty, declared = member.get("kty"), member.get("alg")
    suited = _ALGORITHMS_OF.get(kty, ()) if isinstance(kty, str) else ()
    algorithms = [name for name in suited if declared in (None, name)]
    names = ("n", "e") if kty == "RSA" else ("x", "y")
    numbers = {name: value for name in names if (value := text(member.get(name), RSA_BITS_MAX // 4))}
    if not algorithms or len(numbers) != 2 or (kty == "EC" and member.get("crv") != "P-256"):
        return None
    try:
        # A huge modulus or exponent would make every verification slow.
        bits = int.from_bytes(_decoded(numbers["n"])).bit_length() if kty == "RSA" else 256
        if bits > RSA_BITS_MAX or (kty == "RSA" and len(_decoded(numbers["e"])) > 4):
            return None
        material = {"kty": kty, **numbers} | ({"crv": "P-256"} if kty == "EC" else {})
        parsed = {name: PyJWK.from_dict(material, name) for name in algorithms}
    except (ValueError, PyJWTError, UnsupportedAlgorithm):
        return None
    return Key(text(member.get("kid")), str(kty), bits, parsed)


def _decoded(number: str) -> bytes:
    return urlsafe_b64decode(number + "=" * (-len(number) % 4))


def fetch_keys(metadata: Metadata, egress: Egress, *, key: str) -> KeySet:
    """Fetch the provider's keys, whatever is cached. `key` names the breaker. Raises `Refused`."""
    return _keys_of(fetch(metadata.jwks_uri, egress, key))


def _keys_of(response: Response) -> KeySet:
    if response.status >= 500 or response.status == 429:
        raise Refused(Code.PROVIDER_UNAVAILABLE, got=response.status)
    if response.status != 200:
        raise Refused(Code.KEYS_MALFORMED, got=response.status)
    return KeySet.parse(response.body)


def fresh_seconds(cache_control: str) -> float:
    """Return for how many seconds an answer stays fresh: what it says, within our bounds (R16)."""
    said = _MAX_AGE.search(cache_control)
    if _NEVER_STORED.search(cache_control) or not said:
        return FRESH_SECONDS_MIN
    return min(max(float(said[1]), FRESH_SECONDS_MIN), FRESH_SECONDS_MAX)


T = TypeVar("T")


class _Slot(Generic[T]):
    """One cached document. The lock is held while it is fetched, so that only one thread fetches."""

    def __init__(self, load: Callable[[str], tuple[T, float]]) -> None:
        self.load = load
        self.lock = threading.Lock()
        self.value: T | None = None
        self.fetched_at = 0.0
        self.fresh_until = 0.0
        self.retry_at = 0.0
        self.unknown_key_at: float | None = None
        self.problem: Refused | None = None

    def fetch(self, key: str, now: float) -> T:
        """Load it, or note the problem and raise it, leaving the last good copy where it is."""
        try:
            value, fresh = self.load(key)
        except Refused as problem:
            self.problem = problem
            self.retry_at = now + (RETRY_SECONDS_WITH_NOTHING if self.value is None else RETRY_SECONDS)
            raise
        self.value, self.problem = value, None
        self.fetched_at, self.fresh_until = now, now + fresh
        return value

    def last_good(self, now: float) -> T | None:
        return self.value if now - self.fetched_at < LAST_GOOD_SECONDS else None


class ProviderCache:
    """Metadata and keys of every provider this process has met. One per process; thread-safe.

    A stale document is fetched again by one thread while the others use the last good copy. When that
    fails, the last good copy goes on serving for a day at most, and `problem` says so (R16).
    """

    def __init__(self, egress: Egress, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._egress = egress
        self._clock = clock
        self._lock = threading.Lock()
        self._metadata: OrderedDict[str, _Slot[Metadata]] = OrderedDict()
        self._keys: OrderedDict[tuple[str, str], _Slot[KeySet]] = OrderedDict()

    def metadata(self, rp: RelyingParty) -> Metadata:
        """Return the provider's metadata, accepted by `rp`. Raises `Refused`."""
        metadata = self._current(self._metadata_slot(rp.issuer), rp.connection_id)
        rp.accept(metadata)
        return metadata

    def known(self, rp: RelyingParty) -> Metadata | None:
        """Return the provider's metadata if there is a copy at hand, and never ask for one. Raises `Refused`."""
        metadata = self._metadata_slot(rp.issuer).last_good(self._clock())
        if metadata is not None:
            rp.accept(metadata)
        return metadata

    def keys(self, rp: RelyingParty, metadata: Metadata) -> KeySource:
        """Return the provider's keys, which are fetched when first needed and again for an unknown kid."""
        return _CachedKeys(self, self._keys_slot(metadata), rp.connection_id)

    def problem(self, issuer: str) -> Code | None:
        """Return why the newest look at a provider failed, or None when all is well or it was never asked."""
        with self._lock:
            slots: list[_Slot[Metadata] | _Slot[KeySet]] = [
                slot for (name, _), slot in self._keys.items() if name == issuer
            ]
            if issuer in self._metadata:
                slots.insert(0, self._metadata[issuer])
        return next((slot.problem.code for slot in slots if slot.problem), None)

    def forget(self, issuer: str) -> None:
        """Drop what is cached of `issuer`: the next look fetches. For an administrator's *Check*."""
        with self._lock:
            self._metadata.pop(issuer, None)
            for name in [name for name in self._keys if name[0] == issuer]:
                del self._keys[name]

    def _current(self, slot: _Slot[T], key: str) -> T:
        value = slot.value
        if value is not None and self._clock() < slot.fresh_until:
            return value
        # With a copy in hand nobody waits for the one who fetches.
        has_copy = value is not None and slot.last_good(self._clock()) is not None
        if not slot.lock.acquire(blocking=not has_copy):
            return value  # type: ignore[return-value]
        try:
            now = self._clock()
            if slot.value is not None and now < slot.fresh_until:
                return slot.value
            kept = slot.last_good(now)
            if now < slot.retry_at and slot.problem:
                if kept is not None:
                    return kept
                raise Refused(slot.problem.code, expected=slot.problem.expected, got=slot.problem.got)
            try:
                return slot.fetch(key, now)
            except Refused:
                if kept is None:
                    raise
                return kept
        finally:
            slot.lock.release()

    def _after_unknown_key(self, slot: _Slot[KeySet], seen: KeySet, key: str) -> KeySet:
        """Return newer keys than `seen`, at the cost of at most one fetch a minute (H16).

        The first is always granted: a rotation seconds after the regular fetch must not lock anyone out.
        """
        with slot.lock:
            if slot.value is not None and slot.value is not seen:
                return slot.value
            now = self._clock()
            if slot.unknown_key_at is not None and now - slot.unknown_key_at < UNKNOWN_KEY_SECONDS:
                return seen
            slot.unknown_key_at = now
            return slot.fetch(key, now)

    def _metadata_slot(self, issuer: str) -> _Slot[Metadata]:
        def load(key: str) -> tuple[Metadata, float]:
            response = fetch(discovery_url(issuer), self._egress, key)
            metadata = metadata_of(response, issuer, self._egress.allow_loopback_http)
            return metadata, fresh_seconds(response.headers.get("cache-control", ""))

        with self._lock:
            slot = self._metadata.pop(issuer, None) or _Slot(load)
            self._metadata[issuer] = slot
            while len(self._metadata) > CAPACITY:
                self._metadata.popitem(last=False)
        return slot

    def _keys_slot(self, metadata: Metadata) -> _Slot[KeySet]:
        def load(key: str) -> tuple[KeySet, float]:
            response = fetch(metadata.jwks_uri, self._egress, key)
            return _keys_of(response), fresh_seconds(response.headers.get("cache-control", ""))

        name = (metadata.issuer, metadata.jwks_uri)
        with self._lock:
            slot = self._keys.pop(name, None) or _Slot(load)
            self._keys[name] = slot
            while len(self._keys) > CAPACITY:
                self._keys.popitem(last=False)
        return slot


class _CachedKeys:
    """The keys of one provider, through the cache."""

    def __init__(self, cache: ProviderCache, slot: _Slot[KeySet], key: str) -> None:
        self._cache = cache
        self._slot = slot
        self._key = key
        self._seen: KeySet | None = None

    def find(self, kid: str | None, algorithm: str) -> Key:
        keys = self._seen = self._cache._current(self._slot, self._key)
        try:
            return keys.find(kid, algorithm)
        except Refused as refused:
            if refused.code is not Code.UNKNOWN_KEY or not self.refetch():
                raise
        return self._seen.find(kid, algorithm)

    def refetch(self) -> bool:
        seen = self._seen
        if seen is None:
            return False
        self._seen = self._cache._after_unknown_key(self._slot, seen, self._key)
        return self._seen is not seen
