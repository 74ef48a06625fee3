"""Statements whose SQL is kept read and write what Django would read and write, whatever the values."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.db.models import Count, QuerySet
from django.db.transaction import TransactionManagementError
from django.forms import model_to_dict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.compiled import compiled, insert, update
from audit.models import Event
from identity.models import Connection, Provider, Revision
from tests.cast import Cast
from users.models import Enterprise, RoleAssignment, User

pytestmark = pytest.mark.servers


def test_each_call_gives_the_rows_of_its_own_values(cast: Cast) -> None:
    @compiled
    def named(enterprise: Enterprise, name: str) -> QuerySet[User]:
        return User.objects.of(enterprise).filter(name=name)

    assert named(cast.halden, "Marcus Feld") == [cast.marcus]
    assert named(cast.halden, "Tomás Herrera") == [cast.tomas]
    assert named(cast.stranger, "Tomás Herrera") == []
    assert named(cast.halden, "Tomás' OR true; --%s") == []


def test_the_queryset_is_built_once(cast: Cast) -> None:
    built = []

    @compiled
    def people(enterprise: Enterprise) -> QuerySet[User]:
        built.append(enterprise)
        return User.objects.of(enterprise).order_by("email")

    for enterprise in (cast.halden, cast.stranger, cast.halden):
        assert people(enterprise) == list(User.objects.of(enterprise).order_by("email"))
    assert len(built) == 1


def test_related_rows_come_along(cast: Cast) -> None:
    """Both of one that is there and of one that is not."""

    @compiled
    def roles(user: User) -> QuerySet[RoleAssignment]:
        return RoleAssignment.objects.filter(user=user).select_related("user__enterprise", "organization")

    roles(cast.ingrid)
    with CaptureQueriesContext(database) as captured:
        (marcus,), (ingrid,) = roles(cast.marcus), roles(cast.ingrid)
        assert (marcus.user.enterprise.name, marcus.organization) == (cast.halden.name, cast.rotterdam)
        assert ingrid.organization is None
    assert len(captured) == 2


def test_what_only_leaves_out_is_read_when_asked_for(cast: Cast) -> None:
    @compiled
    def named(pk: str) -> QuerySet[User]:
        return User.objects.filter(pk=pk).only("name")

    (marcus,) = named(cast.marcus.pk)
    assert marcus.get_deferred_fields() >= {"email", "password"}
    assert marcus.email == cast.marcus.email


def test_columns_come_as_their_fields_hold_them(cast: Cast) -> None:
    """JSON as data, times with their zone."""
    connection = Connection.objects.create(enterprise=cast.halden, provider=Provider.OKTA, created_by=cast.ingrid)
    revision = connection.revise(by=cast.ingrid, at=timezone.now(), secret=None, issuer="https://okta.example")
    revision.findings = [{"state": "failed"}]
    revision.save()

    @compiled
    def since(connection: Connection, at: datetime) -> QuerySet[Revision]:
        return Revision.objects.filter(connection=connection, created_at__gt=at)

    (found,) = since(connection, timezone.now() - timedelta(minutes=1))
    assert (found.findings, found.created_at) == (revision.findings, revision.created_at)
    assert since(connection, timezone.now()) == []


def test_what_is_counted_beside_a_row_comes_with_it(cast: Cast) -> None:
    @compiled
    def with_roles(enterprise: Enterprise) -> QuerySet[User]:
        return User.objects.filter(enterprise=enterprise).annotate(roles=Count("role_assignments")).order_by("name")[:1]

    (aiko,) = with_roles(cast.halden)
    assert (aiko, aiko.roles) == (cast.aiko, 1)
    (mallory,) = with_roles(cast.stranger)
    assert (mallory, mallory.roles) == (cast.mallory, 1)


@pytest.mark.django_db(transaction=True)
def test_a_lock_needs_a_transaction() -> None:
    cast = Cast.assemble()

    @compiled
    def locked(pk: str) -> QuerySet[User]:
        return User.objects.filter(pk=pk).select_for_update()

    with pytest.raises(TransactionManagementError):
        locked(cast.marcus.pk)


def test_an_inserted_row_is_what_was_to_be_written(cast: Cast) -> None:
    """With the defaults of its fields, and as if it had been saved: a second save changes it."""
    event = Event(
        enterprise=cast.halden, action="x:y", actor=cast.ingrid, address="2001:db8::1", details={"a": [1, "é"]}
    )
    insert(event)
    found = Event.objects.get(pk=event.pk)
    assert model_to_dict(found) == model_to_dict(event)
    assert (found.at, found.reference) == (event.at, event.reference)
    event.reason = "later"
    event.save()
    assert Event.objects.get(pk=event.pk).reason == "later"


def test_a_row_is_inserted_once(cast: Cast) -> None:
    event = Event(enterprise=cast.halden, action="x:y")
    insert(event)
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(event)


def test_an_update_writes_the_named_fields_of_one_row(cast: Cast) -> None:
    now, tomas = timezone.now(), cast.tomas.name
    cast.marcus.last_login, cast.marcus.name = now, "Not to be written"
    update(cast.marcus, "last_login")
    cast.marcus.refresh_from_db()
    cast.tomas.refresh_from_db()
    assert (cast.marcus.last_login, cast.marcus.name) == (now, "Marcus Feld")
    assert (cast.tomas.last_login, cast.tomas.name) == (None, tomas)


def test_an_update_of_a_row_that_is_gone_does_nothing(cast: Cast) -> None:
    User.objects.filter(pk=cast.mallory.pk).delete()
    update(cast.mallory, "last_login")
    assert not User.objects.filter(pk=cast.mallory.pk).exists()
