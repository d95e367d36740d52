"""Book: what it is and what it costs."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from bookshelf_site.errors import InvalidValue, VersionMismatch
from bookshelf_site.events import uuid7
from bookshelf_site.events.aggregate import Aggregate
from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
from catalog.events import BookAdded, BookEdited, BookRepriced, BookRestored, BookWithdrawn
from catalog.models.details import (
    AUTHOR_LENGTH,
    MAX_PRICE,
    PUBLISHER_LENGTH,
    TITLE_LENGTH,
    BookChanges,
    BookDetails,
    checked_price,
)
from catalog.models.queries import BookQuerySet, FallingPrice, RisingPrice
from catalog.words import WordsField

MAX_OPENING_STOCK = 1_000_000


class Book(Aggregate):
    """A title that the shop knows. Never deleted once ordered: withdrawn."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        WITHDRAWN = "withdrawn"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    title = models.CharField(max_length=TITLE_LENGTH)
    author = models.CharField(max_length=AUTHOR_LENGTH, blank=True)
    isbn = models.CharField("ISBN", max_length=13, null=True, blank=True, unique=True)  # unique where there is one
    description = models.TextField(blank=True)
    publisher = models.CharField(max_length=PUBLISHER_LENGTH, blank=True)
    published_on = models.DateField(null=True, blank=True)
    product_form = models.CharField(max_length=2, blank=True, help_text="ONIX List 150")
    availability = models.CharField(max_length=2, blank=True, help_text="ONIX List 65")
    words = WordsField(editable=False, default="", help_text="by which the book is found")
    price_amount = models.DecimalField("price", max_digits=7, decimal_places=2, null=True, blank=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.ACTIVE, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = BookQuerySet.as_manager()

    class Meta:
        default_permissions = ("add", "change", "view")
        indexes: ClassVar = [
            models.Index(fields=["title", "id"], name="book_title"),
            models.Index(fields=["author", "id"], name="book_author"),
            models.Index(RisingPrice("price_amount"), "id", name="book_rising_price"),
            models.Index(FallingPrice("price_amount"), "id", name="book_falling_price"),
            models.Index(fields=["created_at", "id"], name="book_created"),
            models.Index(fields=["updated_at", "id"], name="book_updated"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(title=""), name="book_has_title"),
            models.CheckConstraint(
                condition=Q(isbn__isnull=True) | Q(isbn__regex=r"^97[89][0-9]{10}$"), name="book_isbn"
            ),
            models.CheckConstraint(
                condition=Q(price_amount__isnull=True) | Q(price_amount__gte=0, price_amount__lte=MAX_PRICE),
                name="book_price_range",
            ),
            models.CheckConstraint(condition=Q(status__in=["active", "withdrawn"]), name="book_status"),
            models.CheckConstraint(condition=Q(version__gte=1), name="book_version"),
        ]
        permissions: ClassVar = [("import_books", "Can import feeds of books")]

    def __str__(self) -> str:
        return self.title

    @classmethod
    def added(cls, details: BookDetails, *, price: Money | None, opening_stock: int) -> Self:
        """A new book, not yet saved. Raises InvalidValue."""
        if not 0 <= opening_stock <= MAX_OPENING_STOCK:
            raise InvalidValue("opening_stock", f"a book opens with 0 to {MAX_OPENING_STOCK:,} copies")
        price = checked_price(price)
        book = cls(**vars(details), price_amount=price.amount if price else None)
        book.raise_event(
            BookAdded(
                book_id=book.id,
                title=book.title,
                author=book.author,
                isbn=book.isbn,
                price=price,
                opening_stock=opening_stock,
            )
        )
        return book

    @property
    def price(self) -> Money | None:
        return None if self.price_amount is None else Money(self.price_amount, settings.SHOP_CURRENCY)

    @property
    def details(self) -> BookDetails:
        return BookDetails(**{field.name: getattr(self, field.name) for field in fields(BookDetails)})

    @property
    def is_for_sale(self) -> bool:
        return self.status == self.Status.ACTIVE and self.price_amount is not None

    @property
    def available(self) -> int:
        """Copies that can be ordered now; no stock row reads as none."""
        stock = getattr(self, "stock", None)
        return 0 if stock is None else stock.available

    @property
    def price_events(self) -> models.QuerySet[Event]:
        """What the log says of the book's prices."""
        stream = f"{self._meta.label_lower}:{self.pk}"
        return Event.objects.filter(stream=stream, name__in=[BookAdded.name, BookRepriced.name])

    def expect_version(self, expected: int | None) -> None:
        """Raises VersionMismatch if the book has changed since the caller read it."""
        if expected is not None and expected != self.version:
            raise VersionMismatch(expected=expected, current=self.version)

    def edit(self, details: BookDetails) -> None:
        changed = tuple(name for name, value in vars(details).items() if getattr(self, name) != value)
        if not changed:
            return
        for name in changed:
            setattr(self, name, getattr(details, name))
        self.version += 1
        self.raise_event(BookEdited(book_id=self.id, title=self.title, isbn=self.isbn, changed=changed))

    def revise(self, changes: BookChanges) -> None:
        """Edit and reprice what is named. Raises InvalidValue."""
        named = {name: value for name, value in changes.items() if name != "price"}
        self.edit(replace(self.details, **named))  # type: ignore[arg-type]  # names match their values
        if "price" in changes:
            self.reprice(changes["price"])

    def reprice(self, price: Money | None) -> None:
        old, new = self.price, checked_price(price)
        if old == new:
            return
        self.price_amount = new.amount if new else None
        self.version += 1
        self.raise_event(BookRepriced(book_id=self.id, old_price=old, new_price=new))

    def withdraw(self) -> None:
        if self.status != self.Status.WITHDRAWN:
            self.status = self.Status.WITHDRAWN
            self.version += 1
            self.raise_event(BookWithdrawn(book_id=self.id, title=self.title))

    def restore(self) -> None:
        if self.status != self.Status.ACTIVE:
            self.status = self.Status.ACTIVE
            self.version += 1
            self.raise_event(BookRestored(book_id=self.id, title=self.title))
