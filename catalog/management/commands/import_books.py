from __future__ import annotations

import json
import os
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import acting
from bookshelf_site.money import InvalidMoney, Money
from catalog.feeds import BookRecord, FeedFormat, Rejected, UnreadableFeed, read_feed, require_whole, unpacked
from catalog.feeds.importing import ImportReport, Terms, import_records, nothing, preview_records
from catalog.models import MAX_OPENING_STOCK, checked_price

SHOWN_REJECTIONS = 20


class Command(BaseCommand):
    help = (
        "Take a feed of books (CSV, ONIX for Books, packed by gzip or ZIP too) over into the catalogue. "
        "Run again, it changes nothing. "
        "Of a file that turns out to be broken nothing is taken over, unless --partial is given."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=feed_file, help="the feed; - for standard input")
        parser.add_argument(
            "--format", choices=["csv", "onix"], dest="feed_format", help="told by its content if not given"
        )
        parser.add_argument(
            "--partial", action="store_true", help="of a broken file, take over what stands before the place"
        )
        parser.add_argument("--dry-run", action="store_true", help="report what would be done, write nothing")
        parser.add_argument("--opening-stock", type=copies, default=0, metavar="N", help="copies of each new book (0)")
        parser.add_argument("--price", type=price, metavar="AMOUNT", help="for records that have none, such as 12.99")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the report for a program")

    def handle(
        self,
        *,
        file: Path,
        feed_format: Any,
        partial: bool,
        dry_run: bool,
        opening_stock: int,
        price: Money | None,
        as_json: bool,
        **options: Any,
    ) -> None:
        report, broken = ImportReport(), None
        terms = Terms(opening_stock=opening_stock, price=price)
        try:
            with file.open("rb") as opened, _rewindable(opened) as packed, acting(actor="command:import_books"):
                feed = unpacked(packed)
                records = self._with_progress(packed, read_feed(feed, feed_format, currency=settings.SHOP_CURRENCY))
                # once, and only when something is to be written: a feed that changes nothing is read but once
                require = nothing if partial else cache(lambda: _require_whole(feed, feed_format))
                if dry_run:
                    require()
                    chunks = preview_records(records, terms=terms, report=report)
                else:
                    chunks = import_records(records, terms=terms, report=report, before_writing=require)
                for _ in chunks:
                    pass
        except OSError as error:
            raise CommandError(f"{file} can't be read: {error.strerror}.", returncode=2) from error
        except UnreadableFeed as error:
            broken = error
            if not partial and not (report.added or report.updated):
                report = ImportReport()
        self._print(report, broken, dry_run=dry_run, as_json=as_json)
        if broken:
            raise CommandError(str(broken), returncode=1)

    def _with_progress(
        self, file: BinaryIO, records: Iterator[BookRecord | Rejected]
    ) -> Iterator[BookRecord | Rejected]:
        """The records, with a bar of how much of the file is read; on a terminal only."""
        with tqdm(total=_size(file), unit="B", unit_scale=True, disable=None, leave=False) as bar:
            for record in records:
                yield record
                if not bar.disable:
                    bar.update(file.tell() - bar.n)

    def _print(self, report: ImportReport, broken: Exception | None, *, dry_run: bool, as_json: bool) -> None:
        if as_json:
            error = {"error": str(broken)} if broken else {}
            self.stdout.write(json.dumps(report.as_json() | error))
            return
        for entry in report.rejected[:SHOWN_REJECTIONS]:
            place = f"line {entry.line}, " if entry.line else ""
            self.stderr.write(f"{place}record {entry.record}: {entry.reason}")
        if (more := len(report.rejected) - SHOWN_REJECTIONS) > 0:
            self.stderr.write(f"… and {more:,} more; --json lists all of them")
        self.stdout.write(
            f"{report.read:,} read, {report.added:,} added, {report.updated:,} updated, "
            f"{report.unchanged:,} unchanged, {len(report.rejected):,} rejected"
            + (" (a dry run: nothing was written)" if dry_run else "")
        )


def feed_file(text: str) -> Path:
    return Path("/dev/stdin" if text == "-" else text)


def copies(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > MAX_OPENING_STOCK:
        raise ArgumentTypeError(f"{text!r} is no number of copies, from 0 to {MAX_OPENING_STOCK:,}")
    return int(text)


def price(text: str) -> Money:
    try:
        amount = Money.parse(text, settings.SHOP_CURRENCY)
        checked_price(amount)
    except (InvalidMoney, InvalidValue) as error:
        raise ArgumentTypeError(str(error)) from error
    return amount


@contextmanager
def _rewindable(opened: BinaryIO) -> Iterator[BinaryIO]:
    """The same file, or a copy of what comes through a pipe, so that it can be read twice."""
    if opened.seekable():
        yield opened
        return
    with TemporaryFile() as copy:
        copyfileobj(opened, copy)
        copy.seek(0)
        yield copy


def _require_whole(feed: BinaryIO, feed_format: FeedFormat | None) -> None:
    """Read the feed to its end; whoever is in the middle of it goes on from there. Raises UnreadableFeed."""
    place = feed.tell()
    feed.seek(0)
    require_whole(feed, feed_format)
    feed.seek(place)


def _size(file: BinaryIO) -> int | None:
    return os.fstat(file.fileno()).st_size or None
