"""One order from place to ship with all its effects, beside raw psycopg writing the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from typing import Any, Self
from uuid import UUID

import psycopg
from django.db import connection
from django.test import override_settings
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

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
                flow(shelf[number % BOOKS].pk)

    return rate(FLOWS, play)


def flow(book_id: UUID) -> UUID:
    order = place_order(Contact(customer_name="Alice Johnson"), [LineRequest(book_id=book_id, quantity=1)])
    confirm_order(order_id=order.pk)
    ship_order(order_id=order.pk)
    return order.pk


def raw() -> float:
    shelf, example = books(), rows_of_a_flow()

    def play() -> None:
        for number in range(FLOWS):
            raw_flow(example, shelf[number % BOOKS].pk)

    return rate(FLOWS, play)


Caused = tuple[UUID, int]


@dataclass(frozen=True)
class Row:
    """A row that the services wrote, to be written again under other keys."""

    table: str
    values: dict[str, Any]

    @cached_property
    def statement(self) -> str:
        columns, values = ", ".join(self.values), ", ".join(f"%({column})s" for column in self.values)
        return f"INSERT INTO {self.table} ({columns}) VALUES ({values})"

    def insert(self, **keys: object) -> None:
        floor().execute(self.statement, self.values | keys)

    def insert_numbered(self, **keys: object) -> int:
        """The key that the database gave it."""
        row = floor().execute(f"{self.statement} RETURNING id", self.values | keys).fetchone()
        assert row
        number: int = row["id"]
        return number


@dataclass(frozen=True)
class Happening:
    """An event, and to whom it is owed."""

    event: Row
    deliveries: list[Row]

    def insert(self, order_id: UUID, causation_id: UUID | None = None) -> Caused:
        """What runs at once: the event, and the key of its delivery that is born claimed."""
        uid = uuid7()
        stream = f"{self.event.values['stream'].partition(':')[0]}:{order_id}"
        event_id = self.event.insert_numbered(uid=uid, stream=stream, causation_id=causation_id)
        claimed = 0
        for row in self.deliveries:
            delivery_id = row.insert_numbered(event_id=event_id)
            claimed = delivery_id if row.values["attempts"] else claimed
        return uid, claimed


@dataclass(frozen=True)
class Example:
    """All rows of one flow."""

    order: Row
    line: Row
    allocation: Row
    movements: list[Row]
    steps: list[Happening]
    notes: list[tuple[Row, Happening]]

    @classmethod
    def of(cls, order_id: UUID) -> Self:
        [order] = rows("orders_order", "id = %s", order_id)
        [line] = rows("orders_orderline", "order_id = %s", order_id)
        [allocation] = rows("inventory_allocation", "order_id = %s", order_id)
        notifications = rows("inventory_notification", "order_id = %s", order_id)
        return cls(
            order=as_it_was_placed(order),
            line=line,
            allocation=Row(allocation.table, allocation.values | {"allocated": 1, "shipped": 0}),
            movements=[without_key(row) for row in rows("inventory_stockmovement", "order_id = %s", order_id)],
            steps=happenings(f"orders.order:{order_id}"),
            notes=list(zip(notifications, happenings(f"inventory.notification:{order_id}"), strict=True)),
        )


def as_it_was_placed(order: Row) -> Row:
    placed = {"status": "PENDING", "version": 1, "confirmed_at": None, "shipped_at": None}
    return Row(order.table, order.values | placed)


def happenings(stream: str) -> list[Happening]:
    return [Happening(without_key(event), owed(event)) for event in rows("events_event", "stream = %s", stream)]


def owed(event: Row) -> list[Row]:
    unsettled = {"status": "pending", "done_at": None}
    found = rows("events_delivery", "event_id = %s", event.values["id"])
    return [without_key(Row(row.table, row.values | unsettled)) for row in found]


def without_key(row: Row) -> Row:
    return Row(row.table, {column: value for column, value in row.values.items() if column != "id"})


WRITTEN_BY_DATABASE = {"words_vector"}


def rows(table: str, where: str, value: object) -> list[Row]:
    found = floor().execute(f"SELECT * FROM {table} WHERE {where} ORDER BY id", [value])
    return [
        Row(
            table,
            {key: Jsonb(v) if isinstance(v, dict) else v for key, v in row.items() if key not in WRITTEN_BY_DATABASE},
        )
        for row in found
    ]


@cache
def floor() -> psycopg.Connection[dict[str, Any]]:
    """A connection as psycopg makes it, that prepares what it is asked often."""
    connection.ensure_connection()
    given = connection.connection.info
    return psycopg.connect(
        host=given.host, port=given.port, user=given.user, password=given.password, dbname=given.dbname,
        autocommit=True, row_factory=dict_row,
    )  # fmt: skip


@cache
def rows_of_a_flow() -> Example:
    """Written by the services; both then write as many rows into each table, in as many transactions."""
    book_id = books()[0].pk
    with override_settings(EVENTS_ENGINE="inline"):
        example = Example.of(flow(book_id))
        ours = written_by(lambda: flow(book_id))
    theirs = written_by(lambda: raw_flow(example, book_id))
    assert ours == theirs, f"ours {ours}, the floor {theirs}"
    return example


TABLES = (
    "orders_order", "orders_orderline", "inventory_allocation", "inventory_stockmovement", "inventory_notification",
    "events_event", "events_delivery",
)  # fmt: skip


def written_by(work: Callable[[], object]) -> Counter[str]:
    """How many rows were added to each table, and in how many transactions something was added or settled."""
    before = counted()
    last = max(events())
    work()
    after = counted()
    after.subtract(before)
    writers = {writer for event_id, writer in events().items() if event_id > last}
    return after + Counter({"transactions": len(writers)})


def counted() -> Counter[str]:
    return Counter({table: len(floor().execute(f"SELECT FROM {table}").fetchall()) for table in TABLES})


def events() -> dict[int, str]:
    """By which transaction each event was written."""
    found = floor().execute("SELECT id, xmin::text AS writer FROM events_event")
    return {row["id"]: row["writer"] for row in found}


def raw_flow(example: Example, book_id: UUID) -> None:
    """The same rows, a statement at a time, in the same six transactions: three services, three receivers."""
    keys = {"order_id": uuid7(), "line_id": uuid7()}
    place, confirm, ship = example.steps
    with floor().transaction():
        caused = raw_place(example, book_id, place, **keys)
    raw_note(example, 0, keys["order_id"], *caused)
    with floor().transaction():
        caused = raw_confirm(confirm, keys["order_id"])
    raw_note(example, 1, keys["order_id"], *caused)
    with floor().transaction():
        caused = raw_ship(example, book_id, ship, **keys)
    raw_note(example, 2, keys["order_id"], *caused)


def raw_place(example: Example, book_id: UUID, place: Happening, *, order_id: UUID, line_id: UUID) -> Caused:
    number = new_number()
    floor().execute("SELECT * FROM catalog_book WHERE id = %s", [book_id]).fetchone()
    example.order.insert(id=order_id, number=number, token=new_token())
    caused = place.insert(order_id)
    example.line.insert(id=line_id, order_id=order_id, book_id=book_id)
    raw_locked_stock(book_id)
    example.allocation.insert(id=uuid7(), line_id=line_id, order_id=order_id, order_number=number, item_id=book_id)
    floor().execute(
        "UPDATE inventory_stockitem SET allocated = allocated + 1, updated_at = now() WHERE book_id = %s", [book_id]
    )
    example.movements[0].insert(**raw_movement_keys(book_id, order_id, line_id))
    return caused


def raw_confirm(confirm: Happening, order_id: UUID) -> Caused:
    raw_locked_order(order_id)
    floor().execute(
        "SELECT line_id FROM inventory_allocation WHERE order_id = %s AND waiting_since IS NOT NULL", [order_id]
    ).fetchall()
    raw_moved_order(order_id, "status = 'CONFIRMED', confirmed_at = now()")
    return confirm.insert(order_id)


def raw_ship(example: Example, book_id: UUID, ship: Happening, *, order_id: UUID, line_id: UUID) -> Caused:
    raw_locked_order(order_id)
    raw_locked_stock(book_id)
    floor().execute("SELECT * FROM inventory_allocation WHERE order_id = %s", [order_id]).fetchall()
    floor().execute("UPDATE inventory_allocation SET allocated = 0, shipped = 1 WHERE line_id = %s", [line_id])
    floor().execute(
        "UPDATE inventory_stockitem SET on_hand = on_hand - 1, allocated = allocated - 1, updated_at = now() "
        "WHERE book_id = %s",
        [book_id],
    )
    example.movements[1].insert(**raw_movement_keys(book_id, order_id, line_id))
    raw_moved_order(order_id, "status = 'SHIPPED', shipped_at = now()")
    return ship.insert(order_id)


def raw_locked_order(order_id: UUID) -> None:
    floor().execute("SELECT * FROM orders_order WHERE id = %s FOR NO KEY UPDATE", [order_id]).fetchone()


def raw_locked_stock(book_id: UUID) -> None:
    floor().execute("SELECT * FROM inventory_stockitem WHERE book_id = %s FOR NO KEY UPDATE", [book_id]).fetchone()


def raw_moved_order(order_id: UUID, change: str) -> None:
    floor().execute(
        f"UPDATE orders_order SET {change}, version = version + 1, updated_at = now() WHERE id = %s", [order_id]
    )


def raw_movement_keys(book_id: UUID, order_id: UUID, line_id: UUID) -> dict[str, object]:
    return {"item_id": book_id, "order_id": order_id, "line_id": line_id}


def raw_note(example: Example, step: int, order_id: UUID, causation_id: UUID, delivery_id: int) -> None:
    note, news = example.notes[step]
    with floor().transaction():
        floor().execute(
            "UPDATE events_delivery SET status = 'done', done_at = now(), last_error = '' "
            "WHERE id = %s AND status = 'pending' AND attempts = 1",
            [delivery_id],
        )
        note.insert(id=uuid7(), event_uid=causation_id, order_id=order_id)
        news.insert(order_id, causation_id)
