"""One book that everybody wants, beside as many books as there are tills: what it costs to stand in one line.

Every till, a process of its own, places, confirms and ships orders of one copy with all their effects; in the one run
all of them sell the same book, in the other each a book of its own.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from uuid import UUID

from benchmarks.clock import rate
from benchmarks.flow import books

TILLS = 8
ORDERS = 25


def of_one_book() -> float:
    return sell([books()[0].pk] * TILLS)


def of_a_book_each() -> float:
    return sell([book.pk for book in books()[:TILLS]])


def sell(wanted: Sequence[UUID]) -> float:
    """Orders a second, of all tills together."""

    def sell_all() -> None:
        for till, book_id in zip(tills(), wanted, strict=True):
            assert till.stdin is not None
            till.stdin.write(f"{book_id}\n")
            till.stdin.flush()
        for till in tills():
            hear(till, "sold")

    tills()
    return rate(ORDERS * TILLS, sell_all)


@cache
def tills() -> list[subprocess.Popen[str]]:
    """Open until the end, so that none is measured while it starts."""
    command = [sys.executable, "-m", "benchmarks.till_process", str(ORDERS)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(TILLS)
    ]
    for till in started:
        atexit.register(till.kill)
        hear(till, "open")
    return started


def hear(till: subprocess.Popen[str], word: str) -> None:
    assert till.stdout is not None
    said = till.stdout.readline()
    assert said == f"{word}\n", said
