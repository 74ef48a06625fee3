"""M1: sign-up creates an enterprise and its break-glass account, and says to keep the password."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from audit.models import Event
from tests.cast import Browser, Cast
from tests.factors import key_to_copy
from users.models import Enterprise, Method, OutgoingEmail, Region, Role, Session, User

pytestmark = [pytest.mark.servers, pytest.mark.django_db]

ANSWERS = {
    "name": "Halden Freight",
    "slug": "halden-freight",
    "region": "eu",
    "your_name": "Ingrid Solberg",
    "email": "ingrid.solberg@halden.example",
    "password": "a sentence works well",
}


def sign_up(client: Client | None = None, **changes: str) -> HttpResponse:
    return (client or Browser()).post("/signup/", {**ANSWERS, **changes})


def errors(response: HttpResponse) -> dict[str, list[str]]:
    assert response.status_code == 200
    return dict(response.context["form"].errors)


def test_the_founder_is_the_break_glass_enterprise_admin_and_sets_up_a_second_factor_first() -> None:
    browser = Browser()
    response = sign_up(browser)
    assert (response.status_code, response["Location"]) == (302, "/e/halden-freight/local/enrol/")
    enterprise = Enterprise.objects.get()
    assert (enterprise.name, enterprise.slug, enterprise.region) == ("Halden Freight", "halden-freight", Region.EU)
    user = enterprise.users.get()
    assert user.is_break_glass
    assert user.is_active
    assert not user.is_email_confirmed
    assert user.password.startswith("argon2")
    assert [(a.role, a.organization) for a in user.role_assignments.all()] == [(Role.ENTERPRISE_ADMIN, None)]
    assert OutgoingEmail.objects.get().name == "confirm_email"
    assert browser.get("/account/")["Location"].startswith("/login/")
    page = browser.get(response["Location"])
    assert "Halden Freight is created." in page.content.decode()
    browser.post(response["Location"], {"code": key_to_copy(page).fresh_code()})
    assert user.sessions.get().method == Method.PASSWORD
    assert browser.get("/account/").status_code == 200
    actions = [event.action for event in Event.objects.of(enterprise).order_by("at")]
    assert actions == ["enterprise:created", "factor:added", "recovery-codes:issued", "session:started"]


def test_the_page_says_to_keep_the_password_and_why() -> None:
    """M9."""
    page = Browser().get("/signup/").content.decode()
    assert "Keep this password somewhere safe." in page
    assert "the way in if Okta is down or set up wrongly" in page
    assert 'autocomplete="new-password"' in page
    assert "maxlength" not in page.split('name="password"')[1].split(">")[0]


def test_another_region_is_entered_at_its_own_origin() -> None:
    """M8, R9. The browser lets the form lead there: form-action names the regions."""
    response = sign_up(region="au")
    assert response["Location"] == f"{Region.AU.origin}/e/halden-freight/local/?created"
    assert not Session.objects.exists()
    policy = Browser().get("/signup/")["Content-Security-Policy"]
    [form_action] = [part for part in policy.split("; ") if part.startswith("form-action")]
    assert all(origin in form_action for origin in settings.REGION_ORIGINS.values())
    page = Browser(Enterprise.objects.get()).get("/e/halden-freight/local/?created")
    assert "Your enterprise is created." in page.content.decode()


def test_nobody_can_tell_from_sign_up_that_an_email_is_known_elsewhere(cast: Cast) -> None:
    response = sign_up(email=cast.aiko.email)
    assert response.status_code == 302
    assert User.objects.with_email(cast.aiko.email).count() == 2


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("ten chars!", "10 characters. Add 2 more."),
        ("x" * 129, "129 characters. At most 128 can be used."),
        ("password1234", "This password is one of those tried first. Choose another: a sentence works well."),
        ("ingrid.solberg@halden.example", "The password is too similar to the email."),
        ("", "Enter a password."),
    ],
)
def test_a_password_is_refused_with_what_is_wrong(password: str, said: str) -> None:
    assert errors(sign_up(password=password)) == {"password": [said]}
    assert not Enterprise.objects.exists()


@pytest.mark.parametrize(
    "password", ["onlylowercaseletters", "x1" * 64, "  spaces around it  ", "пароль из слов и букв"]
)
def test_a_password_needs_no_mixture_and_is_kept_as_typed(password: str) -> None:
    assert sign_up(password=password).status_code == 302
    assert User.objects.get().check_password(password)


@pytest.mark.parametrize(
    "slug", ["ab", "-halden", "halden-", "hal--den", "halden_freight", "hälden", "x" * 41, "a/b", ""]
)
def test_an_address_is_lower_case_letters_digits_and_single_hyphens(slug: str) -> None:
    assert list(errors(sign_up(slug=slug))) == ["slug"]


@pytest.mark.parametrize("slug", ["halden", "HALDEN", "admin", "gatehouse"])
def test_a_taken_or_reserved_address_is_not_given_again(cast: Cast, slug: str) -> None:
    assert errors(sign_up(slug=slug)) == {"slug": ["This address is taken. Choose another one."]}


@pytest.mark.parametrize(("slug", "said"), [("halden", "Taken"), ("halden-two", "Free"), ("ha", ""), ("", "")])
def test_while_typing_an_address_is_said_to_be_free_or_taken(cast: Cast, slug: str, said: str) -> None:
    page = Browser().get("/signup/address/", {"slug": slug, "region": "na"}).content.decode()
    assert ("Taken" in page, "Free" in page) == (said == "Taken", said == "Free")
    assert f"{Region.NA.host}/e/" in page


def test_an_address_taken_between_look_and_creation_is_an_answer_and_not_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from users.forms.sign_up import SignUpForm

    monkeypatch.setattr(SignUpForm, "clean_slug", lambda form: form.cleaned_data["slug"])  # As if it were free.
    assert sign_up().status_code == 302
    assert errors(sign_up()) == {"slug": ["This address is taken. Choose another one."]}
    assert User.objects.count() == 1


def test_one_network_cannot_create_enterprises_without_end() -> None:
    for number in range(11):
        assert sign_up(slug=f"halden-{number}").status_code == 302
    response = sign_up(slug="halden-11")
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
    assert "Try again in 2 seconds." in response.content.decode()
    assert sign_up(Browser(REMOTE_ADDR="198.51.100.7"), slug="halden-12").status_code == 302
