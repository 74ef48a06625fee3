"""From the choice of a provider to saved values (M2, M8)."""

import pytest
from django.urls import reverse

from identity.models import Connection
from tests.cast import Cast, browser_of
from tests.identity.setting_up import SECRET, Desk, words
from users.models import OutgoingEmail

pytestmark = pytest.mark.servers


def test_without_a_connection_the_page_offers_every_provider(cast: Cast) -> None:
    """M2: Okta, Entra, Google, Duo, or any; for the enterprise or one organization."""
    page = words(browser_of(cast.aiko).get(reverse("identity:connections")))
    for name in ("Okta", "Microsoft Entra ID", "Google Workspace", "Duo", "Another OpenID Connect provider"):
        assert name in page
    assert "The whole enterprise" in page
    assert cast.oslo.name in page


def test_choosing_makes_a_draft_that_nobody_signs_in_with(cast: Cast) -> None:
    browser = browser_of(cast.aiko)
    answer = browser.post(reverse("identity:choose"), {"provider": "okta", "scope": "enterprise"})
    connection = Connection.objects.get(enterprise=cast.halden)
    assert answer["Location"] == reverse("identity:setup", args=[connection.pk])
    assert connection.status == "draft"
    assert connection.organization is None


def test_one_organization_has_to_be_named_and_one_s_own(cast: Cast) -> None:
    browser = browser_of(cast.mallory)
    for organization in ("", cast.oslo.pk):
        typed = {"provider": "okta", "scope": "organization", "organization": organization}
        assert browser.post(reverse("identity:choose"), typed).status_code == 422
    typed = {"provider": "duo", "scope": "organization", "organization": cast.oslo.pk}
    browser_of(cast.aiko).post(reverse("identity:choose"), typed)
    assert Connection.objects.get().organization == cast.oslo


def test_the_page_walks_through_okta_in_okta_s_words(cast: Cast) -> None:
    """M2: the steps as they are spelled there."""
    page = Desk(cast.aiko).page()
    for step in (
        "Applications → Applications → Create App Integration",
        "OIDC - OpenID Connect",
        "Web Application",
        "Authorization Code and Refresh Token",
        "Sign-in redirect URI",
        "Require PKCE as additional verification",
        "Assignments",
        "Security → API → Authorization Servers",
    ):
        assert step in page


@pytest.mark.parametrize("provider", ["okta", "entra", "google", "duo", "oidc"])
def test_the_redirect_uri_is_that_of_the_region_and_the_others_are_listed(cast: Cast, provider: str) -> None:
    """M8, R9."""
    desk = Desk(cast.aiko, provider)
    page = desk.browser.get(desk.url("setup")).content.decode().replace("<wbr>", "")
    for origin in ("http://eu.localhost", "http://na.localhost", "http://au.localhost"):
        assert page.count(origin) >= 1
    assert f"/sso/{desk.connection.pk}/callback/" in page
    assert desk.connection.redirect_uri in page


def test_saving_makes_a_revision_on_record_and_every_enterprise_admin_is_told(cast: Cast) -> None:
    """T5."""
    desk = Desk(cast.aiko)
    assert desk.save().status_code == 302
    revision = desk.connection.latest
    assert (revision.number, revision.issuer, revision.client_id) == (1, "https://halden.okta.com", "gatehouse")
    event = desk.events("connection:revised")[0]
    assert event.details["changed"] == "issuer URI, client ID, client authentication, OAuth scopes, client secret"
    told = OutgoingEmail.objects.filter(name="connection_changed")
    assert {email.user for email in told} == {cast.ingrid, cast.aiko}


def test_saving_without_a_change_does_nothing(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    desk.save()
    desk.save(client_secret="")
    assert desk.connection.revisions.count() == 1
    assert len(desk.events("connection:revised")) == 1
    assert "Nothing has changed." in desk.page()


def test_changing_the_issuer_clears_the_secret_and_says_so(cast: Cast) -> None:
    """T6."""
    desk = Desk(cast.aiko)
    desk.save()
    desk.save("https://other.okta.com", client_secret="")
    assert desk.connection.latest.secret is None
    page = desk.page()
    assert "The issuer changed, so the client secret was cleared." in page
    assert "Waits for the client secret." in page


def test_the_first_save_needs_a_secret(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    answer = desk.save(client_secret="")
    assert answer.status_code == 422
    assert "Paste the client secret." in words(answer)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("half a secret", "a space or a line break inside"),
        ("one\ntwo", "a space or a line break inside"),
        ("••••••••", "the dots shown in place of the secret"),
        ("gatehouse", "This is the client ID again."),
        ("sécret-of-some-kind", "a character that no client secret has"),
        ("x" * 513, "512 characters at most"),
    ],
)
def test_a_secret_pasted_wrong_is_refused_with_the_cause(cast: Cast, typed: str, sentence: str) -> None:
    answer = Desk(cast.aiko).save(client_secret=typed)
    assert answer.status_code == 422
    assert sentence in words(answer)


def test_spaces_around_a_secret_are_left_out_and_that_is_said(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    desk.save(client_secret=f"  {SECRET}\n")
    assert desk.connection.latest.secret.open() == SECRET
    assert "Spaces around the client secret were left out." in desk.page()


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("client_id", "https://halden.okta.com", "This is an address."),
        ("client_id", "two words", "There is a space"),
        ("client_id", "x" * 256, "255 characters at most"),
        ("scopes", "profile email", "openid is missing."),
        ("scopes", 'openid "all"', "is not a scope"),
        ("client_authentication", "none", "Select a valid choice"),
    ],
)
def test_nonsense_in_a_field_is_refused_in_a_sentence(cast: Cast, field: str, typed: str, sentence: str) -> None:
    desk = Desk(cast.aiko)
    answer = desk.save(**{field: typed})
    assert answer.status_code == 422
    assert sentence in words(answer)
    assert desk.connection.latest is None


def test_the_secret_id_of_entra_is_not_its_value(cast: Cast) -> None:
    desk = Desk(cast.aiko, "entra")
    issuer = "https://login.microsoftonline.com/8a3b1c9e-5d2f-4e70-9c11-0a2b3c4d5e6f/v2.0"
    answer = desk.save(issuer, client_secret="11111111-2222-3333-4444-555555555555")
    assert "This is the Secret ID." in words(answer)


def test_google_is_not_asked_for_a_scope_it_refuses(cast: Cast) -> None:
    desk = Desk(cast.aiko, "google")
    page = desk.browser.get(desk.url("setup")).content.decode()
    assert 'value="https://accounts.google.com"' in page
    assert 'value="openid profile email"' in page


def test_a_draft_can_be_deleted_and_is_gone(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    desk.save()
    assert desk.press("discard").status_code == 302
    assert not Connection.objects.exists()
    assert desk.events("connection:deleted")
