"""What the catalogue announces."""

from __future__ import annotations

from uuid import UUID

from bookshelf_site.events import DomainEvent
from bookshelf_site.money import Money


class BookAdded(DomainEvent, name="catalog.book_added", version=1):
    """A book is in the catalogue; `opening_stock` copies of it are on the shelf."""

    book_id: UUID
    title: str
    author: str
    isbn: str | None
    price: Money | None
    opening_stock: int


class BookEdited(DomainEvent, name="catalog.book_edited", version=1):
    """What the catalogue says of the book has changed, its price apart; `changed` names the fields."""

    book_id: UUID
    title: str
    isbn: str | None
    changed: tuple[str, ...]


class BookRepriced(DomainEvent, name="catalog.book_repriced", version=1):
    """The book has another price from now on; None: it is not for sale."""

    book_id: UUID
    old_price: Money | None
    new_price: Money | None


class BookWithdrawn(DomainEvent, name="catalog.book_withdrawn", version=1):
    """The book can't be ordered any more."""

    book_id: UUID
    title: str


class BookRestored(DomainEvent, name="catalog.book_restored", version=1):
    """A withdrawn book can be ordered again."""

    book_id: UUID
    title: str
