"""A shop to look at: some sixty titles and orders in every state, all of it made through the services."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from django.conf import settings

from bookshelf_site.events import acting
from bookshelf_site.events.relay import Relay
from catalog.feeds import read_feed
from catalog.feeds.importing import ImportReport, Terms, import_records
from catalog.models import Book
from inventory import services as inventory
from inventory.models import StockMovement
from orders import services as orders
from orders.mail.notifications import FICTIONAL
from orders.models import CancelReason, Contact, Fulfilment, Order
from orders.services import LineRequest

BOOKS: Final = Path(__file__).with_name("books.csv")

GATSBY, MOCKINGBIRD, ORWELL = "9780743273565", "9780061120084", "9780451524935"
DUNE, HOBBIT, EMMA_EYRE = "9780441172719", "9780547928227", "9780141441146"
TRIAL, SAPIENS, MATILDA = "9780805209990", "9780062316097", "9780142410370"

SPEAKS: Final = {"Dieter Krause": "de", "Clara Martin": "fr", "Ines Moreau": "fr", "Jonas Weber": "de"}

Lines = Sequence[tuple[str, int]]


def is_empty() -> bool:
    return not Book.objects.exists() and not Order.objects.exists()


def fill() -> None:
    """Stock the shelves and let a few customers in."""
    with acting(actor=FICTIONAL):
        _import_books()
        _take_orders()
        _work_on_the_shelf()


def _import_books() -> None:
    records = read_feed(BOOKS, "csv", currency=settings.SHOP_CURRENCY)
    for _ in import_records(records, terms=Terms(), report=ImportReport()):
        pass
    Relay().drain()  # with another engine than inline nobody else stocks the books now


def _take_orders() -> None:
    for name, lines in (
        ("Alice Johnson", [(GATSBY, 2)]),
        ("Ben Okafor", [(DUNE, 1), (HOBBIT, 1)]),
        ("Clara Martin", [(MATILDA, 3)]),
        ("Dieter Krause", [(ORWELL, 1), (MOCKINGBIRD, 1), (SAPIENS, 1)]),
    ):
        _place(name, lines)
    _place_waiting("Emma Lindqvist", [(TRIAL, 2), (ORWELL, 1)])
    for name, lines in (
        ("Farah Haddad", [(EMMA_EYRE, 1)]),
        ("Grace Kim", [(SAPIENS, 1), (GATSBY, 1)]),
        ("Hugo Silva", [(HOBBIT, 2)]),
    ):
        orders.confirm_order(order_id=_place(name, lines).pk)
    for name, lines, tracking in (
        ("Ines Moreau", [(MOCKINGBIRD, 1)], "RR123456785US"),
        ("Jonas Weber", [(DUNE, 1), (ORWELL, 1)], ""),
        ("Kavya Nair", [(MATILDA, 1), (EMMA_EYRE, 1), (HOBBIT, 1)], "RR123456799US"),
    ):
        order = _place(name, lines)
        orders.confirm_order(order_id=order.pk)
        orders.ship_order(order_id=order.pk, tracking=tracking)
    cancelled = _place("Liam O'Brien", [(SAPIENS, 1)])
    orders.cancel_order(order_id=cancelled.pk, reason=CancelReason.CUSTOMER, note="Found it at a friend's")


def _work_on_the_shelf() -> None:
    book_ids = {isbn: book.pk for isbn, book in Book.objects.by_isbn([GATSBY, DUNE, HOBBIT]).items()}
    inventory.receive_copies(book_id=book_ids[GATSBY], quantity=6, reason="Weekly delivery")
    damaged = StockMovement.Kind.DAMAGED
    inventory.adjust_stock(book_id=book_ids[DUNE], change=-1, kind=damaged, reason="Coffee on the cover")


def _place(name: str, lines: Lines) -> Order:
    return orders.place_order(_contact(name), _requests(lines))


def _place_waiting(name: str, lines: Lines) -> Order:
    return orders.place_order_or_wait(_contact(name), _requests(lines))


def _contact(name: str) -> Contact:
    first_name = name.partition(" ")[0]
    address = f"{first_name.lower()}@example.com"
    language = SPEAKS.get(name, "en")
    if language not in dict(settings.LANGUAGES):  # somebody has taken its catalogue away
        language = "en"
    if len(name) % 2:
        return Contact(customer_name=name, customer_email=address, language=language)
    return Contact(
        customer_name=name,
        customer_email=address,
        language=language,
        fulfilment=Fulfilment.SHIP,
        street="12 Library Lane",
        city="Springfield",
        postal_code="12345",
        country="US",
    )


def _requests(lines: Lines) -> list[LineRequest]:
    return [LineRequest(isbn=isbn, quantity=quantity) for isbn, quantity in lines]
