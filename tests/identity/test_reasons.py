"""Every reason for a refusal has its words, for the person and for the administrator."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from audit.models import Event, Result
from console.templatetags.audit_log import event_fix
from identity.attempts import Purpose
from identity.oidc import Code
from identity.refused import REASONS, Reason, SignInRefused, reason_of
from identity.sign_in_log import PURPOSES
from identity.told import WHAT, told
from users.forms.acts import REFUSALS

NAMES = {"provider": "Okta", "enterprise": "Halden Freight", "app": "Gatehouse", "expected": "this", "got": "that"}
AVOIDED = ("please", "sorry", "oops", "successfully", "!")


@pytest.mark.parametrize("code", [*Code, *Reason])
def test_a_reason_has_its_sentences(code: Code | Reason) -> None:
    """R4: no reason without a page, and none without a fix."""
    page = SignInRefused(code).page
    sentences = [page.title, page.text, *page.steps, REASONS[code].fix]
    for sentence in sentences:
        words = str(sentence) % NAMES
        assert "%" not in words
        assert not any(word in words.lower() for word in AVOIDED), words
    for sentence in sentences[1:]:
        assert (str(sentence) % NAMES).rstrip().endswith((".", "?", "that", "this")), sentence
    assert page.steps
    assert page.status == 503 or 400 <= page.status < 500


@pytest.mark.parametrize("code", [*Code, *Reason])
def test_the_log_says_what_to_do_about_a_reason(code: Code | Reason) -> None:
    """K6: also when nothing more is known than the reason."""
    event = Event(action="session:refused", result=Result.REFUSED, reason=code.value)
    assert "%" not in event_fix(event)
    assert event_fix(event)
    event.details = {"provider": "Okta", "expected": "<b>", "got": "100%s"}
    assert event_fix(event)


@pytest.mark.parametrize("code", [*Code, *Reason])
def test_lists_say_a_reason_in_a_few_words(code: Code | Reason) -> None:
    """Whoever adds one adds its words to ``identity.told.WHAT``: a bare code is nothing to read."""
    words = told(Event(result=Result.REFUSED, reason=code.value, details={"provider": "Okta"}))
    assert words != code.value
    assert "%" not in words
    assert len(words) <= 70
    assert words[0].isupper()
    assert not words.endswith(".")
    assert not any(word in words.lower() for word in AVOIDED), words


def test_lists_have_words_for_every_code_of_the_product() -> None:
    """Also for those that no page is about: wherever the source puts one on record."""
    root = Path(__file__).resolve().parents[2]
    sources = [path.read_text() for app in ("users", "invitations", "identity") for path in (root / app).rglob("*.py")]
    written = {code for text in sources for code in re.findall(r'(?:reason=|NotHeard\()"([a-z_]+)"', text)}
    refusals = {code for code, _sentence in REFUSALS.values()}
    assert written | refusals <= set(WHAT) | {code.value for code in REASONS}


def test_each_purpose_of_an_attempt_has_words() -> None:
    assert set(PURPOSES) == set(Purpose)


def test_no_two_reasons_share_a_code() -> None:
    assert len({code.value for code in REASONS}) == len(Code) + len(Reason)


def test_only_a_provider_that_cannot_answer_is_an_outage() -> None:
    down = {code for code, why in REASONS.items() if why.page.status == 503}
    assert down == {
        Code.PROVIDER_UNREACHABLE,
        Code.PROVIDER_TIMEOUT,
        Code.PROVIDER_PAUSED,
        Code.PROVIDER_UNAVAILABLE,
    }


def test_a_code_is_found_again_by_its_value() -> None:
    assert reason_of("not_assigned") is Code.NOT_ASSIGNED
    assert reason_of("account_disabled") is Reason.ACCOUNT_DISABLED
    assert reason_of("nonsense") is None
