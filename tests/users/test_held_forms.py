"""Forms that wait for a proof: sealed, bounded, once, and only for who sent them, where they were sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib import import_module
from pkgutil import walk_packages

import pytest
import time_machine
from django import forms
from django.conf import settings
from django.db import connection
from django.utils import timezone

from audit.ids import new_id
from tests.cast import PASSWORD, Browser, Cast, browser_of, hold, long_ago
from tests.proving import go_on
from users import tasks
from users.models import HeldForm, Role, Session, User
from users.models.held import AT_MOST, KEPT_FOR, LARGEST, NEVER_KEPT
from users.sessions import SessionStore

pytestmark = pytest.mark.servers


@pytest.fixture
def aiko(cast: Cast) -> Browser:
    return browser_of(cast.aiko)


def profile(cast: Cast, **typed: str) -> HeldForm:
    return hold(cast.aiko.sessions.get(), "/account/profile/", **({"name": "Aiko T.", "time_zone": ""} | typed))


def name_of(user: User) -> str:
    user.refresh_from_db()
    return user.name


def test_it_goes_on_once(cast: Cast, aiko: Browser) -> None:
    held = profile(cast)
    assert go_on(aiko, held)["Location"] == "/account/"
    assert name_of(cast.aiko) == "Aiko T."
    User.objects.filter(pk=cast.aiko.pk).update(name="Aiko Tanaka")
    again = go_on(aiko, held)
    assert (again.status_code, again["Location"]) == (302, held.page)
    assert name_of(cast.aiko) == "Aiko Tanaka"
    held.refresh_from_db()
    assert held.sealed == "", "what went on is kept no longer"


def test_what_was_typed_is_sealed_in_the_database_and_on_no_page(cast: Cast, aiko: Browser) -> None:
    """R10, R12: neither a dump of the table nor the page that offers it shows what it holds."""
    held = hold(cast.aiko.sessions.get(), "/account/profile/", client_secret="canary-of-a-secret")
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(h)::text FROM users_heldform h")
        assert "canary" not in cursor.fetchone()[0]
    page = aiko.get("/account/held/").content.decode()
    assert held.pk in page
    assert "canary" not in page


def test_it_opens_in_no_other_row_and_for_no_other_address(cast: Cast, aiko: Browser) -> None:
    """R10: the seal is bound to row, person and address."""
    first = profile(cast, name="First")
    second = profile(cast, name="Second")
    HeldForm.objects.filter(pk=first.pk).update(sealed=second.sealed)
    assert go_on(aiko, first).status_code == 404
    HeldForm.objects.filter(pk=second.pk).update(path="/account/password/")
    assert aiko.post("/account/password/", {"held": second.pk}).status_code != 302
    assert name_of(cast.aiko) == "Aiko Tanaka"


@pytest.mark.parametrize("forged", ["", "x", "0" * 12, "../../etc/passwd", "\x00", "é" * 12])
def test_a_forged_id_is_a_404(cast: Cast, aiko: Browser, forged: str) -> None:
    assert aiko.post("/account/profile/", {"held": forged, "name": "Evil"}).status_code == 404
    long_ago(cast.aiko)
    assert aiko.get("/account/prove/", {"held": forged}).status_code == 404
    assert aiko.post(f"/account/held/{new_id()}/discard/").status_code == 404
    assert name_of(cast.aiko) == "Aiko Tanaka"


def test_nobody_elses_is_there(cast: Cast, aiko: Browser) -> None:
    """T11: neither a stranger nor a colleague, nor the same person in another browser."""
    held = profile(cast)
    for visitor in (cast.mallory, cast.ingrid, cast.aiko):
        browser = browser_of(visitor)
        assert browser.post(held.path, {"held": held.pk}).status_code == 404
        assert browser.post(f"/account/held/{held.pk}/discard/").status_code == 404
        assert browser.get("/account/held/")["Location"] == "/"
        long_ago(visitor)
        assert browser.get(f"/account/prove/?held={held.pk}").status_code == 404
    assert HeldForm.objects.get().is_waiting(timezone.now())


def test_it_goes_on_at_its_own_address_only(cast: Cast, aiko: Browser) -> None:
    held = profile(cast)
    for path in ("/account/profile/?x=1", "/organizations/create/", "/users/invite/"):
        assert aiko.post(path, {"held": held.pk}).status_code == 404
    assert HeldForm.objects.get().is_waiting(timezone.now())


def test_another_site_cannot_make_it_go_on(cast: Cast) -> None:
    """The press is a form of ours: without its token it is refused, and what is held still waits."""
    browser = Browser(cast.halden, enforce_csrf_checks=True).sign_in(cast.aiko)
    held = profile(cast)
    foreign = {"origin": "https://evil.example", "referer": "https://evil.example/"}
    assert browser.post(held.path, {"held": held.pk}, headers=foreign).status_code == 403
    assert browser.post(held.path, {"held": held.pk}).status_code == 403
    assert browser.get(held.path, {"held": held.pk}).status_code == 200
    assert name_of(cast.aiko) == "Aiko Tanaka"
    assert HeldForm.objects.get().is_waiting(timezone.now())


def test_another_site_cannot_have_anything_held(cast: Cast) -> None:
    browser = Browser(cast.halden, enforce_csrf_checks=True).sign_in(cast.aiko)
    long_ago(cast.aiko)
    typed = {"role": Role.ENTERPRISE_ADMIN, "place": "everywhere"}
    assert browser.post(f"/users/{cast.marcus.pk}/roles/give/", typed).status_code == 403
    assert not HeldForm.objects.exists()


def test_it_waits_for_half_an_hour(cast: Cast, aiko: Browser) -> None:
    held = profile(cast)
    late = held.held_at + KEPT_FOR + timedelta(seconds=1)
    assert timedelta(minutes=30) == KEPT_FOR
    with time_machine.travel(late, tick=False):
        assert aiko.get("/account/held/")["Location"] == "/"
        answer = go_on(aiko, held)
        assert (answer.status_code, answer["Location"]) == (302, held.page)
        assert name_of(cast.aiko) == "Aiko Tanaka"
        tasks.forget_expired()
    assert not HeldForm.objects.exists()


def test_it_can_be_discarded(cast: Cast, aiko: Browser) -> None:
    held = profile(cast)
    assert aiko.post(f"/account/held/{held.pk}/discard/")["Location"] == held.page
    assert not HeldForm.objects.exists()
    assert name_of(cast.aiko) == "Aiko Tanaka"


def test_five_at_most_wait_and_the_oldest_goes(cast: Cast, aiko: Browser) -> None:
    """Of one person, whatever the browser; others are not touched."""
    colleague = hold(browser_of_session(cast.ingrid))
    held = [profile(cast, name=f"Name {number}") for number in range(AT_MOST + 2)]
    waiting = HeldForm.objects.filter(user=cast.aiko).newest_first()
    assert [one.pk for one in waiting] == [one.pk for one in reversed(held[2:])]
    assert HeldForm.objects.filter(pk=colleague.pk).exists()


def browser_of_session(user: User) -> Session:
    browser_of(user)
    return user.sessions.get()


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_no_more(transactional_db: None) -> None:
    cast = Cast.assemble()
    session = browser_of_session(cast.aiko)

    def one(number: int) -> None:
        try:
            hold(session, name=f"Name {number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as tabs:
        list(tabs.map(one, range(24)))
    assert HeldForm.objects.count() == AT_MOST


@pytest.mark.django_db(transaction=True)
def test_two_presses_at_once_act_once(transactional_db: None) -> None:
    cast = Cast.assemble()
    aiko = browser_of(cast.aiko)
    session = cast.aiko.sessions.get()
    held = hold(session, "/organizations/create/", name="Gdańsk")
    key = aiko.cookies[settings.SESSION_COOKIE_NAME].value

    def press(_number: int) -> str:
        tab = Browser(cast.halden)
        tab.cookies[settings.SESSION_COOKIE_NAME] = key
        try:
            return tab.post(held.path, {"held": held.pk})["Location"]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as tabs:
        answers = list(tabs.map(press, range(4)))
    assert cast.halden.organizations.filter(name="Gdańsk").count() == 1
    assert answers.count(held.page) == 3


def test_what_is_too_large_is_not_kept_and_that_is_said(cast: Cast, aiko: Browser) -> None:
    long_ago(cast.aiko)
    typed = {"role": Role.ENTERPRISE_ADMIN, "place": "everywhere", "more": "x" * LARGEST}
    question = aiko.post(f"/users/{cast.marcus.pk}/roles/give/", typed)
    assert question["Location"] == "/account/prove/?next=%2F"
    assert not HeldForm.objects.exists()
    assert "too large to be kept" in aiko.get(question["Location"]).content.decode()


def test_a_form_with_everything_an_invitation_may_hold_fits(cast: Cast, aiko: Browser) -> None:
    long_ago(cast.aiko)
    emails = "\n".join(f"a.long.name.of.person.{number}@halden.example" for number in range(200))
    typed = {"emails": emails, "role": Role.ENTERPRISE_ADMIN, "organization": "everywhere", "message": "ø" * 1000}
    assert "held=" in aiko.post("/users/invite/", typed)["Location"]


def test_passwords_and_codes_are_not_even_sealed(cast: Cast, aiko: Browser) -> None:
    held = profile(cast, password="canary", current="canary", code="123456")
    typed = HeldForm.take(held.pk, cast.aiko.sessions.get(), path=held.path, at=timezone.now())
    assert set(typed) == {"name", "time_zone"}


def test_no_form_of_the_product_has_another_field_for_a_password() -> None:
    """Whoever adds one with a new name has to name it in ``NEVER_KEPT``. A client secret may be kept, sealed."""
    for app in ("users", "invitations", "identity", "console"):
        package = import_module(app)
        for module in walk_packages(package.__path__, f"{app}."):
            if "forms" in module.name.split("."):
                import_module(module.name)
    secret = {
        name
        for form in every_kind_of(forms.Form)
        if form.__module__.split(".")[0] in ("users", "invitations", "identity", "console")
        for name, field in form.base_fields.items()
        if isinstance(field.widget, forms.PasswordInput) or field.widget.attrs.get("autocomplete") == "one-time-code"
    }
    assert {"password", "client_secret"} <= secret
    assert secret - NEVER_KEPT == {"client_secret"}


def every_kind_of(form: type) -> set[type]:
    return {form} | {kind for each in form.__subclasses__() for kind in every_kind_of(each)}


def test_it_ends_with_its_session(cast: Cast, aiko: Browser) -> None:
    """Whoever ends a session ends what it holds: the owner, an administrator, a disabled account."""
    for end in (
        lambda: aiko.post("/logout/"),
        lambda: browser_of(cast.ingrid).post(f"/users/{cast.aiko.pk}/sessions/end/"),
        lambda: browser_of(cast.ingrid).post(f"/users/{cast.aiko.pk}/disable/"),
    ):
        cast.aiko.sessions.all().delete()
        aiko.sign_in(cast.aiko)
        profile(cast)
        end()
        assert not HeldForm.objects.exists()


def test_it_stays_with_its_session_when_the_key_changes(cast: Cast, aiko: Browser) -> None:
    held = profile(cast)
    aiko.post("/account/password/", {"current": PASSWORD, "password": "another sentence to remember"})
    assert go_on(aiko, held)["Location"] == "/account/"
    assert name_of(cast.aiko) == "Aiko T."


def test_several_values_of_one_field_stay_several(cast: Cast, aiko: Browser) -> None:
    from django.http import QueryDict

    session = cast.aiko.sessions.get()
    typed = QueryDict("user=a&user=b&empty=")
    held = HeldForm.hold(session, path="/users/disable/", page="/users/", typed=typed, at=timezone.now())
    assert held is not None
    assert HeldForm.take(held.pk, session, path="/users/disable/", at=timezone.now()) == typed


def test_the_page_is_empty_for_who_has_nothing_waiting(cast: Cast, aiko: Browser) -> None:
    assert aiko.get("/account/held/")["Location"] == "/"


def test_the_store_follows_every_row_that_hangs_on_a_session() -> None:
    """The key is what other rows refer to by; a new kind of such rows is followed without being named."""
    assert {relation.related_model._meta.label for relation in Session._meta.related_objects} >= {
        "users.HeldForm",
        "identity.Grant",
    }
    assert SessionStore.get_model_class() is Session
