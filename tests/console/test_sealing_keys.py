"""Keys of ours come and go while the console runs, and a sealed value opens only where it stands (R10)."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.db.models import Model
from django.test import override_settings
from django.utils import timezone
from pytest_django import Settings

from audit.actions import Action
from audit.models import Event
from console import sealed
from console.sealed import COOKIES_LAST, SEALED, SealedColumn
from console.settings import _sealing_keys
from identity import attempts
from invitations import cookies
from tests.cast import Browser, Cast, browser_of
from tests.identity.journey import Journey
from tests.provider import Provider
from tests.sealed import SAMPLES, SECRETS
from users import enrolment, halfway
from users.sealing import SealBroken, seal, unseal

pytestmark = pytest.mark.servers
OLD, NEW = b"o" * 32, b"n" * 32
columns = pytest.mark.parametrize("column", SEALED, ids=str)


Everything = dict[SealedColumn, tuple[Any, Any]]


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def everything(cast: Cast, settings: Settings) -> Everything:
    """Two values in every column, sealed with the old key; a new one has come to seal since."""
    settings.SEALING_KEYS = {"old": OLD}
    pairs = {column: SAMPLES[str(column)](cast) for column in SEALED}
    settings.SEALING_KEYS = {"new": NEW, "old": OLD}
    return pairs


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def opened(column: SealedColumn, row: Model) -> str:
    """Open the value as it stands in the database, at its own place."""
    fresh = column.model._base_manager.get(pk=row.pk)
    return unseal(getattr(fresh, column.column), bound_to=fresh._place).decode()  # type: ignore[attr-defined]


# ---- The list


def test_every_sealed_column_is_listed() -> None:
    """Whoever adds one adds a line to ``console.sealed.SEALED``, or its values are left behind when a key goes."""
    there = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.name == "sealed" or field.name.endswith("_sealed")
    }
    assert there == {str(column) for column in SEALED} == set(SAMPLES)


def test_no_sealed_cookie_outlives_what_retiring_a_key_waits_for() -> None:
    longest = max(
        attempts.LASTS, cookies.LASTS, halfway.LASTS, halfway.LASTS_TO_ENROL, enrolment.LASTS,
        timedelta(seconds=configured.PASSWORD_RESET_TIMEOUT),
    )  # fmt: skip
    assert longest <= COOKIES_LAST


# ---- A value opens where it was sealed


@columns
def test_a_value_moved_to_another_row_does_not_open(everything: Everything, column: SealedColumn) -> None:
    one, other = everything[column]
    assert opened(column, one).startswith(SECRETS[0])
    column.model._base_manager.filter(pk=other.pk).update(**{column.column: getattr(one, column.column)})
    with pytest.raises(SealBroken):
        opened(column, other)


@columns
def test_a_value_moved_to_another_column_does_not_open(everything: Everything, column: SealedColumn) -> None:
    """Nor does what was sealed into a cookie."""
    one, _other = everything[column]
    places = {pair[0]._place for other, pair in everything.items() if other != column}
    for place in places | {"cookie/invitation", ""}:
        with pytest.raises(SealBroken):
            unseal(getattr(one, column.column), bound_to=place)
        foreign = seal(b"x", bound_to=place)
        column.model._base_manager.filter(pk=one.pk).update(**{column.column: foreign})
        with pytest.raises(SealBroken):
            opened(column, one)


def test_a_value_under_another_keys_name_does_not_open(settings: Settings) -> None:
    settings.SEALING_KEYS = {"a": OLD, "b": OLD}
    value = seal(b"x", bound_to="here")
    assert unseal(value, bound_to="here") == b"x"
    with pytest.raises(SealBroken):
        unseal(value.replace("a.", "b.", 1), bound_to="here")


# ---- Sealing again


@columns
def test_resealing_leaves_nothing_to_the_old_key(
    everything: Everything, column: SealedColumn, settings: Settings
) -> None:
    said = run("reseal")
    assert f"{column}: 2" in said
    settings.SEALING_KEYS = {"new": NEW}
    for row, secret in zip(everything[column], SECRETS, strict=True):
        assert opened(column, row).startswith(secret)


def test_resealing_again_finds_nothing_to_do(everything: Everything) -> None:
    run("reseal")
    assert run("reseal").splitlines() == ["0 values are sealed with new now."]


def test_resealing_goes_on_where_it_was_stopped(everything: Everything, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value is a step of its own, so nothing that was done is lost."""
    monkeypatch.setattr(sealed, "BATCH", 1)
    steps = sealed.Resealing().walk()
    next(steps)
    next(steps)
    steps.close()
    left = 2 * len(SEALED) - 2
    assert sum(sealed.holdings()["old"].values()) == left
    assert run("reseal").endswith(f"{left} values are sealed with new now.\n")


def test_a_value_that_is_written_anew_meanwhile_stays(
    everything: Everything,
) -> None:
    """What a sign-in has written between our reading and our writing is not overwritten with what was before."""
    column = SEALED[1]
    row = next(row for rows in column.batches("new") for row in rows)
    newer = seal(b"from the newest sign-in", bound_to=row._place)  # type: ignore[attr-defined]
    column.model._base_manager.filter(pk=row.pk).update(**{column.column: newer})
    assert column.reseal(row) is False
    assert opened(column, row) == "from the newest sign-in"


def test_a_value_that_does_not_open_is_named_and_left(everything: Everything) -> None:
    """The others are moved all the same, and the command says that it is not done."""
    column = SEALED[0]
    broken = everything[column][0]
    column.model._base_manager.filter(pk=broken.pk).update(**{column.column: "old.AAAA"})
    with pytest.raises(CommandError) as problem:
        run("reseal")
    assert f"{column} of {broken.pk}" in str(problem.value)
    assert sum(sealed.holdings()["old"].values()) == 1
    assert "old.AAAA" not in str(problem.value)


@pytest.mark.django_db(transaction=True)
def test_people_sign_in_while_values_are_resealed(transactional_db: None, provider: Provider) -> None:
    """Every sign-in works, also one that began before the new key sealed."""
    with override_settings(SEALING_KEYS={"old": OLD, "new": NEW}):
        journey = Journey(Cast.assemble(), provider)
        for _ in range(10):
            journey.sign_in(Browser(journey.cast.halden))
        back = journey.at_provider(journey.start()["Location"])
    answers: list[str] = []
    stop = threading.Event()

    def keep_signing_in() -> None:
        try:
            while not stop.is_set():
                answers.append(journey.sign_in(Browser(journey.cast.halden)).headers.get("Location", "refused"))
        finally:
            database.close()

    with override_settings(SEALING_KEYS={"new": NEW, "old": OLD}):
        thread = threading.Thread(target=keep_signing_in)
        thread.start()
        try:
            assert journey.browser.get(back)["Location"] == "/"
            for _ in range(5):
                run("reseal")
        finally:
            stop.set()
            thread.join()
    with override_settings(SEALING_KEYS={"new": NEW}):
        assert sealed.holdings() == {"new": {str(column): n for column in SEALED if (n := column.by_key().get("new"))}}
        assert journey.sign_in()["Location"] == "/"
    assert answers
    assert set(answers) == {"/"}


# ---- A key comes, and another goes


def test_a_new_key_is_one_the_settings_take(cast: Cast, settings: Settings) -> None:
    """Its name was never used, and no other key is printed with it."""
    settings.SEALING_KEYS = {"old": OLD}
    first = run("sealing_key", "new").strip()
    (name, key), *others = _sealing_keys(first).items()
    assert len(key) == 32
    assert not others
    settings.SEALING_KEYS = {"old": OLD, name: key}
    assert run("sealing_key", "new").partition(":")[0] != name
    assert run("sealing_key", "new") != run("sealing_key", "new")


def test_status_says_what_each_key_holds(everything: Everything) -> None:
    run_before = run("sealing_key", "status").splitlines()
    assert run_before[0] == "new  seals  0 values"
    assert run_before[1] == f"old  opens  {2 * len(SEALED)} values"
    assert {line.strip() for line in run_before[2:]} == {f"{column}: 2" for column in SEALED}


def test_status_says_which_key_is_missing(everything: Everything, settings: Settings) -> None:
    """An operator who took a key away too early sees it, and which values wait for it."""
    settings.SEALING_KEYS = {"new": NEW}
    with pytest.raises(CommandError, match="Bring back to SEALING_KEYS, or these values stay closed: old"):
        run("sealing_key", "status")


def test_the_key_that_seals_is_not_retired(everything: Everything) -> None:
    with pytest.raises(CommandError, match="so it seals"):
        run("sealing_key", "retire", "new")


def test_a_key_that_is_not_there_is_not_retired(everything: Everything) -> None:
    with pytest.raises(CommandError, match="no key called third"):
        run("sealing_key", "retire", "third")


def test_a_key_that_holds_values_is_not_retired(everything: Everything) -> None:
    with pytest.raises(CommandError, match=f"old still holds {2 * len(SEALED)} values"):
        run("sealing_key", "retire", "old")


def test_a_key_is_retired_once_no_cookie_can_need_it(everything: Everything) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        run("reseal")
        with pytest.raises(CommandError, match="cookies may need it"):
            run("sealing_key", "retire", "old")
        clock.shift(COOKIES_LAST - timedelta(seconds=1))
        run("reseal")  # Looking again does not begin the hour anew.
        with pytest.raises(CommandError, match="cookies may need it"):
            run("sealing_key", "retire", "old")
        clock.shift(timedelta(seconds=1))
        assert "Nothing needs old" in run("sealing_key", "retire", "old")
    assert Event.objects.filter(enterprise=None, action=Action.SEALING_KEY_RETIRED, details__key="old").exists()


def test_a_process_that_still_seals_with_the_old_key_begins_the_hour_anew(
    everything: Everything, settings: Settings
) -> None:
    """What it has sealed meanwhile shows that its cookies are about."""
    with time_machine.travel(timezone.now(), tick=False) as clock:
        run("reseal")
        clock.shift(COOKIES_LAST)
        row = everything[SEALED[1]][0]
        settings.SEALING_KEYS = {"old": OLD}
        late = seal(b"late", bound_to=row._place)  # type: ignore[attr-defined]
        SEALED[1].model._base_manager.filter(pk=row.pk).update(**{SEALED[1].column: late})
        settings.SEALING_KEYS = {"new": NEW, "old": OLD}
        with pytest.raises(CommandError, match="still holds 1 values"):
            run("sealing_key", "retire", "old")
        run("reseal")
        with pytest.raises(CommandError, match="cookies may need it"):
            run("sealing_key", "retire", "old")
        clock.shift(COOKIES_LAST)
        assert "Nothing needs old" in run("sealing_key", "retire", "old")


def test_what_an_operator_does_is_in_no_enterprises_log(everything: Everything, cast: Cast) -> None:
    """T11: it is on record, and no enterprise is told about the others' secrets."""
    run("reseal")
    assert Event.objects.filter(enterprise=None, action=Action.VALUES_RESEALED).exists()
    page = browser_of(cast.ingrid).get("/audit/").content.decode()
    assert "resealed" not in page
    assert "sealing-key" not in page
