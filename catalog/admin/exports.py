"""The catalogue as a table; imported again it changes nothing."""

from __future__ import annotations

from typing import Any

from import_export.fields import Field

from bookshelf_site.exports import Exact, ExactResource
from catalog.models import Book

COLUMNS = (
    "isbn",
    "title",
    "author",
    "publisher",
    "published_on",
    "price",
    "currency",
    "product_form",
    "availability",
    "status",
    "description",
)


class BookResource(ExactResource):
    """Named as the reader of feeds names them."""

    price = Field("price_amount", "price", Exact())
    currency = Field(column_name="currency", widget=Exact())

    class Meta:
        model = Book
        fields = COLUMNS
        export_order = COLUMNS

    def dehydrate_currency(self, book: Book) -> str:
        return book.price.currency if book.price else ""


class StockedBookResource(BookResource):
    """With its copies, for who may see the stock."""

    on_hand = Field(column_name="on_hand", widget=Exact())
    available = Field("available", "available", Exact())

    class Meta:
        model = Book
        fields = (*COLUMNS, "on_hand", "available")
        export_order = fields

    def dehydrate_on_hand(self, book: Any) -> int:
        stock = getattr(book, "stock", None)
        return stock.on_hand if stock else 0
