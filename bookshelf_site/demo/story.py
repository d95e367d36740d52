"""The whole story in a scratch database: a book is added, ordered, confirmed and shipped, and each step is checked."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from django.db import connection
from django.utils import timezone

from bookshelf_site.events.models import Delivery
from bookshelf_site.events.relay import Relay
from bookshelf_site.money import Money
from catalog.models import Book, BookDetails
from catalog.services import add_to_catalog
from inventory.audit import differences
from inventory.models import Notification, StockItem, StockMovement
from orders.models import Contact, Order, Status
from orders.services import LineRequest, confirm_order, place_order, ship_order

TITLE: Final = "The Great Gatsby"
ISBN: Final = "9780743273565"
Tell = Callable[[str], None]


class StoryBroken(Exception):
    """A step of the story did not leave in the database what it should have."""


def prove_connected(database: str) -> None:
    """Raises StoryBroken if this process is connected to any database but the one of this name."""
    _expect("the database", _current_database(), database)


def play(tell: Tell) -> None:
    """Play the story, here. Raises StoryBroken, naming what isn't as it should be."""
    book = _add_book(tell)
    tell("")
    order = _place_order(book, tell)
    _confirm(order, tell)
    _ship(order, book, tell)
    Relay().drain()  # what talks to the outside waits for one; Alice has no e-mail, and nobody follows the log
    _expect("differences in the stock", list(differences()), [])
    _expect("deliveries owed", Delivery.objects.pending().count() + Delivery.objects.dead().count(), 0)
    tell("")
    tell("All checks passed!")


def _add_book(tell: Tell) -> Book:
    tell("Adding book to catalog...")
    details = BookDetails(title=TITLE, author="F. Scott Fitzgerald", isbn=ISBN)
    added = add_to_catalog(details, price=Money(Decimal("12.99"), "USD"), opening_stock=10)
    book = Book.objects.get(isbn=ISBN)
    _expect("the book", book.pk, added.pk)
    opening = StockMovement.objects.get(item_id=book.pk)
    _expect("the movement", (opening.kind, opening.on_hand_change), (StockMovement.Kind.OPENING, 10))
    tell(f"  [Inventory] Stocked {opening.on_hand_change} copies of '{book.title}'")
    _expect_stock(book, on_hand=10, allocated=0)
    tell(f"  Inventory: {book.title}, qty={StockItem.objects.get(pk=book.pk).on_hand}")
    return book


def _place_order(book: Book, tell: Tell) -> Order:
    tell("Placing an order...")
    placed = place_order(Contact(customer_name="Alice Johnson"), [LineRequest(book_id=book.pk, quantity=2)])
    order = Order.objects.get(pk=placed.pk)
    _expect("the order", (order.status, order.total_amount), (Status.PENDING, Decimal("25.98")))
    _expect_stock(book, on_hand=10, allocated=2)
    return order


def _confirm(order: Order, tell: Tell) -> None:
    tell("Confirming order...")
    confirm_order(order_id=order.pk)
    _expect("the order's status", Order.objects.get(pk=order.pk).status, Status.CONFIRMED)
    _tell_notification(
        order, Notification.Kind.ORDER_CONFIRMED, f"Order {order.number} confirmed for Alice Johnson", tell
    )


def _ship(order: Order, book: Book, tell: Tell) -> None:
    tell("Shipping order...")
    ship_order(order_id=order.pk)
    _expect("the order's status", Order.objects.get(pk=order.pk).status, Status.SHIPPED)
    _expect_stock(book, on_hand=8, allocated=0)
    _tell_notification(order, Notification.Kind.ORDER_SHIPPED, f"Order {order.number} shipped to Alice Johnson", tell)


def _tell_notification(order: Order, kind: Notification.Kind, message: str, tell: Tell) -> None:
    found = list(Notification.objects.filter(order_id=order.pk, kind=kind).values_list("message", flat=True))
    _expect("the notifications", found, [message])
    tell(f"  [Notification] {found[0]}")


def _expect_stock(book: Book, *, on_hand: int, allocated: int) -> None:
    item = StockItem.objects.get(pk=book.pk)
    _expect("the stock", (item.on_hand, item.allocated), (on_hand, allocated))


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise StoryBroken(f"{what}: expected {expected!r}, found {found!r} ({timezone.now():%H:%M:%S})")


def _current_database() -> str:
    """The name of the database that this process is really connected to, as the database itself tells it."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT current_database()")
            return str(cursor.fetchone()[0])
        cursor.execute("PRAGMA database_list")
        return str(cursor.fetchone()[2])
