"""The mail of a notification: what happened to an order, told to its customer."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from bookshelf_site.events import DomainEvent, current_actor
from bookshelf_site.events.models import Event
from inventory import notices
from inventory.events import NotificationRecorded, ResendRequested, WaitingFilled
from inventory.notices import NO_ADDRESS, WITHHELD, Mailed, Notice
from orders.events import LineCancelled, OrderSplitOff
from orders.mail.letters import Letter, letter_to_customer
from orders.mail.post import Envelope, post
from orders.models import Order, OrderLine

FICTIONAL: Final = "demo shop"
"""The customers of whoever acts under this name don't exist: their letters can be read, and are never sent."""


def mail_notification(event: NotificationRecorded | ResendRequested) -> Mailed | None:
    """Write to the customer, at the address and in the language that the order has now.

    None: there is nothing to send, for the staff reads digests, and what came of an earlier mail is known already.
    """
    notice = notices.notice(event.notification_id)
    if notice.is_for_staff or not notice.is_waiting or notice.order_id is None:
        return None
    order = _order(notice.order_id)
    if not order.customer_email:
        return NO_ADDRESS
    if current_actor() == FICTIONAL:
        return WITHHELD
    return post(letter_of(notice, order), _envelope(order, _id_of(event)), event=event)


def record_mail(event: NotificationRecorded | ResendRequested, outcome: Mailed | None, **kwargs: object) -> None:
    """Write down what came of it, in the transaction that acknowledges the delivery."""
    if outcome is None or event.order_id is None:
        return
    notices.note_mailed(notification_id=event.notification_id, outcome=outcome)
    if outcome.is_failure:
        number = _order(event.order_id).number
        notices.note_failure(notification_id=event.notification_id, event_uid=event.uid, about=f"Order {number}")


def _order(order_id: UUID) -> Order:
    for order in Order.by_key([order_id]).values():
        return order
    raise Order.DoesNotExist


def letter_of(notice: Notice, order: Order) -> Letter:
    """The letter as it reads now."""
    return letter_to_customer(notice.kind, order, _facts(notice))


def _envelope(order: Order, message: UUID) -> Envelope:
    return Envelope(
        name=order.customer_name, address=order.customer_email, id=message, thread=f"order-{order.number.lower()}"
    )


def _id_of(event: NotificationRecorded | ResendRequested) -> UUID:
    """The same for every try. One that staff have asked for again is another mail, or mailboxes would hide it."""
    return event.uid if isinstance(event, ResendRequested) else event.notification_id


def _facts(notice: Notice) -> dict[str, Any]:
    """What the letter says beyond what the order knows: it stands in the event."""
    match notice.kind:
        case "line_cancelled" | "order_split" | "copies_arrived":
            return _of_event(Event.objects.get(uid=notice.event_uid).decoded)
        case _:
            return {}


def _of_event(event: DomainEvent) -> dict[str, Any]:
    match event:
        case WaitingFilled(line_id=line_id):
            # by its id: the line may be on an order that was split off meanwhile
            return {"title": OrderLine.objects.get(pk=line_id).title}
        case LineCancelled(title=title, quantity=quantity):
            return {"title": title, "quantity": quantity}
        case OrderSplitOff(split_from_number=number):
            return {"first_number": number}
    raise AssertionError(f"no letter tells of {event.name}")
