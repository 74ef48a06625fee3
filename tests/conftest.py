"""Fixtures everyone shares."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Iterator

import pytest
from django.conf import settings as everybodys
from django.db import connection, transaction
from django.template import Context, RequestContext, Template
from django.test import TransactionTestCase
from django.test.utils import instrumented_test_render
from pytest_django import DjangoDbBlocker, Settings

from tests.cast import Cast
from tests.hashing import QuickArgon2
from tests.processes import wait_until
from tests.routes import World
from tests.smtp import Sink
from users.models import User, factor

# As it is before Django's test environment replaces it.
_plain_render = Template._render


def pytest_configure() -> None:
    everybodys.PASSWORD_HASHERS = ["tests.hashing.QuickArgon2"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database, which can be dropped only once whoever else was in it has gone; who is busy there is named."""
    yield
    # A thread that has ended leaves its session open until it is collected, which is seldom here.
    gc.collect()
    with django_db_blocker.unblock():
        wait_until(lambda: not _others_in_the_database(), seconds=10, otherwise=_others_in_the_database)


def _others_in_the_database() -> list[tuple[str, str, str]]:
    """Return who else is in the database. Whoever only sits there is shown out, and gone the next time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        others = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        cursor.execute(f"SELECT application_name, state, query FROM pg_stat_activity WHERE {others}")  # noqa: S608
        found = list(cursor.fetchall())
        cursor.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others} AND state = 'idle'"  # noqa: S608
        )
        return found


@pytest.fixture(scope="session", autouse=True)
def contexts_of_pages(django_test_environment: None) -> Iterator[None]:
    """Answers keep the context of their page, and not of each template that it includes as well: to copy those takes
    a tenth of a page's time.
    """

    def render(template: Template, context: Context) -> str:
        is_page = context.template is template and isinstance(context, RequestContext)
        return (instrumented_test_render if is_page else _plain_render)(template, context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Template, "_render", render)
        yield


# Rows that migrations make and no test changes.
STAYING = {"django_content_type", "auth_permission"}
# Above so many people, TRUNCATE is quicker than to look who refers to each of them.
MANY = 300


@pytest.fixture(scope="session", autouse=True)
def quick_emptying() -> Iterator[None]:
    """After a test that commits, tables are emptied by DELETE: to TRUNCATE all takes a third of a second, whatever is
    in them.
    """
    truncate = TransactionTestCase._fixture_teardown

    def empty(case: TransactionTestCase) -> None:
        if User.objects.count() > MANY:
            truncate(case)
            return
        tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - STAYING
        statements = [f"DELETE FROM {connection.ops.quote_name(table)}" for table in sorted(tables)]  # noqa: S608
        # Whoever refers to whom is looked at when this is committed.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("; ".join(statements))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_recovery_codes() -> Iterator[None]:
    """Ten are hashed at a time, and ``test_recovery_codes`` says how strongly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factor, "RecoveryHasher", QuickArgon2)
        yield


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast.assemble()


@pytest.fixture(scope="module")
def world_of_this_file(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[bytes]:
    """The world, made once for hundreds of tests, in a transaction that is never committed."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield pickle.dumps(World.build(Cast.assemble()))
        transaction.set_rollback(True)


@pytest.fixture
def world(world_of_this_file: bytes, db: None) -> World:
    """The world as it was made: what a test does to its rows and its objects is gone afterwards.

    A file that uses it does not use ``cast`` as well: there is one Halden.
    """
    world: World = pickle.loads(world_of_this_file)  # noqa: S301  # Quicker than to copy it; made above.
    return world


@pytest.fixture
def smtp_sink(settings: Settings) -> Iterator[Sink]:
    """A real SMTP server, to which this test's email goes."""
    sink = Sink()
    sink.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    yield sink
    sink.stop()
