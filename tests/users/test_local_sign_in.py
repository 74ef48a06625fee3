"""M9, T13: local sign-in, below the provider's button."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event, Result
from identity.models import Connection, Provider
from tests.cast import PASSWORD, Browser, Cast, make_user
from tests.factors import give_passkey, sign_in_with
from tests.smtp import Sink, text_of
from users import tasks
from users.models import Method, Session, User

pytestmark = pytest.mark.servers

WRONG = "This email and this password do not fit together."


def try_it(browser: Browser, email: str, password: str = PASSWORD, **more: str) -> HttpResponse:
    return browser.post("/e/halden/local/", {"email": email, "password": password, **more})


def get_in(browser: Browser, user: User, **more: str) -> HttpResponse:
    """With both factors."""
    user.passkeys.all().delete()
    return sign_in_with(give_passkey(user), browser, user, **more)


@pytest.fixture
def browser(cast: Cast) -> Browser:
    return Browser(cast.halden)


@pytest.fixture
def okta(cast: Cast) -> Connection:
    return Connection.objects.create(enterprise=cast.halden, provider=Provider.OKTA, enabled_at=timezone.now())


def test_email_and_password_of_this_enterprise_open_it(cast: Cast, browser: Browser) -> None:
    cast.aiko.email = "  Aiko.Tanaka@HALDEN.example "
    response = get_in(browser, cast.aiko)
    assert (response.status_code, response["Location"]) == (302, "/")
    session = Session.objects.get()
    assert (session.user, session.enterprise, session.method) == (cast.aiko, cast.halden, Method.PASSWORD)
    assert session.device == "Firefox on Windows"
    event = Event.objects.of(cast.halden).get()
    assert (event.action, event.result, event.actor) == ("session:started", Result.DONE, cast.aiko)
    assert browser.get("/account/").status_code == 200
    cast.aiko.refresh_from_db()
    assert cast.aiko.last_login is not None


def test_every_sign_in_makes_a_new_key_and_ends_the_session_the_browser_had(cast: Cast, browser: Browser) -> None:
    """R5."""
    keys = set()
    for _ in range(2):
        get_in(browser, cast.aiko)
        keys.add(browser.cookies[settings.SESSION_COOKIE_NAME].value)
    assert len(keys) == 2
    assert Session.objects.count() == 1


def test_the_answer_is_the_same_for_everyone_who_has_no_way_in_here(
    cast: Cast, browser: Browser, okta: Connection
) -> None:
    """T12, T13: unknown, wrong password, invited, disabled, signing in with Okta, of another enterprise."""
    now = timezone.now()
    make_user(cast.halden, "", "invited@halden.example", joined_at=None)
    make_user(cast.halden, "", "disabled@halden.example", disabled_at=now)
    make_user(cast.halden, "", "okta@halden.example", connection=okta)
    pages = set()
    for email, password in [
        ("nobody@halden.example", PASSWORD),
        (cast.aiko.email, "not her password"),
        ("invited@halden.example", PASSWORD),
        ("disabled@halden.example", PASSWORD),
        ("okta@halden.example", PASSWORD),
        (cast.mallory.email, PASSWORD),
    ]:
        response = try_it(browser, email, password)
        assert response.status_code == 200
        page = response.content.decode()
        assert WRONG in page
        tokens = {
            page.split('csrfmiddlewaretoken" value="')[1].split('"')[0],
            page.split('x-csrftoken": "')[1].split('"')[0],
        }
        for token in tokens:
            page = page.replace(token, "")
        pages.add(page.replace(email, ""))
    assert len(pages) == 1
    assert not Session.objects.exists()
    assert {event.reason for event in Event.objects.of(cast.halden)} == {"wrong_credentials"}


def test_the_work_is_the_same_for_known_and_unknown(
    cast: Cast, okta: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T12: one Argon2 computation, and the same statements; then time tells nothing."""
    make_user(cast.halden, "", "okta@halden.example", connection=okta)
    computed = []
    for name in ("encode", "verify"):
        real = getattr(Argon2PasswordHasher, name)

        def counted(*args: object, real=real, **kwargs: object) -> object:
            computed.append(real)
            return real(*args, **kwargs)

        monkeypatch.setattr(Argon2PasswordHasher, name, counted)
    work = set()
    for number, email in enumerate(("nobody@halden.example", cast.aiko.email, "okta@halden.example")):
        computed.clear()
        with CaptureQueriesContext(connection) as queries:
            try_it(Browser(cast.halden, REMOTE_ADDR=f"198.51.100.{number}"), email, "not the password")
        assert len(computed) == 1
        work.add(tuple(" ".join(query["sql"].split()[:3]) for query in queries if "SAVEPOINT" not in query["sql"]))
    assert len(work) == 1


def test_before_there_is_a_provider_the_founder_signs_in_as_anyone_does(cast: Cast, browser: Browser) -> None:
    get_in(browser, cast.ingrid)
    assert cast.ingrid.sessions.get().method == Method.PASSWORD
    assert not Event.objects.of(cast.halden).filter(action="break-glass:used").exists()


def test_break_glass_is_marked_short_alarmed_and_audited(
    cast: Cast, okta: Connection, browser: Browser, smtp_sink: Sink
) -> None:
    """T13: every use is told to every Enterprise Admin."""
    get_in(browser, cast.ingrid)
    session = Session.objects.get()
    assert session.method == Method.BREAK_GLASS
    assert (session.expire_date - session.created_at).total_seconds() == 3600
    alarm = Event.objects.of(cast.halden).get(action="break-glass:used")
    assert (alarm.result, alarm.actor) == (Result.ALARM, cast.ingrid)
    tasks.sweep()
    assert {m["To"] for m in smtp_sink.messages} == {cast.ingrid.email, cast.aiko.email}
    assert "Ingrid Solberg signed in to Halden Freight with a password on" in text_of(smtp_sink.newest())


def test_break_glass_stays_an_emergency_when_the_provider_was_disabled(
    cast: Cast, okta: Connection, browser: Browser
) -> None:
    """T13: every use is told, and most of all when somebody has switched the provider off."""
    okta.disable(timezone.now())
    get_in(browser, cast.ingrid)
    assert cast.ingrid.sessions.get().method == Method.BREAK_GLASS
    assert Event.objects.of(cast.halden).filter(action="break-glass:used").exists()


def test_break_glass_stays_short_while_it_is_used(cast: Cast, okta: Connection, browser: Browser) -> None:
    get_in(browser, cast.ingrid)
    session = Session.objects.get()
    later = session.last_seen_at + (session.idle_until - session.last_seen_at) / 2
    session.touch(later, None)
    session.refresh_from_db()
    assert (session.idle_until - later).total_seconds() == 15 * 60


def test_a_safe_next_is_followed(cast: Cast, browser: Browser) -> None:
    assert get_in(browser, cast.aiko, next="/audit/?q=x")["Location"] == "/audit/?q=x"


@pytest.mark.parametrize(
    "hostile",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/%0d%0aX: y\r\n", "x" * 3000,
     "http:evil.example", "///evil.example", "\x00/"],
)  # fmt: skip
def test_next_never_leads_to_another_site(cast: Cast, browser: Browser, hostile: str) -> None:
    response = get_in(browser, cast.aiko, next=hostile)
    assert response["Location"] in ("/", "/%0d%0aX:%20y%0D%0A") or response["Location"].startswith("/%0d%0aX")
    assert "evil" not in response["Location"]
    page = Browser(cast.halden).get("/e/halden/local/", {"next": hostile}).content.decode()
    assert "evil" not in page


def test_the_page_of_another_region_sends_to_the_right_one(cast: Cast) -> None:
    """M8, R9."""
    visitor = Browser()
    for path in ("/e/halden/", "/e/halden/local/?next=/account/", "/e/halden/local/forgotten/"):
        response = visitor.get(path, headers={"host": settings.REGION_ORIGINS["na"].split("://")[1]})
        assert response["Location"] == settings.REGION_ORIGINS["eu"] + path


def test_a_hostile_host_header_gets_nothing(cast: Cast) -> None:
    """R9."""
    for path in ("/e/halden/", "/e/halden/local/", "/login/", "/signup/"):
        response = Browser().get(path, headers={"host": "evil.example"})
        assert response.status_code == 400
        assert "evil" not in response.content.decode()


def test_the_enterprise_page_offers_the_provider_first(cast: Cast, browser: Browser, okta: Connection) -> None:
    page = browser.get("/e/halden/?next=/account/").content.decode()
    assert page.index("Continue with Okta") < page.index("Sign in with a password")
    assert 'href="/e/halden/local/?next=%2Faccount%2F"' in page
    okta.enabled_at = None
    okta.save()
    assert browser.get("/e/halden/?next=/account/")["Location"] == "/e/halden/local/?next=%2Faccount%2F"


def test_somebody_who_is_signed_in_goes_on(cast: Cast) -> None:
    browser = Browser(cast.halden).sign_in(cast.aiko)
    assert browser.get("/e/halden/?next=/account/")["Location"] == "/account/"
    assert Browser(cast.stranger).sign_in(cast.mallory).get("/e/halden/local/").status_code == 200


def test_a_disabled_enterprise_admin_is_out_with_the_next_request(cast: Cast, browser: Browser) -> None:
    """R7."""
    get_in(browser, cast.aiko)
    User.objects.filter(pk=cast.aiko.pk).update(disabled_at=timezone.now())
    assert browser.get("/account/")["Location"] == "/login/?next=/account/"


def test_an_admin_whose_provider_is_disabled_hears_of_break_glass_too(
    cast: Cast, browser: Browser, okta: Connection, smtp_sink: Sink
) -> None:
    """T13: whoever cannot sign in just now needs the alarm most."""
    cast.aiko.connection = Connection.objects.create(enterprise=cast.halden, provider=Provider.ENTRA)
    cast.aiko.save()
    get_in(browser, cast.ingrid)
    tasks.sweep()
    assert {m["To"] for m in smtp_sink.messages} == {cast.ingrid.email, cast.aiko.email}
