from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import acting
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.signals import RECEIVERS
from catalog.models import Book
from catalog.services import reprice, withdraw
from inventory.audit import differences
from inventory.errors import InsufficientStock, Shortage
from inventory.models import Allocation, Notification
from inventory.services import receive_copies
from orders import services
from orders.errors import (
    DuplicateReference,
    InvalidTransition,
    LinesWaiting,
    NoLongerEditable,
    NotForSale,
    PriceChanged,
    StalePrice,
    UnsaleableLine,
)
from orders.models import Contact, Order, OrderLine
from orders.services import LineRequest
from tests.given import ALICE, a_book, a_waiting_order, an_order, books, ledger, lines, promised, raised, stock, usd

pytestmark = pytest.mark.django_db

EMMA = "9780141439587"


@pytest.fixture
def book() -> Book:
    return a_book("Emma", isbn=EMMA, copies=10)


def nothing_was_placed() -> bool:
    return not (
        Order.objects.exists()
        or OrderLine.objects.exists()
        or Allocation.objects.exists()
        or Notification.objects.exists()
        or raised("orders.order_placed")
    )


def refused(requests: list[LineRequest], error: type[Exception]) -> Any:
    """The error with which such an order is refused."""
    with pytest.raises(error) as refusal:
        services.place_order(ALICE, requests)
    return refusal.value


def test_an_order_is_placed_and_promised_its_copies(book: Book) -> None:
    order = services.place_order(ALICE, lines((book, 2)))

    placed = Order.objects.get()
    line = placed.lines.get()
    assert placed == order
    assert (placed.status, placed.customer_name, placed.total) == ("PENDING", "Alice Johnson", usd("25.98"))
    assert (line.book_id, line.title, line.isbn, line.quantity) == (book.pk, "Emma", EMMA, 2)
    assert (line.unit_price, line.line_total) == (usd("12.99"), usd("25.98"))
    assert (stock(book), promised(order)) == ((10, 2), [(2, 2)])


def test_the_event_of_an_order_names_its_lines_and_keeps_the_name_apart(book: Book) -> None:
    with acting(actor="key:till"):
        order = services.place_order(ALICE, lines((book, 2)))

    event = Event.objects.get(name="orders.order_placed")
    assert event.stream == f"orders.order:{order.pk}"
    assert (event.actor, event.personal) == ("key:till", {"customer_name": "Alice Johnson"})
    assert event.data == {
        "order_id": str(order.pk),
        "number": order.number,
        "has_email": False,
        "lines": [
            {
                "line_id": str(order.lines.get().pk),
                "book_id": str(book.pk),
                "title": "Emma",
                "isbn": EMMA,
                "quantity": 2,
                "unit_price": {"amount": "12.99", "currency": "USD"},
            }
        ],
        "total": {"amount": "25.98", "currency": "USD"},
    }


def test_a_book_is_ordered_by_its_isbn_in_any_form(book: Book) -> None:
    order = services.place_order(ALICE, [LineRequest(isbn="0-14-143958-0", quantity=1)])

    assert order.lines.get().book == book


def test_lines_of_one_book_are_one_line(book: Book) -> None:
    other = a_book("Persuasion", copies=5)
    requests = [*lines((book, 1), (other, 2)), LineRequest(isbn=EMMA, quantity=3)]

    order = services.place_order(ALICE, requests)

    assert {(line.title, line.quantity) for line in order.lines.all()} == {("Emma", 4), ("Persuasion", 2)}
    assert (stock(book), stock(other)) == ((10, 4), (5, 2))


def test_lines_are_kept_by_ascending_book() -> None:
    several = books(5, copies=1)

    order = services.place_order(ALICE, lines(*((book, 1) for book in reversed(several))))

    told = Event.objects.get(name="orders.order_placed").data["lines"]
    ascending = sorted(book.pk for book in several)
    assert [line.book_id for line in order.lines.all()] == ascending
    assert [line["book_id"] for line in told] == [str(book_id) for book_id in ascending]


def test_a_later_price_leaves_an_order_as_it_was(book: Book) -> None:
    order = an_order((book, 2))

    reprice(book_id=book.pk, price=usd("99.00"))

    assert Order.objects.get(pk=order.pk).total == usd("25.98")


def test_the_price_that_the_customer_was_shown_is_the_price(book: Book) -> None:
    order = services.place_order(ALICE, [LineRequest(book_id=book.pk, quantity=1, expected_unit_price=usd("12.99"))])

    assert order.total == usd("12.99")


def test_a_price_that_has_changed_is_refused_by_line(book: Book) -> None:
    other = a_book("Persuasion", price="8.50", copies=5)

    error = refused(
        [
            LineRequest(book_id=other.pk, quantity=1, expected_unit_price=usd("8.50")),
            LineRequest(book_id=book.pk, quantity=1, expected_unit_price=usd("9.99")),
        ],
        PriceChanged,
    )

    assert error.lines == [StalePrice(line=1, title="Emma", expected=usd("9.99"), current=usd("12.99"))]
    assert nothing_was_placed()


def test_what_is_not_for_sale_is_refused_by_line(book: Book) -> None:
    withdrawn, unpriced = a_book("Persuasion", copies=1), a_book("Sanditon", price=None, copies=1)
    withdraw(book_id=withdrawn.pk)

    error = refused(lines((book, 1), (withdrawn, 1), (unpriced, 1)), NotForSale)

    assert error.lines == [
        UnsaleableLine(line=1, title="Persuasion", reason="is withdrawn"),
        UnsaleableLine(line=2, title="Sanditon", reason="has no price"),
    ]
    assert nothing_was_placed()


def test_more_copies_than_there_are_are_refused_by_line(book: Book) -> None:
    short, gone = a_book("Persuasion", copies=2), a_book("Sanditon", copies=0)

    error = refused(lines((short, 3), (book, 10), (gone, 1)), InsufficientStock)

    assert error.shortages == [
        Shortage(line=0, book_id=short.pk, title="Persuasion", requested=3, available=2),
        Shortage(line=2, book_id=gone.pk, title="Sanditon", requested=1, available=0),
    ]
    assert nothing_was_placed()
    assert [stock(each) for each in (book, short, gone)] == [(10, 0), (2, 0), (0, 0)]


def test_lines_of_one_book_are_counted_together(book: Book) -> None:
    other = a_book("Persuasion", copies=1)

    error = refused(lines((other, 1), (book, 6), (book, 5)), InsufficientStock)

    assert error.shortages == [Shortage(line=1, book_id=book.pk, title="Emma", requested=11, available=10)]
    assert nothing_was_placed()


def test_the_last_copies_can_be_ordered(book: Book) -> None:
    an_order((book, 10))

    assert stock(book) == (10, 10)


@pytest.mark.parametrize(
    ("quantity", "reason"),
    [
        (0, "order between 1 and 10,000 copies"),
        (-5, "order between 1 and 10,000 copies"),
        (10_001, "order between 1 and 10,000 copies"),
        (10**9, "order between 1 and 10,000 copies"),
        (2**70, "order between 1 and 10,000 copies"),
    ],
)
def test_a_quantity_that_nobody_orders_is_refused(book: Book, quantity: int, reason: str) -> None:
    error = refused(lines((book, 1), (book, quantity)), InvalidValue)

    assert (error.field, error.reason) == ("lines/1/quantity", reason)
    assert nothing_was_placed()


def test_more_than_anybody_orders_is_refused_in_parts_too(book: Book) -> None:
    error = refused(lines((book, 10_000), (book, 1)), InvalidValue)

    assert (error.field, error.reason) == ("lines/1/quantity", "order at most 10,000 copies of a book")
    assert nothing_was_placed()


@pytest.mark.parametrize("count", [0, 201])
def test_an_order_has_lines_but_not_too_many(book: Book, count: int) -> None:
    error = refused(lines((book, 1)) * count, InvalidValue)

    assert (error.field, error.reason) == ("lines", f"an order has 1 to 200 lines, not {count}")
    assert nothing_was_placed()


def test_an_order_may_have_two_hundred_lines() -> None:
    several = books(200, copies=1)

    order = an_order(*((book, 1) for book in several))

    assert (order.lines.count(), order.total) == (200, usd("2598.00"))
    assert list(differences()) == []


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ({}, "lines/0", "name the book by book_id or by isbn, one of them"),
        ({"isbn": ""}, "lines/0", "name the book by book_id or by isbn, one of them"),
        ({"isbn": EMMA, "book_id": uuid4()}, "lines/0", "name the book by book_id or by isbn, one of them"),
        ({"book_id": uuid4()}, "lines/0/book_id", "no such book is in the catalogue"),
        ({"isbn": "9780141439686"}, "lines/0/isbn", "no such book is in the catalogue"),
        ({"isbn": "banana"}, "lines/0/isbn", "no such book is in the catalogue"),
        ({"isbn": "\x00\ud800"}, "lines/0/isbn", "no such book is in the catalogue"),
    ],
)
def test_a_line_names_a_book_of_the_catalogue(book: Book, line: dict[str, Any], field: str, reason: str) -> None:
    error = refused([LineRequest(quantity=1, **line)], InvalidValue)

    assert (error.field, error.reason) == (field, reason)
    assert nothing_was_placed()


def test_a_reference_is_taken_once_by_each_program(book: Book) -> None:
    with acting(actor="key:till"):
        first = services.place_order(ALICE, lines((book, 1)), external_reference="till-1")
        with pytest.raises(DuplicateReference) as refusal:
            services.place_order(ALICE, lines((book, 1)), external_reference=" till-1 ")

    assert (refusal.value.reference, refusal.value.existing_id) == ("till-1", first.pk)
    assert (Order.objects.count(), stock(book)) == (1, (10, 1))


def test_a_reference_of_one_program_is_free_for_another(book: Book) -> None:
    for actor in ("key:till", "key:web shop"):
        with acting(actor=actor):
            services.place_order(ALICE, lines((book, 1)), external_reference="1")

    assert Order.objects.count() == 2


def test_orders_without_a_reference_are_not_duplicates(book: Book) -> None:
    with acting(actor="key:till"):
        an_order((book, 1))
        an_order((book, 1))

    assert Order.objects.count() == 2


def test_the_story_of_an_order(book: Book) -> None:
    order = an_order((book, 2))
    services.confirm_order(order_id=order.pk)
    services.ship_order(order_id=order.pk, tracking="RR123456785US")

    shipped = Order.objects.get()
    assert (shipped.status, shipped.tracking, shipped.version) == ("SHIPPED", "RR123456785US", 3)
    assert shipped.placed_at <= shipped.confirmed_at <= shipped.shipped_at  # type: ignore[operator]
    assert stock(book) == (8, 0)
    assert ledger(book) == [("opening", 10, 0), ("allocated", 0, 2), ("shipped", -2, -2)]
    assert list(Notification.objects.order_by("created_at").values_list("message", flat=True)) == [
        f"Order {order.number} placed by Alice Johnson",
        f"Order {order.number} confirmed for Alice Johnson",
        f"Order {order.number} shipped to Alice Johnson",
    ]
    assert [event.name for event in shipped.timeline] == [
        "orders.order_placed",
        "orders.order_confirmed",
        "orders.order_shipped",
    ]
    # what talks to the outside waits for a relay
    owed = Delivery.objects.exclude(status="done").values_list("receiver", flat=True)
    assert not [receiver for receiver in owed if RECEIVERS[receiver].runs_inline]


@pytest.mark.parametrize("confirmed", [False, True])
def test_cancelling_frees_the_copies(book: Book, confirmed: bool) -> None:
    order = an_order((book, 2))
    if confirmed:
        services.confirm_order(order_id=order.pk)

    services.cancel_order(order_id=order.pk, reason="customer", note="Found it at a friend's")

    cancelled = Order.objects.get()
    assert (cancelled.status, cancelled.cancel_reason, cancelled.cancel_note) == (
        "CANCELLED",
        "customer",
        "Found it at a friend's",
    )
    assert stock(book) == (10, 0)
    assert ledger(book) == [("opening", 10, 0), ("allocated", 0, 2), ("released", 0, -2)]
    assert Notification.objects.filter(kind="order_cancelled").count() == 1


Act = Callable[[Order], Order]


def confirm(order: Order) -> Order:
    return services.confirm_order(order_id=order.pk)


def ship(order: Order) -> Order:
    return services.ship_order(order_id=order.pk)


def cancel(order: Order) -> Order:
    return services.cancel_order(order_id=order.pk, reason="customer")


@pytest.mark.parametrize(
    ("before", "act"),
    [([], ship), ([confirm, ship], confirm), ([confirm, ship], cancel), ([cancel], confirm), ([cancel], ship)],
)
def test_a_way_that_does_not_exist_changes_nothing(book: Book, before: list[Act], act: Act) -> None:
    order = an_order((book, 2))
    for step in before:
        step(order)
    as_it_was, events, shelf = Order.objects.values().get(), Event.objects.count(), stock(book)

    with pytest.raises(InvalidTransition):
        act(order)

    assert (Order.objects.values().get(), Event.objects.count(), stock(book)) == (as_it_was, events, shelf)


@pytest.mark.parametrize("steps", [[confirm], [confirm, ship], [cancel]])
def test_repeating_what_is_done_changes_nothing(book: Book, steps: list[Act]) -> None:
    order = an_order((book, 2))
    for step in steps:
        step(order)
    as_it_was, events, shelf = Order.objects.values().get(), Event.objects.count(), stock(book)

    again = steps[-1](order)

    assert again.status == as_it_was["status"]
    assert (Order.objects.values().get(), Event.objects.count(), stock(book)) == (as_it_was, events, shelf)


def test_a_repeated_shipping_does_not_change_the_tracking(book: Book) -> None:
    order = confirm(an_order((book, 2)))
    services.ship_order(order_id=order.pk, tracking="RR1")

    services.ship_order(order_id=order.pk, tracking="RR2")

    assert Order.objects.get().tracking == "RR1"


def test_an_order_that_waits_is_placed_with_what_is_there() -> None:
    book, other = a_book("Emma", copies=3), a_book("Persuasion", copies=5)

    order = a_waiting_order((book, 5), (other, 2))

    assert order.status == "PENDING"
    assert promised(order) == [(5, 3), (2, 2)]
    assert (stock(book), stock(other)) == ((3, 3), (5, 2))


def test_an_order_is_not_confirmed_while_a_line_waits() -> None:
    book, other = a_book("Emma", copies=3), a_book("Persuasion", copies=5)
    order = a_waiting_order((book, 5), (other, 2))
    line = order.lines.get(book=book)

    with pytest.raises(LinesWaiting) as refusal:
        confirm(order)

    assert refusal.value.lines == [(line.pk, "Emma")]
    assert (Order.objects.get().status, raised("orders.order_confirmed")) == ("PENDING", 0)

    receive_copies(book_id=book.pk, quantity=2)
    assert confirm(order).status == "CONFIRMED"


def test_an_order_that_waited_for_nothing_is_like_any_other(book: Book) -> None:
    order = a_waiting_order((book, 2))

    assert confirm(order).status == "CONFIRMED"


def test_cancelling_an_order_that_waits_ends_its_waiting() -> None:
    book = a_book("Emma", copies=3)
    order = a_waiting_order((book, 5))
    cancel(order)

    receive_copies(book_id=book.pk, quantity=4)

    assert (stock(book), promised(order)) == ((7, 0), [(5, 0)])


def test_contact_data_is_put_right_and_the_timeline_tells_which(book: Book) -> None:
    order = an_order((book, 1))

    with acting(actor="user:bea"):
        services.correct_contact(order_id=order.pk, contact=Contact(customer_name="Alice Jones", phone="555 0100"))

    event = Order.objects.get().timeline.last()
    assert event is not None
    assert Order.objects.get().contact == Contact(customer_name="Alice Jones", phone="555 0100")
    assert (event.name, event.actor, event.personal) == ("orders.contact_corrected", "user:bea", None)
    assert event.data == {
        "order_id": str(order.pk),
        "number": order.number,
        "changed": ["customer_name", "phone"],
    }


def test_an_amendment_leaves_alone_what_it_does_not_name(book: Book) -> None:
    order = an_order((book, 1), contact=Contact(customer_name="Alice Johnson", phone="555 0100"))

    services.amend_contact(order_id=order.pk, changes={"customer_email": "alice@example.com"})

    assert Order.objects.get().contact == Contact(
        customer_name="Alice Johnson", phone="555 0100", customer_email="alice@example.com"
    )


def test_contact_data_that_was_right_is_not_written(book: Book) -> None:
    order = an_order((book, 1))
    before, events = Order.objects.values().get(), Event.objects.count()

    services.correct_contact(order_id=order.pk, contact=order.contact)
    services.amend_contact(order_id=order.pk, changes={"customer_name": " Alice Johnson "})

    assert (Order.objects.values().get(), Event.objects.count()) == (before, events)


def test_contact_data_stays_as_it_was_once_the_order_is_shipped(book: Book) -> None:
    order = ship(confirm(an_order((book, 1))))

    with pytest.raises(NoLongerEditable):
        services.amend_contact(order_id=order.pk, changes={"customer_name": "Alice Jones"})

    assert Order.objects.get().customer_name == "Alice Johnson"


def test_the_old_link_opens_nothing_once_it_is_replaced(book: Book) -> None:
    order = an_order((book, 1))

    replaced = services.rotate_link(order_id=order.pk)

    assert not Order.objects.with_token(order.token).exists()
    assert Order.objects.with_token(replaced.token).get() == order
    event = Event.objects.get(name="orders.link_rotated")
    assert event.data == {"order_id": str(order.pk), "number": order.number}


def test_no_event_of_an_order_has_its_link(book: Book) -> None:
    order = services.rotate_link(order_id=ship(confirm(an_order((book, 1)))).pk)

    told = str(list(Event.objects.values_list("data", "personal")))
    assert order.token not in told


def test_an_unknown_order_is_not_there() -> None:
    for service in (services.confirm_order, services.ship_order, services.rotate_link):
        with pytest.raises(Order.DoesNotExist):
            service(order_id=uuid4())


def test_an_order_in_a_larger_work_that_fails_goes_with_it(book: Book) -> None:
    with pytest.raises(LookupError), transaction.atomic():
        an_order((book, 2))
        raise LookupError

    assert nothing_was_placed()
    assert stock(book) == (10, 0)


@pytest.mark.parametrize("text", ["alice", "ALICE@example", "{number}", "{number} ", "emma", EMMA, "0-14-143958-0"])
def test_an_order_is_found_by_customer_number_and_book(book: Book, text: str) -> None:
    other = a_book("Persuasion", copies=1)
    an_order((other, 1), contact=Contact(customer_name="Bob"))
    order = an_order((book, 1), contact=Contact(customer_name="Alice", customer_email="alice@example.com"))

    found = services.search_orders(Order.objects.all(), text.format(number=order.number.lower()))

    assert list(found) == [order]


@pytest.mark.parametrize("text", ["carol", "9780141439686", "XQS725F3C"])
def test_an_order_is_not_found_by_anything_else(book: Book, text: str) -> None:
    an_order((book, 1))

    assert not services.search_orders(Order.objects.all(), text).exists()


def test_an_order_with_several_fitting_lines_is_found_once() -> None:
    an_order(*((book, 1) for book in books(3, copies=1)))

    assert services.search_orders(Order.objects.all(), "volume").count() == 1


def test_the_lines_of_a_list_are_counted_by_its_rows_alone(book: Book) -> None:
    an_order((book, 1))
    an_order(*((each, 1) for each in books(3, copies=1)))

    assert {order.line_count for order in Order.objects.with_line_count()} == {1, 3}  # type: ignore[attr-defined]


def cost(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return len([query for query in captured if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))])


def costs(wanted: list[LineRequest]) -> dict[str, int]:
    """How many statements each step of an order takes, commits and savepoints apart."""
    place = cost(lambda: services.place_order(ALICE, wanted))
    first = Order.objects.latest("pk")
    again = cost(lambda: services.place_order(ALICE, wanted, external_reference=f"till-{first.number}"))
    second = Order.objects.latest("pk")
    return {
        "place": place,
        "place with a reference": again,
        "confirm": cost(lambda: confirm(first)),
        "ship": cost(lambda: ship(first)),
        "cancel": cost(lambda: cancel(second)),
    }


def at_cost(*, effects: int = 0, **steps: int) -> dict[str, int]:
    """So many statements, some of which PostgreSQL takes in one, such as an order with its lines and its event."""
    together = {"place": 4, "confirm": 1, "ship": 2, "cancel": 2} if connection.vendor == "postgresql" else {}
    if effects and connection.vendor == "postgresql":
        effects -= 1
    found = {step: statements + effects - together.get(step, 0) for step, statements in steps.items()}
    return found | {"place with a reference": found["place"]}


@pytest.mark.parametrize("number_of_lines", [1, 20])
def test_each_step_costs_the_same_however_many_lines(settings: Settings, number_of_lines: int) -> None:
    wanted = lines(*((book, 2) for book in books(number_of_lines, copies=10)))
    settings.EVENTS_ENGINE = "relay"

    assert costs(wanted) == at_cost(place=9, confirm=5, ship=9, cancel=10)


def test_each_step_costs_the_same_however_many_orders_there_are(settings: Settings) -> None:
    several = books(20, copies=100)
    wanted = lines(*((book, 2) for book in several[:3]))
    settings.EVENTS_ENGINE = "relay"

    of_the_first = costs(wanted)
    for _ in range(10):
        an_order(*((book, 1) for book in several))

    assert costs(wanted) == of_the_first


@pytest.mark.parametrize("number_of_lines", [1, 20])
def test_the_effects_of_each_step_cost_as_much_whatever_it_is(number_of_lines: int) -> None:
    wanted = lines(*((book, 2) for book in books(number_of_lines, copies=10)))

    assert costs(wanted) == at_cost(place=9, confirm=5, ship=9, cancel=10, effects=3)


def test_only_an_order_with_a_reference_needs_a_savepoint(transactional_db: None) -> None:
    wanted = lines((a_book("Emma", copies=10), 1))

    with CaptureQueriesContext(connection) as captured:
        services.place_order(ALICE, wanted)

    assert not [query["sql"] for query in captured if "SAVEPOINT" in query["sql"]]
