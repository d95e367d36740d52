"""The soak: the shop at work while its processes are killed, frozen and cut off; then the ledger is checked.

    make soak                                         ten minutes on PostgreSQL
    make soak MINUTES=2 DATABASE=sqlite SEED=7

The seed decides who does what and who is hit; when, the machine decides too. Exits with 1 and says what differs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from benchmarks.run import postgresql, scratch_database

if TYPE_CHECKING:
    from tests.soak.processes import Part

LEASE_SECONDS: Final = 2
CONNECTION_OPTIONS: Final = f"-c idle_in_transaction_session_timeout={LEASE_SECONDS * 500} -c lock_timeout=10000"
PRODUCERS, RELAYS = 3, 2
BOOKS, COPIES = 12, 200
SECONDS_BETWEEN_FAULTS: Final = (0.3, 1.3)
SECONDS_TO_END: Final = 60
SECONDS_WITHOUT_PROGRESS: Final = 60
SECONDS_BETWEEN_LINES: Final = 10


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    wanted = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if wanted.seed is None else wanted.seed
    print(f"{wanted.minutes:g} minutes on {wanted.database}, SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="bookshelf-soak-") as folder, database(wanted.database, folder) as url:
        os.environ.update(DATABASE_URL=url, SECRET_KEY="for the soak only", LOG_FORMAT="json", EVENTS_ENGINE="relay")
        os.environ["DJANGO_SETTINGS_MODULE"] = "bookshelf_site.settings"
        open_shop()
        soak = Soak(seed, Path(folder))
        try:
            soak.run(wanted.minutes * 60)
            soak.settle()
        finally:
            soak.end()
        return soak.verdict()


@contextmanager
def database(kind: str, folder: str) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/shop.sqlite3"
        return
    with postgresql() as server, scratch_database(server) as url:
        yield f"{url}?options={quote(CONNECTION_OPTIONS)}"


def open_shop() -> None:
    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    call_command("migrate", verbosity=0)
    from bookshelf_site.events.relay import Relay
    from tests.given import books
    from tests.soak import shop

    shop.make_tables()
    books(BOOKS, copies=COPIES)
    Relay().drain()
    shop.connect_receivers()
    connections.close_all()


class Soak:
    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.journal, self.followed = folder / "journal", folder / "followed"
        self.journal.touch()
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["tests.soak.processes"])
        self.generation = 0
        self.faults: Counter[str] = Counter()
        self.problems: list[str] = []
        self.producers: list[ForkServerProcess] = []
        self.relays: list[ForkServerProcess] = []
        self.frozen: dict[ForkServerProcess, float] = {}
        self.expected_to_end: set[ForkServerProcess] = set()

    def run(self, seconds: float) -> None:
        from tests.soak import processes

        self.follower = self._start(processes.follow, self.followed)
        self.end_at = time.monotonic() + seconds
        next_line = next_fault = 0.0
        while (now := time.monotonic()) < self.end_at:
            self._fill()
            self._thaw(now)
            if now >= next_fault:
                if next_fault:
                    self._hit(now)
                next_fault = now + self.rng.uniform(*SECONDS_BETWEEN_FAULTS)
            if now >= next_line:
                self._print_progress(self.end_at - now)
                next_line = now + SECONDS_BETWEEN_LINES
            time.sleep(0.05)

    def _fill(self) -> None:
        """Start again whatever has ended."""
        from tests.soak import processes

        for kind, work, number in (
            (self.producers, processes.produce, PRODUCERS),
            (self.relays, processes.relay, RELAYS),
        ):
            for process in [process for process in kind if not process.is_alive()]:
                kind.remove(process)
                self.frozen.pop(process, None)
                if process not in self.expected_to_end:
                    self.problems.append(f"a process ended by itself with {process.exitcode}")
                self.expected_to_end.discard(process)
            while len(kind) < number:
                kind.append(self._start(work, self.journal))

    def _start(self, work: Callable[[Part], None], journal: Path) -> ForkServerProcess:
        from tests.soak.processes import Part

        self.generation += 1
        part = Part(generation=self.generation, seed=self.seed, journal=journal)
        process = self.context.Process(target=work, args=[part], daemon=True)
        process.start()
        return process

    def _hit(self, now: float) -> None:
        faults = {
            self._kill_producer: 6,
            self._kill_relay: 6,
            self._freeze: 4,
            self._stop_relay: 2,
            self._cut_connection: 3,
        }
        (fault,) = self.rng.choices(list(faults), list(faults.values()))
        if done := fault(now):
            self.faults[done] += 1

    def _kill_producer(self, now: float) -> str:
        self._signal(self.rng.choice(self.producers), signal.SIGKILL)
        return "producers killed (SIGKILL)"

    def _kill_relay(self, now: float) -> str:
        self._signal(self.rng.choice(self.relays), signal.SIGKILL)
        return "relays killed (SIGKILL)"

    def _stop_relay(self, now: float) -> str:
        self._signal(self.rng.choice(self.relays), signal.SIGTERM)
        return "relays told to stop (SIGTERM)"

    def _freeze(self, now: float) -> str:
        """For longer than a lease."""
        process = self.rng.choice([*self.producers, *self.relays])
        self.frozen[process] = now + LEASE_SECONDS * self.rng.uniform(1.2, 2.5)
        os.kill(self._pid(process), signal.SIGSTOP)
        return "producers frozen past the lease" if process in self.producers else "relays frozen past the lease"

    def _cut_connection(self, now: float) -> str:
        from django.db import connection

        if connection.vendor != "postgresql":
            return ""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY pid"
            )
            pids = [pid for (pid,) in cursor.fetchall()]
            if not pids:
                return ""
            cursor.execute("SELECT pg_terminate_backend(%s)", [self.rng.choice(pids)])
        return "database sessions terminated"

    def _signal(self, process: ForkServerProcess, number: int) -> None:
        self.expected_to_end.add(process)
        os.kill(self._pid(process), number)

    def _pid(self, process: ForkServerProcess) -> int:
        assert process.pid is not None
        return process.pid

    def _thaw(self, now: float) -> None:
        for process in [process for process, until in self.frozen.items() if until <= now]:
            del self.frozen[process]
            if process.is_alive():
                os.kill(self._pid(process), signal.SIGCONT)

    def settle(self) -> None:
        """No more faults but the receivers' own; what is dead is retried until all is done."""
        self._thaw(float("inf"))
        self._stop(self.producers)
        self._wait_until_all_is_done()
        self._stop([*self.relays, self.follower])

    def _stop(self, processes: list[ForkServerProcess]) -> None:
        for process in processes:
            if process.is_alive():  # the last fault may have been its end
                self._signal(process, signal.SIGTERM)
        for process in processes:
            process.join(SECONDS_TO_END)

    def _wait_until_all_is_done(self) -> None:
        from bookshelf_site.events.models import Delivery
        from bookshelf_site.events.services import retry_delivery

        fewest, give_up = float("inf"), 0.0
        while left := Delivery.objects.exclude(status="done").count():
            if left < fewest:
                fewest, give_up = left, time.monotonic() + SECONDS_WITHOUT_PROGRESS
            elif time.monotonic() > give_up:
                return
            for pk in Delivery.objects.dead().values_list("pk", flat=True):
                retry_delivery(delivery_id=pk)
                self.faults["dead letters retried by hand"] += 1
            time.sleep(0.5)

    def end(self) -> None:
        for process in [*self.producers, *self.relays, self.follower]:
            if process.is_alive():
                process.kill()

    def _print_progress(self, left: float) -> None:
        from bookshelf_site.events.models import Delivery, Event

        owed = Delivery.objects.pending().count()
        print(
            f"{left:4.0f} s left, {Event.objects.count():,} events, {owed:,} deliveries owed,"
            f" {self.faults.total():,} faults",
            flush=True,
        )

    def verdict(self) -> int:
        from tests.soak import ledger

        print(self._table(), flush=True)
        problems = [*self.problems, *ledger.differences(journal=self.journal, followed=self.followed)]
        for problem in problems:
            print(f"WRONG: {problem}")
        print("Something was lost, or came twice." if problems else "Nothing was lost, and nothing came twice.")
        return 1 if problems else 0

    def _table(self) -> str:
        from django.db import connection
        from django.db.models import Count, F, Max, Q, Sum

        from bookshelf_site.events.models import Delivery, Event
        from orders.models import Order

        attempts = Delivery.objects.aggregate(
            started=Sum("attempts"),
            again=Sum(F("attempts") - 1),
            most=Max("attempts"),
            of=Count("pk", Q(attempts__gt=1)),
        )
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM soak_effect")
            (effects,) = cursor.fetchone()
        counted = {
            **self.faults,
            "processes started": self.generation,
            "orders": Order.objects.count(),
            "events": Event.objects.count(),
            "deliveries": Delivery.objects.count(),
            "effects counted": effects,
            "attempts": attempts["started"],
            "retries": attempts["again"],
            "deliveries that needed more than one attempt": attempts["of"],
            "most attempts of one delivery": attempts["most"],
        }
        return "\n".join(f"| {what} | {count:,} |" for what, count in counted.items())


if __name__ == "__main__":
    sys.exit(main())
