"""Each list of the admin in a shop of 1,000,000 books and orders, against the same list in a shop of 1,000.

    .venv/bin/python benchmarks/lists.py [--rows 1000000] [--database postgresql|sqlite] [--pages stock]

Measured is the whole answer, made in the process, as the median of several; in two processes that take turns. Target:
1.5 times the short list's time, at most.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from benchmarks.onix import SETTINGS, VERDICT, two_databases  # noqa: E402  # found through the path above

FEW = 1_000
ROUNDS = 7
TARGET = 1.5
PAGES = {
    "/admin/": "the start page",
    "/admin/catalog/book/": "books",
    "/admin/catalog/book/?status__exact=active": "books, active",
    "/admin/catalog/book/?stock=in": "books, in stock",
    "/admin/catalog/book/?q=love": "books, a common word",
    "/admin/catalog/book/?q=9780000005005": "books, an ISBN",
    "/admin/catalog/book/?o=2": "books by author",
    "/admin/catalog/book/?p=15": "books, a later page",
    "/admin/orders/order/": "orders",
    "/admin/orders/order/?status__exact=PENDING": "orders, pending",
    "/admin/orders/order/?copies=waiting": "orders that wait",
    "/admin/orders/order/?fulfilment__exact=ship": "orders to be sent",
    "/admin/orders/order/?q=customer500@example.com": "orders of an e-mail",
    "/admin/orders/order/?q=Family": "orders of a name",
    "/admin/orders/order/?p=15": "orders, a later page",
    "/admin/inventory/stockitem/": "stock",
    "/admin/inventory/stockitem/?level=low": "stock that is low",
    "/admin/inventory/stockitem/?q=love": "stock, a common word",
    "/admin/inventory/stockitem/?p=15": "stock, a later page",
    "/admin/inventory/stockmovement/": "movements",
    "/admin/inventory/stockmovement/?kind__exact=received": "movements, received",
    "/admin/inventory/notification/": "notifications",
    "/admin/inventory/notification/?status__exact=sent": "notifications, sent",
    "/admin/events/event/": "events",
    "/admin/events/event/?name=orders.order_placed": "events of a name",
    "/admin/events/delivery/": "deliveries",
    "/admin/events/delivery/?status__exact=done": "deliveries, done",
    "/admin/autocomplete/?app_label=orders&model_name=orderline&field_name=book&term=love": "choosing a book",
}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--database", choices=["postgresql", "sqlite"], action="append")
    arguments.add_argument("--pages", default="", help="those only whose name has these words in it")
    given = arguments.parse_args()
    pages = {path: what for path, what in PAGES.items() if given.pages in what}
    with tempfile.TemporaryDirectory(prefix="bookshelf-lists-") as folder:
        for database in given.database or ["postgresql", "sqlite"]:
            with two_databases(database, Path(folder) / database) as (short, long):
                measure(database, pages, Shop(short, FEW), Shop(long, given.rows))


class Shop:
    """A process that fills its database and then answers how long a page took."""

    def __init__(self, url: str, rows: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--serve", str(rows)],
            env=os.environ | SETTINGS | {"DATABASE_URL": url, "DEBUG": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ask("")

    def ask(self, path: str) -> float:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            # it has said on stderr what is wrong
            raise SystemExit(f"the shop gave up at {path or 'its opening'}")
        return float(answer)

    def close(self) -> None:
        self.process.communicate()


def measure(database: str, pages: dict[str, str], short: Shop, long: Shop) -> None:
    try:
        for path, what in pages.items():
            rounds = [(short.ask(path), long.ask(path)) for _ in range(ROUNDS + 1)][1:]
            few, many = (median(round_[place] for round_ in rounds) for place in (0, 1))
            ratio = many / few
            times = f"{many * 1000:,.0f} ms, {ratio:.2f} x {few * 1000:,.0f} ms"
            print(f"{database}, {what}: {times}; target {TARGET} {VERDICT[ratio <= TARGET]}", flush=True)
    finally:
        short.close()
        long.close()


def serve(rows: int) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    from benchmarks import shelves

    call_command("migrate", verbosity=0)
    shelves.fill(rows)
    logging.disable()
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client()
    client.force_login(User.objects.create_superuser("benchmark"))
    for path in paths():
        seconds = timed(client, path) if path else 0.0
        sys.__stdout__.write(f"{seconds}\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]


def paths() -> Iterator[str]:
    yield from (line.rstrip("\n") for line in sys.stdin)


def timed(client: Any, path: str) -> float:
    started = perf_counter()
    response = client.get(path)
    seconds = perf_counter() - started
    assert response.status_code == 200, (path, response.status_code)
    return seconds


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        sys.stdout = sys.stderr
        serve(int(sys.argv[2]))
    else:
        main()
