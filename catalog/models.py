"""Book: what it is and what it costs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Self, TypedDict

from django.conf import settings
from django.db import models
from django.db.models import Func, Q

from bookshelf_site.errors import InvalidValue, VersionMismatch, checked_line, checked_text
from bookshelf_site.events import uuid7
from bookshelf_site.events.aggregate import Aggregate, AggregateQuerySet
from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
from bookshelf_site.words import wanted, words_asked
from catalog.events import BookAdded, BookEdited, BookRepriced, BookRestored, BookWithdrawn
from catalog.isbn import InvalidIsbn, normalise_isbn, search_isbn
from catalog.uploads import FeedImport as FeedImport
from catalog.uploads import FeedPart as FeedPart
from catalog.uploads import FeedRejection as FeedRejection
from catalog.words import WordsField, words_of

TITLE_LENGTH = 200
AUTHOR_LENGTH = 150
PUBLISHER_LENGTH = 200
DESCRIPTION_LENGTH = 10_000
MAX_PRICE = Decimal("99999.99")
MAX_OPENING_STOCK = 1_000_000
FEW = 5_000
"""So many books are sorted more quickly than they are met in a list of a million."""


@dataclass(frozen=True, kw_only=True)
class BookDetails:
    """All that the catalogue says of a book, its price apart. Raises InvalidValue, naming the field."""

    title: str
    author: str = ""
    isbn: str | None = None
    description: str = ""
    publisher: str = ""
    published_on: date | None = None
    product_form: str = ""
    availability: str = ""

    def __post_init__(self) -> None:
        for field, longest in _LENGTHS.items():
            object.__setattr__(self, field, checked_line(field, getattr(self, field), longest=longest))
        description = checked_text("description", self.description, longest=DESCRIPTION_LENGTH)
        object.__setattr__(self, "description", description)
        if not self.title:
            raise InvalidValue("title", "a book has a title")
        object.__setattr__(self, "isbn", _isbn(self.isbn))


class BookChanges(TypedDict, total=False):
    """What of a book is to change; what isn't named stays as it is."""

    title: str
    author: str
    isbn: str | None
    description: str
    publisher: str
    published_on: date | None
    price: Money | None


_LENGTHS = {
    "title": TITLE_LENGTH,
    "author": AUTHOR_LENGTH,
    "publisher": PUBLISHER_LENGTH,
    "product_form": 2,
    "availability": 2,
}


def _isbn(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    try:
        return normalise_isbn(text)
    except InvalidIsbn as error:
        raise InvalidValue("isbn", str(error)) from error


def checked_price(price: Money | None) -> Money | None:
    """The price, if the shop can ask it. Raises InvalidValue for another currency or over 99,999.99."""
    if price is None:
        return None
    if price.currency != settings.SHOP_CURRENCY:
        raise InvalidValue("price", f"the shop's currency is {settings.SHOP_CURRENCY}, not {price.currency}")
    if price.amount > MAX_PRICE:
        raise InvalidValue("price", f"a price is at most {MAX_PRICE:,}")
    return price


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
        return self.filter(status=Book.Status.ACTIVE)

    def with_isbns(self, isbns: Collection[str]) -> Self:
        return self.filter(isbn__in=isbns)

    def by_isbn(self, isbns: Collection[str]) -> dict[str, Book]:
        """The books that have one of these ISBNs, by it."""
        return {book.isbn: book for book in self.with_isbns(isbns) if book.isbn}

    def search(self, text: str) -> Self:
        """Books with a word in title, author or ISBN that begins so, for every word typed; or whose ISBN this is.

        Neither case nor accents count. Asks a sample of the catalogue at once how the search is best done.
        """
        isbn = search_isbn(text)
        if isbn is not None:
            return self.filter(isbn=isbn)
        if words := words_asked(text):
            return self.filter(wanted(words, Book.objects.using(self.db)).condition())
        return self.none() if text.strip() else self

    def bulk_update(self, objs: Iterable[Book], fields: Iterable[str], *args: Any, **kwargs: Any) -> int:
        """As Django's; what is written is found by its new words."""
        books = list(objs)
        for book in books:
            book.words = words_of(book.title, book.author, book.isbn)
        return super().bulk_update(books, {*fields, "words"}, *args, **kwargs)

    def in_stock(self) -> Self:
        """Books with copies that can be ordered; counts at once whether they are few, and then begins with them."""
        relation: Any = Book._meta.get_field("stock")
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
