"""The staff is told once when a book falls to its threshold, and again only when it has risen above it."""

from collections.abc import Callable

import pytest
from pytest_django import Settings

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events.models import Event
from catalog.models import Book
from inventory.models import Notification, StockItem, StockMovement
from inventory.services import (
    adjust_stock,
    count_copies,
    receive_copies,
    return_copies,
    return_damaged_copies,
    set_low_stock_threshold,
)
from orders.services import cancel_order, confirm_order, put_back_line, ship_order
from tests.given import a_book, a_waiting_order, an_order, raised, stock

pytestmark = pytest.mark.django_db

Kind = StockMovement.Kind
RAN_LOW = "inventory.stock_ran_low"


@pytest.fixture(autouse=True)
def three(settings: Settings) -> None:
    settings.LOW_STOCK_THRESHOLD = 3


@pytest.fixture
def book() -> Book:
    return a_book("Emma", copies=5)


def adjust(book: Book, change: int, kind: Kind = Kind.CORRECTED) -> None:
    adjust_stock(book_id=book.pk, change=change, kind=kind, reason="Flood")


def count(book: Book, counted: int) -> None:
    count_copies(book_id=book.pk, counted=counted, reason="Stocktake")


def test_a_book_that_falls_to_its_threshold_is_told(book: Book) -> None:
    an_order((book, 1))
    above = raised(RAN_LOW)
    an_order((book, 1))

    event = Event.objects.get(name=RAN_LOW)
    assert above == 0
    assert event.stream == f"inventory.stockitem:{book.pk}"
    assert event.data == {"book_id": str(book.pk), "available": 3, "threshold": 3}
    told = Notification.objects.get(kind="stock_ran_low")
    assert (told.audience, told.book_id, told.order_id) == ("staff", book.pk, None)
    assert told.message == "Emma: 3 copies are left"


@pytest.mark.parametrize(("left", "words"), [(1, "1 copy is"), (0, "no copies are")])
def test_the_staff_is_told_how_few_are_left(book: Book, left: int, words: str) -> None:
    an_order((book, 5 - left))

    assert Notification.objects.get(kind="stock_ran_low").message == f"Emma: {words} left"


def test_a_book_that_falls_further_is_not_told_again(book: Book) -> None:
    for _ in range(4):
        an_order((book, 1))

    assert raised(RAN_LOW) == 1


@pytest.mark.parametrize(
    "fall",
    [
        lambda book: an_order((book, 2)),
        lambda book: a_waiting_order((book, 9)),
        lambda book: adjust(book, -2),
        lambda book: adjust(book, -2, Kind.DAMAGED),
        lambda book: adjust(book, -2, Kind.LOST),
        lambda book: count(book, 3),
    ],
)
def test_it_is_told_whatever_took_the_copies(book: Book, fall: Callable[[Book], object]) -> None:
    fall(book)

    assert raised(RAN_LOW) == 1


def cancelled(book: Book) -> None:
    cancel_order(order_id=an_order((book, 2)).pk, reason="customer")


def put_back(book: Book) -> None:
    order = an_order((book, 2))
    put_back_line(order_id=order.pk, line_id=order.lines.get().pk)


def brought_back(book: Book) -> None:
    order = an_order((book, 2))
    confirm_order(order_id=order.pk)
    ship_order(order_id=order.pk)
    return_copies(book_id=book.pk, order_id=order.pk, quantity=1)


def received(book: Book) -> None:
    an_order((book, 2))
    receive_copies(book_id=book.pk, quantity=1)


def counted(book: Book) -> None:
    an_order((book, 2))
    count(book, 6)


def corrected(book: Book) -> None:
    an_order((book, 2))
    adjust(book, 1)


@pytest.mark.parametrize("fall_and_rise", [cancelled, put_back, brought_back, received, counted, corrected])
def test_it_is_told_again_whatever_brought_copies_meanwhile(
    book: Book, fall_and_rise: Callable[[Book], object]
) -> None:
    fall_and_rise(book)
    once = raised(RAN_LOW)

    an_order((book, 2))

    assert (once, raised(RAN_LOW)) == (1, 2)


def test_what_is_sent_was_missing_before(book: Book) -> None:
    order = an_order((book, 1))
    confirm_order(order_id=order.pk)
    ship_order(order_id=order.pk)

    assert (stock(book), raised(RAN_LOW)) == ((4, 0), 0)


def test_a_return_that_is_written_off_brings_nothing(book: Book) -> None:
    order = an_order((book, 2))
    confirm_order(order_id=order.pk)
    ship_order(order_id=order.pk)
    return_damaged_copies(book_id=book.pk, order_id=order.pk, quantity=2)

    an_order((book, 1))

    assert raised(RAN_LOW) == 1


def test_copies_that_come_and_go_at_once_bring_nothing(book: Book) -> None:
    a_waiting_order((book, 9))

    receive_copies(book_id=book.pk, quantity=4)

    assert raised(RAN_LOW) == 1


@pytest.mark.parametrize("copies", [0, 2, 3])
def test_a_book_that_was_never_above_its_threshold_did_not_fall(copies: int) -> None:
    book = a_book("Sanditon", copies=copies)

    a_waiting_order((book, 1))

    assert raised(RAN_LOW) == 0


def test_a_book_has_a_threshold_of_its_own(book: Book) -> None:
    set_low_stock_threshold(book_id=book.pk, threshold=1)
    an_order((book, 3))
    above = raised(RAN_LOW)
    an_order((book, 1))

    assert above == 0
    assert Event.objects.get(name=RAN_LOW).data == {"book_id": str(book.pk), "available": 1, "threshold": 1}


def test_who_sets_a_threshold_is_not_told_what_they_see(book: Book) -> None:
    set_low_stock_threshold(book_id=book.pk, threshold=5)
    an_order((book, 1))

    assert StockItem.objects.low().get().book == book
    assert raised(RAN_LOW) == 0


def test_a_book_has_the_shops_threshold_again(book: Book) -> None:
    set_low_stock_threshold(book_id=book.pk, threshold=0)

    set_low_stock_threshold(book_id=book.pk, threshold=None)

    assert StockItem.objects.get().threshold == 3


@pytest.mark.parametrize("threshold", [-1, 1_000_001])
def test_a_threshold_is_a_number_of_copies(book: Book, threshold: int) -> None:
    with pytest.raises(InvalidValue, match="low_stock_threshold: between 0 and 1,000,000 copies"):
        set_low_stock_threshold(book_id=book.pk, threshold=threshold)

    assert StockItem.objects.get().low_stock_threshold is None
