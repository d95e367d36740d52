"""What tests start from: books with copies on the shelf and orders for them, made by the services as in the shop."""

from __future__ import annotations

from decimal import Decimal

from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
from catalog.models import Book, BookDetails
from catalog.services import add_to_catalog
from inventory.models import Allocation, StockItem, StockMovement
from orders.models import Contact, Order
from orders.services import LineRequest, place_order, place_order_or_wait

ALICE = Contact(customer_name="Alice Johnson")


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def a_book(title: str = "Emma", *, isbn: str | None = None, price: str | None = "12.99", copies: int = 0) -> Book:
    details = BookDetails(title=title, author="Jane Austen", isbn=isbn)
    return add_to_catalog(details, price=usd(price) if price else None, opening_stock=copies)


def books(count: int, *, copies: int) -> list[Book]:
    return [a_book(f"Volume {number}", copies=copies) for number in range(count)]


def lines(*wanted: tuple[Book, int]) -> list[LineRequest]:
    return [LineRequest(book_id=book.pk, quantity=quantity) for book, quantity in wanted]


def an_order(*wanted: tuple[Book, int], contact: Contact = ALICE) -> Order:
    return place_order(contact, lines(*wanted))


def a_waiting_order(*wanted: tuple[Book, int]) -> Order:
    return place_order_or_wait(ALICE, lines(*wanted))


def stock(book: Book) -> tuple[int, int]:
    """Copies on hand, and how many of them are allocated."""
    item = StockItem.objects.get(pk=book.pk)
    return item.on_hand, item.allocated


def promised(order: Order) -> list[tuple[int, int]]:
    """What each line of the order wants and what it is promised, by the title of its book."""
    allocations = Allocation.objects.of_order(order.pk).order_by("item__book__title")
    return list(allocations.values_list("wanted", "allocated"))


def ledger(book: Book) -> list[tuple[str, int, int]]:
    """Each movement of the book's copies: its kind, and what it changed on hand and allocated."""
    movements = StockMovement.objects.of_book(book.pk).order_by("id")
    return list(movements.values_list("kind", "on_hand_change", "allocated_change"))


def raised(name: str) -> int:
    """How many events of this name there are."""
    return Event.objects.filter(name=name).count()
