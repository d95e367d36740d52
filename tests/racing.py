"""Several threads at once, each with a connection of its own, as the workers of a server have."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
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
            time.sleep(0.3)
        return [future.result() for future in futures]


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
