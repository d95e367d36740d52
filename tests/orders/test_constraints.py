"""The wrong ways in: SQL that breaks a rule of the orders is refused by the database itself."""

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from bookshelf_site.events import acting
from orders.models import Order, OrderLine
from orders.services import cancel_order, confirm_order, place_order, ship_order
from tests.given import ALICE, a_book, an_order, lines, usd

pytestmark = pytest.mark.django_db

NOW = "CURRENT_TIMESTAMP"


def sql(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def pending() -> Order:
    return an_order((a_book("Emma", copies=5), 2))


@pytest.fixture
def shipped(pending: Order) -> Order:
    confirm_order(order_id=pending.pk)
    return ship_order(order_id=pending.pk)


@pytest.fixture
def cancelled(pending: Order) -> Order:
    return cancel_order(order_id=pending.pk, reason="customer", note="Changed her mind")


def refuses(statement: str) -> bool:
    """Does the database refuse it, and is every order and line as it was?"""
    before = list(Order.objects.values()), list(OrderLine.objects.values())
    try:
        sql(statement)
    except (IntegrityError, DataError):
        return (list(Order.objects.values()), list(OrderLine.objects.values())) == before
    return False


@pytest.mark.parametrize(
    "change",
    [
        "status = 'LOST'",
        "status = ''",
        "status = 'CONFIRMED'",
        "status = 'SHIPPED'",
        "status = 'CANCELLED'",
        f"confirmed_at = {NOW}",
        f"shipped_at = {NOW}",
        f"cancelled_at = {NOW}",
        f"status = 'SHIPPED', shipped_at = {NOW}",
        f"status = 'CANCELLED', cancelled_at = {NOW}",
        f"status = 'CANCELLED', cancelled_at = {NOW}, cancel_reason = 'boredom'",
        "cancel_reason = 'customer'",
        "cancel_note = 'Changed her mind'",
        "tracking = 'RR123456785US'",
        "fulfilment = 'teleport'",
        "customer_name = ''",
        "total_amount = -0.01",
        "version = -1",
        "split_from_id = id",
    ],
)
def test_a_pending_order_that_can_not_be_is_refused(pending: Order, change: str) -> None:
    assert refuses(f"UPDATE orders_order SET {change}")


@pytest.mark.parametrize(
    "change",
    [
        "status = 'PENDING'",
        "status = 'CONFIRMED'",
        "shipped_at = NULL",
        "confirmed_at = NULL",
        f"cancelled_at = {NOW}",
        f"status = 'CANCELLED', cancelled_at = {NOW}, cancel_reason = 'customer'",
        "cancel_reason = 'customer'",
    ],
)
def test_a_shipped_order_that_can_not_be_is_refused(shipped: Order, change: str) -> None:
    assert refuses(f"UPDATE orders_order SET {change}")


@pytest.mark.parametrize(
    "change",
    ["status = 'PENDING'", "cancelled_at = NULL", f"shipped_at = {NOW}", "cancel_reason = ''"],
)
def test_a_cancelled_order_that_can_not_be_is_refused(cancelled: Order, change: str) -> None:
    assert refuses(f"UPDATE orders_order SET {change}")


@pytest.mark.parametrize(
    "change",
    [
        "quantity = 0, line_total_amount = 0",
        "quantity = -1, line_total_amount = -12.99",
        "quantity = 10001, line_total_amount = 129912.99",
        "quantity = 3",
        "unit_price_amount = 12.98",
        "unit_price_amount = -12.99, line_total_amount = -25.98",
        "line_total_amount = 25.97",
        "line_total_amount = 25.99",
    ],
)
def test_a_line_that_does_not_add_up_is_refused(pending: Order, change: str) -> None:
    assert refuses(f"UPDATE orders_orderline SET {change}")


@pytest.mark.parametrize(
    ("quantity", "price"),
    [
        (1, "0.00"),
        (3, "0.01"),
        (3, "12.99"),
        (7, "0.07"),
        (9_999, "99999.99"),
        (10_000, "99999.99"),
        (9_973, "33333.33"),
    ],
)
def test_a_line_that_adds_up_is_not(quantity: int, price: str) -> None:
    order = an_order((a_book("Emma", price=price, copies=10_000), quantity))

    line = OrderLine.objects.get()
    assert line.line_total == usd(price) * quantity
    assert Order.objects.get() == order


@pytest.mark.parametrize("column", ["number", "token"])
def test_number_and_link_are_of_one_order(pending: Order, column: str) -> None:
    an_order((a_book("Persuasion", copies=5), 1))

    with pytest.raises(IntegrityError):
        sql(f"UPDATE orders_order SET {column} = (SELECT {column} FROM orders_order WHERE customer_name <> '' LIMIT 1)")

    assert Order.objects.values(column).distinct().count() == 2


def test_a_reference_is_of_one_order_of_a_program() -> None:
    book = a_book("Emma", copies=5)
    with acting(actor="key:till"):
        place_order(ALICE, lines((book, 1)), external_reference="1")
        place_order(ALICE, lines((book, 1)), external_reference="2")

    with pytest.raises(IntegrityError):
        sql("UPDATE orders_order SET external_reference = '1'")

    assert set(Order.objects.values_list("external_reference", flat=True)) == {"1", "2"}


def test_a_book_is_on_one_line_of_an_order() -> None:
    one, other = a_book("Emma", copies=5), a_book("Persuasion", copies=5)
    an_order((one, 1), (other, 1))

    with pytest.raises(IntegrityError):
        sql("UPDATE orders_orderline SET book_id = (SELECT id FROM catalog_book WHERE title = 'Emma')")

    assert set(OrderLine.objects.values_list("book", flat=True)) == {one.pk, other.pk}
