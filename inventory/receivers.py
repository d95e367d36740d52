"""Whom the stock hears, and what it does then."""

from __future__ import annotations

from collections.abc import Sequence

from django.dispatch import receiver

from bookshelf_site.events import DomainEvent
from bookshelf_site.events.erasure import ERASED
from catalog.events import BookAdded
from inventory import services
from inventory.events import StockRanLow
from inventory.models import Notification
from inventory.services import OpeningStock
from orders.events import CustomerErased, OrderCancelled, OrderConfirmed, OrderPlaced, OrderShipped, OrderSplitOff

OrderEvent = OrderPlaced | OrderConfirmed | OrderShipped | OrderCancelled | OrderSplitOff


@receiver(BookAdded.signal, dispatch_uid="inventory.stock_copies", batch=True)
def stock_copies(sender: object, events: Sequence[BookAdded], **kwargs: object) -> None:
    """A new book opens with the copies that it came with."""
    services.open_stock(
        [OpeningStock(book_id=event.book_id, quantity=event.opening_stock, event_uid=event.uid) for event in events]
    )


@receiver(OrderPlaced.signal, dispatch_uid="inventory.notify_order_placed")
def notify_order_placed(sender: object, event: OrderPlaced, **kwargs: object) -> None:
    _tell_customer(event, Notification.Kind.ORDER_PLACED)


@receiver(OrderConfirmed.signal, dispatch_uid="inventory.notify_order_confirmed")
def notify_order_confirmed(sender: object, event: OrderConfirmed, **kwargs: object) -> None:
    _tell_customer(event, Notification.Kind.ORDER_CONFIRMED)


@receiver(OrderShipped.signal, dispatch_uid="inventory.notify_order_shipped")
def notify_order_shipped(sender: object, event: OrderShipped, **kwargs: object) -> None:
    _tell_customer(event, Notification.Kind.ORDER_SHIPPED)


@receiver(OrderCancelled.signal, dispatch_uid="inventory.notify_order_cancelled")
def notify_order_cancelled(sender: object, event: OrderCancelled, **kwargs: object) -> None:
    _tell_customer(event, Notification.Kind.ORDER_CANCELLED)


@receiver(OrderSplitOff.signal, dispatch_uid="inventory.notify_order_split_off")
def notify_order_split_off(sender: object, event: OrderSplitOff, **kwargs: object) -> None:
    _tell_customer(event, Notification.Kind.ORDER_SPLIT)


@receiver(StockRanLow.signal, dispatch_uid="inventory.notify_stock_ran_low")
def notify_stock_ran_low(sender: object, event: StockRanLow, **kwargs: object) -> None:
    services.record_low_stock(event_uid=event.uid, book_id=event.book_id, available=event.available)


@receiver(CustomerErased.signal, dispatch_uid="inventory.erase_customer")
def erase_customer(sender: object, event: CustomerErased, **kwargs: object) -> None:
    """What the customer was told is said again, by events that no longer name them."""
    services.reword_notifications(order_id=event.order_id, words=_told)


def _tell_customer(event: OrderEvent, kind: Notification.Kind) -> None:
    services.record_notification(
        event_uid=event.uid,
        kind=kind,
        audience=Notification.Audience.CUSTOMER,
        message=_told(event),
        order_id=event.order_id,
    )


def _told(event: DomainEvent) -> str:
    """What is said of an event to the order's customer."""
    match event:
        case OrderPlaced(number=number, customer_name=name):
            return f"Order {number} placed by {name or ERASED}"
        case OrderConfirmed(number=number, customer_name=name):
            return f"Order {number} confirmed for {name or ERASED}"
        case OrderShipped(number=number, customer_name=name):
            return f"Order {number} shipped to {name or ERASED}"
        case OrderCancelled(number=number, customer_name=name, reason="expired"):
            return f"Order {number} expired and was cancelled for {name or ERASED}"
        case OrderCancelled(number=number, customer_name=name):
            return f"Order {number} cancelled for {name or ERASED}"
        case OrderSplitOff(number=number, customer_name=name, split_from_number=first):
            return f"What order {first} still waits for is order {number} for {name or ERASED}"
    raise AssertionError(f"nobody is told of {event.name}")
