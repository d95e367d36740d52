"""An order in every state in which a customer may find it, made by the services as in the shop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from inventory.services import receive_copies, return_copies
from orders import services
from orders.models import CancelReason, Contact, Fulfilment, Order
from tests.given import a_book, lines

COLLECTED = Contact(customer_name="Alice Johnson", customer_email="alice@example.com")
SENT = replace(
    COLLECTED,
    customer_name="Ben Okafor",
    fulfilment=Fulfilment.SHIP,
    street="12 Library Lane",
    city="Springfield",
    postal_code="12345",
    country="US",
)


def placed(contact: Contact = COLLECTED, *, here: tuple[int, int] = (5, 5)) -> Order:
    """Two copies of one book and one of another, of which so many are in the shop."""
    gatsby = a_book("The Great Gatsby", price="12.99", copies=here[0])
    emma = a_book("Emma", price="9.50", copies=here[1])
    return services.place_order_or_wait(contact, lines((gatsby, 2), (emma, 1)))


def part_waiting(contact: Contact = COLLECTED) -> Order:
    return placed(contact, here=(1, 1))


def all_waiting(contact: Contact = COLLECTED) -> Order:
    return placed(contact, here=(0, 0))


def confirmed(contact: Contact = COLLECTED) -> Order:
    return services.confirm_order(order_id=placed(contact).pk)


def to_be_packed(contact: Contact = SENT) -> Order:
    return confirmed(contact)


def handed_over(contact: Contact = COLLECTED) -> Order:
    return services.ship_order(order_id=confirmed(contact).pk)


def on_its_way(contact: Contact = SENT) -> Order:
    return services.ship_order(order_id=confirmed(contact).pk, tracking="RR123456785US")


def untracked(contact: Contact = SENT) -> Order:
    return services.ship_order(order_id=confirmed(contact).pk)


def part_returned(contact: Contact = SENT) -> Order:
    order = untracked(contact)
    gatsby = order.lines.get(title="The Great Gatsby")
    return_copies(book_id=gatsby.book_id, order_id=order.pk, quantity=1)
    return Order.objects.get(pk=order.pk)


def returned(contact: Contact = SENT) -> Order:
    order = untracked(contact)
    for line in order.lines.all():
        return_copies(book_id=line.book_id, order_id=order.pk, quantity=line.quantity)
    return Order.objects.get(pk=order.pk)


def line_cancelled(contact: Contact = COLLECTED) -> Order:
    order = placed(contact)
    return services.cancel_line(order_id=order.pk, line_id=order.lines.get(title="Emma").pk)


def split(contact: Contact = COLLECTED) -> Order:
    return services.split_order(order_id=part_waiting(contact).pk)


def split_off(contact: Contact = COLLECTED) -> Order:
    return Order.objects.get(split_from=split(contact))


def filled(contact: Contact = COLLECTED) -> Order:
    """It waited, and what it waited for has come in."""
    order = part_waiting(contact)
    receive_copies(book_id=order.lines.get(title="The Great Gatsby").book_id, quantity=1)
    return order


def cancelled(reason: str) -> Callable[..., Order]:
    def order(contact: Contact = COLLECTED) -> Order:
        return services.cancel_order(order_id=placed(contact).pk, reason=reason)

    return order


STATES: dict[str, Callable[..., Order]] = {
    "placed": placed,
    "part-waiting": part_waiting,
    "all-waiting": all_waiting,
    "filled": filled,
    "confirmed": confirmed,
    "to-be-packed": to_be_packed,
    "handed-over": handed_over,
    "on-its-way": on_its_way,
    "untracked": untracked,
    "part-returned": part_returned,
    "returned": returned,
    "line-cancelled": line_cancelled,
    "split": split,
    "split-off": split_off,
    **{f"cancelled-{reason}": cancelled(reason) for reason in CancelReason.values},
}
