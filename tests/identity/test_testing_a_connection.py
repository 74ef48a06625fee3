"""A test sign-in: a real round trip that signs nobody in, and says what a real one would come to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from audit.models import Event
from identity.credentials import ClientKey
from identity.models import ClientAuthentication, Connection, Subject
from tests.cast import Browser, browser_of
from tests.identity.journey import Journey, connect, link
from users.models import Session, User
from users.models.session import stored_key

pytestmark = pytest.mark.servers


class Trial:
    """Aiko tests a draft."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.draft = connect(journey.cast.halden, journey.provider, journey.cast.aiko, enabled=False)
        self.browser = browser_of(journey.cast.aiko)

    def start(self) -> str:
        return str(self.browser.get(f"/advanced/identity-provider/{self.draft.pk}/test/")["Location"])

    def back(self, url: str) -> str:
        return self.journey.at_provider(url).replace(self.journey.connection.pk, self.draft.pk)

    def result(self) -> dict[str, Any]:
        key = stored_key(self.browser.cookies[settings.SESSION_COOKIE_NAME].value)
        return Session.objects.get(pk=key).get_decoded()["test_result"]

    def run(self) -> dict[str, Any]:
        answer = self.browser.get(self.back(self.start()))
        assert answer["Location"] == f"/advanced/identity-provider/{self.draft.pk}/test-result/"
        return self.result()


@pytest.fixture
def trial(journey: Journey) -> Trial:
    return Trial(journey)


def test_a_draft_is_tested_and_nobody_is_signed_in(trial: Trial) -> None:
    sessions = Session.objects.count()
    result = trial.run()
    assert result["ok"] is True
    assert result["refusal"] is None
    assert result["revision"] == 1
    assert result["claims"]["email"] == "dana.whitfield@halden.example"
    assert "nonce" not in result["claims"]
    assert result["header"] == {"alg": "RS256", "kid": "first", "typ": "JWT"}
    assert Session.objects.count() == sessions
    assert not Subject.objects.filter(connection=trial.draft).exists()
    revision = trial.draft.latest
    assert revision is not None
    assert revision.tested_by == trial.journey.cast.aiko
    event = Event.objects.get(action="connection:tested")
    assert (event.actor, event.result, event.target_id) == (trial.journey.cast.aiko, "done", trial.draft.pk)


def test_its_page_shows_it(trial: Trial) -> None:
    trial.run()
    page = trial.browser.get(f"/advanced/identity-provider/{trial.draft.pk}/test-result/")
    assert page.status_code == 200
    assert "00u1dana" in page.content.decode()


@pytest.mark.parametrize(
    ("person", "verdict", "about"),
    [
        ({"sub": "00u1", "email": "aiko.tanaka@halden.example"}, "has_password", "aiko"),
        ({"sub": "00u1", "email": "ingrid.solberg@halden.example"}, "break_glass", "ingrid"),
        ({"sub": "00u1", "email": "nobody@halden.example"}, "no_account", ""),
        ({"sub": "00u1"}, "email_missing", ""),
        ({"sub": "00u7", "email": "anything@halden.example"}, "signed_in", "tomas"),
        ({"sub": "00u8", "email": "anything@halden.example"}, "disabled", "marcus"),
    ],
)
def test_it_says_what_a_real_sign_in_would_do(trial: Trial, person: dict[str, str], verdict: str, about: str) -> None:
    cast = trial.journey.cast
    now = timezone.now()
    for sub, user in (("00u7", cast.tomas), ("00u8", cast.marcus)):
        trial.draft.serving = trial.draft.latest
        link(trial.draft, user, sub)
    cast.marcus.disabled_at = now
    cast.marcus.save()
    trial.journey.provider.person = person
    result = trial.run()
    assert result["verdict"] == verdict
    assert result["verdict_user"] == (getattr(cast, about).pk if about else "")


def test_it_says_that_an_invitation_would_be_accepted(trial: Trial) -> None:
    invitation = trial.journey.invite()
    trial.journey.is_piotr()
    assert trial.run()["verdict"] == "invitation"
    invitation.refresh_from_db()
    assert invitation.accepted_at is None
    type(invitation).objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert trial.run()["verdict"] == "no_account"


def test_a_test_that_fails_proves_nothing(trial: Trial) -> None:
    trial.journey.provider.on_id_token = lambda claims, request: claims | {"aud": "another"}
    result = trial.run()
    assert result["ok"] is False
    assert result["refusal"] == {"code": "audience_mismatch", "expected": "gatehouse", "got": "another"}
    assert result["claims"] == {}
    assert trial.draft.latest is not None
    assert trial.draft.latest.tested_at is None


def test_a_provider_that_is_down(trial: Trial) -> None:
    url = trial.back(trial.start())
    trial.journey.provider.close()
    trial.browser.get(url)
    assert trial.result()["refusal"]["code"] == "provider_unreachable"


def test_settings_that_are_not_complete(trial: Trial) -> None:
    trial.draft.revise(
        by=trial.journey.cast.aiko, at=timezone.now(), secret=None, issuer="https://other.example", client_id="x"
    )
    assert trial.start() == f"/advanced/identity-provider/{trial.draft.pk}/test-result/"
    assert trial.result()["refusal"]["code"] == "connection_incomplete"


def test_settings_edited_in_between_are_not_what_was_tested(trial: Trial) -> None:
    """R1, T5: the proof would be for the wrong revision."""
    url = trial.back(trial.start())
    values = {"issuer": trial.journey.provider.issuer, "client_id": "another"}
    trial.draft.revise(by=trial.journey.cast.aiko, at=timezone.now(), secret="y" * 20, **values)
    trial.browser.get(url)
    assert trial.result()["refusal"]["code"] == "connection_changed"
    assert trial.draft.latest is not None
    assert trial.draft.latest.tested_at is None


def test_the_newest_revision_is_tested_while_an_older_one_serves(trial: Trial) -> None:
    """T5."""
    trial.draft = Connection.objects.get(pk=trial.journey.connection.pk)
    values = {"issuer": trial.journey.provider.issuer, "client_id": "gatehouse", "scopes": "openid"}
    secret = trial.journey.provider.clients["gatehouse"]
    trial.draft.revise(by=trial.journey.cast.aiko, at=timezone.now(), secret=secret, **values)
    assert trial.run()["revision"] == 2
    trial.draft.refresh_from_db()
    assert trial.draft.serving is not None
    assert trial.draft.serving.number == 1


def test_only_who_began_it_may_finish_it(trial: Trial) -> None:
    """A test's answer in the browser of somebody else, or of nobody, is refused."""
    url = trial.back(trial.start())
    for other in (browser_of(trial.journey.cast.ingrid), Browser(trial.journey.cast.halden)):
        for name, morsel in trial.browser.cookies.items():
            if name.startswith("attempt-"):
                other.cookies[name] = morsel.value
        assert other.get(url).status_code == 403
        assert trial.journey.refusal().reason == "not_the_tester"
    assert not trial.journey.provider.requests_to("/token")


def test_an_admin_no_more_may_not_finish_it(trial: Trial) -> None:
    url = trial.back(trial.start())
    trial.journey.cast.aiko.role_assignments.all().delete()
    assert trial.browser.get(url).status_code == 403
    assert not trial.journey.provider.requests_to("/token")


def test_others_may_not_begin_it(trial: Trial) -> None:
    """T11: 404 for the stranger, 403 for who lacks the role."""
    path = f"/advanced/identity-provider/{trial.draft.pk}/test/"
    assert browser_of(trial.journey.cast.mallory).get(path).status_code == 404
    assert browser_of(trial.journey.cast.oluwaseun).get(path).status_code == 403
    assert User.objects.get(pk=trial.journey.cast.aiko.pk).connection is None


def test_what_our_key_has_signed_is_not_kept_when_the_provider_repeats_it(trial: Trial) -> None:
    """R12, R14: an assertion is good for a minute, and a result is kept for ten."""
    provider, draft = trial.journey.provider, trial.draft
    values = draft.latest.values | {"client_authentication": ClientAuthentication.KEY}
    draft.revise(by=trial.journey.cast.aiko, at=timezone.now(), secret=None, **values)
    provider.client_keys["gatehouse"] = draft.keys.get().public
    provider.on_id_token = lambda said, request: said | {"told": f"you said {request.form['client_assertion']}."}
    result = trial.run()
    assert result["ok"] is True
    assert result["claims"]["told"] == "you said …."


def test_a_test_proves_the_newest_key_and_falls_back_on_no_other(trial: Trial) -> None:
    """R14: or a key that the provider does not know would pass for known."""
    journey = trial.journey
    trial.draft = draft = Connection.objects.get(pk=journey.connection.pk)
    values = draft.latest.values | {"client_authentication": ClientAuthentication.KEY}
    revision = draft.revise(by=journey.cast.ingrid, at=timezone.now(), secret=None, **values)
    journey.provider.client_keys["gatehouse"] = draft.keys.get().public
    revision.mark_tested(by=journey.cast.ingrid, at=timezone.now())
    draft.enable(revision, timezone.now())
    waiting = ClientKey.publish(draft, at=timezone.now())
    assert trial.run()["refusal"]["code"] == "invalid_client"
    journey.provider.client_keys["gatehouse"] = waiting.public
    assert trial.run()["ok"] is True
    waiting.refresh_from_db()
    assert waiting.is_known
    assert waiting.is_waiting
