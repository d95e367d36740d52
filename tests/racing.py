"""Several threads at once, each with a connection of its own, as the workers of a server have."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any

from django.db import connection, connections, transaction

Act = Callable[[], Any]


def race(acts: Iterable[Act]) -> list[Any]:
    """Start all at the same moment; what each returned, or the error that it raised."""
    several = list(acts)
    with ThreadPoolExecutor(len(several)) as pool:
        start = Barrier(len(several))
        futures = [pool.submit(_run, act, start) for act in several]
        return [future.result() for future in futures]


def race_behind(lock: Act, acts: Iterable[Act]) -> list[Any]:
    """Let all run into a lock that is held meanwhile, then let go: their transactions certainly overlap."""
    several = list(acts)
    with ThreadPoolExecutor(len(several)) as pool:
        start = Barrier(len(several) + 1)
        with transaction.atomic():
            lock()
            futures: list[Future[Any]] = [pool.submit(_run, act, start) for act in several]
            start.wait(60)
            _until_all_wait(futures)
        return [future.result() for future in futures]


def _until_all_wait(futures: list[Future[Any]]) -> None:
    """Or have ended, if they don't need the lock; SQLite tells nobody who waits."""
    if connection.vendor == "sqlite":
        time.sleep(0.3)
        return
    patience = time.monotonic() + 10
    # the transaction that holds the lock may be broken on purpose, and would be told the same each time
    with closing(connection.copy()) as another, another.cursor() as cursor:
        while time.monotonic() < patience and _waiting(cursor) + sum(each.done() for each in futures) < len(futures):
            time.sleep(0.01)


def _waiting(cursor: Any) -> int:
    """How many of this database's connections wait for a lock."""
    cursor.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    [(count,)] = cursor.fetchall()
    return int(count)


def outcomes(results: Iterable[Any]) -> Counter[str]:
    """How many came out how: the names of the errors, and "done"."""
    return Counter(type(result).__name__ if isinstance(result, Exception) else "done" for result in results)


def run(act: Act) -> Any:
    """In a thread: what the act returns, with a connection that is closed after it."""
    try:
        return act()
    finally:
        connections.close_all()


def _run(act: Act, start: Barrier) -> Any:
    try:
        connection.ensure_connection()
        start.wait(60)
        return act()
    except Exception as error:
        return error
    finally:
        connections.close_all()
