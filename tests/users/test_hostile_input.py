"""Bad input at the entrance, tried: nothing breaks, nothing is taken for what it is not."""

from __future__ import annotations

import pytest

from tests.cast import PASSWORD, Browser, Cast, browser_of
from tests.smtp import Sink, html_of
from tests.users.test_sign_up import errors, sign_up
from users import tasks
from users.models import Enterprise, User

pytestmark = [pytest.mark.servers, pytest.mark.django_db]

INVISIBLE = [
    "\x00",
    "\x07",
    "\n",
    "\x1b[31m",
    "\u202e",
    "\u200f",
    "\u2066",
    "\u200b",
    "\ufeff",
    "\u2028",
    "\x85",
    "\ue000",
]


@pytest.mark.parametrize("mark", INVISIBLE)
@pytest.mark.parametrize("field", ["name", "your_name"])
def test_names_with_invisible_characters_are_refused(field: str, mark: str) -> None:
    assert list(errors(sign_up(**{field: f"Hal{mark}den"}))) == [field]
    assert not Enterprise.objects.exists()


@pytest.mark.parametrize("mark", INVISIBLE)
def test_emails_with_invisible_characters_are_refused(mark: str) -> None:
    for email in (f"ingrid{mark}@halden.example", f"ingrid@hal{mark}den.example"):
        assert list(errors(sign_up(email=email))) == ["email"]


@pytest.mark.parametrize(
    "email",
    ["", "ingrid", "ingrid@", "@halden.example", "a@b@c.example", "ingrid @halden.example", "ingrid@halden",
     "Ingrid <ingrid@halden.example>", f"{'x' * 250}@halden.example", "ingrid@halden.example\r\nBcc: x@evil.example",
     "ingrіd@halden.example"],
)  # fmt: skip
def test_what_is_no_email_address_is_refused(email: str) -> None:
    assert list(errors(sign_up(email=email))) == ["email"]


@pytest.mark.parametrize("name", ["", "   ", "…—!", "x" * 101, "\u200d\u200c"])
def test_a_name_has_to_say_something_within_a_hundred_characters(name: str) -> None:
    assert list(errors(sign_up(name=name))) == ["name"]


@pytest.mark.parametrize(
    "name", ["Ω Κ.Α.Ε.", "株式会社ハルデン", "می\u200cخواهم", "שלום בע״מ", "Zoë & Søn’s <i>", "X Æ A-12", "😀 7"]
)
def test_names_of_all_scripts_are_kept(name: str) -> None:
    assert sign_up(name=name, your_name=name).status_code == 302
    assert (Enterprise.objects.get().name, User.objects.get().name) == (name, name)


def test_names_are_trimmed_and_composed() -> None:
    sign_up(name="  Halden \u00a0 Freight ", your_name="Tomás")
    assert (Enterprise.objects.get().name, User.objects.get().name) == ("Halden Freight", "Tomás")


def test_markup_in_names_is_shown_as_it_is_and_does_nothing(smtp_sink: Sink) -> None:
    browser = Browser()
    sign_up(browser, name="<script>alert(1)</script>", your_name='"><img src=x onerror=alert(1)>')
    enterprise = Enterprise.objects.get()
    tasks.sweep()
    for page in (
        browser.get("/e/halden-freight/local/enrol/").content.decode(),
        browser_of(enterprise.users.get()).get("/account/").content.decode(),
        Browser(enterprise).get("/e/halden-freight/local/").content.decode(),
        html_of(smtp_sink.newest()),
    ):
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_huge_fields_are_answers_and_not_errors() -> None:
    huge = "x" * 200_000
    assert set(errors(sign_up(name=huge, slug=huge, your_name=huge, email=huge, password=huge))) == {
        "name", "slug", "your_name", "email", "password",
    }  # fmt: skip


def test_a_huge_request_is_refused() -> None:
    assert sign_up(name="x" * 3_000_000).status_code in (400, 413)


def test_a_region_that_is_none_is_refused() -> None:
    assert list(errors(sign_up(region="mars"))) == ["region"]


def test_nothing_at_all_is_told_field_by_field() -> None:
    response = Browser().post("/signup/", {})
    assert set(errors(response)) == {"name", "slug", "region", "your_name", "email", "password"}
    assert "<title>Error: " in response.content.decode()


def test_a_typed_password_is_never_given_back() -> None:
    assert "hunter2-hunter2" not in sign_up(password="hunter2-hunter2", email="no").content.decode()


@pytest.mark.parametrize("password", ["", "\x00", "x" * 100_000, "\ud7ff", "'; drop table users_user; --"])
def test_odd_passwords_at_sign_in_are_just_wrong(cast: Cast, password: str) -> None:
    response = Browser(cast.halden).post("/e/halden/local/", {"email": cast.aiko.email, "password": password})
    assert response.status_code == 200
    assert response.context["form"].errors


def test_a_look_alike_letter_is_another_address(cast: Cast) -> None:
    """A Cyrillic letter in the domain does not fold to the Latin one."""
    browser = Browser(cast.halden)
    assert (
        browser.post("/e/halden/local/", {"email": "aiko.tanaka@hаlden.example", "password": PASSWORD}).status_code
        == 200
    )


@pytest.mark.parametrize("slug", ["HALDEN", "Halden"])
def test_an_address_is_found_whatever_its_case(cast: Cast, slug: str) -> None:
    assert Browser(cast.halden).get(f"/e/{slug}/local/").status_code == 200


def test_a_form_of_another_site_is_refused(cast: Cast) -> None:
    browser = Browser(cast.halden, enforce_csrf_checks=True).sign_in(cast.aiko)
    for path in ("/logout/", "/account/password/", "/account/sessions/end/", "/e/halden/local/", "/signup/", "/login/"):
        response = browser.post(path, {}, headers={"origin": "https://evil.example"})
        assert response.status_code == 403
    assert browser.get("/account/").status_code == 200
