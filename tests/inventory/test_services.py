from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import acting, uuid7
from bookshelf_site.events.models import Event
from inventory import services
from inventory.audit import differences
from inventory.errors import CopiesAllocated
from inventory.models import Allocation, Notification, StockItem, StockMovement
from inventory.services import OpeningStock
from orders.models import Order
from orders.services import put_back_line
from tests.given import a_book, a_waiting_order, an_order, books, ledger, promised, raised, stock

pytestmark = pytest.mark.django_db

Kind = StockMovement.Kind


def waiting_since(order: Order) -> list[bool]:
    """Whether each line of the order waits, by the title of its book."""
    allocations = Allocation.objects.of_order(order.pk).order_by("item__book__title")
    return [allocation.waiting_since is not None for allocation in allocations]


def open_stock(*openings: tuple[object, int], uid: object = None) -> None:
    services.open_stock(
        [OpeningStock(book_id=book.pk, quantity=quantity, event_uid=uid or uuid7()) for book, quantity in openings]  # type: ignore[attr-defined,arg-type]
    )


def test_opening_copies_are_on_the_shelf() -> None:
    one, other = books(2, copies=0)

    open_stock((one, 3), (other, 4))

    assert (stock(one), stock(other)) == ((3, 0), (4, 0))
    assert ledger(one) == [("opening", 3, 0)]


def test_one_event_opens_a_book_once() -> None:
    book, uid = a_book(), uuid7()

    open_stock((book, 3), uid=uid)
    open_stock((book, 3), uid=uid)

    assert (stock(book), ledger(book)) == ((3, 0), [("opening", 3, 0)])


def test_a_book_that_opens_with_no_copies_has_a_shelf_and_no_movement() -> None:
    book = a_book(copies=0)

    assert (stock(book), ledger(book), StockItem.objects.get().was_on_hand) == ((0, 0), [], False)


def test_opening_copies_go_to_who_waits_for_them(settings: Settings) -> None:
    settings.EVENTS_ENGINE = "relay"
    book = a_book(copies=0)
    order = a_waiting_order((book, 2))

    open_stock((book, 3))

    assert (stock(book), promised(order)) == ((3, 2), [(2, 2)])
    assert list(differences()) == []


def test_received_copies_are_on_the_shelf_and_in_the_ledger() -> None:
    book = a_book(copies=1)

    with acting(actor="user:bea"):
        movement = services.receive_copies(book_id=book.pk, quantity=5, reason="Weekly delivery")

    assert stock(book) == (6, 0)
    assert ledger(book) == [("opening", 1, 0), ("received", 5, 0)]
    assert StockMovement.objects.get(pk=movement.pk).actor == "user:bea"
    event = Event.objects.get(name="inventory.copies_received")
    assert event.stream == f"inventory.stockitem:{book.pk}"
    assert event.data == {"book_id": str(book.pk), "quantity": 5, "on_hand": 6}


def test_received_copies_go_to_who_waits_longest() -> None:
    book = a_book(copies=0)
    first, second, third = (a_waiting_order((book, wanted)) for wanted in (1, 2, 4))

    services.receive_copies(book_id=book.pk, quantity=3)
    after_three = [promised(order) for order in (first, second, third)]
    services.receive_copies(book_id=book.pk, quantity=1)

    assert after_three == [[(1, 1)], [(2, 2)], [(4, 0)]]
    assert promised(third) == [(4, 1)]
    assert [waiting_since(order) for order in (first, second, third)] == [[False], [False], [True]]
    assert ledger(book) == [
        ("received", 3, 0),
        ("allocated", 0, 1),
        ("allocated", 0, 2),
        ("received", 1, 0),
        ("allocated", 0, 1),
    ]
    assert list(differences()) == []


def test_a_line_that_is_filled_in_part_keeps_its_place() -> None:
    book = a_book(copies=0)
    first, second = a_waiting_order((book, 3)), a_waiting_order((book, 1))

    services.receive_copies(book_id=book.pk, quantity=2)
    services.receive_copies(book_id=book.pk, quantity=1)

    assert (promised(first), promised(second)) == ([(3, 3)], [(1, 0)])


def test_nobody_orders_past_those_who_wait() -> None:
    book = a_book(copies=2)
    a_waiting_order((book, 5))
    services.receive_copies(book_id=book.pk, quantity=2)

    later = a_waiting_order((book, 1))

    assert (stock(book), promised(later), waiting_since(later)) == ((4, 4), [(1, 0)], [True])


def test_released_copies_go_to_who_waits() -> None:
    book = a_book(copies=2)
    order, waiting = an_order((book, 2)), a_waiting_order((book, 2))

    services.release_copies(order_id=order.pk)

    assert (stock(book), promised(order), promised(waiting)) == ((2, 2), [(2, 0)], [(2, 2)])
    assert list(differences()) == []


@pytest.mark.parametrize("step", [services.release_copies, services.ship_copies])
def test_what_an_order_has_given_back_or_sent_it_does_not_twice(step: Callable[..., None]) -> None:
    book = a_book(copies=5)
    order = an_order((book, 2))

    step(order_id=order.pk)
    once = stock(book), ledger(book)
    step(order_id=order.pk)

    assert (stock(book), ledger(book)) == once
    assert list(differences()) == []


@pytest.mark.parametrize("step", [services.release_copies, services.ship_copies])
def test_an_order_that_has_no_copies_moves_none(step: Callable[..., None]) -> None:
    book = a_book(copies=5)

    step(order_id=uuid4())

    assert ledger(book) == [("opening", 5, 0)]


def test_a_count_puts_the_shelf_right() -> None:
    book = a_book(copies=5)

    movement = services.count_copies(book_id=book.pk, counted=3, reason="Stocktake")

    assert (movement.kind, movement.on_hand_change, movement.reason) == ("counted", -2, "Stocktake")
    assert stock(book) == (3, 0)
    assert Event.objects.get(name="inventory.stock_adjusted").data == {
        "book_id": str(book.pk),
        "kind": "counted",
        "change": -2,
        "on_hand": 3,
        "reason": "Stocktake",
    }


def test_a_count_that_was_right_moves_nothing_and_stands_in_the_ledger() -> None:
    book = a_book(copies=5)

    movement = services.count_copies(book_id=book.pk, counted=5, reason="Stocktake")

    assert (movement.kind, movement.on_hand_change, movement.on_hand) == ("counted", 0, 5)
    assert (movement.reason, stock(book)) == ("Stocktake", (5, 0))
    assert (ledger(book), raised("inventory.stock_adjusted")) == ([("opening", 5, 0), ("counted", 0, 0)], 0)


def test_a_count_that_was_right_gives_nothing_to_who_was_put_back() -> None:
    book = a_book(copies=2)
    order = a_waiting_order((book, 2))
    put_back_line(order_id=order.pk, line_id=order.lines.get().pk)

    services.count_copies(book_id=book.pk, counted=2, reason="Stocktake")

    assert promised(order) == [(2, 0)]


def test_more_counted_copies_go_to_who_waits() -> None:
    book = a_book(copies=0)
    order = a_waiting_order((book, 2))

    services.count_copies(book_id=book.pk, counted=3, reason="Found behind the shelf")

    assert (stock(book), promised(order)) == ((3, 2), [(2, 2)])


@pytest.mark.parametrize("counted", [-1, 1_000_001, 2**63])
def test_a_count_is_of_copies_that_a_shelf_can_hold(counted: int) -> None:
    book = a_book(copies=5)

    with pytest.raises(InvalidValue, match="counted: a count is between 0 and 1,000,000 copies"):
        services.count_copies(book_id=book.pk, counted=counted, reason="Stocktake")

    assert stock(book) == (5, 0)


@pytest.mark.parametrize("counted", [3, 5])
def test_a_count_says_why(counted: int) -> None:
    book = a_book(copies=5)

    with pytest.raises(InvalidValue, match="reason: say why, for whoever reads the ledger"):
        services.count_copies(book_id=book.pk, counted=counted, reason=" ")

    assert stock(book) == (5, 0)


@pytest.mark.parametrize(
    ("kind", "change", "on_hand"), [(Kind.DAMAGED, -2, 3), (Kind.LOST, -5, 0), (Kind.CORRECTED, 2, 7)]
)
def test_an_adjustment_puts_the_shelf_right(kind: StockMovement.Kind, change: int, on_hand: int) -> None:
    book = a_book(copies=5)

    services.adjust_stock(book_id=book.pk, change=change, kind=kind, reason="Flood")

    assert stock(book) == (on_hand, 0)
    assert ledger(book) == [("opening", 5, 0), (kind, change, 0)]


@pytest.mark.parametrize(
    ("kind", "change", "refused"),
    [
        (Kind.DAMAGED, 2, "change: copies that are damaged leave the shelf: give a negative number"),
        (Kind.LOST, 1, "change: copies that are lost leave the shelf: give a negative number"),
        (Kind.CORRECTED, 0, "change: between 1 and 1,000,000 copies, up or down"),
        (Kind.CORRECTED, 1_000_001, "change: between 1 and 1,000,000 copies, up or down"),
        (Kind.CORRECTED, -(2**63), "change: between 1 and 1,000,000 copies, up or down"),
        (Kind.CORRECTED, -6, "change: only 5 copies are on the shelf"),
        (Kind.DAMAGED, -6, "change: only 5 copies are on the shelf"),
        (Kind.SHIPPED, -1, "kind: one of damaged, lost, correction"),
        (Kind.OPENING, 1, "kind: one of damaged, lost, correction"),
    ],
)
def test_an_adjustment_that_can_not_be_changes_nothing(kind: StockMovement.Kind, change: int, refused: str) -> None:
    book = a_book(copies=5)

    with pytest.raises(InvalidValue) as refusal:
        services.adjust_stock(book_id=book.pk, change=change, kind=kind, reason="Flood")

    assert str(refusal.value) == refused
    assert (stock(book), ledger(book)) == ((5, 0), [("opening", 5, 0)])


@pytest.mark.parametrize(
    "put_right",
    [
        lambda book: services.count_copies(book_id=book.pk, counted=2, reason="Stocktake"),
        lambda book: services.adjust_stock(book_id=book.pk, change=-3, kind=Kind.LOST, reason="Flood"),
        lambda book: services.adjust_stock(book_id=book.pk, change=-9, kind=Kind.LOST, reason="Flood"),
    ],
)
def test_copies_that_are_promised_can_not_be_gone(put_right: Callable[[object], object]) -> None:
    book = a_book(copies=5)
    orders = [an_order((book, 2)), an_order((book, 1))]

    with pytest.raises(CopiesAllocated) as refusal:
        put_right(book)

    assert (refusal.value.allocated, refusal.value.order_numbers) == (3, sorted(order.number for order in orders))
    assert (stock(book), raised("inventory.stock_adjusted")) == ((5, 3), 0)


def test_the_shelf_can_be_brought_down_to_what_is_promised() -> None:
    book = a_book(copies=5)
    an_order((book, 3))

    services.count_copies(book_id=book.pk, counted=3, reason="Stocktake")

    assert stock(book) == (3, 3)


def test_deliveries_add_up_to_a_full_shelf_and_no_further() -> None:
    book = a_book(copies=0)
    item = StockItem.objects.get()
    item.on_hand, item.was_on_hand = 999_999_999, True
    item.save()

    services.receive_copies(book_id=book.pk, quantity=1)
    with pytest.raises(InvalidValue, match="the shelf holds 1,000,000,000 copies, and at most 1,000,000,000"):
        services.receive_copies(book_id=book.pk, quantity=1)

    assert stock(book) == (1_000_000_000, 0)


def test_whoever_asks_for_what_moved_hears_of_no_shelf_that_did_not() -> None:
    here, gone = a_book("Here", copies=5), a_book("Gone", copies=0)
    before = StockItem.objects.get(pk=gone.pk).updated_at

    a_waiting_order((here, 1), (gone, 1))

    assert StockItem.objects.get(pk=gone.pk).updated_at == before
    assert StockItem.objects.get(pk=here.pk).updated_at > before


def test_what_is_promised_is_told_by_line() -> None:
    book, other = a_book("Emma", copies=3), a_book("Persuasion", copies=9)
    order, waiting = an_order((other, 2)), a_waiting_order((book, 5), (other, 1))
    an_order((other, 1))

    told = services.allocated_by_line([order.pk, waiting.pk])

    by_line = {line.pk: (line.title, line.quantity) for o in (order, waiting) for line in o.lines.all()}
    assert sorted((*by_line[line], allocated) for line, allocated in told.items()) == [
        ("Emma", 5, 3),
        ("Persuasion", 1, 1),
        ("Persuasion", 2, 2),
    ]
    assert services.waiting_lines(waiting.pk) == [waiting.lines.get(title="Emma").pk]
    assert services.waiting_lines(order.pk) == []


def test_a_notification_is_recorded_once_per_event_kind_and_audience() -> None:
    uid = uuid7()
    for audience in (Notification.Audience.CUSTOMER, Notification.Audience.CUSTOMER, Notification.Audience.STAFF):
        services.record_notifications(
            [
                Notification(
                    event_uid=uid,
                    kind=Notification.Kind.ORDER_CONFIRMED,
                    audience=audience,
                    message="Order X confirmed",
                )
            ]
        )

    assert sorted(Notification.objects.values_list("audience", "message", "status")) == [
        ("customer", "Order X confirmed", "recorded"),
        ("staff", "Order X confirmed", "recorded"),
    ]
    assert raised("inventory.notification_recorded") == 2


def test_stock_that_is_low_is_listed(settings: Settings) -> None:
    settings.LOW_STOCK_THRESHOLD = 3
    for title, copies in (("Plenty", 10), ("Few", 3), ("Never here", 0)):
        a_book(title, copies=copies)
    promised_away = a_book("Promised", copies=10)
    an_order((promised_away, 7))
    watched = StockItem.objects.get(pk=a_book("Watched", copies=9).pk)
    watched.low_stock_threshold = 9
    watched.save()

    low = StockItem.objects.low().select_related("book")

    assert {item.book.title for item in low} == {"Few", "Promised", "Watched"}
    assert {item.pk for item in low} == {item.pk for item in StockItem.objects.all() if item.is_low}


def test_a_delivery_costs_the_same_however_many_wait() -> None:
    def cost(waiting: int) -> int:
        book = a_book(copies=0)
        for _ in range(waiting):
            a_waiting_order((book, 1))
        with CaptureQueriesContext(connection) as captured:
            services.receive_copies(book_id=book.pk, quantity=waiting)
        return len(captured)

    assert cost(2) == cost(12)


def test_who_waits_for_a_book_is_listed_the_longest_first() -> None:
    book, other = a_book("Emma", copies=1), a_book("Persuasion", copies=0)
    orders = [a_waiting_order((book, 2)), a_waiting_order((other, 1)), a_waiting_order((book, 1))]

    waiting = Allocation.objects.of_book(book.pk).waiting()

    assert [(line.order_number, line.missing) for line in waiting] == [(orders[0].number, 1), (orders[2].number, 1)]
