"""What became of each invitation, for those who could have issued it; the filters stand in the address."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event
from invitations.models import Invitation, State
from tests.cast import Browser, Cast, browser_of
from tests.invitations.conftest import EMAIL, invite
from users.models import Role, User

pytestmark = pytest.mark.servers

PAGE = "/invitations/"


def listed(browser: Browser, **query: str) -> list[str]:
    return [story.invitation.email.partition("@")[0] for story in browser.get(PAGE, query).context["stories"]]


def one_of_each(cast: Cast) -> dict[State, Invitation]:
    now = timezone.now()
    before, long_ago = now - timedelta(minutes=14), now - timedelta(days=8)
    rows = {
        State.LIVE: invite(cast, "live@halden.example"),
        State.SENT: invite(cast, "sent@halden.example", sent_at=before),
        State.OPENED: invite(cast, "opened@halden.example", sent_at=before, opened_at=before),
        State.REFUSED: invite(
            cast, "refused@halden.example", sent_at=before, refused_at=before, refused_reason="not_assigned"
        ),
        State.BOUNCED: invite(cast, "bounced@halden.example", bounced_at=before, bounce_reason="No such mailbox"),
        State.ACCEPTED: invite(cast, "accepted@halden.example"),
        State.REVOKED: invite(cast, "revoked@halden.example"),
        State.EXPIRED: invite(cast, "expired@halden.example", at=long_ago, sent_at=long_ago),
    }  # fmt: skip
    rows[State.ACCEPTED].redeem(email="accepted@halden.example", at=now)
    rows[State.REVOKED].revoke(by=cast.ingrid, at=now)
    return rows


def test_each_state_is_found_by_its_filter_and_told_in_words(cast: Cast) -> None:
    one_of_each(cast)
    browser = browser_of(cast.ingrid)
    for state in State:
        assert listed(browser, state=state.value) == [state.value]
    for invitation in Invitation.objects.of(cast.halden):
        assert invitation.state(timezone.now()).value == invitation.email.partition("@")[0]
    page = browser.get(PAGE, {"state": "all"}).text
    for words in ("Not assigned to the app", "14 minutes ago", "No such mailbox", "Not opened", "Queued"):
        assert words in page


def test_what_has_ended_is_hidden_until_asked_for(cast: Cast) -> None:
    one_of_each(cast)
    browser = browser_of(cast.ingrid)
    assert set(listed(browser)) == {"live", "sent", "opened", "refused", "bounced"}
    assert "3 on their way, 2 need you." in browser.get(PAGE).text
    assert len(listed(browser, state="all")) == 8


def test_search_and_filters_can_be_combined(cast: Cast) -> None:
    invite(cast, "anna@halden.example", organization=cast.oslo)
    invite(cast, "anne@halden.example", organization=cast.rotterdam, by=cast.aiko)
    browser = browser_of(cast.ingrid)
    assert listed(browser, q="ANN") == ["anne", "anna"]
    assert listed(browser, q="ann", organization=cast.oslo.pk) == ["anna"]
    assert listed(browser, by=cast.aiko.pk) == ["anne"]
    assert listed(browser, q="%") == []
    assert listed(browser, q="x" * 5000, state="nonsense", by="nobody", organization="'", cursor="!") == []


def test_pages_cost_the_same_however_many_there_are(cast: Cast) -> None:
    """At most 10 statements, keyset, no query per row."""
    browser = browser_of(cast.ingrid)
    invite(cast, "first@halden.example", organization=cast.oslo)
    counts = []
    for more in (0, 130):
        if more:
            emails = [f"p{n:03}@halden.example" for n in range(more)]
            Invitation.issue_all(
                enterprise=cast.halden, emails=emails, role=Role.VIEWER, organization=cast.oslo, connection=None,
                by=cast.aiko, at=timezone.now(),
            )  # fmt: skip
        browser.get(PAGE)
        with CaptureQueriesContext(database) as queries:
            page = browser.get(PAGE)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 10, counts
    seen = []
    while True:
        seen += [story.invitation.pk for story in page.context["stories"]]
        if not page.context["page"].next:
            break
        page = browser.get(PAGE, {"cursor": page.context["page"].next})
    assert len(seen) == len(set(seen)) == 131


def test_managers_see_and_send_again_what_they_could_have_issued(cast: Cast) -> None:
    mine = invite(cast, "mine@halden.example", organization=cast.rotterdam)
    higher = invite(cast, "higher@halden.example", organization=cast.rotterdam, role=Role.MANAGER)
    elsewhere = invite(cast, "elsewhere@halden.example", organization=cast.oslo)
    browser = browser_of(cast.tomas)
    assert listed(browser) == ["mine"]
    for invitation, status in ((mine, 302), (higher, 404), (elsewhere, 404)):
        assert browser.post(f"{PAGE}{invitation.pk}/resend/").status_code == status
        assert browser.post(f"{PAGE}{invitation.pk}/revoke/").status_code == status


def test_sending_again_makes_a_new_link_and_keeps_the_list_as_it_was(cast: Cast) -> None:
    """T10."""
    invitation = invite(cast, sent_at=timezone.now(), refused_at=timezone.now(), refused_reason="not_assigned")
    older = invitation.token
    answer = browser_of(cast.aiko).post(f"{PAGE}{invitation.pk}/resend/?q=lena")
    assert answer["Location"] == f"{PAGE}?q=lena"
    invitation.refresh_from_db()
    assert invitation.token != older
    assert invitation.state(timezone.now()) == State.LIVE
    assert invitation.invited_by == cast.aiko
    assert Event.objects.get(action="invitation:resent").target_label == EMAIL


def test_revoking_ends_the_link_and_forgets_the_person(cast: Cast) -> None:
    invitation = invite(cast)
    browser_of(cast.aiko).post(f"{PAGE}{invitation.pk}/revoke/")
    assert not User.objects.of(cast.halden).with_email(EMAIL).exists()
    assert Event.objects.get(action="invitation:revoked").actor == cast.aiko
    response = browser_of(cast.aiko).post(f"{PAGE}{invitation.pk}/resend/", follow=True)
    assert "was revoked meanwhile" in response.text


def test_an_accepted_one_cannot_be_revoked(cast: Cast) -> None:
    invitation = invite(cast)
    invitation.redeem(email=EMAIL, at=timezone.now())
    response = browser_of(cast.aiko).post(f"{PAGE}{invitation.pk}/revoke/", follow=True)
    assert "has accepted meanwhile. Nothing was changed." in response.text
    assert User.objects.of(cast.halden).with_email(EMAIL).get().is_active


def test_acts_need_post(cast: Cast) -> None:
    invitation = invite(cast)
    for act in ("resend", "revoke"):
        assert browser_of(cast.aiko).get(f"{PAGE}{invitation.pk}/{act}/").status_code == 405


def test_a_stranger_gets_404_and_sees_nothing(cast: Cast) -> None:
    """T11."""
    invitation = invite(cast)
    stranger = browser_of(cast.mallory)
    assert listed(stranger, state="all") == []
    for act in ("resend", "revoke"):
        assert stranger.post(f"{PAGE}{invitation.pk}/{act}/").status_code == 404
    assert Event.objects.filter(action__startswith="invitation:re").count() == 0
