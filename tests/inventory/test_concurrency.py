"""Hands that reach for one shelf: forced together on both databases, and the ledger adds up after all."""

import time
from functools import partial

import pytest

from bookshelf_site.events import uuid7
from catalog.models import Book
from inventory import services
from inventory.audit import differences
from inventory.models import Notification, StockItem, StockMovement
from inventory.services import OpeningStock
from orders.models import Order
from orders.services import confirm_order, ship_order
from tests.given import a_book, a_waiting_order, an_order, books, ledger, promised, raised, stock
from tests.racing import Act, outcomes, race, race_behind

pytestmark = pytest.mark.django_db(transaction=True)

Kind = StockMovement.Kind


def lock_stock() -> list[StockItem]:
    return list(StockItem.objects.locked_by_key().values())


@pytest.fixture
def book() -> Book:
    return a_book("Emma", copies=10)


def test_deliveries_at_once_all_arrive(book: Book) -> None:
    results = race_behind(lock_stock, [partial(services.receive_copies, book_id=book.pk, quantity=1)] * 8)

    assert outcomes(results) == {"done": 8}
    assert stock(book) == (18, 0)
    assert raised("inventory.copies_received") == 8
    assert list(differences()) == []


def test_of_counts_and_orders_at_once_none_is_lost(book: Book) -> None:
    results = race_behind(
        lock_stock,
        [
            partial(services.count_copies, book_id=book.pk, counted=6, reason="Stocktake"),
            partial(an_order, (book, 4)),
            partial(an_order, (book, 4)),
        ],
    )

    orders = Order.objects.count()
    refused = {type(result).__name__ for result in results if isinstance(result, Exception)}
    assert refused <= {"InsufficientStock", "CopiesAllocated"}
    assert stock(book) in [(6, 4 * orders), (10, 4 * orders)]
    assert outcomes(results)["done"] == 2
    assert list(differences()) == []


def test_the_last_copies_are_either_lost_or_sold(book: Book) -> None:
    results = race_behind(
        lock_stock,
        [
            partial(services.adjust_stock, book_id=book.pk, change=-10, kind=Kind.LOST, reason="Flood"),
            partial(an_order, (book, 10)),
        ],
    )

    assert outcomes(results) in ({"done": 1, "InsufficientStock": 1}, {"done": 1, "CopiesAllocated": 1})
    assert stock(book) in [(0, 0), (10, 10)]
    assert list(differences()) == []


def test_one_event_that_is_heard_by_many_at_once_opens_a_book_once() -> None:
    book, uid = a_book("Emma", copies=0), uuid7()
    opening = OpeningStock(book_id=book.pk, quantity=10, event_uid=uid)

    results = race_behind(lock_stock, [partial(services.open_stock, [opening])] * 4)

    assert outcomes(results) == {"done": 4}
    assert (stock(book), ledger(book)) == ((10, 0), [("opening", 10, 0)])


def test_a_shelf_that_many_need_first_is_made_once() -> None:
    several = books(4, copies=0)
    StockItem.objects.all()._raw_delete("default")

    results = race(
        partial(
            services.open_stock,
            [OpeningStock(book_id=book.pk, quantity=1, event_uid=uuid7()) for book in order],
        )
        for order in [several, several[::-1]] * 4
    )

    assert outcomes(results) == {"done": 8}
    assert [stock(book) for book in several] == [(8, 0)] * 4
    assert list(differences()) == []


def test_who_makes_a_shelf_holds_no_other_meanwhile() -> None:
    # the first finds one shelf of two; while it waits for that, another makes the one that it misses
    low, high = sorted(books(2, copies=0), key=lambda book: book.pk)
    StockItem.objects.filter(pk=low.pk)._raw_delete("default")

    def later(seconds: float, act: Act) -> None:
        time.sleep(seconds)
        act()

    results = race_behind(
        lock_stock,
        [
            partial(a_waiting_order, (low, 1), (high, 1)),
            partial(later, 0.1, partial(services.receive_copies, book_id=low.pk, quantity=5)),
            partial(later, 0.2, partial(a_waiting_order, (low, 1), (high, 1))),
        ],
    )

    assert outcomes(results) == {"done": 3}
    assert stock(low) == (5, 2)


def test_who_waits_longest_is_filled_first_however_many_deliveries_come(book: Book) -> None:
    an_order((book, 10))
    waiting = [a_waiting_order((book, wanted)) for wanted in (2, 3, 4)]

    race_behind(lock_stock, [partial(services.receive_copies, book_id=book.pk, quantity=1)] * 6)

    assert [promised(order) for order in waiting] == [[(2, 2)], [(3, 3)], [(4, 1)]]
    assert stock(book) == (16, 16)
    assert list(differences()) == []


def test_a_delivery_and_a_shipment_at_once_both_count(book: Book) -> None:
    order = an_order((book, 4))
    confirm_order(order_id=order.pk)

    results = race_behind(
        lock_stock,
        [partial(services.receive_copies, book_id=book.pk, quantity=5), partial(ship_order, order_id=order.pk)],
    )

    assert outcomes(results) == {"done": 2}
    assert stock(book) == (11, 0)
    assert list(differences()) == []


def test_a_notification_that_many_record_at_once_is_one() -> None:
    event_uid = uuid7()

    def record() -> None:
        told = Notification(
            event_uid=event_uid,
            kind=Notification.Kind.ORDER_CONFIRMED,
            audience=Notification.Audience.CUSTOMER,
            message="Order X confirmed for Alice Johnson",
        )
        services.record_notifications([told])

    results = race([record] * 6)

    assert outcomes(results) == {"done": 6}
    assert Notification.objects.count() == 1
    assert raised("inventory.notification_recorded") == 1
