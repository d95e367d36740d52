"""Which books a program asked for, and in which order."""

from __future__ import annotations

from django.http import HttpRequest

from bookshelf_site.errors import InvalidValue
from bookshelf_site.pages import AS_CHANGED, Found, Ordering, paged, settled_since
from catalog.api.schemas import BookParameters, Sort, isbn_of
from catalog.models import Book, BookQuerySet


def listed(request: HttpRequest, parameters: BookParameters) -> Found[Book]:
    books = _filtered(parameters)
    if parameters.updated_since is None:
        return paged(request, *_sorted(books, parameters.sort or "title"), parameters)
    if parameters.sort:
        raise InvalidValue("query/sort", "can't be given with updated_since, which lists in the order of the changes")
    return paged(request, settled_since(books, parameters.updated_since), AS_CHANGED, parameters)


def _filtered(parameters: BookParameters) -> BookQuerySet:
    books = Book.objects.with_stock()
    if parameters.q:
        books = books.search(parameters.q)
    if parameters.isbn is not None:
        books = books.with_isbns([isbn_of(parameters.isbn, "query/isbn")])
    if parameters.status:
        books = books.filter(status=parameters.status)
    if parameters.in_stock is not None:
        books = books.in_stock() if parameters.in_stock else books.out_of_stock()
    return books


def _sorted(books: BookQuerySet, sort: Sort) -> tuple[BookQuerySet, Ordering]:
    key, descending = sort.removeprefix("-"), sort.startswith("-")
    if key != "price":
        return books, Ordering(key=key, descending=descending)
    ranked = books.by_price_descending() if descending else books.by_price()
    return ranked, Ordering(key="price_rank", descending=descending)
