import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection

from bookshelf_site.events import erasing, unit_of_work
from catalog.models import Book
from inventory.audit import Difference, differences, one_snapshot
from inventory.models import Allocation, StockMovement
from inventory.services import adjust_stock, receive_copies
from orders.models import Order
from orders.services import confirm_order, ship_order
from tests.given import a_book, a_waiting_order, an_order, stock
from tests.racing import run

pytestmark = pytest.mark.django_db


@pytest.fixture
def book() -> Book:
    return a_book("Emma", copies=10)


@pytest.fixture
def order(book: Book) -> Order:
    return an_order((book, 2))


def sql(statement: str, *parameters: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def found() -> list[tuple[str, int, int]]:
    return [(difference.what, difference.counter, difference.proof) for difference in differences()]


def test_a_shop_without_stock_is_sound() -> None:
    assert list(differences()) == []


def test_a_shop_that_did_everything_is_sound(book: Book, order: Order) -> None:
    confirm_order(order_id=order.pk)
    ship_order(order_id=order.pk)
    a_waiting_order((book, 12))
    receive_copies(book_id=book.pk, quantity=2)
    receive_copies(book_id=book.pk, quantity=6)
    adjust_stock(book_id=book.pk, change=-3, kind=StockMovement.Kind.LOST, reason="Flood")

    assert list(differences()) == []


def test_a_difference_names_its_book(book: Book) -> None:
    sql("UPDATE inventory_stockitem SET on_hand = 11")

    assert list(differences()) == [Difference(book_id=book.pk, what="on hand", counter=11, proof=10)]
    assert str(next(differences())) == f"book {book.pk}: on hand is 11, the rows behind it say 10"


def test_copies_that_nobody_was_promised_are_found(order: Order) -> None:
    sql("UPDATE inventory_stockitem SET allocated = 3")

    assert found() == [("allocated by the ledger", 3, 2), ("allocated to open lines", 3, 2)]


def test_a_promise_that_the_ledger_does_not_know_is_found(order: Order) -> None:
    line = Allocation.objects.get().line_id
    sql("UPDATE inventory_allocation SET allocated = 1")

    assert found() == [("allocated to open lines", 2, 1), (f"allocated of line {line}", 1, 2)]


def test_a_promise_that_moved_to_another_line_is_found(book: Book) -> None:
    one, other = an_order((book, 2)), an_order((book, 2))
    more, less = Allocation.objects.get(order_id=one.pk), Allocation.objects.get(order_id=other.pk)
    sql("UPDATE inventory_allocation SET allocated = 1 WHERE order_number = %s", other.number)
    sql("UPDATE inventory_allocation SET wanted = 3, allocated = 3 WHERE order_number = %s", one.number)

    assert sorted(found()) == sorted(
        [(f"allocated of line {more.line_id}", 3, 2), (f"allocated of line {less.line_id}", 1, 2)]
    )


def test_a_line_that_was_sent_without_a_movement_is_found() -> None:
    a_waiting_order((a_book("Persuasion", copies=0), 2))
    line = Allocation.objects.get().line_id
    sql("UPDATE inventory_allocation SET shipped = 1")

    assert found() == [(f"shipped of line {line}", 1, 0)]


def test_a_return_without_a_movement_is_found(order: Order) -> None:
    confirm_order(order_id=order.pk)
    ship_order(order_id=order.pk)
    line = Allocation.objects.get().line_id
    sql("UPDATE inventory_allocation SET returned = 1")

    assert found() == [(f"returned of line {line}", 1, 0)]


def test_a_movement_that_is_gone_is_found(book: Book) -> None:
    receive_copies(book_id=book.pk, quantity=5)
    with unit_of_work, erasing():
        sql("DELETE FROM inventory_stockmovement WHERE kind = 'opening'")

    movement = StockMovement.objects.get()
    assert found() == [("on hand", 15, 5), (f"on_hand after movement {movement.pk}", 15, 5)]


def test_a_balance_that_was_tampered_with_is_found(book: Book) -> None:
    with unit_of_work, erasing():
        sql("UPDATE inventory_stockmovement SET on_hand = 12")

    movement = StockMovement.objects.get()
    assert found() == [(f"on_hand after movement {movement.pk}", 12, 10)]


def test_each_book_is_proven_for_itself(book: Book) -> None:
    other = a_book("Persuasion", copies=5)
    sql("UPDATE inventory_stockitem SET on_hand = 6 WHERE on_hand = 5")

    assert [difference.book_id for difference in differences()] == [other.pk]


@pytest.mark.django_db(transaction=True)
def test_the_proof_sees_one_moment() -> None:
    book = a_book("Emma", copies=10)

    with ThreadPoolExecutor(1) as pool:
        with one_snapshot():
            before = stock(book)
            delivery = pool.submit(run, partial(receive_copies, book_id=book.pk, quantity=5))
            time.sleep(0.3)
            meanwhile = stock(book)
        delivery.result()

    assert (before, meanwhile, stock(book)) == ((10, 0), (10, 0), (15, 0))
