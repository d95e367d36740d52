"""What is done to single lines of an order: called off, put back, split off, returned."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from bookshelf_site.events import unit_of_work
from inventory import services as inventory
from orders.models import Order, OrderLine


@unit_of_work
def cancel_line(*, order_id: UUID, line_id: UUID, reason: str = "") -> Order:
    """Call one line of an order off that nobody has confirmed yet; its copies are free again."""
    order, line, others = _locked_with_line(order_id, line_id)
    if order.cancel_line(line, others, reason=reason):
        line.save(update_fields=["cancelled_at"])
        order.save()
        inventory.release_line(order_id=order.id, line_id=line.id)
    return order


@unit_of_work
def put_back_line(*, order_id: UUID, line_id: UUID, reason: str = "") -> Order:
    """Let a line wait again, as the last; its copies are for whoever waits for the book, or comes first."""
    order, line, _ = _locked_with_line(order_id, line_id)
    order.refuse_unless_pending()
    if given_back := inventory.put_back(order_id=order.id, line_id=line.id):
        order.put_back(line, given_back, reason=reason)
        order.save()
    return order


@unit_of_work
def split_order(*, order_id: UUID) -> Order:
    """Give what waits to a new order, so that what is here can move on. Raises NothingToSplit."""
    order = Order.lock(order_id)
    lines = list(order.lines.all())
    split = order.split(lines, inventory.missing_by_line(order.id))
    split.order.save()
    changed = [line for line in lines if line.pk in split.moved]
    OrderLine.objects.bulk_update(changed, ["order", "quantity", "line_total_amount"])
    OrderLine.objects.bulk_create([line for line in split.moved.values() if line.pk not in split.moved])
    order.save()
    inventory.move_waiting(
        order_id=order.id,
        to_order_id=split.order.id,
        to_order_number=split.order.number,
        lines={from_id: line.id for from_id, line in split.moved.items()},
    )
    return order


@unit_of_work
def note_return(*, order_id: UUID, line_id: UUID, quantity: int, is_damaged: bool) -> Order:
    """Say in the order's timeline what came back to the shelf, or was written off."""
    order, line, _ = _locked_with_line(order_id, line_id)
    order.note_return(line, quantity, is_damaged=is_damaged)
    order.save(update_fields=["updated_at"])
    return order


@unit_of_work
def note_filled_lines(*, order_ids: Collection[UUID]) -> None:
    """Copies came for lines of these orders: they count as changed, so that who follows the orders reads them again."""
    Order.objects.bulk_update(Order.lock_all(order_ids), ["updated_at"])


def _locked_with_line(order_id: UUID, line_id: UUID) -> tuple[Order, OrderLine, list[OrderLine]]:
    """The order, locked, the line of it, and its other lines."""
    order = Order.lock(order_id)
    line = order.lines.get(pk=line_id)
    return order, line, [other for other in order.lines.all() if other != line]
