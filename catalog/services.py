"""What can be asked of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from bookshelf_site.errors import DomainError, InvalidValue, VersionMismatch
from bookshelf_site.events import unit_of_work
from bookshelf_site.money import Money
from bookshelf_site.rows import Outcome, Outcomes
from catalog.errors import DuplicateIsbn
from catalog.models import Book, BookChanges, BookDetails, checked_price

WRITTEN: Final = (
    "title",
    "author",
    "description",
    "publisher",
    "published_on",
    "price_amount",
    "version",
    "updated_at",
)
"""What a row may change of a book."""

TRIES: Final = 10
"""How often rows are begun: each time that it is in vain, somebody else has added a book of theirs."""


@dataclass(frozen=True, kw_only=True)
class BookRow:
    """What the book of an ISBN is to be: of one that is there only what is named changes. Raises InvalidValue.

    `expected_version` is the one that the caller has read, 0 if none was there.
    """

    isbn: str
    changes: BookChanges
    opening_stock: int = 0
    expected_version: int | None = None

    def __post_init__(self) -> None:
        checked_price(self.changes.get("price"))

    @property
    def details(self) -> BookDetails:
        named = {name: value for name, value in self.changes.items() if name != "price"}
        return BookDetails(**{"title": "", "isbn": self.isbn, **named})  # type: ignore[arg-type]  # names match


@unit_of_work
def add_to_catalog(details: BookDetails, *, price: Money | None = None, opening_stock: int | None = None) -> Book:
    """Add a book; its copies are stocked by whoever hears of it. `opening_stock` None: what the shop always opens with.

    Raises DuplicateIsbn, which names the book that has it.
    """
    opening_stock = settings.OPENING_STOCK if opening_stock is None else opening_stock
    book = Book.added(details, price=price, opening_stock=opening_stock)
    _save_with_unique_isbn(book)
    return book


@unit_of_work
def edit(*, book_id: UUID, details: BookDetails, price: Money | None, expected_version: int | None = None) -> Book:
    """Change what the catalogue says of a book, and its price. Raises VersionMismatch, DuplicateIsbn."""
    book = Book.lock(book_id)
    book.expect_version(expected_version)
    book.edit(details)
    book.reprice(price)
    _save_with_unique_isbn(book)
    return book


@unit_of_work
def revise(*, book_id: UUID, changes: BookChanges, expected_version: int | None = None) -> Book:
    """Change only what is named: of two who change different things at once, neither undoes the other's.

    Raises VersionMismatch, DuplicateIsbn, InvalidValue.
    """
    book = Book.lock(book_id)
    book.expect_version(expected_version)
    book.revise(changes)
    _save_with_unique_isbn(book)
    return book


@unit_of_work
def reprice(*, book_id: UUID, price: Money | None) -> Book:
    book = Book.lock(book_id)
    book.reprice(price)
    _save_changed(book)
    return book


@unit_of_work
def withdraw(*, book_id: UUID) -> Book:
    """Take a book off the list: it can't be ordered any more; orders that have it go on."""
    book = Book.lock(book_id)
    book.withdraw()
    _save_changed(book)
    return book


@unit_of_work
def restore(*, book_id: UUID) -> Book:
    book = Book.lock(book_id)
    book.restore()
    _save_changed(book)
    return book


def put_books(rows: Mapping[int, BookRow]) -> Outcomes:
    """Add the books that are new and change the others, in few statements however many rows there are.

    A row that can't be taken over is answered with why, and spoils none of the others.
    """
    for _ in range(TRIES - 1):
        with suppress(IntegrityError):
            return _put_books(rows)
    return _put_books(rows)


@transaction.atomic
def _put_books(rows: Mapping[int, BookRow]) -> Outcomes:
    # always in this order, or two who send the same books wait for each other
    books = Book.objects.locked().order_by("pk").by_isbn([row.isbn for row in rows.values()])
    firsts: dict[str, int] = {}
    outcomes: Outcomes = {}
    added, updated = [], []
    for place, row in rows.items():
        try:
            if (first := firsts.setdefault(row.isbn, place)) != place:
                raise InvalidValue("isbn", f"row {first} has the same ISBN")  # an outcome like others
            if book := books.get(row.isbn):
                book.expect_version(row.expected_version)
                book.revise(row.changes)
                outcomes[place] = Outcome(status="updated" if book.raised_events else "unchanged", id=book.id)
                updated += [book] if book.raised_events else []
            elif row.expected_version:
                raise VersionMismatch(expected=row.expected_version, current=0)  # an outcome like others
            else:
                book = Book.added(row.details, price=row.changes.get("price"), opening_stock=row.opening_stock)
                outcomes[place] = Outcome(status="added", id=book.id)
                added.append(book)
        except DomainError as refusal:
            outcomes[place] = refusal
    _save_many(added, updated)
    return outcomes


def _save_many(added: Sequence[Book], updated: Sequence[Book]) -> None:
    Book.objects.bulk_create(sorted(added, key=lambda book: book.isbn or ""))
    now = timezone.now()
    for book in updated:
        book.updated_at = now
    Book.objects.bulk_update(updated, WRITTEN)


def _save_changed(book: Book) -> None:
    """Nobody who asks what was updated since hears of a book that wasn't."""
    if book.raised_events:
        book.save()


def _save_with_unique_isbn(book: Book) -> None:
    """Save; the unique index decides, for two may add the same book at once."""
    if book.isbn is None or not book.raised_events:
        _save_changed(book)
        return
    try:
        with transaction.atomic():
            book.save()
    except IntegrityError as error:
        twin = Book.objects.with_isbns([book.isbn]).exclude(pk=book.pk).first()
        if twin is None:
            raise
        raise DuplicateIsbn(isbn=book.isbn, existing_id=twin.pk) from error
