"""Whom the stock hears, and what it does then."""

from __future__ import annotations

from collections.abc import Sequence

from django.dispatch import receiver

from bookshelf_site.events import DomainEvent
from bookshelf_site.events.erasure import ERASED
from bookshelf_site.webhooks.events import WebhookDisabled
from catalog.events import BookAdded
from inventory import notices, services
from inventory.events import StockRanLow, WaitingFilled
from inventory.models import Notification
from inventory.services import Arrival, OpeningStock
from orders.events import (
    CopiesAwaited,
    CustomerErased,
    LineCancelled,
    LinkRequested,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderShipped,
    OrderSplitOff,
)

OrderEvent = (
    OrderPlaced
    | CopiesAwaited
    | OrderConfirmed
    | OrderShipped
    | OrderCancelled
    | OrderSplitOff
    | LineCancelled
    | LinkRequested
)

WORDS: dict[type[DomainEvent], str] = {
    OrderPlaced: "Order {number} placed by {customer_name}",
    CopiesAwaited: "Order {number} for {customer_name} waits for copies still to come: {quantity}",
    OrderConfirmed: "Order {number} confirmed for {customer_name}",
    OrderShipped: "Order {number} shipped to {customer_name}",
    OrderCancelled: "Order {number} cancelled for {customer_name}",
    OrderSplitOff: "What order {split_from_number} still waits for is order {number} for {customer_name}",
    LineCancelled: "Order {number}: {quantity} × {title} cancelled for {customer_name}",
    LinkRequested: "Order {number}: its customer has asked for the link once more",
}
"""What is said of an event to the order's customer, in the event's own words."""

EXPIRED = "Order {number} expired and was cancelled for {customer_name}"

WHY_DISABLED = {"gone": "it answered “410 Gone”", "failing": "nothing got through to it for three days"}
"""Of webhooks that were lost; what somebody has switched off isn't here."""


@receiver(BookAdded.signal, dispatch_uid="inventory.stock_copies", batch=True)
def stock_copies(sender: object, events: Sequence[BookAdded], **kwargs: object) -> None:
    """A new book opens with the copies that it came with."""
    services.open_stock(
        [OpeningStock(book_id=event.book_id, quantity=event.opening_stock, event_uid=event.uid) for event in events]
    )


@receiver(OrderPlaced.signal, dispatch_uid="inventory.notify_order_placed")
def notify_order_placed(sender: object, event: OrderPlaced, **kwargs: object) -> None:
    _tell_customer(event, Notification.Kind.ORDER_PLACED)


@receiver(CopiesAwaited.signal, dispatch_uid="inventory.notify_copies_awaited")
def notify_copies_awaited(sender: object, event: CopiesAwaited, **kwargs: object) -> None:
    _tell_customer(event, Notification.Kind.COPIES_WAITING)


@receiver(WaitingFilled.signal, dispatch_uid="inventory.notify_waiting_filled", batch=True)
def notify_waiting_filled(sender: object, events: Sequence[WaitingFilled], **kwargs: object) -> None:
    services.record_arrivals(
        [
            Arrival(
                event_uid=event.uid, order_id=event.order_id, order_number=event.order_number, book_id=event.book_id
            )
            for event in events
        ]
    )


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


@receiver(LineCancelled.signal, dispatch_uid="inventory.notify_line_cancelled")
def notify_line_cancelled(sender: object, event: LineCancelled, **kwargs: object) -> None:
    _tell_customer(event, Notification.Kind.LINE_CANCELLED)


@receiver(LinkRequested.signal, dispatch_uid="inventory.notify_link_requested", aliases=("orders.mail_link",))
def notify_link_requested(sender: object, event: LinkRequested, **kwargs: object) -> None:
    _tell_customer(event, Notification.Kind.LINK_REQUESTED)


@receiver(StockRanLow.signal, dispatch_uid="inventory.notify_stock_ran_low")
def notify_stock_ran_low(sender: object, event: StockRanLow, **kwargs: object) -> None:
    services.record_low_stock(event_uid=event.uid, book_id=event.book_id, available=event.available)


@receiver(WebhookDisabled.signal, dispatch_uid="inventory.notify_webhook_disabled")
def notify_webhook_disabled(sender: object, event: WebhookDisabled, **kwargs: object) -> None:
    """The staff hears of one that was lost; what somebody has switched off they know."""
    why = WHY_DISABLED.get(event.reason)
    if why is not None:
        services.record_notification(
            event_uid=event.uid,
            kind=Notification.Kind.WEBHOOK_DISABLED,
            audience=Notification.Audience.STAFF,
            message=f"Webhook {event.host} is disabled: {why}",
        )


@receiver(CustomerErased.signal, dispatch_uid="inventory.erase_customer")
def erase_customer(sender: object, event: CustomerErased, **kwargs: object) -> None:
    """What the customer was told is said again, by events that no longer name them."""
    services.reword_notifications(order_id=event.order_id, words=_told)
    notices.forget_errors(order_id=event.order_id)


def _tell_customer(event: OrderEvent, kind: Notification.Kind) -> None:
    services.record_notification(
        event_uid=event.uid,
        kind=kind,
        audience=Notification.Audience.CUSTOMER,
        message=_told(event),
        order_id=event.order_id,
        status=_due(event),
    )


def _due(event: OrderEvent) -> Notification.Status:
    """A customer without an address is told nothing by mail, unless staff have it sent again once there is one."""
    if isinstance(event, LinkRequested) or event.has_email:
        return Notification.Status.RECORDED
    return Notification.Status.NO_ADDRESS


def _told(event: DomainEvent) -> str:
    values = vars(event)
    words = EXPIRED if isinstance(event, OrderCancelled) and event.reason == "expired" else WORDS[type(event)]
    return words.format_map(values | {"customer_name": values.get("customer_name") or ERASED})
