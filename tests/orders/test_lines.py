import pytest

from bookshelf_site.events.models import Event
from catalog.models import Book
from inventory.audit import differences
from inventory.services import receive_copies
from orders.errors import LastLine, LinesWaiting, NotPending
from orders.models import Order, OrderLine
from orders.services import cancel_line, cancel_order, confirm_order, put_back_line, ship_order
from tests.given import a_book, a_waiting_order, an_order, ledger, promised, raised, stock, usd

pytestmark = pytest.mark.django_db


@pytest.fixture
def emma() -> Book:
    return a_book("Emma", price="12.99", copies=3)


@pytest.fixture
def persuasion() -> Book:
    return a_book("Persuasion", price="8.50", copies=5)


@pytest.fixture
def order(emma: Book, persuasion: Book) -> Order:
    return an_order((emma, 2), (persuasion, 1))


def line_of(order: Order, title: str = "Emma") -> OrderLine:
    return order.lines.get(title=title)


def cancel(order: Order, title: str = "Emma") -> Order:
    return cancel_line(order_id=order.pk, line_id=line_of(order, title).pk)


def put_back(order: Order, title: str = "Emma") -> Order:
    return put_back_line(order_id=order.pk, line_id=line_of(order, title).pk)


def as_it_is(order: Order) -> object:
    return (
        list(Order.objects.values()),
        list(OrderLine.objects.values()),
        promised(order),
        Event.objects.count(),
    )


def test_a_cancelled_line_frees_its_copies_and_costs_nothing(order: Order, emma: Book) -> None:
    cancel(order)

    order.refresh_from_db()
    assert (order.status, order.total) == ("PENDING", usd("8.50"))
    assert (stock(emma), promised(order)) == ((3, 0), [(2, 0), (1, 1)])
    assert ledger(emma) == [("opening", 3, 0), ("allocated", 0, 2), ("released", 0, -2)]
    assert line_of(order).cancelled_at
    assert list(differences()) == []


def test_a_cancelled_line_is_told(order: Order, emma: Book) -> None:
    cancel(order)

    assert Event.objects.get(name="orders.line_cancelled").data == {
        "order_id": str(order.pk),
        "number": order.number,
        "has_email": False,
        "line_id": str(line_of(order).pk),
        "book_id": str(emma.pk),
        "title": "Emma",
        "quantity": 2,
        "total": {"amount": "8.50", "currency": "USD"},
    }


def test_what_a_cancelled_line_frees_goes_to_who_waits(order: Order, emma: Book) -> None:
    waiting = a_waiting_order((emma, 3))

    cancel(order)

    assert promised(waiting) == [(3, 3)]


def test_a_cancelled_line_waits_no_longer(emma: Book, persuasion: Book) -> None:
    order = a_waiting_order((emma, 5), (persuasion, 1))
    cancel(order)

    receive_copies(book_id=emma.pk, quantity=5)

    assert stock(emma) == (8, 0)
    assert confirm_order(order_id=order.pk).status == "CONFIRMED"


def test_a_line_is_cancelled_once(order: Order) -> None:
    cancel(order)
    before = as_it_is(order)

    cancel(order)

    assert as_it_is(order) == before


def test_the_last_line_is_not_cancelled(order: Order) -> None:
    cancel(order)
    before = as_it_is(order)

    with pytest.raises(LastLine):
        cancel(order, "Persuasion")

    assert as_it_is(order) == before


@pytest.mark.parametrize("act", [cancel, put_back])
def test_lines_of_a_confirmed_order_stay(order: Order, act: object) -> None:
    confirm_order(order_id=order.pk)
    before = as_it_is(order)

    with pytest.raises(NotPending) as refusal:
        act(order)  # type: ignore[operator]

    assert refusal.value.extra == {"allowed": ["SHIPPED", "CANCELLED"]}
    assert as_it_is(order) == before


@pytest.mark.parametrize("act", [cancel, put_back])
def test_a_line_is_one_of_its_order(order: Order, persuasion: Book, act: object) -> None:
    other = an_order((persuasion, 1))

    with pytest.raises(OrderLine.DoesNotExist):
        cancel_line(order_id=order.pk, line_id=line_of(other, "Persuasion").pk)


def test_an_order_is_sent_without_its_cancelled_line(order: Order, emma: Book, persuasion: Book) -> None:
    cancel(order)
    confirm_order(order_id=order.pk)
    ship_order(order_id=order.pk)

    assert (stock(emma), stock(persuasion)) == ((3, 0), (4, 0))


def test_an_order_with_a_cancelled_line_can_be_cancelled(order: Order, emma: Book, persuasion: Book) -> None:
    cancel(order)
    cancel_order(order_id=order.pk, reason="customer")

    assert (stock(emma), stock(persuasion)) == ((3, 0), (5, 0))
    assert list(differences()) == []


def test_copies_that_are_put_back_are_for_whoever_comes(order: Order, emma: Book) -> None:
    put_back(order)
    walk_in = an_order((emma, 3))

    assert (promised(order), promised(walk_in)) == ([(2, 0), (1, 1)], [(3, 3)])
    assert ledger(emma) == [
        ("opening", 3, 0),
        ("allocated", 0, 2),
        ("unallocated", 0, -2),
        ("allocated", 0, 3),
    ]
    assert list(differences()) == []


def test_copies_that_are_put_back_go_to_who_waits_first(order: Order, emma: Book) -> None:
    waiting = a_waiting_order((emma, 2))

    put_back(order)

    assert (promised(order), promised(waiting)) == ([(2, 0), (1, 1)], [(2, 2)])
    assert stock(emma) == (3, 2)


def test_who_gave_copies_back_gets_some_before_who_comes_later(order: Order, emma: Book) -> None:
    put_back(order)
    waiting = a_waiting_order((emma, 4))

    receive_copies(book_id=emma.pk, quantity=1)
    after_one = promised(order), promised(waiting)
    receive_copies(book_id=emma.pk, quantity=2)

    assert after_one == ([(2, 1), (1, 1)], [(4, 3)])
    assert (promised(order), promised(waiting)) == ([(2, 2), (1, 1)], [(4, 4)])


def test_an_order_that_gave_copies_back_waits(order: Order) -> None:
    put_back(order)

    with pytest.raises(LinesWaiting):
        confirm_order(order_id=order.pk)


def test_copies_that_are_put_back_are_told(order: Order, emma: Book) -> None:
    put_back(order)

    assert Event.objects.get(name="orders.copies_put_back").data == {
        "order_id": str(order.pk),
        "number": order.number,
        "line_id": str(line_of(order).pk),
        "book_id": str(emma.pk),
        "title": "Emma",
        "quantity": 2,
    }


def test_a_line_that_has_no_copies_gives_none_back(order: Order) -> None:
    put_back(order)
    before = as_it_is(order)

    put_back(order)

    assert (as_it_is(order), raised("orders.copies_put_back")) == (before, 1)
