"""T13, M1, M7: at most two accounts for emergencies; added with an alarm, never the only one lost, never linked."""

from __future__ import annotations

import threading

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.http import HttpResponse
from django.utils import timezone

from audit.models import Event, Result
from invitations.models import Invitation
from tests.cast import PASSWORD, Browser, Cast, browser_of, enable_okta, long_ago, make_role, make_user
from tests.factors import enter_password, give_app, give_codes, give_passkey
from tests.proving import is_asked
from tests.smtp import Sink, link_in, text_of
from users import tasks
from users.access import Permission
from users.models import Enterprise, Role, RoleAssignment, User, enterprise_admins

pytestmark = pytest.mark.servers

PAGE = "/advanced/break-glass/"
ADD = f"{PAGE}add/"
NEW = {"who": "new", "name": "Emergency", "email": "emergency@halden.example"}


@pytest.fixture
def aiko(cast: Cast) -> Browser:
    return browser_of(cast.aiko)


def retire(browser: Browser, user: User) -> HttpResponse:
    return browser.post(f"{PAGE}{user.pk}/retire/")


def second(cast: Cast) -> User:
    """Aiko as the second break-glass account."""
    cast.aiko.become_break_glass()
    return cast.aiko


def test_the_page_says_who_with_what_and_when(cast: Cast, aiko: Browser) -> None:
    give_app(cast.ingrid)
    give_passkey(cast.ingrid, "Yubikey in the safe")
    give_codes(cast.ingrid)
    page = aiko.get(PAGE).content.decode()
    for words in ("Ingrid Solberg", "Ready", "Authenticator app", "Yubikey in the safe", "10 of 10 left", "Never"):
        assert words in page
    assert "Mallory" not in page


def test_who_keeps_them_without_being_an_enterprise_admin_makes_none(cast: Cast) -> None:
    """A role of the enterprise's own is no way to make one: neither of a new account, which would be an Enterprise
    Admin, nor of somebody who is one, whose sessions would be short, and who could never be switched.
    """
    role = make_role(cast.halden, "Keeper", Permission.MANAGE_SIGN_IN)
    RoleAssignment.objects.create(enterprise=cast.halden, user=cast.tomas, custom_role=role, given_by=cast.aiko)
    tomas = browser_of(cast.tomas)
    page = tomas.get(PAGE)
    assert page.status_code == 200
    assert ADD not in page.content.decode()
    assert tomas.post(ADD, NEW).status_code == 403
    assert tomas.post(ADD, {"who": cast.aiko.pk}).status_code == 403
    assert list(User.objects.of(cast.halden).break_glass()) == [cast.ingrid]


def test_what_is_missing_is_said(cast: Cast, aiko: Browser) -> None:
    assert "No second factor yet" in aiko.get(PAGE).content.decode()
    aiko.post(ADD, NEW)
    page = aiko.get(PAGE).content.decode()
    assert "No password yet" in page
    assert "Test it now" not in page


def test_a_local_enterprise_admin_becomes_the_second_one(cast: Cast, aiko: Browser, smtp_sink: Sink) -> None:
    assert ADD in aiko.get(PAGE).content.decode()
    assert aiko.post(ADD, {"who": cast.aiko.pk})["Location"] == PAGE
    cast.aiko.refresh_from_db()
    assert cast.aiko.is_break_glass
    event = Event.objects.of(cast.halden).get(action="break-glass:added")
    assert (event.result, event.actor, event.target_label) == (Result.ALARM, cast.aiko, "Aiko Tanaka")
    tasks.sweep()
    assert {str(m["To"]) for m in smtp_sink.messages} == {cast.ingrid.email, cast.aiko.email}
    assert smtp_sink.newest()["Subject"] == "Halden Freight has another break-glass account"


def test_a_new_account_gets_its_password_by_email_and_its_second_factor_at_the_first_sign_in(
    cast: Cast, aiko: Browser, smtp_sink: Sink
) -> None:
    """Nobody but the keeper ever knows the password."""
    assert aiko.post(ADD, NEW)["Location"] == PAGE
    user = User.objects.of(cast.halden).with_email("emergency@halden.example").get()
    assert user.is_break_glass
    assert user.role_assignments.get().role == Role.ENTERPRISE_ADMIN
    assert not enterprise_admins(cast.halden).filter(pk=user.pk).exists(), "until there is a password, it is no way in"
    tasks.sweep()
    keeper = Browser(cast.halden)
    [message] = smtp_sink.to("emergency@halden.example")
    assert message["Subject"] == "You keep a break-glass account of Halden Freight"
    keeper.get(link_in(message))
    assert keeper.post("/reset/", {"password": PASSWORD})["Location"] == "/e/halden/local/"
    assert enter_password(keeper, user)["Location"] == "/e/halden/local/enrol/"
    user.refresh_from_db()
    assert user.is_email_confirmed


def test_the_link_is_sent_again_until_there_is_a_password(cast: Cast, aiko: Browser, smtp_sink: Sink) -> None:
    aiko.post(ADD, NEW)
    user = User.objects.with_email("emergency@halden.example").get()
    for _ in range(4):
        assert aiko.post(f"{PAGE}{user.pk}/link/")["Location"] == PAGE
    assert aiko.post(f"{PAGE}{user.pk}/link/").status_code == 429
    sent = Event.objects.of(cast.halden).filter(action="break-glass:invited")
    assert {(event.actor, event.target_label) for event in sent} == {(cast.aiko, "Emergency")}
    user.set_password(PASSWORD)
    user.save()
    assert aiko.post(f"{PAGE}{user.pk}/link/").status_code == 404
    tasks.sweep()
    assert not smtp_sink.to("emergency@halden.example"), "there is nothing to say any more"


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"email": ""}, {"email": "no"}, {"email": "Aiko.Tanaka@halden.example"}, {"who": ""},
     {"who": "7k2m41qx9abc"}],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_is_said(cast: Cast, aiko: Browser, wrong: dict[str, str]) -> None:
    answer = aiko.post(ADD, NEW | wrong)
    assert answer.status_code == 422
    assert answer.context["form"].errors
    assert User.objects.of(cast.halden).break_glass().count() == 1


def test_only_local_enterprise_admins_can_be_chosen(cast: Cast, aiko: Browser) -> None:
    okta = enable_okta(cast.halden, cast.ingrid)
    admin = (Role.ENTERPRISE_ADMIN, None)
    through_okta = make_user(cast.halden, "Olga", "olga@halden.example", admin, connection=okta)
    switching = make_user(cast.halden, "Sven", "sven@halden.example", admin, switching_to=okta)
    for user in (cast.marcus, through_okta, switching, cast.mallory, cast.ingrid):
        assert aiko.post(ADD, {"who": user.pk}).status_code == 422
    assert User.objects.break_glass().count() == 1


def test_there_are_never_more_than_two(cast: Cast, aiko: Browser) -> None:
    aiko.post(ADD, NEW)
    make_user(cast.halden, "Berit", "berit@halden.example", (Role.ENTERPRISE_ADMIN, None))
    berit = User.objects.with_email("berit@halden.example").get()
    for asked in ({"who": berit.pk}, NEW | {"email": "third@halden.example"}):
        answer = aiko.post(ADD, asked)
        assert answer.status_code == 422
        assert "There are two break-glass accounts already." in " ".join(answer.context["form"].non_field_errors())
    assert "There are two already. Retire one first." in aiko.get(ADD).content.decode()
    refused = Event.objects.of(cast.halden).filter(action="break-glass:added", result=Result.REFUSED)
    assert {event.reason for event in refused} == {"break_glass_full"}


@pytest.mark.django_db(transaction=True)
def test_of_two_who_add_the_second_one_at_once_one_does() -> None:
    cast = Cast.assemble()
    start, answers = threading.Barrier(2), list[int]()
    browsers = [browser_of(user) for user in (cast.ingrid, cast.aiko)]

    def add(number: int) -> None:
        start.wait(timeout=10)
        try:
            answers.append(browsers[number].post(ADD, NEW | {"email": f"e{number}@halden.example"}).status_code)
        finally:
            database.close()

    threads = [threading.Thread(target=add, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(answers) == [302, 422]
    assert User.objects.of(cast.halden).break_glass().count() == 2


def test_one_of_two_is_retired_and_keeps_its_role(cast: Cast, aiko: Browser, smtp_sink: Sink) -> None:
    second(cast)
    assert retire(aiko, cast.ingrid)["Location"] == PAGE
    cast.ingrid.refresh_from_db()
    assert not cast.ingrid.is_break_glass
    assert cast.ingrid.role_assignments.get().role == Role.ENTERPRISE_ADMIN
    assert Event.objects.of(cast.halden).filter(action="break-glass:retired").count() == 1
    tasks.sweep()
    assert "Aiko Tanaka retired Ingrid Solberg" in text_of(smtp_sink.newest())


def test_where_passwords_have_ended_the_question_says_that_its_password_ends_too(cast: Cast, aiko: Browser) -> None:
    second(cast)
    assert "Password, second factor and roles stay." in aiko.get(PAGE).content.decode()
    Enterprise.objects.filter(pk=cast.halden.pk).update(provider_required_from=timezone.now())
    page = Browser(cast.halden).sign_in(cast.ingrid).get(PAGE).content.decode()
    assert "Its password stops working at once" in page
    assert "Password, second factor and roles stay." not in page


def test_the_only_one_is_never_retired(cast: Cast, aiko: Browser) -> None:
    """M7."""
    answer = retire(aiko, cast.ingrid)
    assert answer.status_code == 409
    assert "is the only break-glass account" in answer.content.decode()
    assert User.objects.get(pk=cast.ingrid.pk).is_break_glass


def test_one_that_cannot_sign_in_yet_does_not_make_the_other_superfluous(cast: Cast, aiko: Browser) -> None:
    aiko.post(ADD, NEW)
    assert retire(aiko, cast.ingrid).status_code == 409
    assert User.objects.get(pk=cast.ingrid.pk).is_break_glass


@pytest.mark.django_db(transaction=True)
def test_of_two_that_are_retired_at_once_one_stays() -> None:
    """M7, T15, on real connections, ten times."""
    cast = Cast.assemble()
    for _ in range(10):
        User.objects.filter(pk__in=[cast.ingrid.pk, cast.aiko.pk]).update(is_break_glass=True)
        start = threading.Barrier(2)
        acts = [(browser_of(cast.ingrid), cast.aiko), (browser_of(cast.aiko), cast.ingrid)]

        def act(browser: Browser, user: User, start: threading.Barrier = start) -> None:
            start.wait(timeout=10)
            try:
                retire(browser, user)
            finally:
                database.close()

        threads = [threading.Thread(target=act, args=pair) for pair in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert User.objects.of(cast.halden).break_glass().count() == 1


def test_adding_and_retiring_ask_for_a_recent_sign_in(cast: Cast, aiko: Browser) -> None:
    """T5."""
    second(cast)
    long_ago(cast.aiko)
    assert is_asked(aiko.post(ADD, NEW))
    assert is_asked(retire(aiko, cast.ingrid))


def test_it_is_never_linked_nor_switched(cast: Cast) -> None:
    """The database itself says no (``break_glass_is_local``)."""
    okta = enable_okta(cast.halden, cast.ingrid)
    for fields in ({"connection": okta}, {"switching_to": okta}):
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.filter(pk=cast.ingrid.pk).update(**fields)
    assert not User.objects.of(cast.halden).linkable().filter(pk=cast.ingrid.pk).exists()


def test_it_cannot_be_invited(cast: Cast, aiko: Browser) -> None:
    enable_okta(cast.halden, cast.ingrid)
    typed = {"emails": cast.ingrid.email, "role": Role.VIEWER, "organization": "everywhere"}
    answer = aiko.post("/users/invite/", typed)
    assert "is here already" in answer.content.decode()
    assert not Invitation.objects.exists()


def test_other_peoples_accounts_are_not_there(cast: Cast, aiko: Browser) -> None:
    """T11: not another enterprise's, and not one that is no break-glass account."""
    mallory = browser_of(cast.mallory)
    for browser, user in ((mallory, cast.ingrid), (aiko, cast.marcus)):
        assert retire(browser, user).status_code == 404
        assert browser.post(f"{PAGE}{user.pk}/link/").status_code == 404
    assert browser_of(cast.marcus).get(PAGE).status_code == 403


def test_disabling_deleting_and_demoting_still_keep_one(cast: Cast, aiko: Browser) -> None:
    """The other guards count two as they counted one."""
    second(cast)
    assert browser_of(cast.aiko).post(f"/users/{cast.ingrid.pk}/disable/").status_code == 302
    cast.ingrid.refresh_from_db()
    assert cast.ingrid.disabled_at is not None
    assert retire(browser_of(cast.aiko), cast.aiko).status_code == 409
    cast.aiko.refresh_from_db()
    assert cast.aiko.is_break_glass
    assert cast.aiko.disabled_at is None
    assert timezone.now() > cast.aiko.created_at
