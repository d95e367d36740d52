"""A catalogue of any size, written at once: titles and authors of words that are as common as words are."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from stdnum import ean

from catalog.words import words_of

SYLLABLES: Final = [
    "ba",
    "re",
    "mo",
    "li",
    "ta",
    "son",
    "wen",
    "dar",
    "il",
    "ek",
    "or",
    "an",
    "gre",
    "sta",
    "ful",
    "ber",
]
KNOWN: Final = ["the", "of", "and", "a", "in", "love", "history", "garden", "winter", "stories"]
COLUMNS: Final = (
    "id, title, author, isbn, description, publisher, published_on, product_form, availability, words, price_amount, "
    "status, version, created_at, updated_at"
)
BEGAN: Final = datetime(2024, 1, 1, tzinfo=UTC)


def fill(books: int, *, in_stock: int) -> None:
    """So many books, and copies of some of them; nothing else of what a catalogue has."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY catalog_book ({COLUMNS}) FROM STDIN") as copy:
                for row in rows(books):
                    copy.write_row(row)
        else:
            places = ", ".join(["%s"] * len(COLUMNS.split(",")))
            written = ((row[0].hex, *row[1:-2], *(str(moment)[:19] for moment in row[-2:])) for row in rows(books))
            cursor.executemany(f"INSERT INTO catalog_book ({COLUMNS}) VALUES ({places})", written)  # type: ignore[arg-type]  # any iterable does
        every = max(books // in_stock, 1)
        cursor.execute(
            "INSERT INTO inventory_stockitem (book_id, on_hand, allocated, was_on_hand, is_watched, updated_at) "
            "SELECT id, 1000000000, 0, TRUE, TRUE, updated_at FROM ("
            "SELECT id, updated_at, ROW_NUMBER() OVER (ORDER BY id) AS place FROM catalog_book) numbered "
            f"WHERE place % {every} = 1 OR {every} = 1"
        )
    with connection.cursor() as cursor:
        for table in ("catalog_book", "inventory_stockitem"):
            cursor.execute(f"VACUUM ANALYZE {table}" if connection.vendor == "postgresql" else f"ANALYZE {table}")


def rows(books: int) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(1813)
    vocabulary = KNOWN + [word(chance) for _ in range(40_000)]
    weights = list(accumulate(1 / (place + 3) for place in range(len(vocabulary))))
    for number in range(books):
        title = " ".join(chance.choices(vocabulary, cum_weights=weights, k=chance.randint(1, 6))).title()
        author = " ".join(chance.choices(vocabulary[200:], k=2)).title()
        stem = f"978{number:09}"
        isbn = stem + ean.calc_check_digit(stem)
        at = BEGAN + timedelta(seconds=number)
        yield (
            UUID(int=(0x018C_0000_0000 + number) << 80 | 0x7 << 76 | 2 << 62 | chance.getrandbits(62)),
            title,
            author,
            isbn,
            "What it is about, in a few words. " * 4,
            "Publisher",
            None,
            "BC",
            "20",
            words_of(title, author, isbn),
            "12.99",
            "active",
            1,
            at,
            at,
        )


def word(chance: random.Random) -> str:
    return "".join(chance.choices(SYLLABLES, k=chance.choice((2, 2, 3, 3, 4))))


if __name__ == "__main__":
    import django

    django.setup()
    fill(int(sys.argv[1]), in_stock=500)
