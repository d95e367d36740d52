"""OrderLine: so many copies of a book."""

from __future__ import annotations

from typing import ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Round

from bookshelf_site.events import uuid7
from bookshelf_site.money import Money
from orders.events import PlacedLine

MAX_QUANTITY = 10_000


class OrderLine(models.Model):
    """So many copies of a book, with its title and price as they were when the order was placed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(
        "orders.Order", on_delete=models.CASCADE, related_name="lines", editable=False, db_index=False
    )
    book = models.ForeignKey("catalog.Book", on_delete=models.PROTECT, related_name="order_lines", editable=False)
    title = models.CharField(max_length=200, editable=False)
    isbn = models.CharField("ISBN", max_length=13, blank=True, editable=False)
    quantity = models.PositiveIntegerField(editable=False)
    unit_price_amount = models.DecimalField(max_digits=7, decimal_places=2, editable=False)
    line_total_amount = models.DecimalField(max_digits=14, decimal_places=2, editable=False)
    currency = models.CharField(max_length=3, editable=False)
    cancelled_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        default_permissions = ("view",)
        ordering: ClassVar = ["book_id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "book"], name="line_once_per_book"),
            models.CheckConstraint(condition=Q(quantity__gte=1, quantity__lte=MAX_QUANTITY), name="line_quantity"),
            models.CheckConstraint(condition=Q(unit_price_amount__gte=0), name="line_price"),
            models.CheckConstraint(
                condition=Q(line_total_amount=Round(F("quantity") * F("unit_price_amount"), 2)),
                name="line_total_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.title}"  # the multiplication sign is meant

    @classmethod
    def of(cls, *, book_id: UUID, title: str, isbn: str | None, quantity: int, unit_price: Money) -> Self:
        """A line that keeps the book's title and price as they are now."""
        return cls(
            book_id=book_id,
            title=title,
            isbn=isbn or "",
            quantity=quantity,
            unit_price_amount=unit_price.amount,
            line_total_amount=(unit_price * quantity).amount,
            currency=unit_price.currency,
        )

    @property
    def unit_price(self) -> Money:
        return Money(self.unit_price_amount, self.currency)

    @property
    def line_total(self) -> Money:
        return Money(self.line_total_amount, self.currency)

    def split_off(self, quantity: int) -> OrderLine:
        """So many copies of the line as a line of their own: another one, or this one if it is all of them."""
        if quantity == self.quantity:
            return self
        rest = OrderLine.of(
            book_id=self.book_id, title=self.title, isbn=self.isbn, quantity=quantity, unit_price=self.unit_price
        )
        self.quantity -= quantity
        self.line_total_amount -= rest.line_total_amount
        return rest

    def as_placed(self) -> PlacedLine:
        return PlacedLine(
            line_id=self.id,
            book_id=self.book_id,
            title=self.title,
            isbn=self.isbn or None,
            quantity=self.quantity,
            unit_price=self.unit_price,
        )
