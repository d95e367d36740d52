from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bookshelf_site.events.models import Event
from bookshelf_site.events.signals import RECEIVERS
from bookshelf_site.events.testing import deliver_twice
from catalog.models import Book
from inventory.events import WaitingFilled, WaitingPartlyFilled
from inventory.models import StockMovement
from inventory.services import adjust_stock, count_copies, receive_copies, return_copies, return_damaged_copies
from orders import services
from orders.models import Order
from orders.services import cancel_line, cancel_order, confirm_order, put_back_line, ship_order, split_order
from tests.given import a_book, a_waiting_order, an_order, promised

pytestmark = pytest.mark.django_db


def test_what_comes_back_stands_in_the_timeline_of_its_order() -> None:
    book = a_book("Emma", copies=5)
    order = an_order((book, 3))
    confirm_order(order_id=order.pk)
    ship_order(order_id=order.pk)

    return_damaged_copies(book_id=book.pk, order_id=order.pk, quantity=2)

    told = Event.objects.get(name="orders.order_returned")
    order.refresh_from_db()
    assert order.timeline.last() == told
    assert order.status == "SHIPPED"
    assert told.data == {
        "order_id": str(order.pk),
        "number": order.number,
        "line_id": str(order.lines.get().pk),
        "book_id": str(book.pk),
        "title": "Emma",
        "quantity": 2,
        "is_damaged": True,
    }


def test_the_uids_are_keys_in_the_database_and_stay_as_they_are() -> None:
    assert {uid for uid in RECEIVERS if uid.startswith("orders.note")} == {
        "orders.note_return",
        "orders.note_filled_lines",
        "orders.note_partly_filled_lines",
    }


def later() -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(minutes=5))


def is_news(order: Order) -> bool:
    """Whether whoever has the order as it was read would be told that it has changed."""
    return Order.objects.get(pk=order.pk).updated_at > order.updated_at


@pytest.mark.parametrize(("copies", "kept"), [(2, [(3, 2)]), (3, [(3, 3)]), (5, [(3, 3)])])
def test_an_order_has_changed_when_copies_come_that_it_waited_for(copies: int, kept: list[tuple[int, int]]) -> None:
    book = a_book("Emma", copies=0)
    order = a_waiting_order((book, 3))

    with later():
        receive_copies(book_id=book.pk, quantity=copies)

    assert (promised(order), is_news(order)) == (kept, True)
    assert Order.objects.get(pk=order.pk).version == order.version


def test_an_order_that_gets_nothing_of_a_delivery_has_not_changed() -> None:
    book = a_book("Emma", copies=0)
    first, second = a_waiting_order((book, 3)), a_waiting_order((book, 1))

    with later():
        receive_copies(book_id=book.pk, quantity=2)

    assert (is_news(first), is_news(second)) == (True, False)


@pytest.mark.parametrize(
    "free",
    [
        lambda order: cancel_order(order_id=order.pk, reason="customer"),
        lambda order: put_back_line(order_id=order.pk, line_id=order.lines.get().pk),
    ],
    ids=["cancelled", "put back"],
)
def test_who_gives_copies_up_and_who_gets_them_have_changed(free: Callable[[Order], object]) -> None:
    book = a_book("Emma", copies=2)
    giving, getting = an_order((book, 2)), a_waiting_order((book, 2))

    with later():
        free(giving)

    assert (promised(giving)[0][1], promised(getting)[0][1]) == (0, 2)
    assert (is_news(giving), is_news(getting)) == (True, True)


def test_who_gets_the_copies_of_a_cancelled_line_has_changed() -> None:
    emma, persuasion = a_book("Emma", copies=2), a_book("Persuasion", copies=1)
    giving, getting = an_order((emma, 2), (persuasion, 1)), a_waiting_order((emma, 3))

    with later():
        cancel_line(order_id=giving.pk, line_id=giving.lines.get(book=emma).pk)

    assert promised(getting) == [(3, 2)]
    assert (is_news(giving), is_news(getting)) == (True, True)


@pytest.mark.parametrize(
    "shelve",
    [
        lambda book: count_copies(book_id=book.pk, counted=5, reason="Stocktake"),
        lambda book: adjust_stock(
            book_id=book.pk, change=3, kind=StockMovement.Kind.CORRECTED, reason="behind the shelf"
        ),
    ],
    ids=["counted", "corrected"],
)
def test_whoever_gets_what_is_found_on_the_shelf_has_changed(shelve: Callable[[Book], object]) -> None:
    book = a_book("Emma", copies=2)
    order = a_waiting_order((book, 3))

    with later():
        shelve(book)

    assert (promised(order), is_news(order)) == ([(3, 3)], True)


def test_what_comes_back_changes_the_order_that_was_sent_and_the_one_that_gets_it() -> None:
    book = a_book("Emma", copies=2)
    sent = an_order((book, 2))
    confirm_order(order_id=sent.pk)
    ship_order(order_id=sent.pk)
    sent.refresh_from_db()
    waiting = a_waiting_order((book, 1))

    with later():
        return_copies(book_id=book.pk, order_id=sent.pk, quantity=1)

    assert promised(waiting) == [(1, 1)]
    assert (is_news(sent), is_news(waiting)) == (True, True)


def test_what_was_split_off_has_changed_when_its_copies_come() -> None:
    book = a_book("Emma", copies=1)
    order = a_waiting_order((book, 3))
    split_order(order_id=order.pk)
    order.refresh_from_db()
    rest = Order.objects.get(split_from=order)

    with later():
        receive_copies(book_id=book.pk, quantity=1)

    assert promised(rest) == [(2, 1)]
    assert (is_news(order), is_news(rest)) == (False, True)


def news_of(order: Order, *, missing: int) -> WaitingFilled | WaitingPartlyFilled:
    line = order.lines.get()
    if missing:
        return WaitingPartlyFilled(
            book_id=line.book_id,
            order_id=order.pk,
            order_number=order.number,
            line_id=line.pk,
            quantity=line.quantity - missing,
            missing=missing,
        )
    return WaitingFilled(
        book_id=line.book_id,
        order_id=order.pk,
        order_number=order.number,
        line_id=line.pk,
        quantity=line.quantity,
    )


@pytest.mark.parametrize(("uid", "missing"), [("orders.note_filled_lines", 0), ("orders.note_partly_filled_lines", 1)])
def test_news_of_copies_that_is_delivered_twice_only_makes_the_order_read_again(uid: str, missing: int) -> None:
    order = a_waiting_order((a_book("Emma", copies=0), 3))
    event = news_of(order, missing=missing)
    before = Order.objects.filter(pk=order.pk).values().get()

    with later():
        deliver_twice(uid, event)

    after = Order.objects.filter(pk=order.pk).values().get()
    assert is_news(order)
    assert after | {"updated_at": None} == before | {"updated_at": None}
    assert [told.uid for told in Event.objects.filter(name__startswith="inventory.waiting")] == [event.uid]


def test_news_of_copies_for_many_orders_costs_as_much_as_for_few() -> None:
    def cost(waiting: int) -> int:
        book = a_book("Emma", copies=0)
        orders = [a_waiting_order((book, 1)) for _ in range(waiting)]
        with CaptureQueriesContext(connection) as captured:
            services.note_filled_lines(order_ids={order.pk for order in orders})
        return len(captured)

    assert cost(2) == cost(12)
