"""A feed of 100,000 products: how long the catalogue takes for it, against Django's bulk_create of the same rows.

    .venv/bin/python benchmarks/onix.py [--products 100000] [--database postgresql|sqlite] [--short] [--rounds 1]

The import is counted until everything is settled: books, their events, the deliveries of these, the stock that opens
and its ledger. Its floor are its very rows, five tables, made by `bulk_create` in a second, empty database with the
same indexes and triggers: of 500 books at a time all five in one transaction. What makes the instances is not counted.
Target: 4 times the floor.

Run again, it changes nothing. The floor of that reads the same file and compares each record with what it last said,
in memory. Target: 1.5 times the floor.

The most memory that the importing process ever had is VmHWM of the process. Target: 150 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

CHUNK = 500
MOST_MEGABYTES = 150
VERDICT = {True: "reached", False: "MISSED"}
SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "bookshelf_site.settings",
    "SECRET_KEY": "for benchmarks only",
    "EVENTS_ENGINE": "inline",
    "LOG_FORMAT": "json",
}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--products", type=int, default=100_000)
    arguments.add_argument("--database", choices=["postgresql", "sqlite"], action="append")
    arguments.add_argument("--short", action="store_true", help="short tags instead of reference names")
    arguments.add_argument("--rounds", type=int, default=1)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="bookshelf-onix-") as folder:
        feed = Path(folder) / "feed.xml"
        in_child("feed", feed, given.products, given.short, DATABASE_URL="sqlite://:memory:")
        print(f"{given.products:,} products, {feed.stat().st_size / 2**20:,.0f} MB", flush=True)
        for database in given.database or ["postgresql", "sqlite"]:
            measure(database, feed, Path(folder), given.rounds)


def measure(database: str, feed: Path, folder: Path, rounds: int) -> None:
    taken = []
    for number in range(rounds):
        with two_databases(database, folder / f"{database}-{number}") as (shop, floor):
            first = in_child("import", feed, DATABASE_URL=shop)
            rows = in_child("rows", DATABASE_URL=shop, FLOOR_URL=floor)
            again = in_child("import", feed, DATABASE_URL=shop)
            parsed = in_child("parse", feed, DATABASE_URL=shop)
        taken.append((first, rows, again, parsed))
    say(database, "import", taken, ours=0, floor=1, target=4, floor_is="bulk_create of the same rows")
    say(database, "again, unchanged", taken, ours=2, floor=3, target=1.5, floor_is="reading and comparing alone")
    most = max(round_[0]["megabytes"] for round_ in taken)
    print(f"{database}, memory: {most:,.0f} MB; target {MOST_MEGABYTES} {VERDICT[most <= MOST_MEGABYTES]}", flush=True)


def say(database: str, what: str, taken: list[Any], *, ours: int, floor: int, target: float, floor_is: str) -> None:
    ratio = median(round_[ours]["seconds"] / round_[floor]["seconds"] for round_ in taken)
    seconds, least = (median(round_[place]["seconds"] for round_ in taken) for place in (ours, floor))
    print(
        f"{database}, {what}: {seconds:,.1f} s, {ratio:.2f} x {floor_is} ({least:,.1f} s); "
        f"target {target} {VERDICT[ratio <= target]}",
        flush=True,
    )


@contextmanager
def two_databases(database: str, folder: Path) -> Iterator[tuple[str, str]]:
    from benchmarks.run import postgresql, scratch_database

    folder.mkdir()
    if database == "sqlite":
        yield f"sqlite:///{folder}/shop.sqlite3", f"sqlite:///{folder}/floor.sqlite3"
        return
    with ExitStack() as stack:
        server = stack.enter_context(postgresql())
        yield stack.enter_context(scratch_database(server)), stack.enter_context(scratch_database(server))


def in_child(step: str, *arguments: object, **environment: str) -> Any:
    """A process of its own: its memory is its own, and what it does first warms nothing up for the next."""
    ran = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--step", step, *map(str, arguments)],
        env=os.environ | SETTINGS | environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(ran.stdout.splitlines()[-1])


# What runs in the child


def run_step(step: str, arguments: list[str]) -> None:
    from bookshelf_site import environment, settings

    if "FLOOR_URL" in os.environ:
        settings.DATABASES["floor"] = environment.database("FLOOR_URL", "")
    import django

    django.setup()
    seconds = STEPS[step](*arguments)
    print(json.dumps({"seconds": seconds, "megabytes": most_memory()}))


def write_feed(feed: str, products: str, short: str) -> float:
    from benchmarks.feed import write_feed

    write_feed(Path(feed), products=int(products), short=short == "True")
    return 0


def import_feed(feed: str) -> float:
    from django.core.management import call_command

    from bookshelf_site.events.models import Delivery

    call_command("migrate", verbosity=0)
    started = perf_counter()
    call_command("import_books", feed, opening_stock=3)
    seconds = perf_counter() - started
    assert not Delivery.objects.pending().filter(receiver="inventory.stock_copies").exists()
    return seconds


def write_rows() -> float:
    """The rows of the shop's database into the other one."""
    from django.core.management import call_command
    from django.db import models, transaction

    from bookshelf_site.events.models import Delivery, Event
    from catalog.models import Book
    from inventory.models import StockItem, StockMovement

    call_command("migrate", database="floor", verbosity=0)
    tables: list[Any] = [Book, Event, Delivery, StockItem, StockMovement]
    readers = [model.objects.order_by("pk").values().iterator(CHUNK) for model in tables]
    seconds = 0.0
    while any(chunks := [list(islice(reader, CHUNK)) for reader in readers]):
        made = [[model(**row) for row in chunk] for model, chunk in zip(tables, chunks, strict=True)]
        started = perf_counter()
        with transaction.atomic(using="floor"):
            for model, rows in zip(tables, made, strict=True):
                models.QuerySet(model, using="floor").bulk_create(rows)
        seconds += perf_counter() - started
    return seconds


def read_and_compare(feed: str) -> float:
    from catalog.feeds import BookRecord, read_feed
    from catalog.feeds.importing import _fingerprint

    records: Any = read_feed(feed, currency="USD")
    said = {record.isbn: _fingerprint(record) for record in records}
    started = perf_counter()
    for record in read_feed(feed, currency="USD"):
        assert isinstance(record, BookRecord)
        assert said[record.isbn] == _fingerprint(record)
    return perf_counter() - started


STEPS: dict[str, Any] = {"feed": write_feed, "import": import_feed, "rows": write_rows, "parse": read_and_compare}


def most_memory() -> float:
    """In megabytes; Linux alone says it of this process without what it was forked from."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        run_step(sys.argv[2], sys.argv[3:])
    else:
        main()
