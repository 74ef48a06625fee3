"""R14: all three ways of proving who we are, to a certified provider that nobody here wrote; and changing over, K11."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from audit.models import Event
from identity import rotation
from identity.models import ClientAuthentication, Connection
from tests.cast import Browser, Cast, make_user
from tests.identity.certified import Certified
from tests.identity.journey import Journey, link, path_of
from tests.identity.setting_up import Desk
from users.models import Role

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]

OLD, NEW = "a-certified/secret:with+signs&and%more", "the-second-certified-secret"


class House(Journey):
    """Halden with a connection that Aiko sets up at her desk, and Grete who signs in through it."""

    def __init__(self, cast: Cast, certified: Certified) -> None:
        self.cast, self.provider, self.browser = cast, certified, Browser(cast.halden)
        self.desk = Desk(cast.aiko)
        self.connection = self.desk.connection

    def set_up(self, way: str) -> None:
        """Save, check, test and enable, all at the desk."""
        answer = self.desk.save(
            self.provider.issuer, client_authentication=way, client_secret=OLD, scopes="openid email"
        )
        assert answer.status_code == 302
        self.prove_and_use()

    def test(self) -> str:
        """Test a sign-in, and return the page that says how it went."""
        away = self.desk.browser.get(self.desk.url("test"))
        back = self.desk.browser.get(self.at_provider(away["Location"]))
        return self.desk.browser.get(back["Location"]).content.decode()

    def prove_and_use(self) -> None:
        self.desk.press("check")
        assert "The test worked" in self.test()
        number = str(self.connection.latest.number)
        assert self.desk.press("enable", revision=number).status_code == 302
        self.connection.refresh_from_db()

    def knows_grete(self) -> None:
        grete = make_user(
            self.cast.halden, "Grete Lund", "grete.lund@halden.example", (Role.VIEWER, None), password="!"
        )
        link(self.connection, grete, "certified-grete")

    def signs_in(self) -> bool:
        return self.sign_in(Browser(self.cast.halden)).status_code == 302

    def told(self, action: str) -> list[Event]:
        return list(Event.objects.of(self.cast.halden).filter(action=action))


@pytest.fixture
def house(transactional_db: None, live_server: LiveServer) -> Iterator[Callable[..., House]]:
    """A function that makes the house, whose provider knows us by what it is told."""
    with ExitStack() as stack:

        def make(way: str, **settings: Any) -> House:
            certified = Certified()
            house = House(Cast.assemble(), certified)
            if way == ClientAuthentication.KEY:
                # The same address as published, on the server that answers here.
                settings["jwksUri"] = live_server.url + path_of(house.connection.keys_address)
            stack.enter_context(certified.running(house.connection.redirect_uri, method=way, secret=OLD, **settings))
            house.set_up(way)
            house.knows_grete()
            return house

        yield make


@pytest.mark.parametrize("way", ClientAuthentication.values)
def test_a_certified_provider_takes_each_way(house: Callable[..., House], way: str) -> None:
    """R14: set up at the desk, tested, enabled, and used by somebody."""
    ours = house(way)
    assert ours.connection.serving.client_authentication == way
    assert ours.signs_in()
    assert ours.signs_in()
    assert not ours.told("session:refused")


def test_a_provider_that_takes_only_es256_gets_such_a_key_by_itself(house: Callable[..., House]) -> None:
    """The metadata says what a key has to be for; the check sees it, before anybody depends on the other."""
    ours = house(ClientAuthentication.KEY, algorithms=["ES256"])
    assert ours.connection.signing_key.algorithm == "ES256"
    assert ours.signs_in()


def test_keys_rotate_with_overlap(house: Callable[..., House]) -> None:
    """Published first, used once it is known, the old one withdrawn after that; nobody is refused at any step."""
    ours = house(ClientAuthentication.KEY)
    old = ours.connection.signing_key
    assert ours.signs_in()
    ours.desk.press("rotate_key")
    new = ours.connection.keys.waiting().get()
    assert ours.signs_in()
    ours.provider.looks_at_our_keys_again()
    connection = Connection.objects.select_related("serving", "signing_key", "enterprise").get(pk=ours.connection.pk)
    rotation.turn(connection, timezone.now() + timedelta(hours=25))
    ours.connection.refresh_from_db()
    assert ours.connection.signing_key == new
    assert ours.signs_in()
    new.refresh_from_db()
    assert new.used_at is not None
    assert new.refused_at is None
    connection = Connection.objects.select_related("serving", "signing_key", "enterprise").get(pk=ours.connection.pk)
    rotation.turn(connection, timezone.now() + timedelta(hours=50))
    old.refresh_from_db()
    assert old.withdrawn_at is not None
    assert old.sealed == ""
    ours.provider.looks_at_our_keys_again()
    assert ours.signs_in()
    assert not ours.told("session:refused")


def test_a_key_the_provider_has_not_fetched_yet_falls_to_the_old_one(house: Callable[..., House]) -> None:
    """Signed with too early, on purpose: the provider goes by its copy, and the second try is with what it knows."""
    ours = house(ClientAuthentication.KEY)
    assert ours.signs_in()
    ours.desk.press("rotate_key")
    new = ours.connection.keys.waiting().get()
    ours.desk.press("use_key", new.pk)
    assert ours.signs_in()
    new.refresh_from_db()
    assert new.is_refused
    assert [event.details["refused"] for event in ours.told("credential:refused")] == [new.kid]
    ours.provider.looks_at_our_keys_again()
    assert ours.signs_in()
    new.refresh_from_db()
    assert new.is_known


def test_a_secret_is_replaced_at_the_desk_while_six_people_sign_in(house: Callable[..., House]) -> None:
    """K11: every step of it at a real provider and in the console; none of the sign-ins that run through it fails."""
    ours = house(ClientAuthentication.BASIC)
    over, ended = threading.Event(), list[bool]()

    def sign_in_over_and_over() -> None:
        try:
            while not over.is_set():
                ended.append(ours.signs_in())
        finally:
            database.close()

    def meanwhile() -> None:
        seen = len(ended)
        while len(ended) < seen + 8:
            threading.Event().wait(0.02)

    with ThreadPoolExecutor(6) as pool:
        threads = [pool.submit(sign_in_over_and_over) for _ in range(6)]
        try:
            meanwhile()
            ours.provider.takes(OLD, NEW)
            meanwhile()
            ours.desk.save(ours.provider.issuer, client_secret=NEW, scopes="openid email")
            meanwhile()
            ours.prove_and_use()
            meanwhile()
            ours.provider.takes(NEW)
            meanwhile()
            old = ours.connection.secrets.order_by("set_at")[0]
            assert ours.desk.press("retire_secret", old.pk).status_code == 302
            meanwhile()
        finally:
            over.set()
        for thread in threads:
            thread.result()
    assert all(ended)
    assert not ours.told("session:refused")
    assert not ours.told("credential:refused")
    assert ours.connection.secrets.kept().get().open() == NEW
