"""Orders that meet: forced together on both databases, exactly one wins, and the ledger adds up after all."""

from contextlib import suppress
from datetime import timedelta
from functools import partial
from random import Random

import pytest
import time_machine
from django.db.models import QuerySet
from django.utils import timezone

from bookshelf_site.events import acting
from catalog.models import Book
from inventory.audit import differences
from inventory.models import Notification, StockItem
from inventory.services import receive_copies, return_copies
from orders.errors import NothingToSplit
from orders.models import Order
from orders.services import (
    cancel_line,
    cancel_order,
    confirm_order,
    expire_orders,
    place_order,
    put_back_line,
    ship_order,
    split_order,
)
from tests.given import ALICE, a_book, a_waiting_order, an_order, books, ledger, lines, promised, raised, stock
from tests.racing import Act, outcomes, race, race_behind

pytestmark = pytest.mark.django_db(transaction=True)


def lock_stock() -> list[StockItem]:
    """Held meanwhile: whoever comes for copies has to wait."""
    return list(StockItem.objects.locked_by_key().values())


def lock_orders() -> list[Order]:
    orders: QuerySet[Order] = Order.objects.locked().order_by("pk")
    return list(orders)


def place(*wanted: tuple[Book, int]) -> Order:
    return place_order(ALICE, lines(*wanted))


def test_of_sixteen_who_want_the_last_ten_copies_ten_get_one() -> None:
    book = a_book("Emma", copies=10)

    results = race_behind(lock_stock, [partial(place, (book, 1))] * 16)

    assert outcomes(results) == {"done": 10, "InsufficientStock": 6}
    assert stock(book) == (10, 10)
    assert (Order.objects.count(), raised("orders.order_placed")) == (10, 10)
    assert Notification.objects.filter(kind="order_placed").count() == 10
    assert list(differences()) == []


def test_of_two_who_want_more_than_half_one_gets_it() -> None:
    book = a_book("Emma", copies=10)

    results = race_behind(lock_stock, [partial(place, (book, 6)), partial(place, (book, 7))])

    assert outcomes(results) == {"done": 1, "InsufficientStock": 1}
    assert Order.objects.count() == 1
    assert list(differences()) == []


def test_orders_of_the_same_books_in_opposite_order_do_not_wait_for_each_other() -> None:
    several = books(5, copies=100)
    shuffled = Random(1)

    def shop() -> None:
        for _ in range(6):
            place(*((book, 1) for book in shuffled.sample(several, k=5)))

    results = race([shop] * 8)

    assert outcomes(results) == {"done": 8}
    assert [stock(book) for book in several] == [(100, 48)] * 5
    assert list(differences()) == []


def test_orders_come_and_go_on_the_same_books_without_a_deadlock() -> None:
    several = books(3, copies=50)

    def shop(seed: int) -> None:
        shuffled = Random(seed)
        for _ in range(4):
            order = place(*((book, 1) for book in shuffled.sample(several, k=3)))
            if shuffled.random() < 0.5:
                cancel_order(order_id=order.pk, reason="customer")
            else:
                confirm_order(order_id=order.pk)
                ship_order(order_id=order.pk)

    results = race(partial(shop, seed) for seed in range(6))

    assert outcomes(results) == {"done": 6}
    assert {stock(book)[1] for book in several} == {0}
    assert raised("orders.order_shipped") + raised("orders.order_cancelled") == 24
    assert list(differences()) == []


def test_orders_of_books_that_no_shelf_has_seen_make_each_shelf_once() -> None:
    several = books(4, copies=0)
    StockItem.objects.all()._raw_delete("default")

    results = race(partial(a_waiting_order, *((book, 1) for book in order)) for order in [several, several[::-1]] * 4)

    assert outcomes(results) == {"done": 8}
    assert StockItem.objects.count() == 4
    assert list(differences()) == []


@pytest.mark.parametrize("locked", [lock_orders, lock_stock])
def test_an_order_is_either_cancelled_or_shipped(locked: Act) -> None:
    book = a_book("Emma", copies=10)
    order = an_order((book, 2))
    confirm_order(order_id=order.pk)

    results = race_behind(
        locked,
        [partial(cancel_order, order_id=order.pk, reason="customer"), partial(ship_order, order_id=order.pk)],
    )

    status = Order.objects.get().status
    assert outcomes(results) == {"done": 1, "InvalidTransition": 1}
    assert (status, stock(book)) in [("CANCELLED", (10, 0)), ("SHIPPED", (8, 0))]
    assert raised("orders.order_cancelled") + raised("orders.order_shipped") == 1
    assert list(differences()) == []


def test_an_order_that_is_cancelled_while_it_is_confirmed_ends_cancelled() -> None:
    book = a_book("Emma", copies=10)
    order = an_order((book, 2))

    results = race_behind(
        lock_orders,
        [partial(cancel_order, order_id=order.pk, reason="customer"), partial(confirm_order, order_id=order.pk)],
    )

    # whichever comes first: a cancelled order can't be confirmed, a confirmed one can be cancelled
    assert outcomes(results) in ({"done": 2}, {"done": 1, "InvalidTransition": 1})
    assert (Order.objects.get().status, stock(book)) == ("CANCELLED", (10, 0))
    assert raised("orders.order_cancelled") == 1
    assert list(differences()) == []


def test_two_who_confirm_an_order_confirm_it_once() -> None:
    order = an_order((a_book("Emma", copies=10), 2))

    results = race_behind(lock_orders, [partial(confirm_order, order_id=order.pk)] * 4)

    assert outcomes(results) == {"done": 4}
    assert (raised("orders.order_confirmed"), Order.objects.get().version) == (1, 2)
    assert Notification.objects.filter(kind="order_confirmed").count() == 1


def test_two_who_ship_an_order_ship_it_once() -> None:
    book = a_book("Emma", copies=10)
    order = an_order((book, 2))
    confirm_order(order_id=order.pk)

    results = race_behind(lock_orders, [partial(ship_order, order_id=order.pk)] * 4)

    assert outcomes(results) == {"done": 4}
    assert (raised("orders.order_shipped"), stock(book)) == (1, (8, 0))
    assert ledger(book) == [("opening", 10, 0), ("allocated", 0, 2), ("shipped", -2, -2)]


def test_two_who_cancel_an_order_free_its_copies_once() -> None:
    book = a_book("Emma", copies=10)
    order = an_order((book, 2))

    results = race_behind(lock_orders, [partial(cancel_order, order_id=order.pk, reason="other")] * 4)

    assert outcomes(results) == {"done": 4}
    assert ledger(book) == [("opening", 10, 0), ("allocated", 0, 2), ("released", 0, -2)]


def test_a_delivery_and_an_order_at_once_lose_no_copy() -> None:
    book = a_book("Emma", copies=1)

    results = race_behind(
        lock_stock,
        [partial(receive_copies, book_id=book.pk, quantity=5), partial(place, (book, 3)), partial(place, (book, 3))],
    )

    # an order that was there before the delivery found one copy; one after it found six or three
    placed = Order.objects.count()
    assert outcomes(results)["done"] == placed + 1
    assert stock(book) == (6, 3 * placed)
    assert list(differences()) == []


def test_a_delivery_and_a_cancellation_at_once_fill_a_waiting_line_once() -> None:
    book = a_book("Emma", copies=2)
    held, waiting = an_order((book, 2)), a_waiting_order((book, 3))

    results = race_behind(
        lock_stock,
        [
            partial(receive_copies, book_id=book.pk, quantity=2),
            partial(cancel_order, order_id=held.pk, reason="customer"),
        ],
    )

    assert outcomes(results) == {"done": 2}
    assert stock(book) == (4, 3)
    assert confirm_order(order_id=waiting.pk).status == "CONFIRMED"
    assert list(differences()) == []


def test_a_till_that_sends_its_order_twice_at_once_has_one() -> None:
    book = a_book("Emma", copies=10)

    def send() -> Order:
        with acting(actor="key:till"):
            return place_order(ALICE, lines((book, 1)), external_reference="till-1")

    results = race([send] * 5)

    assert outcomes(results) == {"done": 1, "DuplicateReference": 4}
    assert (Order.objects.count(), stock(book)) == (1, (10, 1))
    assert list(differences()) == []


@pytest.mark.parametrize("locked", [lock_orders, lock_stock])
def test_an_order_is_either_confirmed_or_expires(locked: Act) -> None:
    book = a_book("Emma", copies=10)
    order = an_order((book, 2))

    with time_machine.travel(timezone.now() + timedelta(days=30)):
        results = race_behind(locked, [partial(confirm_order, order_id=order.pk), expire_orders, expire_orders])

    status = Order.objects.get().status
    assert outcomes(results) in ({"done": 3}, {"done": 2, "InvalidTransition": 1})
    assert (status, stock(book)) in [("CONFIRMED", (10, 2)), ("CANCELLED", (10, 0))]
    assert raised("orders.order_confirmed") + raised("orders.order_cancelled") == 1
    assert list(differences()) == []


@pytest.mark.parametrize("locked", [lock_orders, lock_stock])
def test_a_line_is_either_put_back_or_promised(locked: Act) -> None:
    book = a_book("Emma", copies=10)
    order = an_order((book, 2))

    results = race_behind(
        locked,
        [
            partial(put_back_line, order_id=order.pk, line_id=order.lines.get().pk),
            partial(confirm_order, order_id=order.pk),
        ],
    )

    assert outcomes(results) in ({"done": 1, "LinesWaiting": 1}, {"done": 1, "NotPending": 1})
    assert (Order.objects.get().status, promised(order)) in [("CONFIRMED", [(2, 2)]), ("PENDING", [(2, 0)])]
    assert raised("orders.order_confirmed") + raised("orders.copies_put_back") == 1
    assert list(differences()) == []


@pytest.mark.parametrize("locked", [lock_orders, lock_stock])
def test_an_order_that_is_filled_while_it_is_split_keeps_every_copy(locked: Act) -> None:
    book = a_book("Emma", copies=2)
    order = a_waiting_order((book, 5))

    results = race_behind(
        locked,
        [
            partial(split_order, order_id=order.pk),
            partial(receive_copies, book_id=book.pk, quantity=3),
            partial(split_order, order_id=order.pk),
        ],
    )

    # filled before it was split, there was nothing left to split off
    splits = raised("orders.order_split")
    assert outcomes(results) == {"done": 1 + splits, "NothingToSplit": 2 - splits}
    assert sum(wanted for each in Order.objects.all() for wanted, _ in promised(each)) == 5
    assert (stock(book), Order.objects.count()) == ((5, 5), 1 + splits)
    assert splits <= 1
    assert list(differences()) == []


def test_an_order_that_is_split_while_it_is_cancelled_leaves_no_copy_behind() -> None:
    book = a_book("Emma", copies=2)
    order = a_waiting_order((book, 5))

    results = race_behind(
        lock_orders,
        [partial(split_order, order_id=order.pk), partial(cancel_order, order_id=order.pk, reason="customer")],
    )

    # what was split off before is filled with what the cancelled order frees
    assert outcomes(results) in ({"done": 2}, {"done": 1, "NothingToSplit": 1})
    assert stock(book) == (2, 2 * raised("orders.order_split"))
    assert list(differences()) == []


def test_of_two_who_cancel_the_last_lines_one_is_refused() -> None:
    one, other = a_book("Emma", copies=5), a_book("Persuasion", copies=5)
    order = an_order((one, 1), (other, 1))

    results = race_behind(
        lock_orders, [partial(cancel_line, order_id=order.pk, line_id=line.pk) for line in order.lines.all()]
    )

    assert outcomes(results) == {"done": 1, "LastLine": 1}
    assert stock(one)[1] + stock(other)[1] == 1
    assert list(differences()) == []


def test_copies_that_come_back_at_once_are_never_more_than_were_sent() -> None:
    book = a_book("Emma", copies=5)
    order = an_order((book, 3))
    confirm_order(order_id=order.pk)
    ship_order(order_id=order.pk)

    results = race_behind(lock_stock, [partial(return_copies, book_id=book.pk, order_id=order.pk, quantity=2)] * 3)

    assert outcomes(results) == {"done": 1, "NeverShipped": 2}
    assert (stock(book), raised("inventory.copies_returned")) == ((4, 0), 1)
    assert list(differences()) == []


def test_of_those_who_take_a_book_below_its_threshold_one_is_told() -> None:
    book = a_book("Emma", copies=10)

    results = race_behind(lock_stock, [partial(place, (book, 1))] * 9)

    assert outcomes(results) == {"done": 9}
    assert raised("inventory.stock_ran_low") == 1
    assert Notification.objects.filter(kind="stock_ran_low").count() == 1


def test_whatever_meets_on_the_same_shelves_nobody_waits_for_ever() -> None:
    several = books(4, copies=6)

    def work(seed: int) -> None:
        shuffled = Random(seed)
        for _ in range(4):
            order = a_waiting_order(*((book, shuffled.randint(1, 3)) for book in shuffled.sample(several, k=3)))
            line = shuffled.choice(list(order.lines.all()))
            acts: list[Act] = [
                partial(put_back_line, order_id=order.pk, line_id=line.pk),
                partial(cancel_line, order_id=order.pk, line_id=line.pk),
                partial(split_order, order_id=order.pk),
                partial(receive_copies, book_id=shuffled.choice(several).pk, quantity=4),
            ]
            with suppress(NothingToSplit):
                shuffled.choice(acts)()
            cancel_order(order_id=order.pk, reason="customer")

    results = race(partial(work, seed) for seed in range(6))

    assert outcomes(results) == {"done": 6}
    assert list(differences()) == []
