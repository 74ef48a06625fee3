"""Two things at once, on real connections to the database: one commits while the other waits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connection as database
from django.db import transaction
from django.http import HttpResponse

from tests.processes import wait_until


def waiting_for_a_lock() -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # Or it would be as it was when the transaction began.
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def in_a_thread(ask: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        return ask()
    finally:
        database.close()


def between_check_and_commit(ask: Callable[[], HttpResponse], act: Callable[[], object]) -> HttpResponse:
    """Let a sign-in come to where all is checked and its session is to be written, then ``act``; return its answer.

    What ``act`` does commits by itself: before the sign-in does, or after, if it has to wait for it.
    """

    def change() -> None:
        try:
            act()
        finally:
            database.close()

    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic():
            with database.cursor() as cursor:
                # Sessions can be read and deleted, but the sign-in cannot write its own before this is over.
                cursor.execute("LOCK TABLE users_session IN SHARE ROW EXCLUSIVE MODE")
            answer = pool.submit(in_a_thread, ask)
            wait_until(lambda: waiting_for_a_lock() == 1)
            changing = pool.submit(change)
            wait_until(lambda: waiting_for_a_lock() == 2 or changing.done())
        changing.result(10)
        return answer.result(10)


def while_it_waits(
    ask: Callable[[], HttpResponse], lock: Callable[[], object], act: Callable[[], object]
) -> HttpResponse:
    """Let a request come to where it waits for what ``lock`` takes, then ``act`` and commit; return its answer."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            lock()
            answer = pool.submit(in_a_thread, ask)
            wait_until(lambda: waiting_for_a_lock() == 1)
            act()
        return answer.result(10)
