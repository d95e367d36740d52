"""Stocktake: what was counted on the shelves, what the stock says instead, and both made one by a single act."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from bookshelf_site.events import unit_of_work
from bookshelf_site.rows import Outcome, refuse_any
from catalog.isbn import InvalidIsbn, normalise_isbn
from inventory import services
from inventory.errors import CopiesAllocated, StockMoved, UnknownBook, UnreadableCounts, UnreadableLine
from inventory.models import MAX_COPIES, Allocation, StockItem, StockMovement

MAX_LINES = 10_000

_LINE = re.compile(r"(?P<isbn>[^,;\t]*)(?:[,;\t]\s*(?P<copies>[0-9]{1,7})\s*)?")

_HOW_MANY = "after the ISBN stands a comma and how many copies were counted, in digits"


@dataclass(frozen=True, kw_only=True)
class Count:
    """The copies of a book that were found, and how many the stock said there were when somebody looked at both."""

    book_id: UUID
    on_hand: int
    counted: int


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What was counted of a book against its stock; `refusal` says why the stock can't be set to it."""

    item: StockItem
    counted: int
    refusal: str = ""

    @property
    def change(self) -> int:
        return self.counted - self.item.on_hand


def sort_counts(text: str) -> tuple[dict[UUID, int], list[UnreadableLine]]:
    """What the lines that can be read count, by book, and the others. Raises UnreadableCounts for none, or too many.

    A line is an ISBN in any form, or a scan, for one copy; or an ISBN, a comma, semicolon or tab, and the number of
    copies, which may be 0. Lines of the same book add up.
    """
    lines = {number: line for number, line in enumerate(text.splitlines(), 1) if line.strip()}
    if not 1 <= len(lines) <= MAX_LINES:
        raise UnreadableCounts([UnreadableLine(line=0, reason=f"a stocktake has 1 to {MAX_LINES:,} lines")])
    read: dict[int, tuple[str, int]] = {}
    wrong: list[UnreadableLine] = []
    for number, line in lines.items():
        try:
            read[number] = read_line(line)
        except ValueError as error:
            wrong.append(UnreadableLine(line=number, text=line.strip(), reason=str(error)))
    books = StockItem.objects.books_named(book_ids=[], isbns={isbn for isbn, _ in read.values()})
    counted: Counter[UUID] = Counter()
    for number, (isbn, copies) in read.items():
        reason = "" if isbn in books else "is not in the catalogue"
        if not reason and counted[books[isbn]] + copies > MAX_COPIES:
            reason = f"at most {MAX_COPIES:,} copies of a book are counted"
        if reason:
            wrong.append(UnreadableLine(line=number, text=lines[number].strip(), reason=reason))
            continue
        counted[books[isbn]] += copies
    return dict(counted), sorted(wrong, key=lambda mistake: mistake.line)


def read_line(line: str) -> tuple[str, int]:
    """The ISBN of a line, and how many copies. Raises ValueError, which says what is wrong."""
    written = _LINE.fullmatch(line.strip())
    if written is None:
        raise ValueError(_HOW_MANY)
    if len(re.sub("[^0-9]", "", written["isbn"])) == 15:
        # not the two-digit add-on of a magazine, but a comma that somebody forgot
        raise ValueError(_HOW_MANY)
    try:
        return normalise_isbn(written["isbn"]), int(written["copies"] or "1")
    except InvalidIsbn as error:
        raise ValueError(str(error)) from None


def differences(counted: Mapping[UUID, int]) -> list[Difference]:
    """Every counted book beside its stock as it is now, by title. Four queries, however many books."""
    orders = _promised_to(counted)
    found = [
        Difference(item=item, counted=counted[item.pk], refusal=_refusal(item, counted[item.pk], orders[item.pk]))
        for item in StockItem.objects.of_books(counted)
    ]
    return sorted(found, key=lambda difference: (difference.item.book.title, difference.item.pk))


@unit_of_work
def count_shelf(counts: Sequence[Count], *, reason: str) -> list[StockMovement]:
    """Set the stock of these books to what was counted, all or none; the movements, none for a count that was right.

    Raises StockMoved if copies came or went since somebody looked, and RowsRefused for what is promised to orders.
    """
    book_ids = [count.book_id for count in counts]
    if set(book_ids) - StockItem.objects.books_named(book_ids=book_ids, isbns=[]).keys():
        raise UnknownBook
    items = StockItem.objects.locked_for(book_ids)
    if moved := [count.book_id for count in counts if items[count.book_id].on_hand != count.on_hand]:
        raise StockMoved([item.book.title for item in StockItem.objects.of_books(moved)])
    rows = [services.StockRow(book_id=count.book_id, counted=count.counted, reason=reason) for count in counts]
    outcomes = services.move_copies(dict(enumerate(rows)))
    refuse_any(outcomes)
    made = [outcome.id for outcome in outcomes.values() if isinstance(outcome, Outcome) and outcome.id]
    return list(StockMovement.objects.filter(pk__in=made).select_related("item__book").order_by("id"))


def _promised_to(book_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    """The numbers of the orders that have copies of these books set aside."""
    promised = Allocation.objects.filter(item_id__in=book_ids, allocated__gt=0).order_by("order_number")
    orders: defaultdict[UUID, list[str]] = defaultdict(list)
    for book_id, number in promised.values_list("item_id", "order_number"):
        orders[book_id].append(number)
    return orders


def _refusal(item: StockItem, counted: int, orders: Sequence[str]) -> str:
    if counted >= item.allocated:
        return ""
    return str(CopiesAllocated(book_id=item.pk, allocated=item.allocated, order_numbers=orders))
