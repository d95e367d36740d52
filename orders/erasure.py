"""A customer asks to be forgotten: personal data leaves the orders and their events; what was sold stays."""

from __future__ import annotations

from dataclasses import dataclass

from bookshelf_site.events import unit_of_work
from bookshelf_site.events.erasure import erase_personal
from bookshelf_site.events.models import Event
from bookshelf_site.words import forget_words
from orders.errors import OrdersStillOpen, UnknownOrder
from orders.models import Order, OrderQuerySet
from orders.numbers import normalise_number


@dataclass(frozen=True, kw_only=True)
class ErasedOrder:
    """An order whose customer was erased, and how many of its events were about them."""

    number: str
    events: int


@unit_of_work
def erase_customer(*, email: str) -> list[ErasedOrder]:
    """Forget the customer with this e-mail in all their orders, or raise OrdersStillOpen. None: nothing was left."""
    return _erase(Order.objects.with_email(email))


@unit_of_work
def erase_customer_of(*, order_number: str) -> list[ErasedOrder]:
    """Forget who placed this order and those that it was split into. Raises UnknownOrder, OrdersStillOpen."""
    order = Order.objects.filter(number=normalise_number(order_number)).first()
    if order is None:
        raise UnknownOrder
    return _erase(Order.objects.split_with(order))


def _erase(found: OrderQuerySet) -> list[ErasedOrder]:
    orders = list(found.locked().order_by("pk"))
    if still_open := [order.number for order in orders if order.allowed]:
        raise OrdersStillOpen(still_open)
    erased = [erased for order in orders if (erased := _erase_one(order))]
    if erased:
        forget_words(Order, using=found.db)
    return erased


def _erase_one(order: Order) -> ErasedOrder | None:
    events = erase_personal(order.timeline)
    # a letter that is being sent can't say any more that it was: it is tried again, and finds nobody to write to
    erase_personal(Event.objects.filter(stream=f"inventory.notification:{order.pk}"))
    if not order.erase_customer(events=events):
        return None
    order.save()
    return ErasedOrder(number=order.number, events=events)
