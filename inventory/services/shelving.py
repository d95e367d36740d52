"""What comes onto the shelf and what is missing there: opening, deliveries, counts and corrections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from bookshelf_site.errors import DomainError, InvalidValue
from bookshelf_site.events import unit_of_work
from bookshelf_site.rows import Outcome, Outcomes
from inventory.errors import CopiesAllocated, UnknownBook
from inventory.models import MAX_COPIES, Allocation, StockItem, StockMovement, checked_reason
from inventory.services.saving import fill_waiting, save_moved


@dataclass(frozen=True, kw_only=True)
class OpeningStock:
    """The copies with which a book came into the catalogue, and the event that said so."""

    book_id: UUID
    quantity: int
    event_uid: UUID


@dataclass(frozen=True, kw_only=True)
class StockRow:
    """Copies of a book that were delivered, or counted: one of both numbers is given."""

    book_id: UUID | None = None
    isbn: str | None = None
    received: int | None = None
    counted: int | None = None
    reason: str = ""


@unit_of_work
def open_stock(openings: Sequence[OpeningStock]) -> None:
    """Put the opening copies of new books on the shelf, once per event; lines that wait for them are filled."""
    items = StockItem.objects.locked_for([opening.book_id for opening in openings])
    opened = StockMovement.objects.opened_by([opening.event_uid for opening in openings])
    movements = [
        items[opening.book_id].open_with(opening.quantity, event_uid=opening.event_uid)
        for opening in openings
        if opening.quantity and opening.event_uid not in opened
    ]
    save_moved(items.values(), movements + fill_waiting(items))


@unit_of_work
def receive_copies(*, book_id: UUID, quantity: int, reason: str = "") -> StockMovement:
    """Put delivered copies on the shelf; lines that wait for them are filled, oldest first."""
    item = StockItem.objects.locked_one(book_id)
    received = item.receive(quantity, reason=reason)
    save_moved([item], [received, *fill_waiting({book_id: item})])
    return received


@unit_of_work
def count_copies(*, book_id: UUID, counted: int, reason: str) -> StockMovement:
    """Set the shelf to what was counted, or note that it was right. Raises CopiesAllocated below what is promised."""
    item = StockItem.objects.locked_one(book_id)
    adjusted = _count(item, counted, reason)
    if adjusted is None:
        right = item.found_right(reason=reason)
        save_moved([item], [right])
        return right
    save_moved([item], [adjusted, *fill_waiting({book_id: item})])
    return adjusted


@unit_of_work
def move_copies(rows: Mapping[int, StockRow]) -> Outcomes:
    """Receive or count the copies of many books, in few statements however many.

    A row that can't be taken over is answered with why, and spoils none of the others.
    """
    books = StockItem.objects.books_named(
        book_ids=[row.book_id for row in rows.values() if row.book_id],
        isbns=[row.isbn for row in rows.values() if row.isbn],
    )
    items = StockItem.objects.locked_for(list(books.values()))
    moved: dict[int, StockMovement | None] = {}
    outcomes: Outcomes = {}
    for place, row in rows.items():
        try:
            moved[place] = _move(items, books.get(row.book_id or row.isbn), row)
        except DomainError as refusal:
            outcomes[place] = refusal
    movements = [movement for movement in moved.values() if movement]
    filled = fill_waiting({movement.item_id: items[movement.item_id] for movement in movements})
    save_moved(items.values(), movements + filled)
    for place, movement in moved.items():
        outcomes[place] = Outcome(status="updated", id=movement.pk) if movement else Outcome(status="unchanged")
    return outcomes


def _move(items: Mapping[UUID, StockItem], book_id: UUID | None, row: StockRow) -> StockMovement | None:
    if book_id is None:
        raise UnknownBook
    item = items[book_id]
    if row.received is not None:
        return item.receive(row.received, reason=row.reason)
    return _count(item, row.counted or 0, row.reason)


ADJUSTMENTS = (StockMovement.Kind.DAMAGED, StockMovement.Kind.LOST, StockMovement.Kind.CORRECTED)


@unit_of_work
def adjust_stock(*, book_id: UUID, change: int, kind: StockMovement.Kind, reason: str) -> StockMovement:
    """Write off damaged or lost copies, or correct the shelf. Raises CopiesAllocated below what is promised."""
    if kind not in ADJUSTMENTS:
        raise InvalidValue("kind", "one of damaged, lost, correction")
    if not 1 <= abs(change) <= MAX_COPIES:
        raise InvalidValue("change", f"between 1 and {MAX_COPIES:,} copies, up or down")
    if kind != StockMovement.Kind.CORRECTED and change > 0:
        raise InvalidValue("change", f"copies that are {kind} leave the shelf: give a negative number")
    item = StockItem.objects.locked_one(book_id)
    adjusted = _adjust(item, change, kind, reason)
    save_moved([item], [adjusted, *fill_waiting({book_id: item})])
    return adjusted


@unit_of_work
def set_low_stock_threshold(*, book_id: UUID, threshold: int | None, reason: str = "") -> StockItem:
    """From how many copies on the stock of a book is low; None: the shop's own number."""
    item = StockItem.objects.locked_one(book_id)
    item.set_threshold(threshold, reason=reason)
    item.save(update_fields=["low_stock_threshold", "is_watched", "updated_at"])
    return item


def _count(item: StockItem, counted: int, reason: str) -> StockMovement | None:
    if not 0 <= counted <= MAX_COPIES:
        raise InvalidValue("counted", f"a count is between 0 and {MAX_COPIES:,} copies")
    checked_reason(reason)
    if counted == item.on_hand:
        return None
    return _adjust(item, counted - item.on_hand, StockMovement.Kind.COUNTED, reason)


def _adjust(item: StockItem, change: int, kind: StockMovement.Kind, reason: str) -> StockMovement:
    if not item.allocated and item.on_hand + change < 0:
        raise InvalidValue("change", f"only {item.on_hand:,} copies are on the shelf")
    if item.on_hand + change < item.allocated:
        numbers = Allocation.objects.filter(item=item).order_numbers()
        raise CopiesAllocated(book_id=item.pk, allocated=item.allocated, order_numbers=numbers)
    return item.adjust(change, kind=kind, reason=reason)
