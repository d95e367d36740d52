"""What others ask about the stock; it locks and changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Sum

from bookshelf_site.events.compiled import Compiled
from inventory.models import Allocation, StockItem, StockMovement


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """How a book's copies stand: here, promised to orders, and how many more all lines together wait for."""

    on_hand: int = 0
    allocated: int = 0
    waiting: int = 0

    @property
    def available(self) -> int:
        return self.on_hand - self.allocated


@dataclass(frozen=True, kw_only=True)
class MovedCopies:
    """A movement of copies for an order, as those read it who know nothing of the ledger."""

    at: datetime
    what: str
    book_id: UUID
    title: str
    copies: int
    reason: str
    actor: str


def allocated_by_line(order_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many copies are promised to each line of these orders."""
    return {line.line_id: line.allocated for line in _LINES_OF_ORDERS(order_ids)}


def allocated_copies(line_id: OuterRef) -> QuerySet[Allocation, int]:
    """How many copies are promised to a line; it is a part of whatever query asks for it."""
    return Allocation.objects.filter(line_id=line_id).values_list("allocated", flat=True)


def returned_by_line(order_id: UUID) -> dict[UUID, int]:
    """How many copies of each line of the order have come back, of those of which any have."""
    lines = Allocation.objects.of_order(order_id).filter(returned__gt=0)
    return dict(lines.values_list("line_id", "returned"))


def settled_copies(order_id: OuterRef) -> QuerySet[Allocation, int]:
    """How many copies of an order are allocated or came back; it is a part of whatever query asks for it.

    While the order's own row stays as it is, this only grows: it differs whenever one of the two does.
    """
    lines = Allocation.objects.filter(order_id=order_id).order_by().values("order_id")
    return lines.annotate(settled=Sum(F("allocated") + F("returned"))).values_list("settled", flat=True)


def waiting_lines(order_id: UUID) -> list[UUID]:
    """The lines of the order that still wait for copies."""
    return [line.line_id for line in _WAITING_LINES_OF_ORDERS([order_id])]


def waiting_orders() -> QuerySet[Allocation, UUID]:
    """The orders that have a line that waits, as their ids; it is a part of whatever query asks for it."""
    return Allocation.objects.waiting().order_by().values_list("order_id", flat=True)


def shelves(book_ids: Collection[UUID]) -> dict[UUID, Shelf]:
    """How the copies of these books stand, each of them; what was never stocked reads as zeros."""
    missing = F("wanted") - F("allocated") - F("shipped")
    lines = Allocation.objects.filter(item_id__in=book_ids).waiting().order_by().values_list("item_id")
    waiting = dict(lines.annotate(waiting=Sum(missing)))
    items = StockItem.objects.filter(pk__in=book_ids).values_list("pk", "on_hand", "allocated")
    found = {
        pk: Shelf(on_hand=on_hand, allocated=allocated, waiting=waiting.get(pk, 0)) for pk, on_hand, allocated in items
    }
    return {book_id: found.get(book_id, Shelf()) for book_id in book_ids}


def moved_copies(order_id: UUID) -> list[MovedCopies]:
    """What moved for the lines of an order, oldest first."""
    movements = StockMovement.objects.of_order(order_id).select_related("item__book").order_by("id")
    return [
        MovedCopies(
            at=movement.created_at,
            what=movement.get_kind_display(),
            book_id=movement.item_id,
            title=movement.item.book.title,
            copies=abs(movement.on_hand_change or movement.allocated_change),
            reason=movement.reason,
            actor=movement.actor,
        )
        for movement in movements
    ]


def orders_that_waited_after(moment: datetime, order_ids: Collection[UUID]) -> set[UUID]:
    """Which of these orders have a line that waits for copies still, or did until after this moment."""
    lines = Allocation.objects.filter(order_id__in=order_ids).waited_after(moment)
    return set(lines.values_list("order_id", flat=True))


_LINES_OF_ORDERS = Compiled(Allocation.objects.of_orders)
_WAITING_LINES_OF_ORDERS = Compiled(lambda order_ids: Allocation.objects.of_orders(order_ids).waiting())
