"""Whoever fails again and again is left alone for a while, each by itself (T3)."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from identity.egress import (
    Blocked,
    Breaker,
    BreakerOpen,
    Egress,
    EgressError,
    TimedOut,
    Unreachable,
)
from tests.identity.test_egress_limits import fetched, impatient
from tests.provider import Provider, Reply
from tests.serving import raw_server


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_find_out() -> None:
    """T3: per key, half-open after a pause."""
    now = [0.0]
    breaker = Breaker(threshold=3, pause=30, clock=lambda: now[0])
    for _ in range(3):
        breaker.admit("a")
        breaker.failed("a")
    with pytest.raises(BreakerOpen):
        breaker.admit("a")
    breaker.admit("b")
    now[0] = 31
    breaker.admit("a")
    with pytest.raises(BreakerOpen):
        breaker.admit("a")
    breaker.failed("a")
    now[0] = 60
    with pytest.raises(BreakerOpen):
        breaker.admit("a")
    now[0] = 62
    breaker.admit("a")
    breaker.succeeded("a")
    breaker.admit("a")
    breaker.admit("a")


def test_a_success_between_failures_keeps_the_breaker_closed() -> None:
    """T3: in a row means in a row."""
    breaker = Breaker(threshold=2)
    for _ in range(5):
        breaker.failed("a")
        breaker.succeeded("a")
    breaker.admit("a")


def test_a_breaker_forgets_the_oldest_of_very_many() -> None:
    breaker = Breaker(threshold=1, capacity=10)
    for number in range(20):
        breaker.failed(str(number))
    breaker.admit("0")
    with pytest.raises(BreakerOpen):
        breaker.admit("19")


def test_a_breaker_has_its_edges() -> None:
    """T3: the very failure that opens it, the very second that lets one through, and the last one remembered."""
    now = [100.0]
    breaker = Breaker(threshold=2, pause=30, capacity=2, clock=lambda: now[0])
    breaker.failed("a")
    breaker.admit("a")
    breaker.failed("a")
    now[0] = 129.9
    with pytest.raises(BreakerOpen):
        breaker.admit("a")
    now[0] = 130
    breaker.admit("a")
    now[0] = 159.9
    with pytest.raises(BreakerOpen):
        breaker.admit("a")
    now[0] = 160
    breaker.admit("a")
    for key in "bc":
        breaker.failed(key)
        breaker.failed(key)
    breaker.admit("a")
    for key in "bc":
        with pytest.raises(BreakerOpen):
            breaker.admit(key)
    breaker.succeeded("never heard of")


def test_a_breaker_is_patient_by_default() -> None:
    """T3: five failures, half a minute, and thousands of providers."""
    now = [0.0]
    breaker = Breaker(clock=lambda: now[0])
    for _ in range(4):
        breaker.failed("a")
    breaker.admit("a")
    breaker.failed("a")
    now[0] = 29.9
    with pytest.raises(BreakerOpen):
        breaker.admit("a")
    for number in range(4095):
        breaker.failed(str(number))
    with pytest.raises(BreakerOpen):
        breaker.admit("a")
    breaker.failed("one more")
    breaker.admit("a")


def test_only_what_the_provider_does_counts_against_it(provider: Provider) -> None:
    """T3: an answer of any kind is an answer; a door that stays closed says nothing of who is behind it."""
    egress = impatient(breaker=Breaker(threshold=1))
    for reply in (Reply(500), Reply(302), Reply(200, b"x" * 600_000)):
        with suppress(EgressError):
            fetched(provider, egress, reply)
        assert fetched(provider, egress, Reply(200, b"{}")).status == 200
    with pytest.raises(Blocked):
        egress.get("ftp://okta.example.com/", key="c1")
    with pytest.raises(Blocked):
        egress.get("http://10.0.0.1/", key="c1")
    assert fetched(provider, egress, Reply(200, b"{}")).status == 200
    with pytest.raises(Unreachable):
        fetched(provider, egress, Reply(body=b"nonsense", raw=True))
    with pytest.raises(BreakerOpen):
        fetched(provider, egress, Reply(200, b"{}"))
    egress.close()
    slow = impatient(breaker=Breaker(threshold=1))
    with raw_server(lambda connection: time.sleep(1)) as url:
        with pytest.raises(TimedOut):
            slow.get(url, key="c1")
        with pytest.raises(BreakerOpen):
            slow.get(url, key="c1")


@pytest.mark.parametrize(
    "reply",
    [Reply(200, b"{}"), Reply(500), Reply(302), Reply(200, b"x" * 600_000)],
    ids=["good", "500", "302", "large"],
)
def test_an_answer_of_any_kind_ends_a_row_of_failures(provider: Provider, reply: Reply) -> None:
    """T3: two failures with an answer between them are not two in a row."""
    egress = impatient(breaker=Breaker(threshold=2))
    for _ in range(2):
        with pytest.raises(Unreachable):
            fetched(provider, egress, Reply(body=b"nonsense", raw=True))
        with suppress(EgressError):
            fetched(provider, egress, reply)
    assert fetched(provider, egress, Reply(200, b"{}")).status == 200
    egress.close()


def test_an_open_breaker_makes_no_request(provider: Provider) -> None:
    """T3."""
    egress = Egress(allow_loopback_http=True, breaker=Breaker(threshold=1))
    egress.breaker.failed("c1")
    with pytest.raises(BreakerOpen):
        egress.get(provider.issuer + "/keys", key="c1")
    assert provider.requests == []
    assert egress.get(provider.issuer + "/keys", key="c2").status == 200
    egress.close()
