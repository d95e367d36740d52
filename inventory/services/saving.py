"""What every change of the stock ends with: those who wait are filled, counters and ledger are written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from django.utils import timezone

from bookshelf_site.events.outbox import emit
from bookshelf_site.events.statements import Write, insert, update
from inventory.models import Allocation, StockItem, StockMovement

WAITED = ("allocated", "waiting_since", "waited_until")
COUNTERS = ("on_hand", "allocated", "was_on_hand", "is_watched", "updated_at")


def fill_waiting(items: Mapping[UUID, StockItem], *, besides: Collection[UUID] = ()) -> list[StockMovement]:
    """Give what is available to the lines that wait for it, oldest first, partly if need be."""
    books = [book_id for book_id, item in items.items() if item.available]
    filled: list[Allocation] = []
    movements: list[StockMovement] = []
    if not books:
        return movements
    for line in Allocation.objects.filter(item_id__in=books).exclude(pk__in=besides).waiting():
        item = items[line.item_id]
        if quantity := min(item.available, line.missing):
            movements.append(item.fill(line, quantity))
            filled.append(line)
    save_lines(filled, WAITED)
    return movements


def save_lines(lines: Sequence[Allocation], fields: Sequence[str]) -> None:
    update(lines, fields)


def save_moved(
    items: Collection[StockItem], movements: Sequence[StockMovement], *, beside: Sequence[Allocation] = ()
) -> None:
    """Write the counters that moved and the ledger, one statement or two however many, and new lines beside them."""
    moved = {movement.item_id for movement in movements}
    changed = [item for item in items if item.pk in moved]
    now = timezone.now()
    for item in changed:
        item.watch()
        item.updated_at = now
    insert(movements, beside=[Write(beside), Write(changed, COUNTERS)])
    emit(*(event for item in changed for event in item.take_raised()))
