"""What is put right or noted on an order without moving it: its contact, its link, a note."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from bookshelf_site.events import unit_of_work
from orders.models import Contact, ContactChanges, Order


@unit_of_work
def correct_contact(*, order_id: UUID, contact: Contact) -> Order:
    """Put the customer's data right, until the order is shipped."""
    order = Order.lock(order_id)
    order.correct_contact(contact)
    _save_changed(order)
    return order


@unit_of_work
def amend_contact(*, order_id: UUID, changes: ContactChanges) -> Order:
    """Put right only what is named: of two who correct different things at once, neither undoes the other's."""
    order = Order.lock(order_id)
    order.refuse_closed()
    order.correct_contact(replace(order.contact, **changes))
    _save_changed(order)
    return order


@unit_of_work
def rotate_link(*, order_id: UUID) -> Order:
    """Give the customer another link; the old one opens nothing any more."""
    order = Order.lock(order_id)
    order.rotate_token()
    order.save()
    return order


@unit_of_work
def add_note(*, order_id: UUID, text: str) -> Order:
    """Note on an order, for the staff only, what they should know; it may be closed already."""
    order = Order.lock(order_id)
    order.add_note(text)
    order.save()
    return order


def _save_changed(order: Order) -> None:
    """Nobody who asks what was updated since hears of an order that wasn't."""
    if order.raised_events:
        order.save()
