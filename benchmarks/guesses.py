"""What somebody who guesses orders could learn from the time that an answer takes: nothing, is the promise.

    .venv/bin/python benchmarks/guesses.py [--requests 2000] [--database postgresql|sqlite]

"Send me my link" is asked for orders that there are and for others, and pages are asked for by tokens that are unknown,
replaced or malformed; all of them mixed at random, over a connection to a production server. Each two kinds are
compared by the test of Mann and Whitney: how often the one takes longer than the other (50 %: they are the same), and
how probable so large a difference is between two that are the same.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from itertools import combinations
from math import erfc, sqrt
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Final, TypeVar
from urllib.parse import urlencode

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from benchmarks.onix import SETTINGS, two_databases  # noqa: E402  # found through the path above

WARM: Final = 100
Times = Mapping[str, list[float]]
Wanted = TypeVar("Wanted")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--requests", type=int, default=2_000)
    arguments.add_argument("--database", choices=["postgresql", "sqlite"], action="append")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="bookshelf-guesses-") as folder:
        for database in given.database or ["postgresql", "sqlite"]:
            with two_databases(database, Path(folder) / database) as (url, _):
                told = {"DATABASE_URL": url, "DEBUG": "0", "TRUSTED_PROXIES": "127.0.0.1", "API_RATE_LIMIT": ""}
                command = [sys.executable, str(Path(__file__).resolve()), "--guess", str(given.requests), database]
                subprocess.run(command, env=os.environ | SETTINGS | told, check=True)


def guess(requests: int, database: str) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from benchmarks.page import site

    call_command("migrate", verbosity=0)
    known, replaced = orders(requests // 2 + WARM)
    port = site("bookshelf_site.settings")
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        report(f"{database}, send me my link", asked_for_links(connection, known))
        report(f"{database}, wrong tokens", asked_with_tokens(connection, replaced))


def orders(many: int) -> tuple[list[tuple[str, str]], list[str]]:
    """So many orders, by number and address; and the tokens that opened them until they were replaced."""
    from bookshelf_site.money import Money
    from catalog.models import BookDetails
    from catalog.services import add_to_catalog
    from orders import services
    from orders.models import Contact

    price = Money(Decimal("12.99"), "USD")
    book = add_to_catalog(BookDetails(title="Emma", author="Jane Austen"), price=price, opening_stock=many)
    known, replaced = [], []
    for place in range(many):
        contact = Contact(customer_name="Alice Johnson", customer_email=f"customer{place:06}@example.com")
        order = services.place_order(contact, [services.LineRequest(book_id=book.pk, quantity=1)])
        known.append((order.number, order.customer_email))
        replaced.append(order.token)
        services.rotate_link(order_id=order.pk)
    return known, replaced


def asked_for_links(connection: socket.socket, known: list[tuple[str, str]]) -> Times:
    from orders.numbers import new_number

    # as long as those that are known, and an address of its own for each, or the throttle would answer
    unknown = [(new_number(), f"nobody-{place:06}@example.com") for place in range(len(known))]
    cookie, token = csrf(connection)
    clients = iter(range(1, 2 * len(known) + 1))

    def ask(wanted: tuple[str, str]) -> float:
        number, email = wanted
        body = urlencode({"csrfmiddlewaretoken": token, "number": number, "email": email}).encode()
        client = next(clients)
        head = (
            f"POST /orders/find/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n"
            f"X-Forwarded-For: 10.{client >> 16}.{client >> 8 & 255}.{client & 255}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return timed(connection, head.encode() + body, 303)

    return mixed({"known": known, "unknown": unknown}, ask)


def asked_with_tokens(connection: socket.socket, replaced: list[str]) -> Times:
    from orders.models import Order

    length = len(replaced[0])
    kinds = {
        "unknown": [Order._meta.get_field("token").get_default() for _ in replaced],
        "replaced": replaced,
        "malformed": [secrets.token_hex(length)[: length - 1] + "!" for _ in replaced],
    }

    def ask(token: str) -> float:
        return timed(connection, f"GET /o/{token}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode(), 404)

    return mixed(kinds, ask)


def mixed(kinds: Mapping[str, Iterable[Wanted]], ask: Callable[[Wanted], float]) -> Times:
    """How long each took, in milliseconds, in a random order; the first warm the server up and don't count."""
    queue = [(kind, wanted) for kind, several in kinds.items() for wanted in several]
    random.shuffle(queue)
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for place, (kind, wanted) in enumerate(queue):
        taken = ask(wanted) * 1000
        if place >= WARM * len(kinds):
            times[kind].append(taken)
    return times


def csrf(connection: socket.socket) -> tuple[str, str]:
    from benchmarks.page import receive, request

    connection.sendall(request("/orders/find/"))
    answer = receive(connection).decode()
    cookie, token = re.search(r"Set-Cookie: ([^;]+)", answer, re.IGNORECASE), re.search(r'token" value="(\w+)"', answer)
    assert cookie
    assert token
    return cookie[1], token[1]


def timed(connection: socket.socket, asked: bytes, status: int) -> float:
    from benchmarks.page import receive

    started = perf_counter()
    connection.sendall(asked)
    answer = receive(connection)
    taken = perf_counter() - started
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    return taken


def report(what: str, times: Times) -> None:
    for kind, taken in times.items():
        low, *_, middle, _, _, _, high = quantiles(taken, n=10)
        told = f"median {middle:.3f} ms, eight of ten from {low:.3f} to {high:.3f}"
        print(f"{what}, {kind}: {len(taken):,} requests, {told}", flush=True)
    for one, other in combinations(times, 2):
        longer, chance = mann_whitney(times[one], times[other])
        print(f"{what}: {one} longer than {other} in {longer:.1%} of pairs; p = {chance:.2f}", flush=True)


def mann_whitney(ones: list[float], others: list[float]) -> tuple[float, float]:
    """How often one of the first is the longer of a pair, and the two-sided probability of so large a difference.

    By the normal distribution, which fits from some twenty on; times of a nanosecond's grain are hardly ever equal.
    """
    ranked = sorted([(taken, True) for taken in ones] + [(taken, False) for taken in others])
    ranks = sum(rank for rank, (_, is_one) in enumerate(ranked, 1) if is_one)
    pairs = len(ones) * len(others)
    longer = ranks - len(ones) * (len(ones) + 1) / 2
    deviation = sqrt(pairs * (len(ranked) + 1) / 12)
    return longer / pairs, erfc(abs(longer - pairs / 2) / deviation / sqrt(2))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--guess"]:
        guess(int(sys.argv[2]), sys.argv[3])
    else:
        main()
