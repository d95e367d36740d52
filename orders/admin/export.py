"""The orders as a table, a row each."""

from __future__ import annotations

from import_export.fields import Field

from bookshelf_site.exports import Exact, ExactResource
from orders.models import Order


class OrderResource(ExactResource):
    """The customer's link is not in it: it opens the order to whoever has it."""

    lines = Field("line_count", "lines", Exact())
    total = Field("total_amount", "total", Exact())

    class Meta:
        model = Order
        fields = (
            "number",
            "status",
            "placed_at",
            "customer_name",
            "customer_email",
            "phone",
            "fulfilment",
            "street",
            "postal_code",
            "city",
            "country",
            "lines",
            "total",
            "currency",
            "confirmed_at",
            "shipped_at",
            "tracking",
            "cancelled_at",
            "cancel_reason",
            "external_reference",
            "note",
        )
        export_order = fields
