import pytest

from bookshelf_site.events.models import Event
from catalog.models import Book
from inventory.audit import differences
from inventory.models import Allocation, Notification
from inventory.services import receive_copies
from orders.errors import NothingToSplit
from orders.models import Order
from orders.services import cancel_line, cancel_order, confirm_order, put_back_line, ship_order, split_order
from tests.given import a_book, a_waiting_order, an_order, ledger, promised, raised, stock, usd

pytestmark = pytest.mark.django_db


@pytest.fixture
def emma() -> Book:
    return a_book("Emma", price="12.99", copies=3)


@pytest.fixture
def persuasion() -> Book:
    return a_book("Persuasion", price="8.50", copies=5)


@pytest.fixture
def sanditon() -> Book:
    return a_book("Sanditon", price="7.00", copies=0)


def split_off(order: Order) -> Order:
    split_order(order_id=order.pk)
    return Order.objects.get(split_from=order)


def lines_of(order: Order) -> list[tuple[str, int, object]]:
    return [(line.title, line.quantity, line.line_total) for line in order.lines.order_by("title")]


def test_what_is_here_stays_and_what_waits_is_another_order(emma: Book, persuasion: Book, sanditon: Book) -> None:
    order = a_waiting_order((emma, 5), (persuasion, 2), (sanditon, 1))

    rest = split_off(order)

    order.refresh_from_db()
    assert lines_of(order) == [("Emma", 3, usd("38.97")), ("Persuasion", 2, usd("17.00"))]
    assert lines_of(rest) == [("Emma", 2, usd("25.98")), ("Sanditon", 1, usd("7.00"))]
    assert (order.total, rest.total) == (usd("55.97"), usd("32.98"))
    assert (promised(order), promised(rest)) == ([(3, 3), (2, 2)], [(2, 0), (1, 0)])
    assert (stock(emma), stock(persuasion), stock(sanditon)) == ((3, 3), (5, 2), (0, 0))
    assert ledger(emma) == [("opening", 3, 0), ("allocated", 0, 3)]
    assert list(differences()) == []


def test_the_new_order_is_the_same_customers_with_a_number_and_a_link_of_its_own(emma: Book) -> None:
    order = a_waiting_order((emma, 5))

    rest = split_off(order)

    assert rest.contact == order.contact
    assert (rest.status, rest.placed_at, rest.placed_by) == ("PENDING", order.placed_at, order.placed_by)
    assert rest.number != order.number
    assert rest.token != order.token


def test_a_line_that_waits_whole_keeps_its_id(emma: Book, sanditon: Book) -> None:
    order = a_waiting_order((emma, 1), (sanditon, 1))
    line = order.lines.get(title="Sanditon")

    rest = split_off(order)

    assert rest.lines.get() == line
    assert Allocation.objects.get(line_id=line.pk).order_number == rest.number


def test_both_orders_go_their_ways(emma: Book, sanditon: Book) -> None:
    order = a_waiting_order((emma, 5), (sanditon, 1))
    rest = split_off(order)

    confirm_order(order_id=order.pk)
    ship_order(order_id=order.pk)
    receive_copies(book_id=emma.pk, quantity=2)
    receive_copies(book_id=sanditon.pk, quantity=1)
    confirm_order(order_id=rest.pk)
    ship_order(order_id=rest.pk)

    assert (stock(emma), stock(sanditon)) == ((0, 0), (0, 0))
    assert list(differences()) == []


def test_what_waits_keeps_its_place(emma: Book) -> None:
    order = a_waiting_order((emma, 5))
    later = a_waiting_order((emma, 1))
    rest = split_off(order)

    receive_copies(book_id=emma.pk, quantity=2)

    assert (promised(rest), promised(later)) == ([(2, 2)], [(1, 0)])


def test_a_split_is_told_in_both_timelines(emma: Book, sanditon: Book) -> None:
    order = a_waiting_order((emma, 1), (sanditon, 1))
    line = order.lines.get(title="Sanditon")

    rest = split_off(order)

    moved = [
        {
            "line_id": str(line.pk),
            "book_id": str(sanditon.pk),
            "title": "Sanditon",
            "isbn": None,
            "quantity": 1,
            "unit_price": {"amount": "7.00", "currency": "USD"},
        }
    ]
    assert order.timeline.last().data == {  # type: ignore[union-attr]
        "order_id": str(order.pk),
        "number": order.number,
        "split_into_id": str(rest.pk),
        "split_into_number": rest.number,
        "moved": moved,
        "total": {"amount": "12.99", "currency": "USD"},
    }
    split = rest.timeline.get()
    assert (split.name, split.personal) == ("orders.order_split_off", {"customer_name": "Alice Johnson"})
    assert split.data == {
        "order_id": str(rest.pk),
        "number": rest.number,
        "has_email": False,
        "split_from_id": str(order.pk),
        "split_from_number": order.number,
        "lines": moved,
        "total": {"amount": "7.00", "currency": "USD"},
    }


def test_the_customer_is_told_of_the_new_order(emma: Book) -> None:
    order = a_waiting_order((emma, 5))

    rest = split_off(order)

    told = Notification.objects.get(kind="order_split")
    assert (told.order_id, told.audience) == (rest.pk, "customer")
    assert told.message == f"What order {order.number} still waits for is order {rest.number} for Alice Johnson"


def nothing_is_split(order: Order, why: str) -> None:
    before = Order.objects.count(), Event.objects.count(), promised(order)
    with pytest.raises(NothingToSplit) as refusal:
        split_order(order_id=order.pk)
    assert why in str(refusal.value)
    assert (Order.objects.count(), Event.objects.count(), promised(order)) == before


def test_an_order_that_has_everything_is_not_split(emma: Book) -> None:
    nothing_is_split(an_order((emma, 2)), "no line waits")


def test_an_order_that_has_nothing_is_not_split(emma: Book, sanditon: Book) -> None:
    order = a_waiting_order((emma, 1), (sanditon, 1))
    cancel_line(order_id=order.pk, line_id=order.lines.get(title="Emma").pk)

    nothing_is_split(order, "every line waits for all of its copies")


def test_an_order_that_is_closed_is_not_split(emma: Book) -> None:
    order = a_waiting_order((emma, 5))
    cancel_order(order_id=order.pk, reason="customer")

    nothing_is_split(order, "no line waits")


def test_an_order_is_split_once(emma: Book) -> None:
    order = a_waiting_order((emma, 5))
    rest = split_off(order)

    nothing_is_split(order, "no line waits")
    nothing_is_split(rest, "every line waits for all of its copies")


def test_an_order_is_split_again_when_it_waits_again(emma: Book, persuasion: Book) -> None:
    order = a_waiting_order((emma, 5), (persuasion, 1))
    split_order(order_id=order.pk)
    put_back_line(order_id=order.pk, line_id=order.lines.get(title="Persuasion").pk)

    split_order(order_id=order.pk)

    assert Order.objects.filter(split_from=order).count() == 2
    assert raised("orders.order_split") == 2
    assert list(differences()) == []


def test_a_line_that_was_put_back_and_split_off_is_right_in_the_ledger(emma: Book, persuasion: Book) -> None:
    order = a_waiting_order((emma, 2), (persuasion, 1))
    put_back_line(order_id=order.pk, line_id=order.lines.get(title="Emma").pk)
    rest = split_off(order)

    receive_copies(book_id=emma.pk, quantity=1)

    assert promised(rest) == [(2, 2)]
    assert list(differences()) == []
