"""Each receiver heard once, heard twice, and heard from a plain signal sent by hand."""

from typing import Any
from uuid import UUID

import pytest

from bookshelf_site.events import DomainEvent, uuid7
from bookshelf_site.events.delivery import deliver
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.signals import RECEIVERS
from catalog.events import BookAdded
from catalog.models import Book
from inventory import receivers
from inventory.models import Notification, StockMovement
from inventory.services import receive_copies
from orders.events import (
    CopiesAwaited,
    LineCancelled,
    LinkRequested,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderShipped,
)
from orders.models import Order
from orders.services import cancel_order, confirm_order, ship_order
from tests.given import a_book, a_waiting_order, an_order, books, ledger, raised, stock, usd

pytestmark = pytest.mark.django_db

ORDER_ID = UUID("0198c7a2-0000-7000-8000-000000000001")
ALICE: dict[str, Any] = {"order_id": ORDER_ID, "number": "XQS725F3C", "customer_name": "Alice Johnson"}
ORDER_EVENTS: list[tuple[DomainEvent, str, str]] = [
    (OrderPlaced(**ALICE, lines=(), total=usd("25.98")), "order_placed", "Order XQS725F3C placed by Alice Johnson"),
    (
        CopiesAwaited(**ALICE, quantity=2),
        "copies_waiting",
        "Order XQS725F3C for Alice Johnson waits for copies still to come: 2",
    ),
    (OrderConfirmed(**ALICE), "order_confirmed", "Order XQS725F3C confirmed for Alice Johnson"),
    (OrderShipped(**ALICE, tracking=""), "order_shipped", "Order XQS725F3C shipped to Alice Johnson"),
    (OrderCancelled(**ALICE, reason="customer"), "order_cancelled", "Order XQS725F3C cancelled for Alice Johnson"),
    (
        LineCancelled(
            **ALICE, line_id=uuid7(), book_id=uuid7(), title="Emma", quantity=2, total=usd("0.00"), reason=""
        ),
        "line_cancelled",
        "Order XQS725F3C: 2 × Emma cancelled for Alice Johnson",
    ),
    (
        LinkRequested(order_id=ORDER_ID, number="XQS725F3C"),
        "link_requested",
        "Order XQS725F3C: its customer has asked for the link once more",
    ),
]


def book_added(book: Book, *, copies: int) -> BookAdded:
    return BookAdded(book_id=book.pk, title=book.title, author="", isbn=None, price=None, opening_stock=copies)


def noted() -> list[tuple[str, str, str, UUID | None]]:
    return list(Notification.objects.values_list("kind", "audience", "message", "order_id"))


def deliver_again(name: str) -> None:
    """What a lost acknowledgement would do, if the core let it: the same deliveries run a second time."""
    deliveries = Delivery.objects.filter(event__name=name)
    assert deliveries.update(status="pending", done_at=None)
    deliver(deliveries.select_related("event"))
    assert {delivery.status for delivery in deliveries.all()} == {"done"}


def test_the_uids_are_keys_in_the_database_and_stay_as_they_are() -> None:
    assert {uid for uid in RECEIVERS if uid.startswith("inventory.")} >= {
        "inventory.stock_copies",
        "inventory.notify_order_placed",
        "inventory.notify_order_confirmed",
        "inventory.notify_order_shipped",
        "inventory.notify_order_cancelled",
        "inventory.notify_copies_awaited",
        "inventory.notify_waiting_filled",
        "inventory.notify_line_cancelled",
        "inventory.notify_link_requested",
    }


@pytest.mark.parametrize(("event", "kind", "message"), ORDER_EVENTS, ids=lambda value: getattr(value, "name", None))
def test_what_happened_to_an_order_is_noted_for_its_customer(event: DomainEvent, kind: str, message: str) -> None:
    event.signal.send(sender=Order, event=event)

    assert noted() == [(kind, "customer", message, ORDER_ID)]
    assert Notification.objects.get().event_uid == event.uid


@pytest.mark.parametrize(("event", "kind", "message"), ORDER_EVENTS, ids=lambda value: getattr(value, "name", None))
def test_what_is_heard_twice_is_noted_once(event: DomainEvent, kind: str, message: str) -> None:
    event.signal.send(sender=Order, event=event)
    event.signal.send(sender=Order, event=event)

    assert noted() == [(kind, "customer", message, ORDER_ID)]


def test_a_new_book_is_stocked_by_a_signal_sent_by_hand() -> None:
    book = a_book(copies=0)
    event = book_added(book, copies=10)

    BookAdded.signal.send(sender=Book, event=event)
    BookAdded.signal.send(sender=Book, event=event)

    assert (stock(book), ledger(book)) == ((10, 0), [("opening", 10, 0)])
    assert StockMovement.objects.get().event_uid == event.uid


def test_several_new_books_are_stocked_at_once() -> None:
    one, other = books(2, copies=0)
    events = [book_added(one, copies=3), book_added(other, copies=4)]

    receivers.stock_copies(sender=Book, events=events)
    receivers.stock_copies(sender=Book, events=[*events, book_added(a_book(copies=0), copies=0)])

    assert (stock(one), stock(other)) == ((3, 0), (4, 0))


def test_a_delivery_that_runs_twice_stocks_a_book_once() -> None:
    book = a_book(copies=10)

    deliver_again("catalog.book_added")

    assert (stock(book), ledger(book)) == ((10, 0), [("opening", 10, 0)])


def test_deliveries_that_run_twice_note_once() -> None:
    book = a_book(copies=10)
    shipped, cancelled = an_order((book, 1)), an_order((book, 1))
    confirm_order(order_id=shipped.pk)
    ship_order(order_id=shipped.pk)
    cancel_order(order_id=cancelled.pk, reason="customer")
    before = sorted(noted())

    for name in ("placed", "confirmed", "shipped", "cancelled"):
        deliver_again(f"orders.order_{name}")

    assert sorted(noted()) == before
    assert len(before) == 5


def test_every_event_of_an_order_is_heard_under_its_cause() -> None:
    order = an_order((a_book(copies=10), 1))

    notification = Notification.objects.get(order_id=order.pk)
    assert notification.event_uid == Event.objects.get(name="orders.order_placed").uid


def test_whoever_waits_is_told_so_once_for_all_lines() -> None:
    one, other = books(2, copies=1)

    order = a_waiting_order((one, 3), (other, 4))

    number = order.number
    assert [(kind, message) for kind, _, message, _ in noted()] == [
        ("order_placed", f"Order {number} placed by Alice Johnson"),
        ("copies_waiting", f"Order {number} for Alice Johnson waits for copies still to come: 5"),
    ]


def test_an_order_that_gets_all_its_copies_waits_for_none() -> None:
    a_waiting_order((a_book(copies=3), 3))

    assert raised("orders.copies_awaited") == 0


def test_each_book_that_has_come_in_is_told_and_that_it_was_the_last() -> None:
    emma, persuasion = a_book("Emma"), a_book("Persuasion")
    order = a_waiting_order((emma, 2), (persuasion, 1))

    receive_copies(book_id=emma.pk, quantity=1)
    told_of_a_part = Notification.objects.filter(kind="copies_arrived").exists()
    receive_copies(book_id=emma.pk, quantity=1)
    receive_copies(book_id=persuasion.pk, quantity=1)

    assert not told_of_a_part
    assert list(
        Notification.objects.filter(kind="copies_arrived").order_by("id").values_list("message", "book_id")
    ) == [
        (f"Order {order.number}: Emma has come in", emma.pk),
        (f"Order {order.number}: Persuasion has come in; the order is complete", persuasion.pk),
    ]


def test_one_delivery_tells_everybody_who_waited_for_it() -> None:
    book = a_book("Emma")
    orders = [a_waiting_order((book, 1)) for _ in range(3)]

    receive_copies(book_id=book.pk, quantity=2)

    told = Notification.objects.filter(kind="copies_arrived")
    assert set(told.values_list("order_id", flat=True)) == {order.pk for order in orders[:2]}


def test_each_notification_is_news_and_names_nobody() -> None:
    order = an_order((a_book(copies=10), 1))

    notification = Notification.objects.get()
    event = Event.objects.get(name="inventory.notification_recorded")
    assert event.stream == f"inventory.notification:{order.pk}"
    assert event.causation_id == notification.event_uid
    assert (event.data, event.personal) == (
        {
            "notification_id": str(notification.pk),
            "kind": "order_placed",
            "audience": "customer",
            "order_id": str(order.pk),
            "book_id": None,
            "by_mail": False,
        },
        None,
    )


def test_what_is_noted_twice_is_news_once() -> None:
    event = OrderConfirmed(**ALICE)

    event.signal.send(sender=Order, event=event)
    event.signal.send(sender=Order, event=event)

    assert raised("inventory.notification_recorded") == 1


def test_names_are_noted_as_the_customer_wrote_them() -> None:
    event = OrderConfirmed(order_id=ORDER_ID, number="X", customer_name="Zoë {0} %s <b>")

    OrderConfirmed.signal.send(sender=Order, event=event)

    assert Notification.objects.get().message == "Order X confirmed for Zoë {0} %s <b>"
