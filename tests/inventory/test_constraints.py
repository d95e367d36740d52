"""The wrong ways in: SQL that breaks a rule of the stock is refused by the database itself."""

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from catalog.models import Book
from inventory.models import Allocation, Notification, StockItem, StockMovement
from orders.models import Order
from orders.services import confirm_order, ship_order
from tests.given import a_book, a_waiting_order, an_order

pytestmark = pytest.mark.django_db

ROWS = (StockItem, Allocation, StockMovement, Notification)
MOVEMENT = {
    "kind": "'received'",
    "on_hand_change": "1",
    "allocated_change": "0",
    "on_hand": "11",
    "allocated": "2",
    "reason": "''",
    "actor": "''",
    "created_at": "CURRENT_TIMESTAMP",
}
A_UUID = "'0198c7a2000070008000000000000001'"


def sql(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def refuses(statement: str) -> bool:
    """Does the database refuse it, and is every row as it was?"""
    before = [list(model._default_manager.values()) for model in ROWS]
    try:
        sql(statement)
    except (IntegrityError, DataError):
        return [list(model._default_manager.values()) for model in ROWS] == before
    return False


def a_movement(**columns: str) -> str:
    """The statement that writes a movement of the only book, with these columns otherwise than usual."""
    values = MOVEMENT | columns
    return (
        f"INSERT INTO inventory_stockmovement (item_id, {', '.join(values)})"
        f" SELECT book_id, {', '.join(values.values())} FROM inventory_stockitem"
    )


@pytest.fixture(autouse=True)
def book() -> Book:
    return a_book("Emma", copies=10)


@pytest.fixture(autouse=True)
def order(book: Book) -> Order:
    return an_order((book, 2))


@pytest.mark.parametrize(
    "change",
    [
        "allocated = on_hand + 1",
        "on_hand = 1",
        "on_hand = -1, allocated = -1",
        "allocated = -1",
        "on_hand = 0, allocated = -1",
        "was_on_hand = (1 = 0)",
        "low_stock_threshold = -1",
        "low_stock_threshold = 1000001",
    ],
)
def test_a_shelf_that_can_not_be_is_refused(change: str) -> None:
    assert refuses(f"UPDATE inventory_stockitem SET {change}")


@pytest.mark.parametrize(
    "change",
    [
        "wanted = 0, allocated = 0",
        "wanted = 1",
        "allocated = 3",
        "allocated = -1",
        "shipped = 1",
        "shipped = -1",
        "returned = 1",
        "returned = -1",
        "waiting_since = CURRENT_TIMESTAMP",
        "allocated = 1, shipped = 1",
    ],
)
def test_a_promise_that_can_not_be_is_refused(change: str) -> None:
    assert refuses(f"UPDATE inventory_allocation SET {change}")


def test_a_line_is_promised_copies_once(book: Book) -> None:
    a_waiting_order((book, 1))

    assert refuses(f"UPDATE inventory_allocation SET line_id = {A_UUID}")


def test_a_movement_that_can_be_is_taken() -> None:
    sql(a_movement())

    assert StockMovement.objects.latest_first()[0].on_hand == 11


@pytest.mark.parametrize(
    "columns",
    [
        {"kind": "'stolen'"},
        {"kind": "''"},
        {"on_hand_change": "0"},
        {"on_hand_change": "-1"},
        {"allocated_change": "1"},
        {"on_hand": "-1", "allocated": "-1"},
        {"allocated": "12"},
        {"kind": "'opening'"},
        {"kind": "'damaged'", "reason": "'Flood'"},
        {"kind": "'lost'", "on_hand_change": "-1"},
        {"kind": "'counted'"},
        {"kind": "'corrected'", "on_hand_change": "0", "reason": "'Nothing'"},
        {"kind": "'counted'", "allocated_change": "1", "reason": "'Stocktake'"},
        {"kind": "'allocated'", "on_hand_change": "0", "allocated_change": "1"},
        {"kind": "'allocated'", "on_hand_change": "0", "allocated_change": "-1", "line_id": A_UUID, "order_id": A_UUID},
        {"kind": "'released'", "on_hand_change": "0", "allocated_change": "1", "line_id": A_UUID, "order_id": A_UUID},
        {"kind": "'shipped'", "on_hand_change": "-1", "line_id": A_UUID, "order_id": A_UUID},
        {"kind": "'shipped'", "on_hand_change": "-1", "allocated_change": "-1", "line_id": A_UUID},
        {"kind": "'returned'"},
        {"kind": "'returned'", "on_hand_change": "0", "line_id": A_UUID, "order_id": A_UUID},
    ],
)
def test_a_movement_that_can_not_be_is_refused(columns: dict[str, str]) -> None:
    assert refuses(a_movement(**columns))


def test_an_event_opens_a_book_once() -> None:
    uid = StockMovement.objects.get(kind="opening").event_uid
    assert uid is not None

    literal = f"'{uid}'" if connection.vendor == "postgresql" else f"'{uid.hex}'"

    assert refuses(a_movement(kind="'opening'", event_uid=literal))


def test_a_line_is_shipped_once(order: Order) -> None:
    confirm_order(order_id=order.pk)
    ship_order(order_id=order.pk)

    assert refuses(
        "INSERT INTO inventory_stockmovement"
        " (item_id, kind, on_hand_change, allocated_change, on_hand, allocated, line_id, order_id, reason, actor,"
        " created_at) SELECT item_id, kind, on_hand_change, allocated_change, on_hand, allocated, line_id, order_id,"
        " reason, actor, created_at FROM inventory_stockmovement WHERE kind = 'shipped'"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE inventory_stockmovement SET reason = 'It was not me'",
        "UPDATE inventory_stockmovement SET actor = 'user:eve'",
        "UPDATE inventory_stockmovement SET on_hand_change = 9, on_hand = 9 WHERE kind = 'opening'",
        "DELETE FROM inventory_stockmovement",
    ],
)
def test_what_is_in_the_ledger_stays_as_it_is(statement: str) -> None:
    assert refuses(statement)


@pytest.mark.parametrize(
    "change",
    ["status = 'sent'", f"event_uid = {A_UUID}, kind = 'order_placed', audience = 'customer'"],
)
def test_a_notification_that_can_not_be_is_refused(book: Book, change: str) -> None:
    an_order((book, 1))

    assert refuses(f"UPDATE inventory_notification SET {change}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["inventory_stockitem", "catalog_book"])
def test_a_shelf_with_a_history_is_never_deleted(table: str) -> None:
    assert refuses(f"DELETE FROM {table}")
