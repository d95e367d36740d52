"""Placing an order: who orders what, checked, priced, saved, and promised its copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import unit_of_work
from bookshelf_site.money import Money
from catalog.isbn import search_isbn
from catalog.models import Book
from inventory import services as inventory
from inventory.services import WantedCopies
from orders.errors import DuplicateReference, NotForSale, PriceChanged, StalePrice, UnsaleableLine
from orders.models import MAX_LINES, MAX_QUANTITY, Contact, Order, OrderLine
from orders.services.reading import ReadOrder


@dataclass(frozen=True, kw_only=True)
class LineRequest:
    """So many copies of a book, named by its id or its ISBN; `expected_unit_price` is what the customer was shown."""

    quantity: int
    book_id: UUID | None = None
    isbn: str | None = None
    expected_unit_price: Money | None = None


def place_order(contact: Contact, lines: Sequence[LineRequest], *, external_reference: str = "") -> Order:
    """Place an order and promise it all its copies, or refuse it.

    Raises InvalidValue, NotForSale, PriceChanged, InsufficientStock (each naming the lines) and DuplicateReference.
    """
    return place_and_read(contact, lines, external_reference=external_reference).order


def place_order_or_wait(contact: Contact, lines: Sequence[LineRequest], *, external_reference: str = "") -> Order:
    """Place an order whatever is there: what is missing waits for copies, and the order stays PENDING."""
    return place_and_read(contact, lines, external_reference=external_reference, may_wait=True).order


@unit_of_work
def place_and_read(
    contact: Contact, requests: Sequence[LineRequest], *, external_reference: str = "", may_wait: bool = False
) -> ReadOrder:
    """`place_order`, or `place_order_or_wait`: the order as it is shown, of which nothing has to be read."""
    merged = _merged(requests, _books_by_line(requests))
    lines = [line for line, _ in merged]
    order = Order.placed(contact, lines, external_reference=external_reference)
    _save_with_unique_reference(order, lines)
    missing = _allocate(order, [_wanted(line, index) for line, index in merged], may_wait=may_wait)
    if missing:
        order.await_copies(sum(missing.values()))
        order.save(update_fields=["updated_at"])
    allocated = {line.id: line.quantity - missing.get(line.id, 0) for line in lines}
    return ReadOrder(order=order, lines=lines, allocated=allocated, split_into=[])


def _allocate(order: Order, wanted: Sequence[WantedCopies], *, may_wait: bool) -> Mapping[UUID, int]:
    """How many copies of each line are not there, of those that wait."""
    if may_wait:
        return inventory.allocate_or_wait(order_id=order.id, order_number=order.number, wanted=wanted)
    inventory.allocate_copies(order_id=order.id, order_number=order.number, wanted=wanted)
    return {}


def _wanted(line: OrderLine, index: int) -> WantedCopies:
    return WantedCopies(line_id=line.id, line=index, book_id=line.book_id, title=line.title, quantity=line.quantity)


def _books_by_line(requests: Sequence[LineRequest]) -> list[Book]:
    """The book of each line, checked: known, for sale, at the price that was expected."""
    _check_lines(requests)
    isbns = [search_isbn(request.isbn or "") for request in requests]
    by_id: Mapping[UUID, Book] = Book.by_key(r.book_id for r in requests if r.book_id is not None)
    by_isbn = Book.objects.by_isbn([isbn for isbn in isbns if isbn])
    books = [
        _known(index, by_id.get(request.book_id) if request.book_id else by_isbn.get(isbn or ""), request)
        for index, (request, isbn) in enumerate(zip(requests, isbns, strict=True))
    ]
    _refuse_unsaleable(books)
    _refuse_stale_prices(requests, books)
    return books


def _check_lines(requests: Sequence[LineRequest]) -> None:
    if not 1 <= len(requests) <= MAX_LINES:
        raise InvalidValue("lines", f"an order has 1 to {MAX_LINES} lines, not {len(requests)}")
    for index, request in enumerate(requests):
        if not 1 <= request.quantity <= MAX_QUANTITY:
            raise InvalidValue(f"lines/{index}/quantity", f"order between 1 and {MAX_QUANTITY:,} copies")
        if (request.book_id is None) == (not request.isbn):
            raise InvalidValue(f"lines/{index}", "name the book by book_id or by isbn, one of them")


def _known(index: int, book: Book | None, request: LineRequest) -> Book:
    if book is None:
        field = "book_id" if request.book_id else "isbn"
        raise InvalidValue(f"lines/{index}/{field}", "no such book is in the catalogue")
    return book


def _refuse_unsaleable(books: Sequence[Book]) -> None:
    unsaleable = [
        UnsaleableLine(line=index, title=book.title, reason="has no price" if book.price is None else "is withdrawn")
        for index, book in enumerate(books)
        if not book.is_for_sale
    ]
    if unsaleable:
        raise NotForSale(unsaleable)


def _refuse_stale_prices(requests: Sequence[LineRequest], books: Sequence[Book]) -> None:
    stale = [
        StalePrice(line=index, title=book.title, expected=request.expected_unit_price, current=book.price)
        for index, (request, book) in enumerate(zip(requests, books, strict=True))
        if request.expected_unit_price is not None
        and book.price is not None
        and request.expected_unit_price != book.price
    ]
    if stale:
        raise PriceChanged(stale)


def _merged(requests: Sequence[LineRequest], books: Sequence[Book]) -> list[tuple[OrderLine, int]]:
    """One line per book, by ascending book, and where in the request the book was first asked for."""
    first: dict[UUID, int] = {}
    quantities: dict[UUID, int] = {}
    for index, (request, book) in enumerate(zip(requests, books, strict=True)):
        first.setdefault(book.pk, index)
        quantities[book.pk] = quantities.get(book.pk, 0) + request.quantity
        if quantities[book.pk] > MAX_QUANTITY:
            raise InvalidValue(f"lines/{index}/quantity", f"order at most {MAX_QUANTITY:,} copies of a book")
    return [(_line(books[first[book_id]], quantities[book_id]), first[book_id]) for book_id in sorted(first)]


def _line(book: Book, quantity: int) -> OrderLine:
    if book.price is None:
        raise AssertionError("a book without a price was refused before")
    return OrderLine.of(book_id=book.pk, title=book.title, isbn=book.isbn, quantity=quantity, unit_price=book.price)


def _save_with_unique_reference(order: Order, lines: Sequence[OrderLine]) -> None:
    """Save; the unique index decides, for a till may send its order twice at once."""
    if not order.external_reference:
        order.save(beside=lines)
        return
    try:
        with transaction.atomic():
            order.save(beside=lines)
    except IntegrityError as error:
        reference = order.external_reference
        twin = Order.objects.placed_as(placed_by=order.placed_by, reference=reference).first()
        if twin is None:
            raise
        raise DuplicateReference(reference=reference, existing_id=twin.pk) from error
