"""The statements that are compiled once write and read what the ORM would."""

import pytest
from django.db import DatabaseError, DataError, connection
from django.db.models import F
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext

from bookshelf_site.events import unit_of_work, uuid7
from bookshelf_site.events.compiled import MOST_KEYS, Compiled
from bookshelf_site.events.statements import MOST_PLACES, Write, insert, insert_asking, insert_missing, update
from catalog.models import Book
from inventory.models import Allocation, Notification, StockItem, StockMovement
from orders.models import Order
from tests.given import a_book, an_order, books

pytestmark = pytest.mark.django_db


def a_movement(book: Book, copies: int) -> StockMovement:
    return StockMovement(
        item_id=book.pk, kind="received", on_hand_change=copies, allocated_change=0, on_hand=copies, allocated=0
    )


def a_notification(event_uid=None) -> Notification:
    return Notification(
        event_uid=event_uid or uuid7(), kind="order_placed", audience="customer", message="Zoë ‘%s’ {0} 100 %"
    )


@pytest.mark.parametrize("count", [3, MOST_PLACES + 1])
def test_new_rows_know_the_keys_that_the_database_gave_them(count):
    book = a_book(copies=1)
    movements = [a_movement(book, copies + 2) for copies in range(count)]

    assert insert(movements) == movements

    found = StockMovement.objects.filter(kind="received").order_by("id")
    assert [(row.pk, row.on_hand, row.created_at) for row in found] == [
        (row.pk, row.on_hand, row.created_at) for row in movements
    ]
    assert not any(row._state.adding for row in movements)


@pytest.mark.parametrize("count", [1, MOST_PLACES + 1])
def test_rows_are_read_as_they_were_written(count):
    told = [a_notification() for _ in range(count)]
    told[0].order_id = uuid7()

    insert(told)

    found = Notification.objects.order_by("pk")
    assert [vars(row) | {"_state": None} for row in found] == [
        vars(row) | {"_state": None} for row in sorted(told, key=lambda row: row.pk)
    ]


@pytest.mark.parametrize("count", [1, MOST_PLACES + 1])
def test_what_is_written_beside_new_rows_costs_postgresql_no_statement_more(count):
    book = a_book(copies=1)
    item = StockItem.objects.get(pk=book.pk)
    item.low_stock_threshold = 7
    told = [a_notification() for _ in range(count)]
    movements = [a_movement(book, copies + 2) for copies in range(count)]

    with CaptureQueriesContext(connection) as queries:
        insert(movements, beside=[Write(told), Write([item], ("low_stock_threshold",)), Write([])])

    assert len(queries) == (1 if connection.vendor == "postgresql" else 3)
    assert StockItem.objects.get(pk=book.pk).low_stock_threshold == 7
    assert Notification.objects.filter(pk__in=[one.pk for one in told]).count() == count
    found = StockMovement.objects.filter(kind="received").order_by("id")
    assert [(row.pk, row.on_hand) for row in found] == [(row.pk, row.on_hand) for row in movements]
    assert not any(row._state.adding for row in [*told, *movements])


def test_what_is_written_beside_nothing_is_written():
    book = a_book(copies=1)
    told = a_notification()

    assert insert([], beside=[Write([told])]) == []
    insert([a_notification()], beside=[Write([StockItem.objects.get(pk=book.pk)], ("updated_at",))])

    assert Notification.objects.filter(pk=told.pk).exists()


def test_beside_new_rows_too_a_row_that_is_gone_is_missed():
    book = a_book(copies=1)
    gone = StockItem(pk=uuid7(), on_hand=0, allocated=0)

    with pytest.raises(DatabaseError, match=r"inventory\.StockItem that was to be changed is gone"), unit_of_work:
        insert([a_movement(book, 2)], beside=[Write([gone], ("on_hand",))])


def test_what_a_unique_key_keeps_out_is_not_among_the_written():
    uid = uuid7()
    there, twin, new = a_notification(uid), a_notification(uid), a_notification()
    insert([there])

    assert insert_missing([twin, new]) == [new]

    assert set(Notification.objects.values_list("pk", flat=True)) == {there.pk, new.pk}


def test_what_tells_of_a_row_is_written_if_that_is_new():
    book, uid = a_book(copies=1), uuid7()
    first, twin = a_notification(uid), a_notification(uid)
    movement = a_movement(book, 2)

    with CaptureQueriesContext(connection) as queries:
        written = insert_asking([movement], "SELECT 7", beside=[Write([first], once=True)])
    assert insert_asking([a_movement(book, 3)], "SELECT 7", beside=[Write([twin], once=True)]) == ([], None)

    assert len(queries) == (1 if connection.vendor == "postgresql" else 2)
    assert written == ([movement], 7)
    assert list(Notification.objects.values_list("pk", flat=True)) == [first.pk]
    found = StockMovement.objects.filter(kind="received")
    assert [(row.pk, row.on_hand) for row in found] == [(movement.pk, 2)]
    assert (first._state.adding, movement._state.adding, twin._state.adding) == (False, False, True)


@pytest.mark.parametrize("count", [1, 3, MOST_PLACES + 1])
def test_the_named_fields_of_rows_are_written_in_one_statement(count):
    books(count, copies=5)
    items = list(StockItem.objects.order_by("pk"))
    for number, item in enumerate(items):
        item.low_stock_threshold, item.on_hand = number or None, 9

    with CaptureQueriesContext(connection) as captured:
        update(items, ["low_stock_threshold", "updated_at"])

    assert len(captured) == 1
    found = StockItem.objects.order_by("pk")
    assert [(item.low_stock_threshold, item.on_hand, item.updated_at) for item in found] == [
        (item.low_stock_threshold, 5, item.updated_at) for item in items
    ]


@pytest.mark.parametrize("count", [1, 2])
def test_a_row_that_is_gone_is_missed(count):
    lines = [Allocation(line_id=uuid7(), order_id=uuid7(), item_id=uuid7(), wanted=1) for _ in range(count)]

    with pytest.raises(DatabaseError, match="gone"):
        update(lines, ["wanted"])


@pytest.mark.parametrize("count", [2, MOST_PLACES + 1])
def test_what_is_too_long_is_refused_and_not_cut_off(count):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite knows no lengths")
    orders = [an_order((a_book(copies=1), 1)) for _ in range(count)]
    for order in orders:
        order.tracking = "x" * 101

    with pytest.raises(DataError), unit_of_work:
        update(orders, ["tracking"])


def test_postgresql_plans_a_statement_that_comes_again_once():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite keeps its own")
    [book] = books(1, copies=1)

    for _ in range(3):
        Book.by_key([book.pk])

    uses = "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE statement LIKE %s"
    with connection.cursor() as cursor:
        cursor.execute(uses, [READS])
        [(runs,)] = cursor.fetchall()
    assert runs >= 2


READS = 'SELECT "catalog_book"."id"%WHERE "catalog_book"."id" IN ($1)'


def test_nothing_is_nothing():
    with CaptureQueriesContext(connection) as captured:
        assert insert([]) == []
        assert insert_missing([]) == []
        update([], ["wanted"])
        assert Order.lock_all([]) == []

    assert len(captured) == 0


@pytest.mark.parametrize("count", [1, 2, MOST_KEYS + 1])
def test_a_compiled_query_finds_what_the_orm_finds(count):
    found = books(count, copies=1)

    for _ in range(2):
        assert Book.by_key(book.pk for book in found) == Book.objects.in_bulk()
        assert [vars(book) | {"_state": None} for book in Book.by_key([found[0].pk]).values()] == [
            vars(Book.objects.get(pk=found[0].pk)) | {"_state": None}
        ]


def test_each_call_reads_fresh_rows():
    book = a_book(copies=1)
    first = Book.by_key([book.pk])[book.pk]
    first.title = "Something else"

    assert Book.by_key([book.pk])[book.pk].title == "Emma"


def test_a_compiled_query_may_have_parameters_of_its_own():
    one, other = a_book(copies=3), a_book(copies=1)
    asked = Compiled(lambda keys: StockItem.objects.filter(pk__in=keys, on_hand__gt=F("allocated") + 2))

    assert [item.pk for item in asked([one.pk, other.pk])] == [one.pk]
    assert [item.pk for item in asked([other.pk, one.pk])] == [one.pk]
    assert asked([other.pk]) == []


def test_what_is_read_along_needs_no_query_of_its_own(django_assert_num_queries):
    stocked, bare = a_book("Emma", copies=3), a_book("Persuasion")
    read = Compiled(lambda keys: Book.objects.with_stock().filter(pk__in=keys).order_by("title"))
    read([stocked.pk, bare.pk])

    with django_assert_num_queries(1):
        found = [(book.title, book.available) for book in read([stocked.pk, bare.pk])]

    assert found == [("Emma", 3), ("Persuasion", 0)]


def test_who_is_not_there_can_not_be_locked():
    with pytest.raises(Order.DoesNotExist), unit_of_work:
        Order.lock(uuid7())


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_outside_a_transaction():
    order = an_order((a_book(copies=1), 1))

    for _ in range(2):
        with pytest.raises(RuntimeError, match="unit of work"):
            Order.lock(order.pk)
        with unit_of_work:
            assert Order.lock(order.pk) == order


def test_who_listens_to_djangos_own_signals_hears_them():
    heard = []

    def listen(sender, instance, **kwargs):
        heard.append(instance.pk)

    post_save.connect(listen, sender=Order)
    try:
        order = an_order((a_book(copies=1), 1))
    finally:
        post_save.disconnect(listen, sender=Order)

    assert heard == [order.pk]
