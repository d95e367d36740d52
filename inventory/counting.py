"""An unfinished stocktake: each scan is kept at once, nothing of it touches the stock before it is applied."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final
from uuid import UUID

from django.db.models import Sum
from django.utils import timezone

from bookshelf_site.events import current_actor, unit_of_work, uuid7
from bookshelf_site.spreadsheets import SIGNATURE, NoWorkbook, restored, workbook_as_csv
from inventory.errors import (
    NotAnIsbn,
    NothingScanned,
    TooManyCounted,
    UnknownIsbn,
    UnreadableCounts,
    UnreadableLine,
)
from inventory.models import MAX_COPIES, Scan, StockItem, StockMovement, Stocktake
from inventory.stocktake import Count, count_shelf, read_line, sort_counts

NUMBER: Final = re.compile(r"[*x×]?\s*([0-9]{1,4})", re.IGNORECASE)
"""Fewer digits than an ISBN has: so many of the book that was scanned last."""

COUNTED: Final = ("counted", "count", "on_hand")


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What a scan came to: the book, and how many copies of it are counted by now."""

    book_id: UUID
    title: str
    isbn: str
    counted: int


@dataclass(frozen=True, kw_only=True)
class ListHeard:
    """What a list came to, and the lines that couldn't be read."""

    books: int
    copies: int
    wrong: Sequence[UnreadableLine]


def mine() -> Stocktake | None:
    """The unfinished count of who acts, with its figures."""
    return Stocktake.objects.unfinished().of(current_actor()).with_figures().first()


def of_others() -> Sequence[Stocktake]:
    """Who else is counting, the latest first."""
    return list(Stocktake.objects.unfinished().exclude(actor=current_actor()).with_figures().scanned()[:10])


def also_counted(book_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    """By which others these books are being counted too, and how many copies: two halves of a pile are no stock."""
    scans = Scan.objects.filter(stocktake__finished_at__isnull=True, book__in=book_ids)
    others = scans.exclude(stocktake__actor=current_actor()).order_by("stocktake__actor")
    found: defaultdict[UUID, list[str]] = defaultdict(list)
    for book_id, actor, copies in others.values_list("book", "stocktake__actor").annotate(n=Sum("copies")):
        found[book_id].append(f"{actor.removeprefix('user:')}: {copies}")
    return found


@unit_of_work
def scan(*, text: str, token: UUID) -> Heard:
    """Count what was scanned or typed: an ISBN, one with a comma and a number, or a number for the last one.

    The same token again counts nothing more. Raises UnknownIsbn, NotAnIsbn, NothingScanned, TooManyCounted.
    """
    stocktake = _mine_locked()
    if again := stocktake.scans.filter(token=token).first():
        return _heard(stocktake, again.book_id)
    if number := NUMBER.fullmatch(text.strip()):
        return _correct_last(stocktake, int(number[1]))
    try:
        isbn, copies = read_line(text)
    except ValueError as error:
        raise NotAnIsbn(str(error)) from error
    book_id = StockItem.objects.books_named(book_ids=[], isbns=[isbn]).get(isbn)
    if book_id is None:
        raise UnknownIsbn(isbn)
    _refuse_too_many(stocktake, {book_id: copies})
    stocktake.scans.create(book_id=book_id, copies=copies, token=token)
    return _heard(stocktake, book_id)


@unit_of_work
def add_list(text: str) -> ListHeard:
    """Add what lines can be read to what is counted. Raises UnreadableCounts for none or too many, TooManyCounted."""
    counted, wrong = sort_counts(text)
    stocktake = _mine_locked()
    _refuse_too_many(stocktake, counted)
    Scan.objects.bulk_create(
        Scan(stocktake=stocktake, book_id=book_id, copies=copies, token=uuid7()) for book_id, copies in counted.items()
    )
    return ListHeard(books=len(counted), copies=sum(counted.values()), wrong=wrong)


@unit_of_work
def undo_last_scan() -> None:
    """Count as if the last scan had not been heard."""
    if last := _mine_locked().scans.order_by("-id").first():
        last.delete()


@unit_of_work
def leave_out(*, book_id: UUID) -> None:
    """Count this book as if nobody had scanned it: its stock stays as it is."""
    _mine_locked().scans.filter(book_id=book_id).delete()


@unit_of_work
def throw_away() -> None:
    """End the count; the stock stays as it is."""
    stocktake = _mine_locked()
    stocktake.finished_at = timezone.now()
    stocktake.save()


@unit_of_work
def apply_count(*, seen: Mapping[UUID, int], reason: str) -> tuple[int, Sequence[StockMovement]]:
    """Set the stock to what was counted, by one act, and end the count; how many books, and what moved.

    `seen` is what the stock said when somebody looked at the differences. Raises StockMoved, RowsRefused.
    """
    stocktake = _mine_locked()
    counts = [
        Count(book_id=book_id, on_hand=seen.get(book_id, -1), counted=counted)
        for book_id, counted in stocktake.counted().items()
    ]
    movements = count_shelf(counts, reason=reason)
    stocktake.finished_at, stocktake.is_applied = timezone.now(), True
    stocktake.save()
    return len(counts), movements


def read_table(file: BinaryIO) -> str:
    """A table of CSV or XLSX as a list: its columns `isbn` and `counted`, or `on_hand`. Raises UnreadableCounts."""
    try:
        if file.read(4) == SIGNATURE:
            file.seek(0)
            text = workbook_as_csv(file).read().decode()
        else:
            file.seek(0)
            text = file.read().decode("utf-8-sig", errors="replace")
    except NoWorkbook as error:
        raise UnreadableCounts([UnreadableLine(line=0, reason=str(error))]) from error
    lines = text.splitlines()
    delimiter = max(",;\t", key=(lines or [""])[0].count)
    rows = [[restored(cell).strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    header = [cell.casefold().replace(" ", "_") for cell in rows[0]] if rows else []
    column = next((header.index(name) for name in COUNTED if name in header), None)
    if column is None or "isbn" not in header:
        reason = "the first line names the columns: isbn, and counted or on_hand"
        raise UnreadableCounts([UnreadableLine(line=0, reason=reason)])
    isbn, last = header.index("isbn"), max(header.index("isbn"), column)
    return "\n".join(["", *(_list_line(row, isbn, column) if len(row) > last else ",".join(row) for row in rows[1:])])


def _list_line(row: Sequence[str], isbn: int, counted: int) -> str:
    """A line of the list; an empty line stays one, and a row without a number isn't a copy."""
    if not row[isbn] and not row[counted]:
        return ""
    return f"{row[isbn]},{row[counted] or '?'}"


def _mine_locked() -> Stocktake:
    """The count of who acts, locked: two windows of theirs take turns. Made if there is none."""
    unfinished = Stocktake.objects.unfinished().of(current_actor())
    if not unfinished.exists():
        Stocktake.objects.bulk_create([Stocktake(actor=current_actor())], ignore_conflicts=True)
    return unfinished.locked().get()


def _correct_last(stocktake: Stocktake, copies: int) -> Heard:
    last = stocktake.scans.order_by("-id").first()
    if last is None:
        raise NothingScanned
    last.copies = copies  # sent twice, it says the same twice
    last.save()
    return _heard(stocktake, last.book_id)


def _refuse_too_many(stocktake: Stocktake, more: Mapping[UUID, int]) -> None:
    already = stocktake.scans.filter(book__in=more).values("book").annotate(n=Sum("copies")).values_list("book", "n")
    for book_id, counted in already:
        if counted + more[book_id] > MAX_COPIES:
            raise TooManyCounted(most=MAX_COPIES)


def _heard(stocktake: Stocktake, book_id: UUID) -> Heard:
    counted = stocktake.scans.filter(book=book_id).aggregate(n=Sum("copies"))["n"]
    book = StockItem.objects.of_book(book_id).book
    return Heard(book_id=book_id, title=book.title, isbn=book.isbn or "", counted=counted)
