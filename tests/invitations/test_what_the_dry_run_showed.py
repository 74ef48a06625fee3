"""What the dry run showed is what happens: whoever would go elsewhere by then is not switched unseen."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from django.http import HttpResponse
from django.utils import timezone

from identity.models import Connection
from invitations.models import Batch, Verdict
from tests.cast import Cast, browser_of, enable_okta, long_ago
from tests.invitations.switching import begin, carry_out, looked_at, press
from tests.proving import confirm

pytestmark = pytest.mark.servers


@pytest.fixture
def okta(cast: Cast) -> Connection:
    return enable_okta(cast.halden, cast.ingrid)


@pytest.fixture
def new(cast: Cast, okta: Connection) -> Connection:
    """A second Okta for everybody; the first one leads."""
    return enable_okta(cast.halden, cast.ingrid)


def is_refused_with_what_was_typed(answer: HttpResponse) -> bool:
    kept = 'value="Terminals"' in answer.text and "Ask the IT desk." in answer.text
    return answer.status_code == 422 and kept and not Batch.objects.exists()


def as_shown(page: HttpResponse) -> dict[str, str]:
    """What the form on ``page`` says was shown."""
    found = dict(re.findall(r'name="(count|shown)" value="([^"]*)"', page.text))
    return {name: html.unescape(value) for name, value in found.items()}


def test_a_connection_disabled_since_the_dry_run_is_not_replaced_by_another(
    cast: Cast, okta: Connection, new: Connection
) -> None:
    """Nobody is sent a link to the Okta they are on their way from."""
    browser = browser_of(cast.aiko)
    form = looked_at(browser, cast.tomas, to=new.pk)
    new.disable(timezone.now())
    answer = press(browser, form, name="Terminals", message="Ask the IT desk.")
    assert is_refused_with_what_was_typed(answer)
    assert "Okta is not enabled any more, so nobody was switched." in answer.text
    # Pressed once more, the form does what the page shows by now.
    assert press(browser, form, **as_shown(answer), to="").status_code == 302
    assert carry_out(Batch.objects.get()).moves.get().connection == okta
    assert 'name="to"' not in answer.text


def test_disabled_while_the_form_waits_for_a_proof(cast: Cast, okta: Connection, new: Connection) -> None:
    browser = browser_of(cast.aiko)
    form = looked_at(browser, cast.tomas, to=new.pk)
    long_ago(cast.aiko)
    question = press(browser, form, name="Terminals", message="Ask the IT desk.")
    new.disable(timezone.now())
    assert is_refused_with_what_was_typed(confirm(browser, question))


def test_the_only_one_disabled_leaves_nowhere_to_go(cast: Cast, okta: Connection) -> None:
    browser = browser_of(cast.aiko)
    for to in ({"to": okta.pk}, {}):
        okta.enable(okta.latest, timezone.now())
        form = looked_at(browser, cast.tomas, **to)
        okta.disable(timezone.now())
        answer = press(browser, form)
        assert answer.status_code == 422
        assert "look again" in answer.text or "Okta is not enabled any more" in answer.text
        assert "No identity provider is enabled" in answer.text


def test_where_none_was_chosen_what_served_then_is_what_counts(cast: Cast, okta: Connection, new: Connection) -> None:
    browser = browser_of(cast.aiko)
    form = looked_at(browser, cast.tomas)
    new.lead()
    answer = press(browser, form, name="Terminals", message="Ask the IT desk.")
    assert is_refused_with_what_was_typed(answer)
    assert "Other connections serve people by now than when you were shown this." in answer.text
    assert press(browser, form, **as_shown(answer)).status_code == 302
    assert carry_out(Batch.objects.get()).moves.get().connection == new


def test_a_form_that_does_not_say_what_was_shown_begins_nothing(cast: Cast, okta: Connection) -> None:
    browser = browser_of(cast.aiko)
    form = looked_at(browser, cast.tomas)
    for shown in ("", "[]", "[[", '[["elsewhere",null]]', "null"):
        assert press(browser, form, shown=shown).status_code == 422, shown
    assert not Batch.objects.exists()


# ---- Between the form and the worker


def disabled(first: Connection, second: Connection) -> None:
    first.disable(timezone.now())


def no_longer_leading(first: Connection, second: Connection) -> None:
    second.lead()


def for_one_organization_by_now(first: Connection, second: Connection) -> None:
    """What comes first for the people of that organization."""
    second.organization = first.enterprise.organizations.get(name="Rotterdam")
    second.save()


@pytest.mark.parametrize("change", [disabled, no_longer_leading, for_one_organization_by_now])
def test_the_worker_leaves_out_whoever_would_go_elsewhere_by_then(
    cast: Cast, okta: Connection, new: Connection, change: Callable[[Connection, Connection], None]
) -> None:
    batch = begin(browser_of(cast.aiko), cast.tomas, cast.ingrid)
    change(okta, new)
    batch = carry_out(batch)
    assert not batch.moves.exists()
    assert batch.left_out == {Verdict.NOT_AS_SHOWN: 1, Verdict.BREAK_GLASS: 1}
    cast.tomas.refresh_from_db()
    assert cast.tomas.switching_to is None


def test_nobody_is_sent_to_what_was_chosen_and_is_disabled_by_then(
    cast: Cast, okta: Connection, new: Connection
) -> None:
    batch = begin(browser_of(cast.aiko), cast.tomas, to=new.pk)
    new.disable(timezone.now())
    batch = carry_out(batch)
    assert not batch.moves.exists()
    assert batch.left_out == {Verdict.NOT_AS_SHOWN: 1}


def test_what_was_chosen_is_not_asked_which_one_leads(cast: Cast, okta: Connection, new: Connection) -> None:
    batch = begin(browser_of(cast.aiko), cast.tomas, to=okta.pk)
    new.lead()
    assert carry_out(batch).moves.get().connection == okta


def test_whom_nothing_served_is_not_switched_by_what_came_since(cast: Cast) -> None:
    """They stood among those who stay."""
    rotterdams = enable_okta(cast.halden, cast.ingrid)
    Connection.objects.filter(pk=rotterdams.pk).update(organization=cast.rotterdam)
    batch = begin(browser_of(cast.aiko), cast.tomas, cast.oluwaseun)
    enable_okta(cast.halden, cast.ingrid)
    batch = carry_out(batch)
    assert batch.moves.get().user == cast.tomas
    assert batch.left_out == {Verdict.NOT_AS_SHOWN: 1}
