"""One order from place to ship with all its effects, beside raw psycopg writing the same rows."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from uuid import UUID

from django.db import connection
from django.test import override_settings

from benchmarks.clock import rate
from bookshelf_site.events import uuid7
from bookshelf_site.money import Money
from catalog.models import Book, BookDetails
from catalog.services import add_to_catalog
from orders.models import Contact, new_token
from orders.numbers import new_number
from orders.services import LineRequest, confirm_order, place_order, ship_order

FLOWS = 100
BOOKS = 50


@cache
def books() -> list[Book]:
    with override_settings(EVENTS_ENGINE="inline"):
        return [
            add_to_catalog(
                BookDetails(title=f"Book {number}", author="Author"),
                price=Money(Decimal("12.99"), "USD"),
                opening_stock=900_000,
            )
            for number in range(BOOKS)
        ]


def through_services() -> float:
    shelf = books()

    def play() -> None:
        with override_settings(EVENTS_ENGINE="inline"):
            for number in range(FLOWS):
                line = LineRequest(book_id=shelf[number % BOOKS].pk, quantity=1)
                order = place_order(Contact(customer_name="Alice Johnson"), [line])
                confirm_order(order_id=order.pk)
                ship_order(order_id=order.pk)

    return rate(FLOWS, play)


def raw() -> float:
    shelf = books()

    def play() -> None:
        for number in range(FLOWS):
            raw_flow(shelf[number % BOOKS].pk)

    return rate(FLOWS, play)


def raw_flow(book_id: UUID) -> None:
    """The same rows, a statement at a time, in the same six transactions: three services, three receivers."""
    order_id, line_id, number = uuid7(), uuid7(), new_number()
    raw_place(order_id, line_id, number, book_id)
    raw_note(order_id, "order_placed")
    raw_move(order_id, "status = 'CONFIRMED', confirmed_at = now()")
    raw_note(order_id, "order_confirmed")
    raw_ship(order_id, line_id, book_id)
    raw_note(order_id, "order_shipped")


def raw_place(order_id: UUID, line_id: UUID, number: str, book_id: UUID) -> None:
    psycopg = connection.connection
    with psycopg.transaction():
        psycopg.execute(
            "SELECT id, title, isbn, price_amount, status FROM catalog_book WHERE id = %s", [book_id]
        ).fetchone()
        psycopg.execute(
            "INSERT INTO orders_order (id, number, token, status, customer_name, customer_email, phone, language, "
            "fulfilment, street, city, postal_code, country, note, external_reference, placed_by, total_amount, currency, "
            "tracking, cancel_reason, cancel_note, placed_at, updated_at, version) VALUES (%s, %s, %s, 'PENDING', "
            "'Alice Johnson', '', '', 'en', 'collect', '', '', '', '', '', '', '', 12.99, 'USD', '', '', '', now(), now(), 1)",
            [order_id, number, new_token()],
        )
        psycopg.execute(
            "INSERT INTO orders_orderline (id, order_id, book_id, title, isbn, quantity, unit_price_amount, "
            "line_total_amount, currency) VALUES (%s, %s, %s, 'Book', '', 1, 12.99, 12.99, 'USD')",
            [line_id, order_id, book_id],
        )
        psycopg.execute(
            "SELECT on_hand, allocated FROM inventory_stockitem WHERE book_id = %s FOR NO KEY UPDATE", [book_id]
        ).fetchone()
        psycopg.execute(
            "INSERT INTO inventory_allocation (id, line_id, order_id, order_number, item_id, wanted, allocated, shipped, "
            "returned) VALUES (%s, %s, %s, %s, %s, 1, 1, 0, 0)",
            [uuid7(), line_id, order_id, number, book_id],
        )
        psycopg.execute(
            "UPDATE inventory_stockitem SET allocated = allocated + 1, updated_at = now() WHERE book_id = %s", [book_id]
        )
        raw_movement(order_id, line_id, book_id, "allocated", (0, 1))
        raw_event(order_id, "orders.order_placed")


def raw_ship(order_id: UUID, line_id: UUID, book_id: UUID) -> None:
    psycopg = connection.connection
    with psycopg.transaction():
        psycopg.execute("SELECT * FROM orders_order WHERE id = %s FOR NO KEY UPDATE", [order_id]).fetchone()
        psycopg.execute("SELECT item_id FROM inventory_allocation WHERE order_id = %s", [order_id]).fetchall()
        psycopg.execute("SELECT * FROM inventory_stockitem WHERE book_id = %s FOR NO KEY UPDATE", [book_id]).fetchone()
        psycopg.execute("SELECT * FROM inventory_allocation WHERE order_id = %s", [order_id]).fetchall()
        psycopg.execute("UPDATE inventory_allocation SET allocated = 0, shipped = 1 WHERE line_id = %s", [line_id])
        psycopg.execute(
            "UPDATE inventory_stockitem SET on_hand = on_hand - 1, allocated = allocated - 1, updated_at = now() "
            "WHERE book_id = %s",
            [book_id],
        )
        raw_movement(order_id, line_id, book_id, "shipped", (-1, -1))
        psycopg.execute("UPDATE orders_order SET status = 'SHIPPED', shipped_at = now() WHERE id = %s", [order_id])
        raw_event(order_id, "orders.order_shipped")


def raw_move(order_id: UUID, change: str) -> None:
    psycopg = connection.connection
    with psycopg.transaction():
        psycopg.execute("SELECT * FROM orders_order WHERE id = %s FOR NO KEY UPDATE", [order_id]).fetchone()
        psycopg.execute(
            "SELECT line_id FROM inventory_allocation WHERE order_id = %s AND waiting_since IS NOT NULL", [order_id]
        ).fetchall()
        psycopg.execute(f"UPDATE orders_order SET {change} WHERE id = %s", [order_id])
        raw_event(order_id, "orders.order_confirmed")


def raw_movement(order_id: UUID, line_id: UUID, book_id: UUID, kind: str, change: tuple[int, int]) -> None:
    connection.connection.execute(
        "INSERT INTO inventory_stockmovement (item_id, kind, on_hand_change, allocated_change, on_hand, allocated, line_id, "
        "order_id, reason, actor, created_at) SELECT book_id, %s, %s, %s, on_hand, allocated, %s, %s, '', '', now() "
        "FROM inventory_stockitem WHERE book_id = %s",
        [kind, *change, line_id, order_id, book_id],
    )


def raw_event(order_id: UUID, name: str) -> None:
    """The event, and its delivery with it."""
    row = connection.connection.execute(
        "INSERT INTO events_event (uid, name, version, stream, data, personal, occurred_at, correlation_id, actor) "
        """VALUES (%s, %s, 1, %s, '{"number": "ABC"}', '{"customer_name": "Alice Johnson"}', now(), '', '') RETURNING id""",
        [uuid7(), name, f"orders.order:{order_id}"],
    ).fetchone()
    connection.connection.execute(
        "INSERT INTO events_delivery (event_id, receiver, target, stream, status, attempts, max_attempts, due, last_error) "
        "VALUES (%s, 'benchmarks.raw', '', '', 'pending', 1, 12, now(), '')",
        [row[0]],
    )


def raw_note(order_id: UUID, kind: str) -> None:
    psycopg = connection.connection
    with psycopg.transaction():
        psycopg.execute(
            "UPDATE events_delivery SET status = 'done', done_at = now() WHERE id = (SELECT max(id) FROM events_delivery) "
            "AND status = 'pending' AND attempts = 1"
        )
        psycopg.execute(
            "INSERT INTO inventory_notification (id, event_uid, kind, audience, order_id, message, channel, status, "
            "created_at) VALUES (%s, %s, %s, 'customer', %s, 'Order', 'email', 'recorded', now())",
            [uuid7(), uuid7(), kind, order_id],
        )
