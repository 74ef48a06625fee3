"""Before anybody is switched: who can be, who cannot and why, and what each keeps. It changes nothing."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import Event
from identity.models import Connection
from invitations.models import Batch, Invitation, Move, Switch, Verdict
from tests.cast import Browser, Cast, browser_of, enable_okta, make_user
from tests.invitations.conftest import invite
from tests.invitations.switching import PAGE, begin, carry_out
from users.models import Role, RoleAssignment, User

pytestmark = pytest.mark.servers


@pytest.fixture
def okta(cast: Cast) -> Connection:
    return enable_okta(cast.halden, cast.ingrid)


def verdicts(browser: Browser, query: str = "") -> dict[str, str]:
    """What the dry run says of each person, by the first word of the name."""
    return {row.person.short_name: row.verdict for row in browser.get(PAGE + query).context["run"].rows}


def test_everyone_with_a_password_unless_somebody_is_chosen(cast: Cast, okta: Connection) -> None:
    make_user(cast.halden, "Dana Whitfield", "dana.whitfield@halden.example", connection=okta, password="!")
    assert verdicts(browser_of(cast.aiko)) == {
        "Aiko": Verdict.CAN,
        "Ingrid": Verdict.BREAK_GLASS,
        "Marcus": Verdict.CAN,
        "Oluwaseun": Verdict.CAN,
        "Tomás": Verdict.CAN,
    }


def test_each_reason_not_to_switch_is_named(cast: Cast, okta: Connection) -> None:
    """M1, M3, T8: break-glass, disabled, invited, unconfirmed, there already, on the way, step by step, taken."""
    now = timezone.now()
    make_user(cast.halden, "Bo Lindqvist", "bo@lindqvist.example", email_confirmed_at=None)
    make_user(cast.halden, "Dana Whitfield", "dana@halden.example", disabled_at=now)
    make_user(cast.halden, "Elif Demir", "elif@halden.example", connection=okta, password="!")
    yusuf = make_user(cast.halden, "Yusuf Karim", "yusuf@halden.example")
    carry_out(begin(browser_of(cast.aiko), yusuf))
    Switch.begin(cast.tomas, by=cast.aiko, at=now)
    invite(cast, "lena@halden.example")
    # The address of somebody who was invited, and then moved: only a mended database has both.
    invitation = invite(cast, "chloe@halden.example")
    User.objects.filter(pk=invitation.user_id).update(email_folded="elsewhere@halden.example")
    make_user(cast.halden, "Chloé Martin", "chloe@halden.example")
    found = verdicts(browser_of(cast.aiko), "?status=&q=example")
    assert found["Bo"] == Verdict.UNCONFIRMED
    assert found["Dana"] == Verdict.DISABLED
    assert found["Elif"] == Verdict.ON_IT
    assert found["Yusuf"] == Verdict.SWITCHING
    assert found["Tomás"] == Verdict.STEP_BY_STEP
    assert found["lena@halden.example"] == Verdict.NOT_JOINED
    assert found["Chloé"] == Verdict.CLASH
    assert found["Ingrid"] == Verdict.BREAK_GLASS
    assert found["Marcus"] == Verdict.CAN
    page = browser_of(cast.aiko).get(PAGE + "?q=example").text
    for verdict in Verdict:
        if verdict in found.values() and verdict != Verdict.CAN:
            assert str(verdict.label) in page, verdict


def test_the_only_administrator_with_a_password_stays(cast: Cast, okta: Connection) -> None:
    """M7: with Okta down, nobody else could repair it."""
    cast.ingrid.role_assignments.all().delete()
    assert verdicts(browser_of(cast.aiko))["Aiko"] == Verdict.LAST_ADMIN


def test_a_connection_of_one_organization_serves_its_people_only(cast: Cast) -> None:
    okta = enable_okta(cast.halden, cast.ingrid)
    Connection.objects.filter(pk=okta.pk).update(organization=cast.rotterdam)
    found = verdicts(browser_of(cast.aiko))
    assert found["Tomás"] == Verdict.CAN
    assert found["Oluwaseun"] == Verdict.NO_CONNECTION


def test_of_two_connections_each_person_gets_the_one_of_their_organization(cast: Cast) -> None:
    rotterdams = enable_okta(cast.halden, cast.ingrid)
    Connection.objects.filter(pk=rotterdams.pk).update(organization=cast.rotterdam)
    everybodys = enable_okta(cast.halden, cast.ingrid)
    browser = browser_of(cast.aiko)
    batch = carry_out(begin(browser, cast.tomas, cast.oluwaseun))
    assert {move.user: move.connection for move in batch.moves.all()} == {
        cast.tomas: rotterdams,
        cast.oluwaseun: everybodys,
    }
    chosen = browser.get(f"{PAGE}?user={cast.marcus.pk}&to={everybodys.pk}")
    assert chosen.context["run"].rows[0].person.target == everybodys.pk
    assert carry_out(begin(browser, cast.marcus, to=everybodys.pk)).moves.get().connection == everybodys


def test_it_says_what_each_keeps_and_what_ends(cast: Cast, okta: Connection) -> None:
    RoleAssignment.objects.create(enterprise=cast.halden, user=cast.tomas, role=Role.VIEWER, organization=cast.oslo)
    browser_of(cast.tomas)
    rows = {row.person.short_name: row for row in browser_of(cast.aiko).get(PAGE).context["run"].rows}
    assert (rows["Tomás"].keeps, rows["Tomás"].ends) == ("2 roles, history", "Password, 1 session")
    assert (rows["Marcus"].keeps, rows["Marcus"].ends) == ("1 role, history", "Password")
    assert (rows["Ingrid"].keeps, rows["Ingrid"].ends) == ("Everything", "Nothing")


def test_it_changes_nothing(cast: Cast, okta: Connection) -> None:
    before = list(User.objects.order_by("pk").values())
    events = Event.objects.count()
    browser = browser_of(cast.aiko)
    for query in ("", "?only=can", "?only=stays", f"?user={cast.tomas.pk}", "?q=halden"):
        assert browser.get(PAGE + query).status_code == 200
    browser.get(PAGE + "download/")
    after = list(User.objects.order_by("pk").values())
    assert [{**row, "last_login": None} for row in after] == [{**row, "last_login": None} for row in before]
    assert Event.objects.count() == events
    assert not Batch.objects.exists()
    assert not Move.objects.exists()


def test_a_filter_of_the_list_is_a_choice_of_people(cast: Cast, okta: Connection) -> None:
    browser = browser_of(cast.aiko)
    assert set(verdicts(browser, f"?organization={cast.rotterdam.pk}")) == {"Marcus", "Tomás"}
    assert set(verdicts(browser, "?role=manager")) == {"Tomás"}
    assert set(verdicts(browser, "?q=tanaka")) == {"Aiko"}
    page = browser.get(f"/users/?organization={cast.rotterdam.pk}").text
    assert f"{PAGE}?organization={cast.rotterdam.pk}" in page


def test_it_can_be_narrowed_to_those_who_can_and_those_who_stay(cast: Cast, okta: Connection) -> None:
    browser = browser_of(cast.aiko)
    assert "Ingrid" not in verdicts(browser, "?only=can")
    assert verdicts(browser, "?only=stays") == {"Ingrid": Verdict.BREAK_GLASS}
    run = browser.get(PAGE).context["run"]
    assert (run.total, run.can, run.stay) == (5, 4, 1)


def test_it_comes_as_a_file_with_everybody_in_it(cast: Cast, okta: Connection) -> None:
    make_user(cast.halden, "=HYPERLINK()", "x@halden.example")
    answer = browser_of(cast.aiko).get(PAGE + "download/")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[0] == "name,email,verdict,why,keeps,ends"
    assert (
        "Ingrid Solberg,ingrid.solberg@halden.example,Stays,Break-glass account: never switched,Everything,Nothing"
        in lines
    )
    assert any(line.startswith("'=HYPERLINK()") for line in lines)
    assert len(lines) == 7


def test_without_an_enabled_provider_it_says_what_to_do_first(cast: Cast) -> None:
    page = browser_of(cast.aiko).get(PAGE).text
    assert "No identity provider is enabled" in page
    assert "/advanced/identity-provider/" in page


def test_somebody_whose_email_is_not_confirmed_can_be_sent_the_link_again(cast: Cast, okta: Connection) -> None:
    User.objects.filter(pk=cast.tomas.pk).update(email_confirmed_at=None)
    browser = browser_of(cast.aiko)
    assert "Send the link again" in browser.get(PAGE).text
    assert browser.post(PAGE + "confirm/", {"person": cast.tomas.pk, "q": "tom"})["Location"] == PAGE + "?q=tom"
    assert cast.tomas.outgoing_emails.get().name == "confirm_email"
    answers = [browser.post(PAGE + "confirm/", {"person": cast.tomas.pk}).status_code for _ in range(4)]
    assert answers == [302, 302, 302, 429]
    assert cast.tomas.outgoing_emails.count() == 4


def test_the_page_costs_the_same_for_a_few_and_for_many(cast: Cast, okta: Connection) -> None:
    browser = browser_of(cast.aiko)
    carry_out(begin(browser, cast.oluwaseun))
    counts = []
    for more in (0, 120):
        for n in range(more):
            make_user(cast.halden, f"Person {n}", f"p{n}@halden.example", (Role.VIEWER, cast.oslo))
        with CaptureQueriesContext(database) as queries:
            assert browser.get(f"{PAGE}?organization={cast.oslo.pk}").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 10, counts
    page = browser.get(PAGE)
    assert len(page.context["run"].rows) == 50
    assert page.context["run"].next_url


def test_an_address_that_makes_no_sense_is_read_as_far_as_it_does(cast: Cast, okta: Connection) -> None:
    browser = browser_of(cast.aiko)
    for query in (
        "?user=x&user=%00",
        "?only=maybe",
        "?to=nowhere",
        "?role=king&status=odd&via=zzz",
        "?cursor=1",
        "?q=%00",
    ):
        assert browser.get(PAGE + query).status_code == 200, query


def test_people_of_another_enterprise_are_not_there(cast: Cast, okta: Connection) -> None:
    """T11."""
    enable_okta(cast.stranger, cast.mallory)
    mallory = browser_of(cast.mallory)
    assert mallory.get(f"{PAGE}?user={cast.tomas.pk}").status_code == 404
    assert mallory.post(PAGE + "begin/", {"user": cast.tomas.pk, "name": "x", "count": 9}).status_code == 404
    assert verdicts(mallory) == {"Mallory": Verdict.LAST_ADMIN}
    assert not Invitation.objects.exists()
