"""Inviting: one or several people, one role, one place; every bad address is told its own reason."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event
from identity.models import Connection
from invitations import addresses
from invitations.models import Invitation
from tests.cast import Cast, browser_of, make_user
from users.models import Role, RoleAssignment, User

pytestmark = pytest.mark.servers

PAGE = "/users/invite/"


def form(emails: str, role: Role = Role.VIEWER, organization: str = "everywhere", **more: str) -> dict[str, str]:
    return {"emails": emails, "role": role, "organization": organization, "message": "", **more}


def errors(response) -> list[str]:
    return response.context["form"].errors.get("emails", [])


def test_several_people_are_invited_at_once_and_become_users_who_have_not_joined(cast: Cast) -> None:
    typed = "Lena Fischer <lena.fischer@Halden.example>, samir@halden.example;\n\n  grete@halden.example  "
    response = browser_of(cast.ingrid).post(PAGE, form(typed, organization=cast.oslo.pk, message="Welcome aboard."))
    assert response["Location"] == "/invitations/"
    invitations = Invitation.objects.of(cast.halden)
    assert {i.email for i in invitations} == {
        "lena.fischer@halden.example", "samir@halden.example", "grete@halden.example",
    }  # fmt: skip
    for invitation in invitations:
        assert (invitation.role, invitation.organization, invitation.invited_by) == (
            Role.VIEWER,
            cast.oslo,
            cast.ingrid,
        )
        assert invitation.message == "Welcome aboard."
        assert not invitation.user.is_active
        assert [str(given) for given in invitation.user.role_assignments.all()] == ["Viewer, Oslo terminal"]
    events = Event.objects.of(cast.halden).filter(action="invitation:issued")
    assert {event.target_label for event in events} == {i.email for i in invitations}
    assert {event.actor_id for event in events} == {cast.ingrid.pk}


def test_an_address_listed_twice_in_any_spelling_is_invited_once(cast: Cast) -> None:
    """T7: NFKC, then case-folded."""
    typed = "lena@halden.example, LENA@HALDEN.EXAMPLE, \uff4cena@halden.example"
    response = browser_of(cast.ingrid).post(PAGE, form(typed), follow=True)
    assert [i.email for i in Invitation.objects.of(cast.halden)] == ["lena@halden.example"]
    assert "2 addresses were there twice." in response.text


def test_a_full_width_address_is_sent_to_the_plain_one_it_is_compared_as() -> None:
    """T7: otherwise the email would go to somebody else's mailbox than the one that is matched."""
    assert addresses.read("\uff4cena\uff20halden.example").good == ["lena@halden.example"]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("grete.lund@halden", "grete.lund@halden is not complete. Did you mean grete.lund@halden.example?"),
        ("grete.lund@elsewhere", "after the @ comes a domain such as example.com"),
        ("grete.lund", "grete.lund is not an email address."),
        ("@halden.example", "@halden.example is not an email address."),
        ("gr ete@halden.example", "gr ete@halden.example is not an email address."),
        ("l\u0435na@halden.example", "(Cyrillic small letter ie)"),
        ("lena@h\u0430lden.example", "(Cyrillic small letter a)"),
        ("lena\u202e@halden.example", "contains a character that cannot be seen"),
        ("le\u200bna@halden.example", "contains a character that cannot be seen"),
        ("lena\x07@halden.example", "contains a character that cannot be seen"),
        ("x" * 250 + "@halden.example", "is too long: an address has at most 254 characters"),
    ],
)
def test_each_bad_address_has_its_own_sentence_and_nothing_typed_is_lost(cast: Cast, typed: str, told: str) -> None:
    both = f"good@halden.example\n{typed}"
    response = browser_of(cast.ingrid).post(PAGE, form(both, message="Welcome aboard."))
    [error] = errors(response)
    assert told in error
    assert response.context["form"]["emails"].value() == both
    assert "Welcome aboard." in response.text
    assert not Invitation.objects.of(cast.halden).exists()


def test_a_domain_written_in_one_other_alphabet_is_a_domain() -> None:
    assert addresses.read("lena@пример.example").good == ["lena@пример.example"]


def test_a_null_character_and_a_huge_text_are_refused(cast: Cast) -> None:
    browser = browser_of(cast.ingrid)
    assert browser.post(PAGE, form("lena@halden.example\x00")).context["form"].errors
    assert browser.post(PAGE, form("lena@halden.example," * 10_000)).context["form"].errors
    assert not Invitation.objects.of(cast.halden).exists()


def test_people_who_are_here_or_disabled_are_named_as_such(cast: Cast) -> None:
    cast.oluwaseun.disable(timezone.now())
    response = browser_of(cast.ingrid).post(PAGE, form("TOMAS.HERRERA@halden.example, o.adeyemi@halden.example"))
    assert any(e.startswith("tomas.herrera@halden.example is here already.") for e in errors(response))
    assert any(e.startswith("o.adeyemi@halden.example has an account here that is disabled.") for e in errors(response))


def test_an_account_in_another_enterprise_is_nobodys_business(cast: Cast) -> None:
    """T11."""
    browser_of(cast.ingrid).post(PAGE, form("mallory@stranger.example"))
    assert Invitation.objects.of(cast.halden).get().email == "mallory@stranger.example"


def test_the_bad_ones_can_be_left_out(cast: Cast) -> None:
    typed = "lena@halden.example, nonsense, tomas.herrera@halden.example, samir@halden.example"
    browser = browser_of(cast.ingrid)
    assert "Leave these out, invite 2 people" in browser.post(PAGE, form(typed)).text
    response = browser.post(PAGE, form(typed, leave_out="1"), follow=True)
    assert "2 people are invited. 2 were left out." in response.text
    assert {i.email for i in Invitation.objects.of(cast.halden)} == {"lena@halden.example", "samir@halden.example"}


def test_more_than_200_at_once_are_too_many(cast: Cast) -> None:
    response = browser_of(cast.ingrid).post(PAGE, form(",".join(f"p{n}@halden.example" for n in range(201))))
    assert "201 addresses are too many for one time." in errors(response)[0]


def test_200_invitations_cost_as_many_statements_as_2(cast: Cast) -> None:
    browser = browser_of(cast.ingrid)
    counts = []
    for start, count in ((0, 2), (1000, 200)):
        with CaptureQueriesContext(connection) as queries:
            typed = "\n".join(f"p{n}@halden.example" for n in range(start, start + count))
            assert browser.post(PAGE, form(typed)).status_code == 302
        counts.append(len(queries))
    assert Invitation.objects.of(cast.halden).count() == 202
    assert counts[0] == counts[1] <= 24, counts


def test_inviting_again_ends_the_older_link_and_takes_the_new_role(cast: Cast) -> None:
    """T10."""
    browser = browser_of(cast.ingrid)
    browser.post(PAGE, form("lena@halden.example"))
    browser.post(PAGE, form("lena@halden.example", Role.MANAGER, cast.oslo.pk))
    older, newer = Invitation.objects.of(cast.halden).order_by("issued_at")
    assert older.revoked_at
    assert older.user == newer.user
    assert [str(given) for given in newer.user.role_assignments.all()] == ["Manager, Oslo terminal"]


def test_a_manager_invites_viewers_to_the_own_organization_and_no_others(cast: Cast) -> None:
    browser = browser_of(cast.tomas)
    fields = browser.get(PAGE).context["form"].fields
    assert [value for value, _ in fields["role"].choices] == [Role.VIEWER]
    assert [value for value, _ in fields["organization"].choices] == [cast.rotterdam.pk]
    for role, place in [(Role.MANAGER, cast.rotterdam.pk), (Role.VIEWER, cast.oslo.pk), (Role.VIEWER, "everywhere")]:
        assert browser.post(PAGE, form("lena@halden.example", role, place)).context["form"].errors
    assert browser.post(PAGE, form("lena@halden.example", Role.VIEWER, cast.rotterdam.pk)).status_code == 302


def test_a_role_that_may_be_given_here_may_not_be_given_there(cast: Cast) -> None:
    """T10: Marcus looks after Rotterdam; in Oslo a Manager, and Managers invite Viewers."""
    RoleAssignment.objects.create(enterprise=cast.halden, user=cast.marcus, role=Role.MANAGER, organization=cast.oslo)
    browser = browser_of(cast.marcus)
    response = browser.post(PAGE, form("lena@halden.example", Role.MANAGER, cast.oslo.pk))
    assert "You may not give this role there." in response.text
    assert browser.post(PAGE, form("lena@halden.example", Role.MANAGER, cast.rotterdam.pk)).status_code == 302


def test_an_enterprise_admin_is_one_for_the_whole_enterprise(cast: Cast) -> None:
    response = browser_of(cast.ingrid).post(PAGE, form("lena@halden.example", Role.ENTERPRISE_ADMIN, cast.oslo.pk))
    assert "An Enterprise Admin is one for the whole enterprise." in response.text


def test_a_manager_cannot_take_a_role_away_by_inviting_the_person_again(cast: Cast) -> None:
    """T10: inviting again replaces the roles, so it needs the right to give what is replaced."""
    make_user(cast.halden, "", "lena@halden.example", (Role.ENTERPRISE_ADMIN, None), joined_at=None, password="!")
    response = browser_of(cast.tomas).post(PAGE, form("lena@halden.example", organization=cast.rotterdam.pk))
    assert "is invited already, to more than you may give" in errors(response)[0]
    assert User.objects.of(cast.halden).with_email("lena@halden.example").get().role_assignments.get().role == (
        Role.ENTERPRISE_ADMIN
    )


def test_another_enterprises_organization_is_no_choice(cast: Cast) -> None:
    """T11."""
    foreign = cast.stranger.organizations.create(name="Elsewhere")
    response = browser_of(cast.ingrid).post(PAGE, form("lena@halden.example", organization=foreign.pk))
    assert "organization" in response.context["form"].errors


def test_a_viewer_may_not_invite_and_a_stranger_is_sent_to_sign_in(cast: Cast) -> None:
    assert browser_of(cast.oluwaseun).get(PAGE).status_code == 403
    assert browser_of(cast.oluwaseun).post(PAGE, form("lena@halden.example")).status_code == 403


def test_new_people_use_a_password_before_and_the_connection_that_fits_once_one_is_enabled(cast: Cast) -> None:
    """M3."""
    browser = browser_of(cast.ingrid)
    browser.post(PAGE, form("before@halden.example"))
    now = timezone.now()
    whole = Connection.objects.create(enterprise=cast.halden, provider="okta", enabled_at=now)
    browser.post(PAGE, form("whole@halden.example"))
    oslo = Connection.objects.create(enterprise=cast.halden, provider="entra", enabled_at=now, organization=cast.oslo)
    browser.post(PAGE, form("oslo@halden.example", organization=cast.oslo.pk, connection="fitting"))
    browser.post(PAGE, form("chosen@halden.example", organization=cast.oslo.pk, connection=whole.pk))
    misfit = browser.post(PAGE, form("misfit@halden.example", organization=cast.rotterdam.pk, connection=oslo.pk))
    assert misfit.context["form"].errors["connection"] == ["This connection does not serve the place chosen."]
    ways = {i.email.partition("@")[0]: i.connection for i in Invitation.objects.of(cast.halden)}
    assert ways == {"before": None, "whole": whole, "oslo": oslo, "chosen": whole}
    # What was local when it was issued follows the rule as well.
    assert Invitation.objects.get(email="before@halden.example").way_in() == whole


def test_the_page_says_when_the_own_email_is_not_confirmed(cast: Cast) -> None:
    cast.aiko.email_confirmed_at = None
    cast.aiko.save()
    browser = browser_of(cast.aiko)
    assert "Your email is not confirmed yet." in browser.get(PAGE).text
    response = browser.post(PAGE, form("lena@halden.example"), follow=True)
    assert "The emails wait until you have confirmed yours." in response.text
    assert "Waits until Aiko Tanaka has confirmed the email" in response.text
    assert not Invitation.objects.due(timezone.now()).exists()
    cast.aiko.email_confirmed_at = timezone.now()
    cast.aiko.save()
    assert Invitation.objects.due(timezone.now()).count() == 1


def test_a_script_gets_the_form_as_a_dialog_and_is_told_where_to_go(cast: Cast) -> None:
    browser = browser_of(cast.ingrid)
    headers = {"HX-Request": "true"}
    assert browser.get(PAGE, headers=headers).text.lstrip().startswith("<dialog")
    answer = browser.post(PAGE, form("nonsense"), headers=headers)
    assert answer.text.lstrip().startswith("<dialog")
    assert "nonsense is not an email address." in answer.text
    assert browser.post(PAGE, form("lena@halden.example"), headers=headers)["HX-Redirect"] == "/invitations/"


def test_the_address_can_fill_the_form_in(cast: Cast) -> None:
    response = browser_of(cast.ingrid).get(
        PAGE, {"email": "lena@halden.example", "role": "manager", "organization": cast.oslo.pk}
    )
    bound = response.context["form"]
    assert [bound[name].value() for name in ("emails", "role", "organization")] == [
        "lena@halden.example", "manager", cast.oslo.pk,
    ]  # fmt: skip
