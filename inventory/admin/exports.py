"""The stock as a table: what a count is compared with, and other programs read."""

from __future__ import annotations

from import_export.fields import Field

from bookshelf_site.exports import Exact, ExactResource
from inventory.models import StockItem


class StockResource(ExactResource):
    """`isbn,on_hand`: with other numbers in it, it comes back as a stocktake."""

    isbn = Field("book__isbn", "isbn", Exact())

    class Meta:
        model = StockItem
        fields = ("isbn", "on_hand")
        export_order = fields
