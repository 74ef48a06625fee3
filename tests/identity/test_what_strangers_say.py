"""JSON and words of strangers: read within bounds, and told again as one short, clean line (R4, R12, H30)."""

from __future__ import annotations

import pytest

from identity.egress import Blocked, BreakerOpen, EgressError, Redirected, TimedOut, TooLarge, Unreachable
from identity.oidc import Code, Malformed, Refused, origin_of, shown, thawed
from identity.oidc.documents import MAX_SECONDS, frozen, frozen_object, parse_object, seconds, text, texts
from identity.oidc.refusals import from_egress


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"{} {}",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": "\\u0000"}',
        b'{"a\\u0000": 1}',
        b'{"a": ["\\ud800"]}',
        b'{"a": {"b": [{"c": "\\udfff"}]}}',
        b'{"a": "\x00"}',
        b'{"a":' * 5000,
        b"[" * 100_000,
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_no_database_could_keep_is_malformed(body: bytes) -> None:
    """R4: also where only an escape spells it, and however deep it lies."""
    with pytest.raises(Malformed):
        parse_object(body)


def test_an_object_is_read_as_it_is() -> None:
    """R4: escapes that are none of those stay."""
    assert parse_object(b'{"a": [1, null, true, "\\u00fc\\ud83d\\ude00"], "b": {}}') == {
        "a": [1, None, True, "ü😀"],
        "b": {},
    }


def test_what_is_believed_cannot_be_changed_and_thaws_to_what_it_was() -> None:
    """R2."""
    document = {"groups": ["a", {"b": ["c"]}], "n": 1}
    kept = frozen_object(document)
    assert kept["groups"] == ("a", {"b": ("c",)})
    for inside in (kept, kept["groups"][1]):  # type: ignore[index]
        with pytest.raises(TypeError):
            inside["x"] = 1
    assert thawed(kept) == document
    assert frozen(5) == thawed(5) == 5


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (0, 0.0),
        (1.5, 1.5),
        (MAX_SECONDS - 1, float(MAX_SECONDS - 1)),
        (MAX_SECONDS, None),
        (-1, None),
        (-0.5, None),
        (True, None),
        (False, None),
        ("5", None),
        (None, None),
        (float("inf"), None),
        (float("nan"), None),
        (10**400, None),
    ],
)
def test_a_time_is_a_number_of_some_sense(value: object, read: float | None) -> None:
    """H6, H24."""
    assert seconds(value) == read
    assert MAX_SECONDS == 2**40


def test_texts_have_their_lengths() -> None:
    """R4, H30."""
    assert text("x" * 2048) == "x" * 2048
    assert text("x") == "x"
    assert text("xy", 2) == "xy"
    for no_text in ("", "x" * 2049, 5, None, ["x"]):
        assert text(no_text) is None
    assert text("xyz", 2) is None
    assert texts(["x" * 2048] * 200) == ("x" * 2048,) * 200
    assert texts([]) == ()
    assert texts(["", "a"]) == ("", "a")
    for no_texts in (["x"] * 201, ["x" * 2049], ["x", 5], "xy", {"x": "y"}, None):
        assert texts(no_texts) is None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("plain", "plain"),
        ("", ""),
        (5, "5"),
        ("  two\t words\r\n", "two words"),
        ("a\x00b\x1bc\x7fd", "a b c d"),
        ("ü\u202eb\u200bc\ufeffd\ue000e\u2028f", "ü b c d e f"),
        ("\ud800x", "x"),
        ("x" * 160, "x" * 160),
        ("x" * 161, "x" * 159 + "…"),
        ("\n" * 640 + "x", ""),
        ("\n" * 639 + "x", "x"),
    ],
)
def test_what_is_told_is_one_short_clean_line(said: object, told: str) -> None:
    """H30."""
    assert shown(said) == told


def test_a_line_is_as_long_as_its_place() -> None:
    """H30."""
    assert shown("abcdef", 5) == "abcd…"
    assert shown("abcde", 5) == "abcde"
    assert shown("    abcde" + "x" * 99, 5) == "abcd…"
    assert shown("\n" * 20 + "abcde", 5) == ""


def test_a_refusal_is_its_code_and_nothing_of_what_was_said() -> None:
    """R4, R12."""
    refused = Refused(Code.EXPIRED, expected="a\nb", got="x" * 500, said={"sub": "canary"})
    assert (str(refused), refused.args) == ("expired", ("expired",))
    assert (refused.expected, len(refused.got), refused.said) == ("a b", 160, {"sub": "canary"})
    assert "canary" not in repr(refused)
    assert (Refused(Code.EXPIRED).expected, Refused(Code.EXPIRED).got, Refused(Code.EXPIRED).said) == ("", "", None)


def test_an_outage_is_one_of_four_reasons() -> None:
    """R4, R11: nobody is signed out by a provider that cannot answer; one that answers wrongly is no outage."""
    assert {code for code in Code if Refused(code).is_outage} == {
        Code.PROVIDER_UNREACHABLE,
        Code.PROVIDER_TIMEOUT,
        Code.PROVIDER_PAUSED,
        Code.PROVIDER_UNAVAILABLE,
    }


@pytest.mark.parametrize(
    ("error", "code", "name"),
    [
        (Blocked, Code.PROVIDER_ADDRESS_BLOCKED, "blocked"),
        (BreakerOpen, Code.PROVIDER_PAUSED, "breaker_open"),
        (Redirected, Code.PROVIDER_REDIRECTED, "redirected"),
        (TimedOut, Code.PROVIDER_TIMEOUT, "timed_out"),
        (TooLarge, Code.PROVIDER_ANSWER_TOO_LARGE, "too_large"),
        (Unreachable, Code.PROVIDER_UNREACHABLE, "unreachable"),
    ],
)
def test_each_way_not_to_get_an_answer_has_its_reason(error: type[EgressError], code: Code, name: str) -> None:
    """R4, T3."""
    assert from_egress(error()).code is code
    assert str(error()) == name


def test_an_origin_is_scheme_host_and_port() -> None:
    """H31."""
    assert origin_of("https://Example.com:8443/x?y#z") == "https://example.com:8443"
