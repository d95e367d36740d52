"""What staff type or scan into the one search box, and what it names: a book, an order, or several of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.urls import reverse

from bookshelf_site.desk.tasks import User, may
from catalog.isbn import search_isbn
from catalog.models import Book
from orders import services as orders
from orders.models import Order
from orders.numbers import normalise_number

MOST_SHOWN: Final = 10
LONGEST: Final = 200

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, kw_only=True)
class Group(Generic[Row]):
    """The first rows of a kind; where there are more, `more` is the list that shows them all."""

    rows: Sequence[Row] = ()
    more: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a text means to the desk; `page` is set if it names exactly one thing, and nothing else then matters."""

    text: str
    page: str = ""
    isbn: str | None = None
    orders: Group[Order] = field(default_factory=Group)
    books: Group[Book] = field(default_factory=Group)

    @property
    def is_empty(self) -> bool:
        return not (self.orders.rows or self.books.rows)


def cleaned(text: str) -> str:
    """Without what no keyboard means and some scanners send, and not longer than anything that can be found."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:LONGEST]


def answer_to(text: str, user: User) -> Answer:
    """The page of the one book or order whose number this is; else what has the text, as far as the user may look."""
    text = cleaned(text)
    if not text:
        return Answer(text="")
    sees_orders, sees_books = may(user, "orders.view_order"), may(user, "catalog.view_book")
    isbn = search_isbn(text)
    page = (sees_books and isbn and _page_of_book(isbn)) or (sees_orders and _page_of_order(text)) or ""
    if page:
        return Answer(text=text, page=page)
    return Answer(
        text=text,
        isbn=isbn,
        orders=_orders_with(text) if sees_orders else Group(),
        books=_books_with(text) if sees_books else Group(),
    )


def _page_of_book(isbn: str) -> str:
    book = Book.objects.with_isbns([isbn]).first()
    return reverse("admin:catalog_book_change", args=[book.pk]) if book else ""


def _page_of_order(text: str) -> str:
    number = normalise_number(text)
    order = Order.objects.filter(number=number).first() if number else None
    return reverse("admin:orders_order_change", args=[order.pk]) if order else ""


def _orders_with(text: str) -> Group[Order]:
    found = orders.search_orders(Order.objects.all(), text)
    return _first(found.order_by("-placed_at", "-id"), "orders_order", text)


def _books_with(text: str) -> Group[Book]:
    return _first(Book.objects.search(text).with_stock().order_by("title", "id"), "catalog_book", text)


def _first(found: QuerySet[Row], name: str, text: str) -> Group[Row]:
    rows = list(found[: MOST_SHOWN + 1])
    more = f"{reverse(f'admin:{name}_changelist')}?{urlencode({'q': text})}" if len(rows) > MOST_SHOWN else ""
    return Group(rows=rows[:MOST_SHOWN], more=more)
