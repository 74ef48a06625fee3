"""What anybody can cause without proving anything is counted once there is much of it; nothing else ever is."""

from __future__ import annotations

import csv
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import connection as database
from django.db.models import Sum
from django.utils import timezone

from audit.models import Event, Result, Tally
from identity import floods
from tests.cast import Browser, Cast, browser_of
from tests.identity.journey import Journey, connect
from tests.provider import Provider
from users.tasks import forget_expired

pytestmark = pytest.mark.servers
FROM_A_NETWORK = OF_A_LINK = 5
FROM_EVERYWHERE = 20
REFERENCE = re.compile(r'id="reference">([0-9A-Z-]{9})<')


@pytest.fixture(autouse=True)
def shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller ones than there are, since a flood takes its time."""
    assert (floods.FROM_A_NETWORK, floods.OF_A_LINK, floods.FROM_EVERYWHERE) == (20, 20, 200)
    for name in ("FROM_A_NETWORK", "OF_A_LINK", "FROM_EVERYWHERE"):
        monkeypatch.setattr(floods, name, globals()[name])


@pytest.fixture
def callback(journey: Journey) -> str:
    return f"/sso/{journey.connection.pk}/callback/"


def refusals(journey: Journey) -> tuple[int, int]:
    """How many rows there are, and how many refusals they stand for."""
    events = Event.objects.of(journey.cast.halden).filter(action="session:refused")
    return events.count(), events.aggregate(times=Sum("times", default=0))["times"]


def test_a_flood_from_one_network_is_a_few_rows_that_count_it_all(journey: Journey, callback: str) -> None:
    """The page shows a reference throughout, and each leads an administrator to an entry."""
    shown = [REFERENCE.findall(journey.browser.get(callback).content.decode()) for _ in range(30)]
    assert refusals(journey) == (FROM_A_NETWORK + 1, 30)
    references = {reference for found in shown for reference in found}
    assert all(len(found) == 1 for found in shown)
    assert references == set(Event.objects.filter(action="session:refused").values_list("reference", flat=True))
    last = journey.refusal()
    assert (last.times, last.reason, last.result) == (25, "attempt_unknown", Result.REFUSED)
    assert last.address == "127.0.0.1"


def test_each_reason_is_counted_apart(journey: Journey, callback: str) -> None:
    for _ in range(FROM_A_NETWORK + 5):
        journey.browser.get(callback)
    for _ in range(5):
        journey.browser.get(f"/sso/{journey.connection.pk}/initiate/", {"iss": "https://evil.example"})
    assert refusals(journey) == (FROM_A_NETWORK + 2, FROM_A_NETWORK + 10)
    assert journey.refusal().reason == "initiated_elsewhere"
    assert journey.refusal().times == 5


def test_a_flood_from_many_networks_is_counted_too(journey: Journey, callback: str) -> None:
    """Nor does it make a row for each network it comes from; where it came from is then not said."""
    for number in range(FROM_EVERYWHERE + 15):
        journey.browser.get(callback, REMOTE_ADDR=f"2001:db8:{number:x}::1")
    assert refusals(journey) == (FROM_EVERYWHERE + 1, FROM_EVERYWHERE + 15)
    assert Tally.objects.count() <= FROM_EVERYWHERE + 1
    assert journey.refusal().address is None
    assert journey.refusal().device == ""


def test_addresses_of_one_network_are_one_network(journey: Journey, callback: str) -> None:
    for number in range(FROM_A_NETWORK + 10):
        journey.browser.get(callback, REMOTE_ADDR=f"2001:db8::{number:x}")
    assert refusals(journey)[0] == FROM_A_NETWORK + 1


def test_one_networks_flood_leaves_the_others_their_share(journey: Journey, callback: str) -> None:
    for _ in range(FROM_EVERYWHERE + 20):
        journey.browser.get(callback)
    journey.browser.get(callback, REMOTE_ADDR="198.51.100.7")
    assert journey.refusal().address == "198.51.100.7"
    assert journey.refusal().times == 1


def test_somebody_who_is_proved_is_always_written_in_full(journey: Journey, callback: str) -> None:
    """Known or not: the provider vouches for who it was, and that is on record each time."""
    for _ in range(FROM_A_NETWORK + 5):
        journey.browser.get(callback)
    before = refusals(journey)[0]
    journey.dana.disable(timezone.now())
    for _ in range(3):
        journey.sign_in()
    journey.is_piotr()
    for _ in range(3):
        journey.sign_in()
    assert refusals(journey)[0] == before + 6
    assert journey.refusal().details["claims"]["email"] == "piotr.nowak@halden.example"
    danas = Event.objects.filter(action="session:refused", actor=journey.dana)
    assert [event.reason for event in danas] == ["account_disabled"] * 3


def test_an_invitation_has_a_share_of_its_own(journey: Journey, callback: str) -> None:
    """Whoever holds a link is known by it, so a flood hides nothing of that; nor does a link fill the log."""
    for _ in range(FROM_A_NETWORK + 5):
        journey.browser.get(callback)
    invitation = journey.invite()
    journey.provider.person = None
    before = refusals(journey)[0]
    for _ in range(OF_A_LINK + 5):
        journey.redeem(invitation, Browser(journey.cast.halden))
    assert refusals(journey)[0] == before + OF_A_LINK + 1
    assert journey.refusal().target_id == invitation.pk
    assert (journey.refusal().reason, journey.refusal().times) == ("not_assigned", 5)
    invitation.refresh_from_db()
    assert invitation.refused_reason == "not_assigned"


def test_after_ten_minutes_they_are_written_again(journey: Journey, callback: str) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(FROM_A_NETWORK + 5):
            journey.browser.get(callback)
        clock.shift(Tally.LASTS - timedelta(seconds=1))
        journey.browser.get(callback)
        assert refusals(journey) == (FROM_A_NETWORK + 1, FROM_A_NETWORK + 6)
        clock.shift(timedelta(seconds=1))
        journey.browser.get(callback)
        assert refusals(journey) == (FROM_A_NETWORK + 2, FROM_A_NETWORK + 7)
        forget_expired()
        assert Tally.objects.count() == 2
        clock.shift(Tally.LASTS + timedelta(seconds=1))
        forget_expired()
        assert not Tally.objects.exists()


def test_one_connections_flood_leaves_another_enterprise_alone(journey: Journey, callback: str) -> None:
    """T11."""
    other = connect(journey.cast.stranger, journey.provider, journey.cast.mallory)
    for _ in range(FROM_A_NETWORK + 5):
        journey.browser.get(callback)
    Browser(journey.cast.stranger).get(f"/sso/{other.pk}/callback/")
    assert Event.objects.of(journey.cast.stranger).get(action="session:refused").times == 1


def test_logout_tokens_that_are_none_are_counted_as_well(journey: Journey) -> None:
    """H20: anybody can post them."""
    for _ in range(FROM_A_NETWORK + 10):
        journey.browser.post(f"/sso/{journey.connection.pk}/logout/back-channel/", {"logout_token": "x"})
    events = Event.objects.of(journey.cast.halden).filter(action="sign-out:refused")
    assert events.count() == FROM_A_NETWORK + 1
    assert events.newest_first()[0].times == 10


def test_the_log_says_how_many_it_stands_for(journey: Journey, callback: str) -> None:
    """In the page, in the file, and in the dashboard's sum."""
    for _ in range(FROM_A_NETWORK + 7):
        journey.browser.get(callback)
    admin = browser_of(journey.cast.ingrid)
    assert "7 times" in admin.get("/audit/").content.decode()
    file = b"".join(admin.get("/audit/download/?action=session:refused").streaming_content).decode()  # type: ignore[attr-defined]
    assert sum(int(row["times"]) for row in csv.DictReader(file.splitlines())) == FROM_A_NETWORK + 7
    assert str(FROM_A_NETWORK + 7) in admin.get("/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_all_counted(transactional_db: None, provider: Provider) -> None:
    """Eight threads, from two networks."""
    journey = Journey(Cast.assemble(), provider)

    def ask(number: int) -> int:
        try:
            address = f"198.51.100.{number % 2}"
            callback = f"/sso/{journey.connection.pk}/callback/"
            return Browser(journey.cast.halden).get(callback, REMOTE_ADDR=address).status_code
        finally:
            database.close()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(60))) == {400}
    assert refusals(journey) == (2 * FROM_A_NETWORK + 2, 60)
