"""The catalogue's door for programs: /api/v1/books."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.urls import register_converter, reverse
from django.urls.converters import StringConverter
from ninja import Header, Path, Query, Router
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field

from bookshelf_site.access.auth import needs
from bookshelf_site.access.idempotency import answered_by
from bookshelf_site.bulk import READ_ALONE, ResultsOut, Rows, as_it_was
from bookshelf_site.errors import DomainError, InvalidValue
from bookshelf_site.events.statements import Compiled
from bookshelf_site.json_api import documents
from bookshelf_site.pages import AS_CHANGED, Found, Ordering, Page, PageParameters, paged, settled_since
from bookshelf_site.schemas import Count, Day, Input, Line, Moment, MoneyIn, MoneyOut, Nothing, Text, inline
from catalog import services
from catalog.isbn import InvalidIsbn, normalise_isbn
from catalog.models import (
    AUTHOR_LENGTH,
    DESCRIPTION_LENGTH,
    MAX_OPENING_STOCK,
    MAX_PRICE,
    PUBLISHER_LENGTH,
    TITLE_LENGTH,
    Book,
    BookChanges,
    BookDetails,
    BookQuerySet,
)
from catalog.services import BookRow

GATSBY: Final[dict[str, Any]] = {
    "title": "The Great Gatsby",
    "author": "F. Scott Fitzgerald",
    "isbn": "978-0-7432-7356-5",
    "price": {"amount": "12.99", "currency": "USD"},
    "publisher": "Scribner",
    "published_on": "2004-09-30",
    "opening_stock": 10,
}
Sort = Literal["title", "-title", "author", "-author", "price", "-price", "created_at", "-created_at"]
BookStatus = Annotated[Book.Status, inline(Book.Status)]
LIKE_AN_ISBN: Final = "[0-9][0-9 -]{8,20}[0-9Xx]"


class IsbnConverter(StringConverter):
    """What looks like an ISBN in an address; whether it is one is told in words, not by "not found"."""

    regex = LIKE_AN_ISBN


register_converter(IsbnConverter, "isbn")
router = Router()


class BookIn(Input):
    """A book for the catalogue. Without a price it is not for sale."""

    model_config = ConfigDict(json_schema_extra={"examples": [GATSBY]})

    title: Line = Field(min_length=1, max_length=TITLE_LENGTH)
    author: Line | None = Field(None, max_length=AUTHOR_LENGTH)
    isbn: Text | None = Field(None, max_length=40, description="ISBN-10 or ISBN-13 in any form; kept as 13 digits")
    price: MoneyIn | None = Field(None, description=f"at most {MAX_PRICE:,}")
    description: Text | None = Field(None, max_length=DESCRIPTION_LENGTH)
    publisher: Line | None = Field(None, max_length=PUBLISHER_LENGTH)
    published_on: Day | None = None
    opening_stock: Count | None = Field(
        None,
        ge=0,
        le=MAX_OPENING_STOCK,
        description="copies on the shelf at first; the shop's own number if left out",
    )

    @property
    def details(self) -> BookDetails:
        return BookDetails(
            title=self.title,
            author=self.author or "",
            isbn=self.isbn,
            description=self.description or "",
            publisher=self.publisher or "",
            published_on=self.published_on,
        )


class BookFields(Input):
    """What of a book is to change; what is left out stays as it is, null empties it."""

    title: Line = Field("", min_length=1, max_length=TITLE_LENGTH)
    author: Line | None = Field(None, max_length=AUTHOR_LENGTH)
    price: MoneyIn | None = None
    description: Text | None = Field(None, max_length=DESCRIPTION_LENGTH)
    publisher: Line | None = Field(None, max_length=PUBLISHER_LENGTH)
    published_on: Day | None = None

    @property
    def changes(self) -> BookChanges:
        every = BookChanges(
            title=self.title,
            author=self.author or "",
            description=self.description or "",
            publisher=self.publisher or "",
            published_on=self.published_on,
            price=self.price.money if self.price else None,
        )
        return {name: value for name, value in every.items() if name in self.model_fields_set}  # type: ignore[return-value]  # a part of it


class BookPatch(BookFields):
    """What of a book is to change; what is left out stays as it is, null empties it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"price": {"amount": "14.99", "currency": "USD"}}]})

    isbn: Text | None = Field(None, max_length=40)

    @property
    def changes(self) -> BookChanges:
        changes = super().changes
        if "isbn" in self.model_fields_set:
            changes["isbn"] = self.isbn
        return changes


class BookPut(BookFields):
    """What the book is to be. A new one needs a title; of one that is there, what is left out stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{name: GATSBY[name] for name in ("title", "author", "price")}]}
    )

    opening_stock: Count = Field(0, ge=0, le=MAX_OPENING_STOCK, description="copies on the shelf, if the book is new")

    def row(self, isbn: str) -> BookRow:
        return BookRow(isbn=isbn, changes=self.changes, opening_stock=self.opening_stock)


class BookRowIn(BookPut):
    """The book of an ISBN, as it is to be."""

    model_config = ConfigDict(json_schema_extra={"examples": [GATSBY]})

    isbn: Text = Field(max_length=40, description="in any form")

    @property
    def meant(self) -> BookRow:
        return self.row(_isbn(self.isbn, "isbn"))


class BookRows(Rows[Annotated[BookRowIn, READ_ALONE]]):
    """Up to 500 books."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rows": [GATSBY], "atomic": False}]})


class BookOut(BaseModel):
    """A book, and how many copies can be ordered now."""

    id: UUID
    isbn: str | None
    title: str
    author: str
    description: str
    publisher: str
    published_on: date | None
    price: MoneyOut | None = Field(description="null: not for sale")
    status: BookStatus
    available: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, book: Book) -> Self:
        return cls(
            id=book.id,
            isbn=book.isbn,
            title=book.title,
            author=book.author,
            description=book.description,
            publisher=book.publisher,
            published_on=book.published_on,
            price=MoneyOut.of_any(book.price),
            status=Book.Status(book.status),
            available=book.available,
            created_at=book.created_at,
            updated_at=book.updated_at,
        )


class BookPage(Page[BookOut]):
    """A part of the catalogue."""


class BookParameters(PageParameters):
    q: Line | None = Field(
        None, max_length=100, description="beginnings of words in title and author, or an ISBN in any form"
    )
    isbn: Text | None = Field(None, max_length=40, description="in any form")
    in_stock: bool | None = Field(None, description="whether copies can be ordered now")
    status: BookStatus | None = None
    updated_since: Moment | None = Field(
        None, description="the books changed since then, as they were changed, up to 60 s before now; excludes `sort`"
    )
    sort: Sort | None = Field(None, description="`title` if left out; - for descending; without a price: last")


def _answer(book_id: UUID | str, response: HttpResponse) -> BookOut:
    """The book read again after a write, for whoever heard of it may have moved its stock."""
    book = _read(book_id)
    response["ETag"] = _etag(book)
    return BookOut.of(book)


def _created(book_id: UUID | str, response: HttpResponse) -> BookOut:
    response["Location"] = settings.PUBLIC_URL + reverse("api:get_book", args=[book_id])
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
    openapi_extra=documents(headers=("Location", "ETag")),
)
def put_book(
    request: HttpRequest,
    book_id: Annotated[str, Path(description="the ISBN", pattern=f"^{LIKE_AN_ISBN}$", example=GATSBY["isbn"])],
    body: BookPut,
    response: HttpResponse,
) -> Status[BookOut]:
    """Add the book of this ISBN, or change it if it is there; without copies, unless `opening_stock` says otherwise."""
    outcome = services.put_books({0: body.row(_isbn(book_id, "path/book_id"))})[0]
    if isinstance(outcome, DomainError):
        raise outcome
    pk = str(outcome.id)
    return Status(201, _created(pk, response)) if outcome.status == "added" else Status(200, _answer(pk, response))


@router.get("", operation_id="list_books", auth=needs("catalog.view_book"), response=BookPage)
def list_books(request: HttpRequest, parameters: Query[BookParameters]) -> BookPage:
    """Search and list the catalogue."""
    found = _listed(request, parameters)
    return BookPage(results=[BookOut.of(book) for book in found.rows], **found.links)


@router.get(
    "/{uuid:book_id}",
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
    "/{uuid:book_id}",
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
    services.revise(book_id=book_id, changes=body.changes, expected_version=_expected_version(book_id, if_match))
    return _answer(book_id, response)


@router.post(
    "/{uuid:book_id}/withdraw",
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
    "/{uuid:book_id}/restore",
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


def _expected_version(book_id: UUID, if_match: str | None) -> int | None:
    """The version that the caller means; of several tags the one that holds now, if one does."""
    if if_match is None or if_match.strip() == "*":
        return None
    versions = [int(version) for version in re.findall(r'"b([0-9]{1,9})-s[0-9.]*"', if_match)]
    current = _read(book_id).version
    return current if current in versions else next(iter(versions), 0)


def _listed(request: HttpRequest, parameters: BookParameters) -> Found[Book]:
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
        books = books.with_isbns([_isbn(parameters.isbn, "query/isbn")])
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


def _isbn(text: str, field: str) -> str:
    try:
        return normalise_isbn(text)
    except InvalidIsbn as error:
        raise InvalidValue(field, str(error)) from error
