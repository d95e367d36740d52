"""A relay in a process of its own: `python -m tests.events.worker WHERE [options of manage.py relay]`.

At the point that WHERE names, a receiver and a number, it says so and waits once, until it is told to go on.
`python -m tests.events.worker ring N` makes a new database's ledger and rings so many times.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django

LEASE = timedelta(seconds=float(os.environ.get("LEASE_SECONDS", "0.3")))
waiting_at = sys.argv[1:2]


def reach(point: str) -> None:
    if waiting_at == [point]:
        waiting_at.clear()
        print(point, flush=True)
        sys.stdin.readline()


def noting(name: str) -> Callable[..., None]:
    from tests.events.happenings import note

    def receiver(sender: object, event: Any, **kwargs: object) -> None:
        note(f"tests.{name}", event.number)
        reach(f"{name} {event.number}")

    return receiver


def send(sender: object, event: Any, **kwargs: object) -> int:
    reach(f"external {event.number}")
    return int(event.number)


def record(outcome: int, **kwargs: object) -> None:
    from tests.events.happenings import note

    note("tests.external", outcome)


def connect_receivers() -> None:
    from tests.events.happenings import Rang

    Rang.signal.connect(noting("first"), dispatch_uid="tests.first", lease=LEASE)
    Rang.signal.connect(noting("alone"), dispatch_uid="tests.alone", lease=LEASE, alone=True)
    Rang.signal.connect(send, dispatch_uid="tests.external", lease=LEASE, external=True, record=record)


def relay(*options: str) -> None:
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", "relay", *options])


def ring(times: str) -> None:
    from tests.events import happenings

    happenings.make_ledger()
    happenings.ring(*range(int(times)))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bookshelf_site.settings")
    django.setup()
    connect_receivers()
    if sys.argv[1] == "ring":
        ring(sys.argv[2])
    else:
        relay(*sys.argv[2:])
