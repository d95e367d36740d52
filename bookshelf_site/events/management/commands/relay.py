from __future__ import annotations

import signal
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from bookshelf_site.events.engines import engine
from bookshelf_site.events.relay import BATCH, PATIENCE_SECONDS, Relay
from bookshelf_site.events.report import report


class Command(BaseCommand):
    help = (
        "Deliver what is owed, until told to stop (SIGTERM, Ctrl-C): then finish what is in hand, give the rest back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help=f"end when nothing is pending; waits for retries, but at most {PATIENCE_SECONDS:g} s."
            " Exit 1 if something is pending or dead then",
        )
        parser.add_argument("--batch", type=positive, default=BATCH, metavar="N", help=f"claimed at once ({BATCH})")

    def handle(self, *, once: bool, batch: int, **options: Any) -> None:
        # once means until all is done, so it runs them itself, whatever the engine
        relay = Relay(batch=batch) if once else engine().relay(batch)
        with stopped_by_signals(relay):
            if not once:
                relay.run()
                return
            relay.run_once()
        if not relay.stopping:
            self._refuse_leftovers()

    def _refuse_leftovers(self) -> None:
        left = report()
        pending, dead = sum(left.owed.values()), sum(left.dead.values())
        if pending or dead:
            raise CommandError(f"{pending} deliveries are pending, {dead} are dead.", returncode=1)


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


@contextmanager
def stopped_by_signals(relay: Relay) -> Iterator[None]:
    def stop(*args: object) -> None:
        relay.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
