"""What programs send to the catalogue and read from it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from bookshelf_site.bulk import READ_ALONE, Rows
from bookshelf_site.errors import InvalidValue
from bookshelf_site.pages import Page, PageParameters
from bookshelf_site.schemas import Count, Day, Input, Line, Moment, MoneyIn, MoneyOut, Text, inline
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


class BookIn(Input):
    """A book for the catalogue. Who knows no author or price of it says so: null."""

    model_config = ConfigDict(json_schema_extra={"examples": [GATSBY]})

    title: Line = Field(min_length=1, max_length=TITLE_LENGTH)
    author: Line | None = Field(max_length=AUTHOR_LENGTH)
    isbn: Text | None = Field(None, max_length=40, description="ISBN-10 or ISBN-13 in any form; kept as 13 digits")
    price: MoneyIn | None = Field(description=f"at most {MAX_PRICE:,}; null: not for sale")
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

    def row(self, isbn: str, *, expected_version: int | None = None) -> BookRow:
        return BookRow(
            isbn=isbn, changes=self.changes, opening_stock=self.opening_stock, expected_version=expected_version
        )


class AsKnown(BaseModel):
    """What the caller knows of a book: its tag, or that there is none (RFC 9110 §13.1)."""

    if_match: str | None = Field(None, alias="If-Match")
    if_none_match: str | None = Field(None, alias="If-None-Match", description="`*`: the book is to be new")


class BookRowIn(BookPut):
    """The book of an ISBN, as it is to be."""

    model_config = ConfigDict(json_schema_extra={"examples": [GATSBY]})

    isbn: Text = Field(max_length=40, description="in any form")

    @property
    def meant(self) -> BookRow:
        return self.row(isbn_of(self.isbn, "isbn"))


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
    in_stock: bool | None = Field(
        None, description="whether copies are free; with `status=active` those that can be ordered now"
    )
    status: BookStatus | None = None
    updated_since: Moment | None = Field(
        None, description="the books changed since then, as they were changed, up to 60 s before now; excludes `sort`"
    )
    sort: Sort | None = Field(None, description="`title` if left out; - for descending; without a price: last")


def isbn_of(text: str, field: str) -> str:
    """The 13 digits of what was typed. Raises InvalidValue, naming the field."""
    try:
        return normalise_isbn(text)
    except InvalidIsbn as error:
        raise InvalidValue(field, str(error)) from error
