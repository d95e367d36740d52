"""Which books, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Func

from bookshelf_site.events.aggregate import AggregateQuerySet
from bookshelf_site.words import wanted, words_asked
from catalog.isbn import search_isbn
from catalog.words import words_of

if TYPE_CHECKING:
    from catalog.models.book import Book

FEW = 5_000
"""So many books are sorted more quickly than they are met in a list of a million."""


class RisingPrice(Func):
    """The price, or more than any; a place in an order, no amount.

    Written out, and no decimal, for a parameter, or a cast around one, would keep the database from using its index.
    """

    template = "COALESCE(%(expressions)s, 100000)"
    arity = 1
    output_field = models.FloatField()


class FallingPrice(Func):
    """The price, or less than any."""

    template = "COALESCE(%(expressions)s, -1)"
    arity = 1
    output_field = models.FloatField()


class BookQuerySet(AggregateQuerySet["Book"]):
    def active(self) -> Self:
        return self.filter(status=self.model.Status.ACTIVE)

    def with_isbns(self, isbns: Collection[str]) -> Self:
        return self.filter(isbn__in=isbns)

    def by_isbn(self, isbns: Collection[str]) -> dict[str, Book]:
        """The books that have one of these ISBNs, by it."""
        return {book.isbn: book for book in self.with_isbns(isbns) if book.isbn} if isbns else {}

    def search(self, text: str) -> Self:
        """Books with a word in title, author or ISBN that begins so, for every word typed; or whose ISBN this is.

        Neither case nor accents count. A sample of the catalogue tells at once how the search is best done.
        """
        return self.filter(self.found_by(text))

    def found_by(self, text: str, path: str = "") -> models.Q:
        """That `search` finds a book; `path` leads to it from what is looked for, and is then read in its own order."""
        isbn = search_isbn(text)
        if isbn is not None:
            return models.Q((f"{path}isbn", isbn))
        if words := words_asked(text):
            books = self.model.objects.using(self.db)
            # a feed brings all books of a publisher or an author at once: what the first ones share, the last don't
            return wanted(words, books.order_by("id"), books.order_by("-id")).condition(path)
        return models.Q((f"{path}pk__in", [])) if text.strip() else models.Q()

    def bulk_update(self, objs: Iterable[Book], fields: Iterable[str], *args: Any, **kwargs: Any) -> int:
        """As Django's; what is written is found by its new words."""
        books = list(objs)
        for book in books:
            book.words = words_of(book.title, book.author, book.isbn)
        return super().bulk_update(books, {*fields, "words"}, *args, **kwargs)

    def in_stock(self) -> Self:
        """Books with copies that can be ordered; counts at once whether they are few, and then begins with them."""
        relation: Any = self.model._meta.get_field("stock")
        stock = relation.related_model
        left = {"left": models.F("on_hand") - models.F("allocated")}  # in the words of the index
        available = stock.objects.using(self.db).alias(**left).filter(left__gt=0)
        if available[: FEW + 1].count() <= FEW:
            return self.filter(pk__in=available.values("pk"))
        return self.filter(stock__on_hand__gt=models.F("stock__allocated"))

    def out_of_stock(self) -> Self:
        return self.exclude(stock__on_hand__gt=models.F("stock__allocated"))

    def with_stock(self) -> Self:
        return self.select_related("stock")

    def by_price(self) -> Self:
        """With a number to sort by that is never NULL: the price; books without one come last."""
        return self.annotate(price_rank=RisingPrice("price_amount"))

    def by_price_descending(self) -> Self:
        return self.annotate(price_rank=FallingPrice("price_amount"))
