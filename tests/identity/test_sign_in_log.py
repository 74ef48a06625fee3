"""Advanced → Sign-in log: every sign-in and refusal, found again by its reference, with all there is to know."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.actions import Action
from audit.ids import reference_as_typed
from audit.models import Event, Result
from tests.cast import Browser, browser_of
from tests.factors import give_app, sign_in_with
from tests.identity.journey import Journey
from tests.serving import Reply, Request
from users.models import User

pytestmark = pytest.mark.servers
LOG = "/advanced/sign-in-log/"


@pytest.fixture
def admin(journey: Journey) -> Browser:
    return browser_of(journey.cast.aiko)


def log(admin: Browser, **query: str) -> str:
    response = admin.get(LOG, query)
    assert response.status_code == 200
    return response.content.decode()


def entry(admin: Browser, event: Event) -> str:
    response = admin.get(f"{LOG}{event.pk}/")
    assert response.status_code == 200
    return response.content.decode()


def listed(page: str) -> list[str]:
    return re.findall(r'<a class="mono" href="/advanced/sign-in-log/[0-9a-z]{12}/">([0-9A-Z-]{9})<', page)


def fact(page: str, name: str) -> str:
    """What stands beside ``name``, without markup."""
    found = re.search(rf"<dt>{name}</dt><dd>(.*?)</dd>", page, re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", found[1])).strip() if found else ""


def test_sign_ins_of_every_kind_are_listed(journey: Journey, admin: Browser) -> None:
    journey.sign_in()
    journey.provider.person = None
    journey.sign_in(Browser(journey.cast.halden))
    local = Browser(journey.cast.halden)
    local.post("/e/halden/local/", {"email": journey.cast.marcus.email, "password": "wrong"})
    sign_in_with(give_app(journey.cast.ingrid), local, journey.cast.ingrid)
    page = log(admin)
    assert len(listed(page)) == 4
    for words in (
        "Dana Whitfield",
        "Not assigned to the app in Okta",
        journey.cast.marcus.email,
        "Email and password did not fit together",
        "Ingrid Solberg",
        "Break-glass",
    ):
        assert words in page


def test_a_session_that_the_provider_ended_is_listed_with_why(journey: Journey, admin: Browser) -> None:
    """K6: and its entry says what the person read, who had asked for nothing."""
    journey.sign_in()
    journey.make_due()
    journey.provider.on_token = lambda said, request: Reply.json({"error": "invalid_grant"}, 400)
    page = journey.browser.get("/account/")
    event = Event.objects.of(journey.cast.halden).get(action=Action.SESSION_ENDED_BY_PROVIDER)
    assert event.reference in page.content.decode()
    assert listed(log(admin, result="ended")) == [event.reference]
    assert "Okta no longer vouches for the person" in log(admin)
    html = entry(admin, event)
    assert fact(html, "The person read") == "Okta no longer vouches for you"
    assert fact(html, "Account") == "Dana Whitfield"
    assert "the session ended" in html


def test_nothing_but_sign_ins_is_in_it(journey: Journey, admin: Browser) -> None:
    admin.get("/audit/download/")
    assert listed(log(admin)) == []
    assert "Nobody has signed in yet." in log(admin)


def test_the_entry_of_a_token_that_did_not_pass(journey: Journey, admin: Browser) -> None:
    """Claims received, which check failed, expected and got, connection and revision, and the field to correct."""
    journey.provider.on_id_token = lambda said, request: said | {"aud": "another-app"}
    journey.sign_in()
    page = entry(admin, journey.refusal())
    assert "The ID token is for another app" in page
    assert "Client ID<span" in page
    assert fact(page, "Expected") == "gatehouse"
    assert fact(page, "Got") == "another-app"
    assert fact(page, "Code") == "audience_mismatch"
    assert fact(page, "Connection") == "Okta, revision 1"
    assert fact(page, "Purpose") == "Signing in"
    assert fact(page, "The person read") == "What Okta answered did not pass our checks"
    assert f'href="/advanced/identity-provider/{journey.connection.pk}/#id_client_id"' in page
    assert re.findall(r'claim">(\w+)</th>', page)[:4] == ["iss", "sub", "aud", "email"]
    assert re.search(r"<bdi>\d{10} \(\d+ \w+ \d{4}, \d\d:\d\d:\d\d\)</bdi>", page)
    assert "dana.whitfield@halden.example" in page


def test_what_only_proves_a_token_is_not_shown(journey: Journey, admin: Browser) -> None:
    """R12: neither the token, nor the nonce, nor hashes of what it belongs to; nor what was told in confidence."""
    seen: list[str] = []

    secret = journey.provider.clients["gatehouse"]

    def spoil(said: dict[str, object], request: Request) -> dict[str, object]:
        seen.append(str(said["nonce"]))
        return said | {"aud": "another", "told": request.form["code_verifier"], "by": secret}

    journey.provider.on_id_token = spoil
    journey.sign_in()
    event, page = journey.refusal(), entry(admin, journey.refusal())
    assert "told" in event.details["claims"]
    assert not {"nonce", "at_hash"} & event.details["claims"].keys()
    verifiers = [request.form["code_verifier"] for request in journey.provider.requests_to("/token")]
    for private in (secret, *seen, *verifiers, *journey.provider.issued):
        assert private not in page
        assert private not in str(event.details)


@pytest.mark.parametrize("change", [{"nonce": "another"}, {"exp": 1}, {"iss": "https://evil.example"}, {"sub": ""}])
def test_claims_are_kept_whichever_check_failed(journey: Journey, admin: Browser, change: dict[str, object]) -> None:
    journey.provider.on_id_token = lambda said, request: said | change
    journey.sign_in()
    assert journey.refusal().details["claims"]["email"] == "dana.whitfield@halden.example"


def test_a_token_that_nobody_signed_says_nothing(journey: Journey, admin: Browser) -> None:
    """What is shown as said by the provider has to be."""
    journey.provider.on_id_token = lambda said, request: journey.provider.signing_key.sign(said)[:-8] + "AAAAAAAA"
    journey.sign_in()
    assert journey.refusal().reason == "bad_signature"
    assert "claims" not in journey.refusal().details
    assert "No claims were received" in entry(admin, journey.refusal())


def test_the_entry_of_somebody_who_is_proved(journey: Journey, admin: Browser) -> None:
    journey.dana.disable(timezone.now())
    journey.sign_in()
    page = entry(admin, journey.refusal())
    assert fact(page, "Account") == "Dana Whitfield"
    assert f'href="/users/{journey.dana.pk}/"' in page
    assert "Enable the account, if this person is to come in." in page


def test_the_entry_of_an_email_that_is_only_named(journey: Journey, admin: Browser) -> None:
    """T7: an email is no proof, and the page says so."""
    journey.provider.person = {"sub": "00u9", "email": journey.cast.marcus.email}
    journey.sign_in()
    page = entry(admin, journey.refusal())
    assert journey.refusal().actor is None
    assert fact(page, "Account with this email") == "Marcus Feld Named, not proved"


def test_the_entry_of_an_invitation(journey: Journey, admin: Browser) -> None:
    invitation = journey.invite()
    journey.provider.person = None
    journey.redeem(invitation)
    page = entry(admin, journey.refusal())
    assert fact(page, "Purpose") == "Accepting an invitation"
    assert fact(page, "Invitation") == invitation.email
    assert f"/invitations/?q={invitation.email.replace('@', '%40')}" in page or invitation.email in page
    assert invitation.email in log(admin)


def test_the_entry_of_a_sign_in(journey: Journey, admin: Browser) -> None:
    journey.sign_in()
    event = Event.objects.get(action=Action.SESSION_STARTED, actor=journey.dana)
    page = entry(admin, event)
    assert fact(page, "Connection") == "Okta, revision 1"
    assert "What went wrong" not in page
    assert "let it in" in page


def test_the_revision_is_the_one_it_began_with(journey: Journey, admin: Browser) -> None:
    """R1: and the page says when another one serves by now."""
    back, now, by = journey.at_provider(journey.start()["Location"]), timezone.now(), journey.cast.ingrid
    values = {"issuer": journey.provider.issuer, "client_id": "gatehouse", "scopes": "openid email"}
    newer = journey.connection.revise(by=by, at=now, secret=None, **values)
    newer.tested_at = now
    newer.save()
    journey.connection.enable(newer, now)
    journey.browser.get(back)
    page = entry(admin, journey.refusal())
    assert journey.refusal().reason == "connection_changed"
    assert fact(page, "Connection") == "Okta, revision 1 Revision 2 serves now"


def test_a_reference_leads_to_its_entry_however_it_is_typed(journey: Journey, admin: Browser) -> None:
    """It is read out on the telephone, so O is 0, and I and L are 1."""
    journey.browser.get(f"/sso/{journey.connection.pk}/callback/")
    event = journey.refusal()
    Event.objects.filter(pk=event.pk).update(reference="7K0M-41QX")
    for typed in ("7K0M-41QX", "7k0m-41qx", " 7k0m 41qx ", "7KOM41QX", "7kom-4lqx", "7K0M-4IQX"):
        assert admin.get(LOG, {"q": typed})["Location"] == f"{LOG}{event.pk}/"
    assert "No sign-in has the reference 0000-0000." in log(admin, q="0000-0000")
    assert f'href="{LOG}{event.pk}/"' in admin.get("/audit/", {"q": "7kom 4lqx"}).content.decode()


@pytest.mark.parametrize("typed", ["", "7K0M", "7K0M-41QXX", "UUUU-UUUU", "Ünïcödé!", "a" * 100])
def test_what_is_no_reference_is_none(typed: str) -> None:
    assert reference_as_typed(typed) == ""


def test_filters(journey: Journey, admin: Browser) -> None:
    journey.sign_in()
    journey.provider.person = None
    journey.sign_in(Browser(journey.cast.halden))
    sign_in_with(give_app(journey.cast.marcus), Browser(journey.cast.halden), journey.cast.marcus)
    Event.objects.create(
        enterprise=journey.cast.halden, action=Action.SESSION_STARTED, at=timezone.now() - timedelta(days=60),
        actor=journey.cast.tomas, actor_label="Tomás Herrera", details={"method": "password"},
    )  # fmt: skip
    today = f"{timezone.localdate():%Y-%m-%d}"
    for query, names in (
        ({"result": "refused"}, ["Somebody unknown"]),
        ({"result": "signed_in", "since": today}, ["Marcus Feld", "Dana Whitfield"]),
        ({"reason": "not_assigned"}, ["Somebody unknown"]),
        ({"reason": "nonce_mismatch"}, []),
        ({"through": journey.connection.pk}, ["Somebody unknown", "Dana Whitfield"]),
        ({"through": "password"}, ["Marcus Feld", "Tomás Herrera"]),
        ({"q": "dana"}, ["Dana Whitfield"]),
        ({"q": "MARCUS.FELD@"}, ["Marcus Feld"]),
        ({"until": "2026-01-01"}, []),
        ({"q": "dana", "result": "refused"}, []),
    ):
        page = log(admin, **query)
        assert re.findall(r"<b><bdi>(.*?)</bdi></b>", page) == names, query


@pytest.mark.parametrize(
    "query", ["?since=yesterday", "?reason=no-such", "?result=x", "?through=x", "?since=2026-05-02&until=2026-05-01"]
)
def test_a_filter_that_makes_no_sense_is_a_400_and_says_so(admin: Browser, query: str) -> None:
    response = admin.get(LOG + query)
    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()


def test_pages_go_on_where_the_last_one_ended(journey: Journey, admin: Browser) -> None:
    now = timezone.now()
    Event.objects.bulk_create(
        Event(enterprise=journey.cast.halden, action=Action.SESSION_STARTED, at=now - timedelta(minutes=n))
        for n in range(120)
    )
    seen: list[str] = []
    url = LOG
    while url:
        page = admin.get(url).content.decode()
        seen += listed(page)
        found = re.search(r'rel="next" href="([^"]+)"', page)
        url = LOG + found[1].replace("&amp;", "&") if found else ""
    assert len(seen) == len(set(seen)) == 120


def test_the_stranger_sees_nothing_of_it(journey: Journey) -> None:
    """T11."""
    journey.sign_in()
    event = Event.objects.get(action=Action.SESSION_STARTED, actor=journey.dana)
    mallory = browser_of(journey.cast.mallory)
    assert mallory.get(f"{LOG}{event.pk}/").status_code == 404
    assert listed(log(mallory)) == []
    assert "No sign-in has the reference" in log(mallory, q=event.reference)
    assert mallory.get(LOG, {"through": journey.connection.pk}).status_code == 400


def test_an_event_that_is_no_sign_in_has_no_entry(journey: Journey, admin: Browser) -> None:
    admin.get("/audit/download/")
    event = Event.objects.get(action=Action.AUDIT_DOWNLOADED)
    assert admin.get(f"{LOG}{event.pk}/").status_code == 404


def test_markup_and_direction_marks_do_no_harm(journey: Journey, admin: Browser) -> None:
    """H30."""
    hostile = "<script>alert(1)</script>\u202e"
    journey.provider.on_id_token = lambda said, request: said | {"aud": hostile, hostile: hostile, "email": hostile}
    journey.sign_in()
    for page in (entry(admin, journey.refusal()), log(admin)):
        assert "<script>alert" not in page
        assert "\u202e" not in page


def test_a_connection_and_a_person_that_are_gone_leave_the_entry_readable(journey: Journey, admin: Browser) -> None:
    journey.dana.disable(timezone.now())
    journey.sign_in()
    event = journey.refusal()
    Event.objects.filter(pk=event.pk).update(details=event.details | {"connection": "0" * 12})
    User.objects.filter(pk=journey.dana.pk).delete()
    page = entry(admin, event)
    assert "Dana Whitfield" in page
    assert "/users/" + journey.dana.pk not in page


def test_the_pages_cost_the_same_however_long_the_log(journey: Journey, admin: Browser) -> None:
    journey.provider.person = {"sub": "00u9", "email": journey.cast.marcus.email}
    journey.sign_in()
    event, now, costs = journey.refusal(), timezone.now(), []
    for _ in range(2):
        for address in (LOG, f"{LOG}?q=dana&result=refused", f"{LOG}{event.pk}/"):
            with CaptureQueriesContext(database) as queries:
                assert admin.get(address).status_code == 200
            costs.append(len(queries))
        Event.objects.bulk_create(
            Event(enterprise=journey.cast.halden, action="session:refused", result=Result.REFUSED, at=now)
            for _ in range(300)
        )
    assert costs[:3] == costs[3:]
    assert max(costs) <= 10


def test_the_refusal_page_leads_an_administrator_to_the_entry(journey: Journey, admin: Browser) -> None:
    """Whoever may not read the log is shown the reference, and no link."""
    address = f"/sso/{journey.connection.pk}/callback/"
    page = admin.get(address).content.decode()
    assert f"{LOG}{journey.refusal().pk}/" in page
    for browser in (Browser(journey.cast.halden), browser_of(journey.cast.marcus), browser_of(journey.cast.mallory)):
        assert LOG not in browser.get(address).content.decode()


def test_the_dashboard_leads_there_and_says_why_in_words(journey: Journey, admin: Browser) -> None:
    journey.provider.person = None
    journey.sign_in()
    page = admin.get("/").content.decode()
    assert f"{LOG}?result=refused&amp;through={journey.connection.pk}" in page
    assert f"{LOG}{journey.refusal().pk}/" in page
    assert "Not assigned to the app in Okta" in page
    assert "<code>not_assigned</code>" not in page


def test_a_persons_activity_says_why_in_words(journey: Journey, admin: Browser) -> None:
    journey.dana.disable(timezone.now())
    journey.sign_in()
    for page in (f"/users/{journey.dana.pk}/", f"/users/{journey.dana.pk}/activity/"):
        html = admin.get(page).content.decode()
        assert "The account is disabled" in html
        assert "account_disabled" not in html
