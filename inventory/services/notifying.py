"""What customers and staff are to be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from bookshelf_site.events import DomainEvent, unit_of_work
from bookshelf_site.events.models import Event
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.statements import Write, insert_missing
from inventory.models import Notification, StockItem
from inventory.services.reading import waiting_orders


@unit_of_work
def record_low_stock(*, event_uid: UUID, book_id: UUID, available: int) -> None:
    """Note that the staff is to be told of a book that runs out."""
    title = StockItem.objects.of_book(book_id).book.title
    left = "1 copy is" if available == 1 else f"{available or 'no'} copies are"
    record_notification(
        event_uid=event_uid,
        kind=Notification.Kind.STOCK_RAN_LOW,
        audience=Notification.Audience.STAFF,
        message=f"{title}: {left} left",
        book_id=book_id,
    )


@unit_of_work
def record_notification(
    *,
    event_uid: UUID,
    kind: Notification.Kind,
    audience: Notification.Audience,
    message: str,
    order_id: UUID | None = None,
    book_id: UUID | None = None,
    status: Notification.Status = Notification.Status.RECORDED,
) -> None:
    """Note what somebody is to be told of an event; the unique key keeps it at one per event, kind and audience."""
    notification = Notification(
        event_uid=event_uid,
        kind=kind,
        audience=audience,
        message=message,
        order_id=order_id,
        book_id=book_id,
        status=status,
    )
    emit(notification.recorded(), beside=[Write([notification], once=True)])


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A line of an order has all the copies that it waited for, and the event that said so."""

    event_uid: UUID
    order_id: UUID
    order_number: str
    book_id: UUID


@unit_of_work
def record_arrivals(arrivals: Sequence[Arrival]) -> None:
    """Note that customers are to be told that what they waited for has come in, and whether that was all.

    Of two books that come in at once, whoever is second sees both: that all is here is said at least once.
    """
    titles = {item.pk: item.book.title for item in StockItem.objects.of_books([one.book_id for one in arrivals])}
    still_waiting = set(waiting_orders().filter(order_id__in=[one.order_id for one in arrivals]))
    record_notifications(
        [
            Notification(
                event_uid=one.event_uid,
                kind=Notification.Kind.COPIES_ARRIVED,
                audience=Notification.Audience.CUSTOMER,
                message=f"Order {one.order_number}: {titles[one.book_id]} has come in"
                + ("" if one.order_id in still_waiting else "; the order is complete"),
                order_id=one.order_id,
                book_id=one.book_id,
            )
            for one in arrivals
        ]
    )


@unit_of_work
def record_notifications(notifications: Sequence[Notification]) -> None:
    """Note what people are to be told; the unique key keeps it at one per event, kind and audience."""
    emit(*(notification.recorded() for notification in insert_missing(notifications)))


@unit_of_work
def reword_notifications(*, order_id: UUID, words: Callable[[DomainEvent], str]) -> None:
    """Say once more what was said about an order and its customer, in the words for its events as they read now."""
    told = {notification.event_uid: notification for notification in Notification.objects.of_order(order_id)}
    events = [event.decoded for event in Event.objects.filter(uid__in=told)]
    about_a_person = [event for event in events if event.empties]
    for event in about_a_person:
        told[event.uid].message = words(event)
    Notification.objects.bulk_update([told[event.uid] for event in about_a_person], ["message"])
