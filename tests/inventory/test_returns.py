import pytest

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import acting
from bookshelf_site.events.models import Event
from catalog.models import Book
from inventory.audit import differences
from inventory.errors import NeverOrdered, NeverShipped
from inventory.models import MAX_COPIES, Allocation, StockMovement
from inventory.services import return_copies, return_damaged_copies
from orders.models import Order
from orders.services import cancel_order, confirm_order, ship_order
from tests.given import a_book, a_waiting_order, an_order, ledger, promised, raised, stock

pytestmark = pytest.mark.django_db


@pytest.fixture
def book() -> Book:
    return a_book("Emma", copies=5)


@pytest.fixture
def order(book: Book) -> Order:
    """Three copies of it are sent, two are left."""
    order = an_order((book, 3))
    confirm_order(order_id=order.pk)
    return ship_order(order_id=order.pk)


def take_back(book: Book, order: Order, quantity: int) -> StockMovement:
    return return_copies(book_id=book.pk, order_id=order.pk, quantity=quantity, reason="A present that they had")


def returned() -> int:
    return Allocation.objects.get().returned


def test_returned_copies_are_on_the_shelf(book: Book, order: Order) -> None:
    with acting(actor="user:bea"):
        movement = take_back(book, order, 2)

    assert (stock(book), returned()) == ((4, 0), 2)
    assert ledger(book)[-1] == ("returned", 2, 0)
    assert (movement.line_id, movement.order_id) == (order.lines.get().pk, order.pk)
    assert (movement.reason, movement.actor) == ("A present that they had", "user:bea")
    assert list(differences()) == []


def test_returned_copies_are_told(book: Book, order: Order) -> None:
    take_back(book, order, 2)

    event = Event.objects.get(name="inventory.copies_returned")
    assert event.stream == f"inventory.stockitem:{book.pk}"
    assert event.data == {
        "book_id": str(book.pk),
        "order_id": str(order.pk),
        "line_id": str(order.lines.get().pk),
        "quantity": 2,
        "is_damaged": False,
        "on_hand": 4,
    }


def test_copies_that_come_back_damaged_are_written_off(book: Book, order: Order) -> None:
    movement = return_damaged_copies(book_id=book.pk, order_id=order.pk, quantity=2)

    assert (stock(book), returned()) == ((2, 0), 2)
    assert ledger(book)[-2:] == [("returned", 2, 0), ("damaged", -2, 0)]
    assert movement.kind == "returned"
    assert StockMovement.objects.get(kind="damaged").reason == "came back damaged"
    assert Event.objects.get(name="inventory.copies_returned").data["is_damaged"] is True
    assert list(differences()) == []


def test_copies_come_back_in_parts(book: Book, order: Order) -> None:
    take_back(book, order, 1)
    return_damaged_copies(book_id=book.pk, order_id=order.pk, quantity=1)
    take_back(book, order, 1)

    assert (stock(book), returned()) == ((4, 0), 3)
    assert list(differences()) == []


def test_never_more_come_back_than_were_sent(book: Book, order: Order) -> None:
    take_back(book, order, 2)
    for come_back in (return_copies, return_damaged_copies):
        with pytest.raises(NeverShipped) as refusal:
            come_back(book_id=book.pk, order_id=order.pk, quantity=2)

    assert (refusal.value.shipped, refusal.value.returned) == (3, 2)
    assert (stock(book), returned(), raised("inventory.copies_returned")) == ((4, 0), 2, 1)


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_return_has_copies(book: Book, order: Order, quantity: int) -> None:
    with pytest.raises(InvalidValue, match="quantity: at least one copy comes back"):
        take_back(book, order, quantity)

    assert (stock(book), returned()) == ((2, 0), 0)


def test_more_copies_than_a_shelf_holds_do_not_come_back(book: Book, order: Order) -> None:
    with pytest.raises(NeverShipped):
        take_back(book, order, MAX_COPIES)


def test_what_was_not_sent_does_not_come_back(book: Book) -> None:
    order = an_order((book, 2))
    for _ in range(2):
        with pytest.raises(NeverShipped):
            take_back(book, order, 1)
        cancel_order(order_id=order.pk, reason="customer")

    assert stock(book) == (5, 0)


def test_a_book_that_the_order_does_not_have_does_not_come_back(order: Order) -> None:
    other = a_book("Persuasion", copies=1)

    with pytest.raises(NeverOrdered):
        take_back(other, order, 1)

    assert stock(other) == (1, 0)


def test_returned_copies_go_to_who_waits(book: Book, order: Order) -> None:
    waiting = a_waiting_order((book, 4))

    take_back(book, order, 1)

    assert (promised(waiting), stock(book)) == ([(4, 3)], (3, 3))
    assert list(differences()) == []


def test_damaged_copies_go_to_nobody(book: Book, order: Order) -> None:
    waiting = a_waiting_order((book, 4))

    return_damaged_copies(book_id=book.pk, order_id=order.pk, quantity=1)

    assert (promised(waiting), stock(book)) == ([(4, 2)], (2, 2))
