"""What the desk prints for orders: packing slips, receipts, and the list by which the copies are picked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from orders import services
from orders.admin.barcode import Barcode
from orders.models import Order, OrderLine, OrderQuerySet
from orders.services import PromisedLine


@dataclass(frozen=True, kw_only=True)
class PrintedLine:
    """A line as it stands on paper; `missing` copies follow later."""

    line: OrderLine
    author: str
    missing: int
    barcode: Barcode | None

    @property
    def packed(self) -> int:
        return self.line.quantity - self.missing


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One order on paper; what was called off of it isn't there."""

    order: Order
    lines: Sequence[PrintedLine]
    barcode: Barcode

    @property
    def copies(self) -> int:
        return sum(line.packed for line in self.lines)


@dataclass(kw_only=True)
class Pick:
    """A book to fetch from the shelf, and for which orders how many copies."""

    book_id: UUID
    title: str
    author: str
    isbn: str
    barcode: Barcode | None
    orders: list[tuple[Order, int]] = field(default_factory=list)

    @property
    def copies(self) -> int:
        return sum(copies for _, copies in self.orders)


@dataclass(frozen=True, kw_only=True)
class PickList:
    """The copies to fetch, as they stand on the shelf; and the orders for which there is nothing to fetch."""

    picks: Sequence[Pick]
    without: Sequence[Order]

    @property
    def copies(self) -> int:
        return sum(pick.copies for pick in self.picks)


def sheets_of(orders: OrderQuerySet) -> list[Sheet]:
    """A sheet for each order, with the copies that are set aside for it. Three queries, however many there are."""
    rows = list(orders.prefetch_related("lines__book"))
    promised = services.promised_by_order(rows)
    return [
        Sheet(
            order=order,
            lines=[_printed(line) for line in _in_force(promised[order.pk])],
            barcode=Barcode.of_number(order.number),
        )
        for order in rows
    ]


def pick_list(orders: OrderQuerySet) -> PickList:
    """What is to be fetched for these orders: the copies promised to those that aren't handed over yet."""
    rows = list(orders.prefetch_related("lines__book"))
    promised = services.promised_by_order(rows)
    picks: dict[UUID, Pick] = {}
    for order in rows:
        for one in promised[order.pk]:
            if one.allocated:
                picks.setdefault(one.line.book_id, _pick(one.line)).orders.append((order, one.allocated))
    fetched = {order.pk for pick in picks.values() for order, _ in pick.orders}
    return PickList(
        picks=sorted(picks.values(), key=lambda pick: place_on_the_shelf(pick.author, pick.title, pick.book_id)),
        without=[order for order in rows if order.pk not in fetched],
    )


def place_on_the_shelf(author: str, title: str, book_id: UUID) -> tuple[str, str, UUID]:
    """The order in which the books stand: by author, then title."""
    return author.casefold(), title.casefold(), book_id


def _in_force(lines: Iterable[PromisedLine]) -> list[PromisedLine]:
    """What wasn't called off, as it stands on the shelf."""
    return sorted(
        (one for one in lines if not one.line.cancelled_at),
        key=lambda one: place_on_the_shelf(one.line.book.author, one.line.title, one.line.book_id),
    )


def _printed(one: PromisedLine) -> PrintedLine:
    line = one.line
    return PrintedLine(line=line, author=line.book.author, missing=one.missing, barcode=_barcode(line))


def _pick(line: OrderLine) -> Pick:
    return Pick(book_id=line.book_id, title=line.title, author=line.book.author, isbn=line.isbn, barcode=_barcode(line))


def _barcode(line: OrderLine) -> Barcode | None:
    return Barcode.of_isbn(line.isbn) if line.isbn else None
