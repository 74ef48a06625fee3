"""R14: the public halves of our keys, at one address for good, for everybody; and nothing else."""

from __future__ import annotations

import json
import re

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from identity.credentials import ClientKey
from identity.models import Connection, Provider
from tests.cast import Cast, browser_of
from tests.identity.setting_up import SECRET, Desk, words
from users.sealing import SealBroken

pytestmark = pytest.mark.servers

PUBLIC = {"RS256": {"kty", "n", "e", "kid", "use", "alg"}, "ES256": {"kty", "crv", "x", "y", "kid", "use", "alg"}}


@pytest.fixture
def connection(cast: Cast) -> Connection:
    return Connection.objects.create(enterprise=cast.halden, provider=Provider.OKTA, created_by=cast.aiko)


def published(connection: Connection) -> list[dict[str, str]]:
    """What anybody gets at the address, without cookies."""
    answer = Client(headers={"host": connection.enterprise.host}).get(reverse("identity:keys", args=[connection.pk]))
    assert answer.status_code == 200
    return json.loads(answer.content)["keys"]


def publish(connection: Connection, algorithm: str = "ES256") -> ClientKey:
    return ClientKey.publish(connection, at=timezone.now(), algorithm=algorithm)


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_only_the_public_half_is_published(connection: Connection, algorithm: str) -> None:
    """R12."""
    key = publish(connection, algorithm)
    (said,) = published(connection)
    assert set(said) == PUBLIC[algorithm]
    assert (said["kid"], said["alg"], said["use"]) == (key.kid, algorithm, "sig")
    assert key.signing_key.public_jwk() == said


def test_it_may_be_kept_for_a_short_while_and_says_nothing_of_who_asks(connection: Connection) -> None:
    publish(connection)
    path = reverse("identity:keys", args=[connection.pk])
    answer = browser_of(connection.created_by).get(path)
    assert answer["Cache-Control"] == "public, max-age=300"
    assert answer["Content-Type"] == "application/json"
    assert not answer.cookies
    assert Client().head(path).status_code == 200
    assert Client().post(path).status_code == 405


def test_no_keys_and_no_such_connection_are_the_same(connection: Connection) -> None:
    nothing = Client().get(reverse("identity:keys", args=[connection.pk]))
    nobody = Client().get(reverse("identity:keys", args=["0" * 12]))
    assert nothing.status_code == nobody.status_code == 404
    pages = [re.sub(r"Reference [0-9A-F]+", "", words(page)) for page in (nothing, nobody)]
    assert pages[0] == pages[1]


def test_a_withdrawn_key_is_gone_there_and_its_private_half_here(connection: Connection) -> None:
    old, new = publish(connection), publish(connection)
    assert {key["kid"] for key in published(connection)} == {old.kid, new.kid}
    assert old.withdraw(timezone.now()) is True
    assert old.withdraw(timezone.now()) is False
    assert [key["kid"] for key in published(connection)] == [new.kid]
    old.refresh_from_db()
    assert old.sealed == ""


def test_the_private_half_opens_only_in_its_own_place(cast: Cast, connection: Connection) -> None:
    """R10: neither under another key's name nor in another enterprise."""
    one, other = publish(connection), publish(connection)
    other.sealed = one.sealed
    with pytest.raises(SealBroken):
        _ = other.signing_key
    theirs = Connection.objects.create(enterprise=cast.stranger, provider=Provider.OKTA, created_by=cast.mallory)
    with pytest.raises(SealBroken):
        _ = ClientKey(connection=theirs, kid=one.kid, sealed=one.sealed).signing_key


def test_a_dump_and_the_pages_hold_no_private_half(cast: Cast, tmp_path: object) -> None:
    """R10, R12."""
    desk = Desk(cast.aiko)
    desk.save(client_authentication="private_key_jwt", client_secret="")
    key = desk.connection.keys.get()
    number = key.signing_key.private_key.private_numbers()
    call_command("dumpdata", output=f"{tmp_path}/dump.json", verbosity=0)
    with open(f"{tmp_path}/dump.json") as file:
        seen = file.read() + desk.browser.get(desk.url("setup")).content.decode()
    assert key.kid in seen
    assert "PRIVATE KEY" not in seen
    for secret in (number.d, number.p, number.q):
        assert str(secret) not in seen


# ---- Choosing it on the set-up page


def test_choosing_the_public_key_makes_one_and_shows_where_to_take_it(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    page = desk.page()
    assert "Public key No secret to expire, or to leak." in page
    assert "Recommended" in page
    assert "Use a URL to fetch keys dynamically" in page
    assert desk.save(client_authentication="private_key_jwt", client_secret="").status_code == 302
    desk.connection.refresh_from_db()
    revision = desk.connection.latest
    assert revision.secret is None
    assert revision.is_complete
    assert desk.connection.keys.get().algorithm == "RS256"
    address = f"http://eu.localhost:8000/sso/{desk.connection.pk}/keys.json"
    assert address in desk.browser.get(desk.url("setup")).content.decode().replace("<wbr>", "")
    (event,) = desk.events("key:published")
    assert event.details["key"] == desk.connection.keys.get().kid
    assert "client authentication" in desk.events("connection:revised")[0].details["changed"]


def test_a_secret_that_was_typed_beside_it_goes_nowhere(cast: Cast) -> None:
    """Whatever it was: the field is not to be seen then."""
    desk = Desk(cast.aiko)
    for typed in (SECRET, "two words"):
        assert desk.save(client_authentication="private_key_jwt", client_secret=typed).status_code == 302
    assert not desk.connection.secrets.exists()


def test_going_back_to_a_secret_needs_one(cast: Cast) -> None:
    """K11: there was none, or Okta has deleted it."""
    desk = Desk(cast.aiko)
    desk.save()
    desk.save(client_authentication="private_key_jwt", client_secret="")
    answer = desk.save(client_secret="")
    assert answer.status_code == 422
    assert "Paste the client secret." in words(answer)


@pytest.mark.parametrize("provider", ["entra", "google", "duo"])
def test_a_provider_that_takes_no_keys_is_not_offered_one(cast: Cast, provider: str) -> None:
    desk = Desk(cast.aiko, provider)
    assert "keys.json" not in desk.page()
    issuer = {"google": "https://accounts.google.com"}.get(provider, "https://login.example.com")
    answer = desk.save(issuer, client_authentication="private_key_jwt")
    assert answer.status_code == 422
    assert "Select a valid choice" in words(answer)
