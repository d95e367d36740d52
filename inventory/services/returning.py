"""What customers bring back."""

from __future__ import annotations

from uuid import UUID

from bookshelf_site.events import unit_of_work
from inventory.errors import NeverOrdered
from inventory.models import Allocation, StockItem, StockMovement
from inventory.services.saving import fill_waiting, save_lines, save_moved


@unit_of_work
def return_copies(*, book_id: UUID, order_id: UUID, quantity: int, reason: str = "") -> StockMovement:
    """Put copies that a customer brought back on the shelf. Raises NeverShipped for more than the order was sent."""
    item, line = _returning(book_id, order_id)
    [returned] = item.take_back(line, quantity, reason=reason)
    save_lines([line], ("returned",))
    save_moved([item], [returned, *fill_waiting({book_id: item})])
    return returned


@unit_of_work
def return_damaged_copies(*, book_id: UUID, order_id: UUID, quantity: int, reason: str = "") -> StockMovement:
    """Write off copies that a customer brought back damaged. Raises NeverShipped for more than the order was sent."""
    item, line = _returning(book_id, order_id)
    returned, written_off = item.take_back_damaged(line, quantity, reason=reason)
    save_lines([line], ("returned",))
    save_moved([item], [returned, written_off])
    return returned


def _returning(book_id: UUID, order_id: UUID) -> tuple[StockItem, Allocation]:
    """The stock of the book, locked, and the order's line of it. Raises NeverOrdered if there is none."""
    item = StockItem.objects.locked_one(book_id)
    line = Allocation.objects.of_order(order_id).of_book(book_id).first()
    if line is None:
        raise NeverOrdered
    return item, line
