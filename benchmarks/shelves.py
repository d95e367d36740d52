"""A shop of any size, written at once: for each book an order with a line, its stock, movements, events and mails."""

from __future__ import annotations

from typing import Final

from django.db import connection, transaction

from benchmarks import catalogue

NUMBERED: Final = (
    "CREATE TEMPORARY TABLE numbered AS "
    "SELECT ROW_NUMBER() OVER (ORDER BY id) AS n, id AS book_id, title, isbn FROM catalog_book"
)

POSTGRESQL: Final = {
    "uid": "lpad(to_hex({kind}::bigint * 4294967296 + n), 32, '0')::uuid",
    "at": "TIMESTAMPTZ '2025-06-01' + n * INTERVAL '1 second'",
    "json": "'{}'::jsonb",
    "number": "lpad(upper(to_hex(n)), 9, '0')",
}
SQLITE: Final = {
    "uid": "printf('%032x', {kind} * 4294967296 + n)",
    "at": "datetime('2025-06-01', '+' || n || ' seconds')",
    "json": "'{{}}'",
    "number": "printf('%09X', n)",
}

STATUS: Final = "CASE n % 20 WHEN 0 THEN 'PENDING' WHEN 1 THEN 'CONFIRMED' WHEN 2 THEN 'CANCELLED' ELSE 'SHIPPED' END"

TABLES: Final[dict[str, dict[str, str]]] = {
    "orders_order": {
        "id": "{order}",
        "number": "{number}",
        "token": "'token-' || n",
        "status": STATUS,
        "customer_name": "'Customer ' || (n % 5000) || ' Family ' || n",
        "customer_email": "'customer' || n || '@example.com'",
        "words": "' customer ' || (n % 5000) || ' family ' || n || ' customer' || n || ' example com ' || "
        "'customer' || n || 'examplecom'",
        "phone": "''",
        "language": "'en'",
        "fulfilment": "CASE WHEN n % 3 = 0 THEN 'ship' ELSE 'collect' END",
        **dict.fromkeys(("street", "city", "postal_code", "country", "note", "external_reference"), "''"),
        "placed_by": "'benchmark'",
        "total_amount": "12.99",
        "currency": "'USD'",
        "tracking": "''",
        "cancel_reason": "CASE WHEN n % 20 = 2 THEN 'customer' ELSE '' END",
        "cancel_note": "''",
        "placed_at": "{at}",
        "confirmed_at": "CASE WHEN n % 20 IN (0, 2) THEN NULL ELSE {at} END",
        "shipped_at": "CASE WHEN n % 20 > 2 THEN {at} END",
        "cancelled_at": "CASE WHEN n % 20 = 2 THEN {at} END",
        "updated_at": "{at}",
        "version": "1",
    },
    "orders_orderline": {
        "id": "{line}",
        "order_id": "{order}",
        "book_id": "book_id",
        "title": "title",
        "isbn": "COALESCE(isbn, '')",
        "quantity": "1",
        "unit_price_amount": "12.99",
        "line_total_amount": "12.99",
        "currency": "'USD'",
    },
    "inventory_allocation": {
        "id": "{allocation}",
        "line_id": "{line}",
        "order_id": "{order}",
        "order_number": "{number}",
        "item_id": "book_id",
        "wanted": "1",
        "allocated": "0",
        "shipped": "CASE WHEN n % 20 > 2 THEN 1 ELSE 0 END",
        "returned": "0",
        "waiting_since": "CASE WHEN n % 20 = 0 AND n <= 2000 THEN {at} END",
    },
    "inventory_stockmovement": {
        "item_id": "book_id",
        "kind": "'received'",
        "on_hand_change": "2",
        "allocated_change": "0",
        "on_hand": "2",
        "allocated": "0",
        "reason": "''",
        "actor": "'benchmark'",
        "created_at": "{at}",
    },
    "inventory_notification": {
        "id": "{note}",
        "event_uid": "{event}",
        "kind": "'order_placed'",
        "audience": "'customer'",
        "order_id": "{order}",
        "message": "'Order ' || n || ' placed'",
        "channel": "'email'",
        "status": "'sent'",
        "sent_at": "{at}",
        "error": "''",
        "created_at": "{at}",
    },
    "events_event": {
        "id": "n",
        "uid": "{event}",
        "name": "'orders.order_placed'",
        "version": "1",
        "stream": "'orders.order:' || n",
        "data": "{json}",
        "occurred_at": "{at}",
        "correlation_id": "'request-' || n",
        "actor": "'benchmark'",
        "position": "n",
    },
    "events_delivery": {
        "event_id": "n",
        "receiver": "'inventory.notify_order_placed'",
        "target": "''",
        "stream": "''",
        "status": "'done'",
        "attempts": "1",
        "max_attempts": "10",
        "due": "{at}",
        "done_at": "{at}",
        "last_error": "''",
    },
}
"""What stands in each row's columns, by the number of its book."""


def fill(books: int) -> None:
    """So many books with two copies of each, and as many of everything else."""
    catalogue.fill(books, in_stock=books)
    words = POSTGRESQL if connection.vendor == "postgresql" else SQLITE
    kinds = ("order", "line", "allocation", "note", "event")
    filled = {kind: words["uid"].format(kind=place + 1) for place, kind in enumerate(kinds)}
    filled |= {name: words[name].replace("{{}}", "{}") for name in ("at", "json", "number")}
    with transaction.atomic(), connection.cursor() as cursor:
        # the catalogue's own shelves are bottomless, and worth more than an amount can say
        cursor.execute("UPDATE inventory_stockitem SET on_hand = 2")
        cursor.execute(NUMBERED)
        for table, columns in TABLES.items():
            values = ", ".join(expression.format(**filled) for expression in columns.values())
            cursor.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM numbered ORDER BY n")
        cursor.execute("DROP TABLE numbered")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
