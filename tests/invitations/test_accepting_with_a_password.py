"""Without an identity provider, the emailed link is the proof and the person chooses a password."""

from __future__ import annotations

import pytest
from django.utils import timezone

from audit.models import Event
from identity.models import Connection
from invitations.forms import AcceptForm
from invitations.models import Invitation, NotRedeemable, State
from tests.cast import PASSWORD, Browser, Cast
from tests.factors import key_to_copy
from tests.invitations.conftest import open_in
from users.models import Method, Session

pytestmark = pytest.mark.servers

ACCEPT = "/invitations/accept/"
ENROL = "/e/halden/local/enrol/"


def test_whoever_has_the_link_joins_and_sets_up_a_second_factor(cast: Cast, invitation: Invitation) -> None:
    browser = Browser(cast.halden)
    open_in(browser, invitation)
    response = browser.post(ACCEPT, {"name": "Lena Fischer", "password": PASSWORD})
    assert response["Location"] == ENROL
    browser.post(ENROL, {"code": key_to_copy(browser.get(ENROL)).fresh_code()})
    invitation.refresh_from_db()
    user = invitation.user
    assert user.is_active
    assert user.is_email_confirmed
    assert user.name == "Lena Fischer"
    assert user.check_password(PASSWORD)
    assert [str(given) for given in user.role_assignments.all()] == ["Viewer, Oslo terminal"]
    assert Session.objects.get(user=user).method == Method.PASSWORD
    assert browser.get("/").status_code == 200
    actions = list(Event.objects.of(cast.halden).filter(actor=user).values_list("action", flat=True))
    assert set(actions) == {"invitation:redeemed", "factor:added", "recovery-codes:issued", "session:started"}
    assert not browser.cookies["invitation"].value


@pytest.mark.parametrize("password", ["", "short", "password1234", "lena.fischer@halden.example", "x" * 600])
def test_a_weak_password_is_refused_and_the_invitation_stays_good(
    cast: Cast, invitation: Invitation, password: str
) -> None:
    browser = Browser(cast.halden)
    open_in(browser, invitation)
    page = browser.post(ACCEPT, {"name": "Lena Fischer", "password": password})
    assert page.context["form"].errors["password"]
    assert 'value="Lena Fischer"' in page.text
    assert not password or password not in page.text
    invitation.refresh_from_db()
    assert invitation.state(invitation.issued_at) == State.OPENED


def test_a_second_time_the_link_is_used_up(cast: Cast, invitation: Invitation) -> None:
    first, second = Browser(cast.halden), Browser(cast.halden)
    for browser in (first, second):
        open_in(browser, invitation)
    assert first.post(ACCEPT, {"name": "Lena", "password": PASSWORD}).status_code == 302
    answer = second.post(ACCEPT, {"name": "Mallory", "password": PASSWORD + "!"})
    assert answer.status_code == 410
    invitation.user.refresh_from_db()
    assert invitation.user.name == "Lena"


def test_without_an_opened_link_there_is_nothing_to_accept(cast: Cast, invitation: Invitation) -> None:
    assert Browser(cast.halden).post(ACCEPT, {"name": "x", "password": PASSWORD}).status_code == 404


def test_accepting_needs_a_form_of_ours(cast: Cast, invitation: Invitation) -> None:
    browser = Browser(cast.halden, enforce_csrf_checks=True)
    open_in(browser, invitation)
    assert browser.post(ACCEPT, {"name": "x", "password": PASSWORD}).status_code == 403


def test_a_name_with_direction_marks_is_refused(cast: Cast, invitation: Invitation) -> None:
    form = AcceptForm({"name": "Lena\u202e", "password": PASSWORD}, invitation=invitation)
    assert "invisible characters" in str(form.errors["name"])


def test_a_connection_enabled_between_the_page_and_the_button_is_the_way_in(cast: Cast, invitation: Invitation) -> None:
    """M3: nobody joins with a password once all new users use the provider."""
    form = AcceptForm({"name": "Lena Fischer", "password": PASSWORD}, invitation=invitation)
    assert form.is_valid()
    Connection.objects.create(enterprise=cast.halden, provider="okta", enabled_at=timezone.now())
    with pytest.raises(NotRedeemable):
        form.save(None)
    invitation.refresh_from_db()
    assert invitation.accepted_at is None
    assert invitation.user.joined_at is None
