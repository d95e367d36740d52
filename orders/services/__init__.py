"""What can be asked of the orders. Lock order: the order's row first, then stock rows by ascending key."""

from __future__ import annotations

from orders.services.amending import add_note, amend_contact, correct_contact, rotate_link
from orders.services.expiring import expire_orders
from orders.services.lines import cancel_line, note_filled_lines, note_return, put_back_line, split_order
from orders.services.moving import cancel_as_customer, cancel_order, confirm_order, ship_order
from orders.services.placing import LineRequest, place_and_read, place_order, place_order_or_wait
from orders.services.reading import (
    PromisedLine,
    ReadOrder,
    Shelf,
    movements_of,
    not_waiting,
    opened_by,
    promised_by_order,
    promised_lines,
    read_order,
    read_orders,
    returned_by_line,
    shelves_of,
    waiting,
    with_waits,
)
from orders.services.searching import search_orders

__all__ = [
    "LineRequest",
    "PromisedLine",
    "ReadOrder",
    "Shelf",
    "add_note",
    "amend_contact",
    "cancel_as_customer",
    "cancel_line",
    "cancel_order",
    "confirm_order",
    "correct_contact",
    "expire_orders",
    "movements_of",
    "not_waiting",
    "note_filled_lines",
    "note_return",
    "opened_by",
    "place_and_read",
    "place_order",
    "place_order_or_wait",
    "promised_by_order",
    "promised_lines",
    "put_back_line",
    "read_order",
    "read_orders",
    "returned_by_line",
    "rotate_link",
    "search_orders",
    "shelves_of",
    "ship_order",
    "split_order",
    "waiting",
    "with_waits",
]
