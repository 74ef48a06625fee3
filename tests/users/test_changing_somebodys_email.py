"""An administrator changes somebody's email; also the documented way to free an address (M6)."""

from __future__ import annotations

import pytest

from audit.models import Event
from tests.cast import Cast, browser_of, enable_okta, long_ago, make_user
from tests.proving import confirm, is_asked
from users.letters import write
from users.models import OutgoingEmail, User

pytestmark = pytest.mark.servers


def _change(cast: Cast, by: User, person: User, email: str):  # type: ignore[no-untyped-def]
    return browser_of(by).post(f"/users/{person.pk}/email/", {"email": email})


def test_the_email_changes_and_has_to_be_confirmed_again(cast: Cast) -> None:
    assert _change(cast, cast.aiko, cast.tomas, "t.herrera@halden.example").status_code == 302
    cast.tomas.refresh_from_db()
    assert cast.tomas.email == "t.herrera@halden.example"
    assert not cast.tomas.is_email_confirmed
    event = Event.objects.of(cast.halden).get(action="user:email-changed")
    assert event.details == {"before": "tomas.herrera@halden.example", "after": "t.herrera@halden.example"}


def test_both_addresses_are_told_and_the_new_one_gets_the_link(cast: Cast) -> None:
    _change(cast, cast.aiko, cast.tomas, "t.herrera@halden.example")
    rows = OutgoingEmail.objects.filter(user=cast.tomas)
    assert sorted(rows.values_list("name", flat=True)) == ["confirm_email", "email_changed", "email_changed"]
    messages = [write(row) for row in rows.filter(name="email_changed")]
    assert sorted(message.to[0] for message in messages) == ["t.herrera@halden.example", "tomas.herrera@halden.example"]
    for message in messages:
        html = str(message.alternatives[0].content)
        for text in (message.body, html):
            assert "Aiko Tanaka" in text
            assert "t.herrera@halden.example" in text
            assert "tomas.herrera@halden.example" in text


def test_changing_the_break_glass_email_frees_its_address(cast: Cast) -> None:
    """M6: the person behind the emergency account can then be invited to sign in by Okta."""
    assert _change(cast, cast.aiko, cast.ingrid, "emergency@halden.example").status_code == 302
    make_user(cast.halden, "Ingrid Solberg", "ingrid.solberg@halden.example")
    cast.ingrid.refresh_from_db()
    assert cast.ingrid.is_break_glass


def test_it_asks_for_a_recent_sign_in_and_then_does_what_was_asked(cast: Cast) -> None:
    """T5: whoever reads the emails to an account with a password can choose a new one."""
    aiko = browser_of(cast.aiko)
    long_ago(cast.aiko)
    question = aiko.post(f"/users/{cast.tomas.pk}/email/", {"email": "t.herrera@halden.example"})
    assert is_asked(question)
    cast.tomas.refresh_from_db()
    assert cast.tomas.email == "tomas.herrera@halden.example"
    assert confirm(aiko, question)["Location"] == f"/users/{cast.tomas.pk}/"
    cast.tomas.refresh_from_db()
    assert cast.tomas.email == "t.herrera@halden.example"


def test_what_cannot_be_done_is_said_first(cast: Cast) -> None:
    aiko = browser_of(cast.aiko)
    long_ago(cast.aiko)
    taken = {"email": "marcus.feld@halden.example"}
    assert aiko.post(f"/users/{cast.tomas.pk}/email/", taken).status_code == 422


def test_it_does_not_ask_where_no_emailed_link_opens_the_account(cast: Cast) -> None:
    cast.tomas.connection = enable_okta(cast.halden, cast.aiko)
    cast.tomas.save()
    aiko = browser_of(cast.aiko)
    long_ago(cast.aiko)
    changed = aiko.post(f"/users/{cast.tomas.pk}/email/", {"email": "t.herrera@halden.example"})
    assert changed["Location"] == f"/users/{cast.tomas.pk}/"


@pytest.mark.parametrize(
    "email", ["marcus.feld@halden.example", "MARCUS.FELD@HALDEN.EXAMPLE", "ｍarcus.feld@halden.example"]
)
def test_an_address_somebody_has_is_refused_however_it_is_written(cast: Cast, email: str) -> None:
    """T7: compared after NFKC and casefold. Some spellings are no addresses to begin with."""
    assert _change(cast, cast.aiko, cast.tomas, email).status_code == 422
    cast.tomas.refresh_from_db()
    assert cast.tomas.email == "tomas.herrera@halden.example"
    assert not OutgoingEmail.objects.exists()


def test_an_address_of_another_enterprise_is_free_here(cast: Cast) -> None:
    """The two know nothing of each other."""
    assert _change(cast, cast.aiko, cast.tomas, "mallory@stranger.example").status_code == 302


@pytest.mark.parametrize(
    "email",
    [
        "",
        "nonsense",
        "a@b",
        "x" * 300 + "@halden.example",
        "t\u202e@halden.example",
        "t@halden.example\r\nBcc: x@y.example",
        "tomas.herrera@halden.example",
    ],
)
def test_what_is_no_new_address_is_refused(cast: Cast, email: str) -> None:
    assert _change(cast, cast.aiko, cast.tomas, email).status_code == 422
    cast.tomas.refresh_from_db()
    assert cast.tomas.email == "tomas.herrera@halden.example"


def test_only_the_spelling_may_change_too(cast: Cast) -> None:
    assert _change(cast, cast.aiko, cast.tomas, "Tomas.Herrera@halden.example").status_code == 302
    assert OutgoingEmail.objects.filter(user=cast.tomas, name="email_changed").count() == 1


def test_somebody_who_is_only_invited_is_invited_again_instead(cast: Cast) -> None:
    invited = make_user(cast.halden, "", "new@halden.example", joined_at=None)
    answer = _change(cast, cast.aiko, invited, "newer@halden.example")
    assert answer.status_code == 422
    assert "Revoke it, and invite the right one." in answer.content.decode()


def test_a_stranger_gets_404_and_changes_nothing(cast: Cast) -> None:
    """T11."""
    assert _change(cast, cast.mallory, cast.tomas, "mine@stranger.example").status_code == 404
    cast.tomas.refresh_from_db()
    assert cast.tomas.email == "tomas.herrera@halden.example"
