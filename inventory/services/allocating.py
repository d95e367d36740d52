"""Promising copies to the lines of orders: now or when they come, and what becomes of the promise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from bookshelf_site.events import unit_of_work
from bookshelf_site.events.compiled import Compiled
from inventory.errors import InsufficientStock, Shortage
from inventory.models import Allocation, AllocationQuerySet, StockItem
from inventory.services.saving import WAITED, fill_waiting, save_lines, save_moved


@dataclass(frozen=True, kw_only=True)
class WantedCopies:
    """What one order line asks for; `line` counts from 0, for whoever has to be told that it is too much."""

    line_id: UUID
    line: int
    book_id: UUID
    title: str
    quantity: int


@unit_of_work
def allocate_copies(*, order_id: UUID, order_number: str, wanted: Sequence[WantedCopies]) -> None:
    """Promise copies to all lines of an order, or to none. Raises InsufficientStock, naming the lines."""
    allocations = [_allocation(order_id, order_number, line, allocated=line.quantity) for line in wanted]
    items = StockItem.objects.locked_for([line.book_id for line in wanted])
    if shortages := _shortages(items, wanted):
        raise InsufficientStock(shortages)
    movements = [items[line.item_id].allocate_whole(line) for line in allocations]
    save_moved(items.values(), movements, beside=allocations)


@unit_of_work
def allocate_or_wait(*, order_id: UUID, order_number: str, wanted: Sequence[WantedCopies]) -> dict[UUID, int]:
    """Promise what is there; the rest of each line waits for copies, in the order in which lines began to wait.

    How many copies each line waits for, of those that do.
    """
    items = StockItem.objects.locked_for([line.book_id for line in wanted])
    allocations, movements = [], []
    for line in wanted:
        item, allocation = items[line.book_id], _allocation(order_id, order_number, line)
        here = min(item.available, line.quantity)
        if here:
            movements.append(item.allocate(allocation, here))
        if allocation.missing:
            allocation.wait()
        allocations.append(allocation)
    save_moved(items.values(), movements, beside=allocations)
    return {allocation.line_id: allocation.missing for allocation in allocations if allocation.missing}


@unit_of_work
def release_copies(*, order_id: UUID) -> None:
    """Free what was promised to an order; its waiting lines wait no longer."""
    _release(*_open_lines_of(order_id))


@unit_of_work
def release_line(*, order_id: UUID, line_id: UUID) -> None:
    """Free what was promised to one line of an order; it waits no longer."""
    _release(*_open_lines(Allocation.objects.of_line(order_id, line_id)))


@unit_of_work
def put_back(*, order_id: UUID, line_id: UUID) -> int:
    """Let a line wait again, as the last, and its copies be had by others; how many it gave back.

    Who waits for the book gets them now; what is left after that is free for whoever comes, and goes to the line that
    gave it back only when the shelf moves again. The caller holds the order's lock, so that nobody confirms meanwhile.
    """
    lines, items = _open_lines(Allocation.objects.of_line(order_id, line_id))
    movements = [items[line.item_id].put_back(line) for line in lines if line.allocated]
    if not movements:
        return 0
    save_lines(lines, WAITED)
    given_back = -sum(movement.allocated_change for movement in movements)
    save_moved(items.values(), movements + fill_waiting(items, besides=[line.pk for line in lines]))
    return given_back


@unit_of_work
def missing_by_line(order_id: UUID) -> dict[UUID, int]:
    """How many copies each open line of the order still misses. Nothing fills them until the transaction ends."""
    lines, _ = _open_lines_of(order_id)
    return {line.line_id: line.missing for line in lines}


@unit_of_work
def move_waiting(*, order_id: UUID, to_order_id: UUID, to_order_number: str, lines: Mapping[UUID, UUID]) -> None:
    """What an order waits for is another order's: each of these lines, or what is missing of it, under its new id.

    It keeps its place among those who wait. The first order waits for nothing any more.
    """
    for_other, here = [], []
    for line in _open_lines_of(order_id)[0]:
        new_id = lines.get(line.line_id)
        if new_id == line.line_id:
            line.move_to(order_id=to_order_id, order_number=to_order_number)
        elif new_id:
            for_other.append(line.split_off(line_id=new_id, order_id=to_order_id, order_number=to_order_number))
        else:
            line.waited_until = timezone.now()
        here.append(line)
    save_lines(here, ("order_id", "order_number", "wanted", *WAITED))
    Allocation.objects.bulk_create(for_other)


@unit_of_work
def ship_copies(*, order_id: UUID) -> None:
    """What was promised to an order leaves the shelf."""
    lines, items = _open_lines_of(order_id)
    movements = [items[line.item_id].ship(line) for line in lines if line.allocated]
    save_lines(lines, ("allocated", "shipped"))
    save_moved(items.values(), movements)


def _shortages(items: dict[UUID, StockItem], wanted: Sequence[WantedCopies]) -> list[Shortage]:
    """Lines that ask for more than is left; what lines of the same book ask for before them is gone."""
    taken: Counter[UUID] = Counter()
    shortages = []
    for line in wanted:
        left = items[line.book_id].available - taken[line.book_id]
        taken[line.book_id] += line.quantity
        if line.quantity > left:
            shortages.append(
                Shortage(
                    line=line.line,
                    book_id=line.book_id,
                    title=line.title,
                    requested=line.quantity,
                    available=max(left, 0),
                )
            )
    return shortages


def _allocation(order_id: UUID, order_number: str, line: WantedCopies, *, allocated: int = 0) -> Allocation:
    return Allocation(
        line_id=line.line_id,
        order_id=order_id,
        order_number=order_number,
        item_id=line.book_id,
        wanted=line.quantity,
        allocated=allocated,
    )


def _open_lines(lines: AllocationQuerySet) -> tuple[list[Allocation], dict[UUID, StockItem]]:
    """Those of these lines that are open, read under the lock of their books' stock rows, and these."""
    items = {item.pk: item for item in StockItem.objects.locked_of(lines.open())}
    return list(lines.open().order_by("item_id", "id")), items


def _open_lines_of(order_id: UUID) -> tuple[list[Allocation], dict[UUID, StockItem]]:
    """All open lines of an order."""
    items = _LOCKED_STOCK_OF_ORDERS([order_id])
    return _OPEN_LINES_OF_ORDERS([order_id]), {item.pk: item for item in items}


_LOCKED_STOCK_OF_ORDERS = Compiled(
    lambda order_ids: StockItem.objects.locked_of(Allocation.objects.of_orders(order_ids).open())
)
_OPEN_LINES_OF_ORDERS = Compiled(
    lambda order_ids: Allocation.objects.of_orders(order_ids).open().order_by("item_id", "id")
)


def _release(lines: Sequence[Allocation], items: Mapping[UUID, StockItem]) -> None:
    movements = [items[line.item_id].release(line) for line in lines if line.allocated]
    for line in lines:
        line.wait_no_longer()
    save_lines(lines, WAITED)
    save_moved(items.values(), movements + fill_waiting(items))
