"""Companions: long work that isn't a delivery, and for which none may wait; each relay runs it in threads beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from django.db import connections

LOOK_SECONDS = 2.0
FAREWELL_SECONDS = 5.0

log = structlog.get_logger(__name__)

Stop = Callable[[], bool]
Work = Callable[[Stop], object]

_works: dict[str, Work] = {}


def alongside(name: str, work: Work) -> None:
    """Have this looked after by each relay, in a thread of its own, every few seconds.

    It ends soon once the function that it is handed says so, and must bear to be done by several at once, and to be
    cut off anywhere.
    """
    _works[name] = work


@contextmanager
def companions(stop: Stop) -> Iterator[None]:
    """Inside this block they run; they are told to stop by `stop`, or by its end."""
    over = threading.Event()
    threads = [
        threading.Thread(target=_keep_at, args=(name, work, stop, over), name=f"bookshelf-{name}", daemon=True)
        for name, work in _works.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(FAREWELL_SECONDS)


def _keep_at(name: str, work: Work, stop: Stop, over: threading.Event) -> None:
    while not over.wait(LOOK_SECONDS):
        try:
            work(lambda: stop() or over.is_set())
        except Exception:
            log.exception("long work failed and is tried again", work=name)
        finally:
            connections.close_all()
