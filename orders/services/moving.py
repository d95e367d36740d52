"""An order's way: confirmed, shipped, cancelled."""

from __future__ import annotations

from uuid import UUID

from bookshelf_site.events import unit_of_work
from inventory import services as inventory
from orders.errors import LinesWaiting
from orders.models import CancelReason, Order, Status

MOVED = (
    "status",
    "confirmed_at",
    "shipped_at",
    "cancelled_at",
    "tracking",
    "cancel_reason",
    "cancel_note",
    "version",
    "updated_at",
)
"""What of an order's row changes when it goes on its way."""


@unit_of_work
def confirm_order(*, order_id: UUID) -> Order:
    """Promise the copies to the customer. Raises LinesWaiting while a line waits for copies."""
    order = Order.lock(order_id)
    if order.confirm():
        _refuse_waiting_lines(order)
        order.save(update_fields=MOVED)
    return order


@unit_of_work
def ship_order(*, order_id: UUID, tracking: str = "") -> Order:
    """The copies leave the shop."""
    order = Order.lock(order_id)
    if order.ship(tracking=tracking):
        order.save(update_fields=MOVED)
        inventory.ship_copies(order_id=order.id)
    return order


@unit_of_work
def cancel_order(*, order_id: UUID, reason: str, note: str = "") -> Order:
    """Call the order off; its copies are free again."""
    order = Order.lock(order_id)
    if order.cancel(reason=reason, note=note):
        order.save(update_fields=MOVED)
        inventory.release_copies(order_id=order.id)
    return order


@unit_of_work
def cancel_as_customer(*, order_id: UUID) -> Order:
    """The customer calls the order off by themselves. Raises NotPending once the shop has confirmed it."""
    order = Order.lock(order_id)
    if order.status == Status.CANCELLED:
        return order
    order.refuse_unless_pending()
    return cancel_order(order_id=order_id, reason=CancelReason.CUSTOMER)


def _refuse_waiting_lines(order: Order) -> None:
    waiting = set(inventory.waiting_lines(order.id))
    if waiting:
        raise LinesWaiting(lines=[(line.id, line.title) for line in order.lines.all() if line.id in waiting])
