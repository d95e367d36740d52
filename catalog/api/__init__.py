"""The catalogue's door for programs: /api/v1/books."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.urls import register_converter
from django.urls.converters import StringConverter
from ninja import Header, Path, Query, Router
from ninja.responses import Status

from bookshelf_site.access.auth import needs
from bookshelf_site.access.idempotency import answered_by
from bookshelf_site.bulk import ResultsOut, as_it_was
from bookshelf_site.errors import DomainError, InvalidValue
from bookshelf_site.events.compiled import Compiled
from bookshelf_site.json_api import documents, locate
from bookshelf_site.schemas import Nothing
from catalog import services
from catalog.api.listing import listed
from catalog.api.schemas import (
    GATSBY,
    AsKnown,
    BookIn,
    BookOut,
    BookPage,
    BookParameters,
    BookPatch,
    BookPut,
    BookRows,
    isbn_of,
)
from catalog.models import Book

LIKE_AN_ISBN: Final = "[0-9][0-9 -]{8,20}[0-9Xx]"


class IsbnConverter(StringConverter):
    """What looks like an ISBN in an address; whether it is one is told in words, not by "not found"."""

    regex = LIKE_AN_ISBN


register_converter(IsbnConverter, "isbn")
router = Router()


def _answer(book_id: UUID | str, response: HttpResponse) -> BookOut:
    """The book read again after a write, for whoever heard of it may have moved its stock."""
    book = _read(book_id)
    response["ETag"] = _etag(book)
    return BookOut.of(book)


def _created(book_id: UUID | str, response: HttpResponse) -> BookOut:
    locate(response, "get_book", book_id)
    return _answer(book_id, response)


@router.post(
    "",
    operation_id="add_book",
    auth=needs("catalog.add_book"),
    response={201: BookOut},
    openapi_extra=documents("duplicate", headers=("Location", "ETag")),
)
@answered_by(_created)
def add_book(request: HttpRequest, body: BookIn) -> UUID:
    """Add a book to the catalogue, with its first copies."""
    price = body.price.money if body.price else None
    return services.add_to_catalog(body.details, price=price, opening_stock=body.opening_stock).pk


@router.post(
    "/bulk",
    operation_id="put_books",
    auth=needs("catalog.add_book", "catalog.change_book"),
    response=ResultsOut,
    openapi_extra=documents("rows_refused"),
)
@answered_by(as_it_was)
def put_books(request: HttpRequest, body: BookRows) -> list[Any]:
    """Add or change up to 500 books, by ISBN: each row does what `PUT /books/{isbn}` does."""
    return body.taken_over(lambda row: row.meant, services.put_books)


@router.put(
    "/{isbn:book_id}",
    operation_id="put_book",
    auth=needs("catalog.add_book", "catalog.change_book"),
    response={200: BookOut, 201: BookOut},
    openapi_extra=documents("version_mismatch", headers=("Location", "ETag")),
)
def put_book(
    request: HttpRequest,
    book_id: Annotated[str, Path(description="the ISBN", pattern=f"^{LIKE_AN_ISBN}$", example=GATSBY["isbn"])],
    body: BookPut,
    response: HttpResponse,
    known: Header[AsKnown],
) -> Status[BookOut]:
    """Add the book of this ISBN, or change it if it is there; without copies, unless `opening_stock` says otherwise.

    With `If-Match` it is changed only if it is still as you read it, with `If-None-Match: *` added only if it is new.
    """
    isbn = isbn_of(book_id, "path/book_id")
    if known.if_none_match not in {None, "*"}:
        raise InvalidValue("header/If-None-Match", "only `*` is understood here: the book is to be new")
    expected = 0 if known.if_none_match else _expected_version(lambda: _version_of(isbn), known.if_match)
    outcome = services.put_books({0: body.row(isbn, expected_version=expected)})[0]
    if isinstance(outcome, DomainError):
        raise outcome
    pk = str(outcome.id)
    return Status(201, _created(pk, response)) if outcome.status == "added" else Status(200, _answer(pk, response))


@router.get("", operation_id="list_books", auth=needs("catalog.view_book"), response=BookPage)
def list_books(request: HttpRequest, parameters: Query[BookParameters]) -> BookPage:
    """Search and list the catalogue."""
    found = listed(request, parameters)
    return BookPage(results=[BookOut.of(book) for book in found.rows], **found.links)


@router.get(
    "/{id:book_id}",
    operation_id="get_book",
    auth=needs("catalog.view_book"),
    response={200: BookOut, 304: None},
    openapi_extra=documents(headers=("ETag",)),
)
def get_book(
    request: HttpRequest,
    book_id: UUID,
    response: HttpResponse,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match")] = None,
) -> BookOut | HttpResponse:
    """One book; 304 without a body if neither it nor its stock has changed."""
    book = _read(book_id)
    tags = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    if tags & {_etag(book), "*"}:
        return HttpResponseNotModified(headers={"ETag": _etag(book)})
    response["ETag"] = _etag(book)
    return BookOut.of(book)


@router.patch(
    "/{id:book_id}",
    operation_id="change_book",
    auth=needs("catalog.change_book"),
    response=BookOut,
    openapi_extra=documents("duplicate", "version_mismatch", headers=("ETag",)),
)
def change_book(
    request: HttpRequest,
    book_id: UUID,
    body: BookPatch,
    response: HttpResponse,
    if_match: Annotated[str | None, Header(alias="If-Match")] = None,
) -> BookOut:
    """Change what the catalogue says of a book, and its price; with `If-Match` only if it is still as you read it."""
    expected = _expected_version(lambda: _read(book_id).version, if_match)
    services.revise(book_id=book_id, changes=body.changes, expected_version=expected)
    return _answer(book_id, response)


@router.post(
    "/{id:book_id}/withdraw",
    operation_id="withdraw_book",
    auth=needs("catalog.change_book"),
    response=BookOut,
    openapi_extra=documents(headers=("ETag",)),
)
@answered_by(_answer)
def withdraw_book(request: HttpRequest, book_id: UUID, body: Nothing | None = None) -> UUID:
    """Take a book off the list; orders that have it go on."""
    return services.withdraw(book_id=book_id).pk


@router.post(
    "/{id:book_id}/restore",
    operation_id="restore_book",
    auth=needs("catalog.change_book"),
    response=BookOut,
    openapi_extra=documents(headers=("ETag",)),
)
@answered_by(_answer)
def restore_book(request: HttpRequest, book_id: UUID, body: Nothing | None = None) -> UUID:
    """Put a withdrawn book back on the list."""
    return services.restore(book_id=book_id).pk


_READ: Final = Compiled(lambda keys: Book.objects.with_stock().filter(pk__in=keys))


def _read(book_id: UUID | str) -> Book:
    for book in _READ([UUID(str(book_id))]):
        return book
    raise Book.DoesNotExist


def _etag(book: Book) -> str:
    """Names the book's version and its stock, so that a change of either is a change of the answer."""
    stock = getattr(book, "stock", None)
    counters = f"{stock.on_hand}.{stock.allocated}" if stock else "0.0"
    return f'"b{book.version}-s{counters}"'


def _version_of(isbn: str) -> int:
    """The version of the book with this ISBN, 0 if there is none."""
    return next((book.version for book in Book.objects.with_isbns([isbn])), 0)


def _expected_version(read_current: Callable[[], int], if_match: str | None) -> int | None:
    """The version that the caller means: of several tags the one that holds, if one does; `*` is whatever is there."""
    if if_match is None:
        return None
    current = read_current()
    another = 0 if current else 1
    if if_match.strip() == "*":
        return current or another
    versions = [int(version) for version in re.findall(r'"b([0-9]{1,9})-s[0-9.]*"', if_match)]
    return current if current in versions else next(iter(versions), another)
