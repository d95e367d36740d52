"""A shop in a process of its own that dies where it is told to: `python -m tests.events.child ACT [WHERE]`.

Its receivers ask `reach()` at each point at which a process may end; at the point named on the command line it kills
itself, as the kernel would.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from typing import Any

import django

LEASE = timedelta(seconds=0.3)
ACT, WHERE, *_ = [*sys.argv[1:], "", ""]


def reach(point: str) -> None:
    if point == WHERE:
        os.kill(os.getpid(), signal.SIGKILL)


def connect_receivers() -> list[str]:
    """`first` and `shares` share a transaction, `alone` comes after it."""
    from tests.events.happenings import Rang

    for name in RECEIVERS:
        Rang.signal.connect(
            _receiver(name), dispatch_uid=f"tests.{name}", lease=LEASE, alone=name == "alone", max_attempts=3
        )
    return [f"tests.{name}" for name in RECEIVERS]


RECEIVERS = ("first", "shares", "alone")


def _receiver(name: str) -> Any:
    from django.db import transaction

    from tests.events.happenings import note

    def receiver(sender: object, event: Any, **kwargs: object) -> None:
        reach(f"{name} {event.number} starts")
        note(f"tests.{name}", event.number)
        reach(f"{name} {event.number} has written")
        transaction.on_commit(lambda: reach(f"{name} {event.number} is committed"))
        if WHERE == "wait":
            print(event.number, flush=True)
            sys.stdin.readline()

    return receiver


def shop() -> None:
    """A request: a change, its event, the commit, the receivers."""
    from django.db import transaction

    from tests.events.happenings import Rang, change_and_emit

    with transaction.atomic():
        transaction.on_commit(lambda: reach("committed"))
        change_and_emit(Rang(number=1))
        reach("before the commit")


def relay() -> None:
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", "relay", *([] if WHERE == "wait" else ["--once"])])


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bookshelf_site.settings")
    django.setup()
    connect_receivers()
    {"shop": shop, "relay": relay}[ACT]()
