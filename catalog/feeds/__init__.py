"""Feeds: lists of books from suppliers and other systems, read as a stream of records whatever their format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal

from catalog.feeds.archives import unpacked, unpacked_pieces
from catalog.feeds.csv_reader import read_csv, require_whole_table
from catalog.feeds.lines import borrow
from catalog.feeds.onix_parser import require_whole_message
from catalog.feeds.onix_reader import read_onix
from catalog.feeds.records import BookRecord, Rejected, UnreadableFeed

__all__ = [
    "BookRecord",
    "FeedFormat",
    "Rejected",
    "UnreadableFeed",
    "detect_format",
    "read_feed",
    "require_whole",
    "unpacked",
    "unpacked_pieces",
]

FeedFormat = Literal["csv", "onix"]
MARKUP: Final = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\s\0]*<")


def detect_format(first_bytes: bytes) -> FeedFormat:
    """What a feed is, by its beginning: markup is ONIX, anything else a table."""
    return "onix" if MARKUP.match(first_bytes) else "csv"


def read_feed(
    source: str | Path | BinaryIO, feed_format: FeedFormat | None = None, *, currency: str
) -> Iterator[BookRecord | Rejected]:
    """The records of a feed, one by one while it is read; `currency` is the shop's.

    A file that is handed in open stays open; one that is named may be packed. Raises UnreadableFeed, when the first
    record is asked for, if it is no feed, and later if it breaks off; what was read until then is good.
    """
    if not isinstance(source, str | Path):
        yield from _read(source, feed_format, currency)
        return
    try:
        with Path(source).open("rb") as file:
            yield from _read(unpacked(file), feed_format, currency)
    except OSError as error:
        raise UnreadableFeed(f"{source} can't be read: {error.strerror}.") from error


def require_whole(file: BinaryIO, feed_format: FeedFormat | None = None) -> None:
    """Read a feed to its end without taking anything from it. Raises UnreadableFeed if it breaks off.

    Whoever wants all of a feed or nothing asks this first; it is quicker than reading the records.
    """
    beginning = borrow(file)
    if (feed_format or detect_format(beginning.peek())) == "onix":
        require_whole_message(beginning)
    else:
        require_whole_table(beginning)


def _read(file: BinaryIO, feed_format: FeedFormat | None, currency: str) -> Iterator[BookRecord | Rejected]:
    beginning = borrow(file)
    if (feed_format or detect_format(beginning.peek())) == "onix":
        return read_onix(beginning, currency=currency)
    return read_csv(beginning, currency=currency)
