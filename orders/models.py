"""Order: what a customer asked for, and who may do what to it when."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, ClassVar, Self, TypedDict
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.db.models import Count, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Round, Upper
from django.utils import timezone

from bookshelf_site.errors import InvalidValue, checked_line, checked_text
from bookshelf_site.events import current_actor, uuid7
from bookshelf_site.events.aggregate import Aggregate, AggregateQuerySet
from bookshelf_site.events.erasure import ERASED
from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
from bookshelf_site.words import Wanted, wanted, words_asked
from orders.errors import InvalidTransition, LastLine, NoLongerEditable, NothingToSplit, NotPending, OrdersStillOpen
from orders.events import (
    ContactCorrected,
    CopiesAwaited,
    CopiesPutBack,
    CustomerErased,
    LineCancelled,
    LinkRequested,
    LinkRotated,
    NoteAdded,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderReturned,
    OrderShipped,
    OrderSplit,
    OrderSplitOff,
    PlacedLine,
)
from orders.numbers import new_number, normalise_number
from orders.words import WordsField

MAX_LINES = 200
MAX_QUANTITY = 10_000
NOTE_LENGTH = 2_000
REASON_LENGTH = 200


class Status(models.TextChoices):
    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    SHIPPED = "SHIPPED"
    CANCELLED = "CANCELLED"


class CancelReason(models.TextChoices):
    CUSTOMER = "customer", "the customer changed their mind"
    OUT_OF_STOCK = "out_of_stock", "a book can't be had"
    EXPIRED = "expired", "it was never confirmed"
    DUPLICATE = "duplicate", "ordered twice"
    FRAUD = "fraud", "not a real order"
    OTHER = "other", "other"


class Fulfilment(models.TextChoices):
    COLLECT = "collect", "collected in the shop"
    SHIP = "ship", "sent to an address"


def languages() -> list[tuple[str, str]]:
    """In which a customer can be spoken to; asked for as a function, for another one is no migration."""
    return list(settings.LANGUAGES)


TRANSITIONS: dict[str, tuple[str, ...]] = {
    Status.PENDING: (Status.CONFIRMED, Status.CANCELLED),
    Status.CONFIRMED: (Status.SHIPPED, Status.CANCELLED),
    Status.SHIPPED: (),
    Status.CANCELLED: (),
}
"""All that may happen to an order's status."""


@dataclass(frozen=True, kw_only=True)
class Contact:
    """Who the customer is and where the books go. Raises InvalidValue, naming the field."""

    customer_name: str
    customer_email: str = ""
    phone: str = ""
    language: str = "en"
    fulfilment: str = Fulfilment.COLLECT
    street: str = ""
    city: str = ""
    postal_code: str = ""
    country: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for field, longest in _LENGTHS.items():
            object.__setattr__(self, field, checked_line(_path(field), getattr(self, field), longest=longest))
        object.__setattr__(self, "note", checked_text("note", self.note, longest=NOTE_LENGTH))
        if not self.customer_name:
            raise InvalidValue("customer_name", "an order names its customer")
        if self.customer_name == ERASED:
            raise InvalidValue("customer_name", "stands for a customer who was erased")
        if self.customer_email:
            _check_email(self.customer_email)
        if self.language not in dict(settings.LANGUAGES):
            raise InvalidValue("language", f"one of {', '.join(dict(settings.LANGUAGES))}")
        if self.fulfilment not in Fulfilment.values:
            raise InvalidValue("fulfilment", f"one of {', '.join(Fulfilment.values)}")
        if self.fulfilment == Fulfilment.SHIP:
            self._check_address()

    def _check_address(self) -> None:
        for part in ("street", "city", "postal_code", "country"):
            if not getattr(self, part):
                raise InvalidValue(_path(part), "is needed to ship the order")


class ContactChanges(TypedDict, total=False):
    """What of the contact data is to change; what isn't named stays as it is."""

    customer_name: str
    customer_email: str
    phone: str
    language: str
    fulfilment: str
    street: str
    city: str
    postal_code: str
    country: str
    note: str


_LENGTHS = {
    "customer_name": 150,
    "customer_email": 254,
    "phone": 40,
    "street": 200,
    "city": 100,
    "postal_code": 20,
    "country": 60,
}


_AFTER_ERASURE = {
    "customer_name": ERASED,
    **dict.fromkeys(["customer_email", "phone", "street", "city", "postal_code", "country", "note", "cancel_note"], ""),
}
"""What stands in an order's personal fields when its customer was erased."""


def _path(field: str) -> str:
    return f"address/{field}" if field in {"street", "city", "postal_code", "country"} else field


def _check_email(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidValue("customer_email", "is no e-mail address, such as alice@example.com") from None


@dataclass(frozen=True, kw_only=True)
class SplitOrder:
    """The new order of what another one waited for, and its lines by the lines that they were split off from."""

    order: Order
    moved: Mapping[UUID, OrderLine]


def new_token() -> str:
    """256 random bits: the only thing that opens an order's page."""
    return secrets.token_urlsafe(32)


class OrderQuerySet(AggregateQuerySet["Order"]):
    def with_lines(self) -> Self:
        return self.prefetch_related("lines")

    def with_splits(self) -> Self:
        return self.prefetch_related("splits")

    def with_token(self, token: str) -> Self:
        """The order that this link opens; of a customer who was erased nobody sees anything."""
        return self.filter(token=token).exclude(customer_name=ERASED)

    def with_email(self, email: str) -> Self:
        """Of whoever has this address, in capitals or not: in the words of the index."""
        return self.alias(folded_email=Upper("customer_email")).filter(folded_email=Upper(Value(email)))

    def split_with(self, order: Order) -> Self:
        """The order, what it was split from, what was split from it, and so on: all that was once placed as one."""
        family = {order.pk}
        while new := set(self._next_to(family)) - family:
            family |= new
        return self.filter(pk__in=family)

    def _next_to(self, family: set[UUID]) -> models.QuerySet[Order, UUID]:
        return self.filter(Q(split_from__in=family) | Q(splits__in=family)).values_list("pk", flat=True)

    def pending(self) -> Self:
        return self.filter(status=Status.PENDING)

    def confirmed(self) -> Self:
        return self.filter(status=Status.CONFIRMED)

    def placed_until(self, moment: datetime) -> Self:
        return self.filter(placed_at__lte=moment)

    def placed_as(self, *, placed_by: str, reference: str) -> Self:
        return self.filter(placed_by=placed_by, external_reference=reference)

    def of_customer(self, text: str) -> Self:
        """Whose name or e-mail has a word that begins so, for every word typed; neither case nor accents count.

        Asks the latest orders at once how the search is best done.
        """
        words = words_asked(text)
        return self.filter(self.wanted(words).condition()) if words else self.none()

    def wanted(self, words: Sequence[str]) -> Wanted:
        """How customers with these words are best looked for, as the latest orders tell."""
        return wanted(words, Order.objects.using(self.db).order_by("-placed_at", "-id"))

    def with_number(self, text: str) -> Self:
        """The order whose number this is, however it is written."""
        number = normalise_number(text)
        return self.filter(number=number) if number else self.none()

    def with_books(self, books: models.QuerySet[Any]) -> Self:
        """With a line of one of these books; each order once."""
        return self.filter(pk__in=OrderLine.objects.filter(book__in=books.order_by().values("pk")).values("order"))

    def with_line_count(self) -> Self:
        """Counted by a subquery, which costs the rows of a page and not those of the table."""
        lines = OrderLine.objects.filter(order=OuterRef("pk")).order_by().values("order")
        return self.annotate(line_count=Subquery(lines.annotate(count=Count("pk")).values("count")))


class Order(Aggregate):
    """PENDING → CONFIRMED → SHIPPED, or CANCELLED before it is shipped."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.CharField(max_length=12, unique=True, default=new_number, editable=False)
    token = models.CharField(max_length=43, unique=True, default=new_token, editable=False)
    status = models.CharField(max_length=9, choices=Status, default=Status.PENDING, editable=False)
    customer_name = models.CharField(max_length=150)
    customer_email = models.EmailField(blank=True)
    words = WordsField(editable=False, default="", help_text="by which the order is found")
    phone = models.CharField(max_length=40, blank=True)
    language = models.CharField(max_length=10, default="en", choices=languages)
    fulfilment = models.CharField(max_length=7, choices=Fulfilment, default=Fulfilment.COLLECT)
    street = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=60, blank=True)
    note = models.TextField(blank=True)
    external_reference = models.CharField(max_length=100, blank=True, editable=False)
    placed_by = models.CharField(max_length=150, blank=True, editable=False)
    total_amount = models.DecimalField(max_digits=14, decimal_places=2, editable=False)
    currency = models.CharField(max_length=3, editable=False)
    tracking = models.CharField(max_length=100, blank=True, editable=False)
    cancel_reason = models.CharField(max_length=12, choices=CancelReason, blank=True, editable=False)
    cancel_note = models.CharField(max_length=500, blank=True, editable=False)
    split_from = models.ForeignKey("self", on_delete=models.PROTECT, null=True, editable=False, related_name="splits")
    placed_at = models.DateTimeField(default=timezone.now, editable=False)
    confirmed_at = models.DateTimeField(null=True, editable=False)
    shipped_at = models.DateTimeField(null=True, editable=False)
    cancelled_at = models.DateTimeField(null=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = OrderQuerySet.as_manager()

    class Meta:
        default_permissions = ("add", "change", "view")
        indexes: ClassVar = [
            models.Index(fields=["status", "placed_at", "id"], name="order_status"),
            models.Index(fields=["placed_at", "id"], name="order_placed"),
            models.Index(fields=["updated_at", "id"], name="order_updated"),
            models.Index(Upper("customer_email"), name="order_email_folded"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["placed_by", "external_reference"],
                condition=~Q(external_reference=""),
                name="order_reference_per_key",
            ),
            models.CheckConstraint(
                condition=Q(
                    status="PENDING", confirmed_at__isnull=True, shipped_at__isnull=True, cancelled_at__isnull=True
                )
                | Q(status="CONFIRMED", confirmed_at__isnull=False, shipped_at__isnull=True, cancelled_at__isnull=True)
                | Q(status="SHIPPED", confirmed_at__isnull=False, shipped_at__isnull=False, cancelled_at__isnull=True)
                | Q(status="CANCELLED", shipped_at__isnull=True, cancelled_at__isnull=False),
                name="order_times_of_status",
            ),
            models.CheckConstraint(
                condition=Q(status="CANCELLED", cancel_reason__in=CancelReason.values)
                | (~Q(status="CANCELLED") & Q(cancel_reason="", cancel_note="")),
                name="order_cancel_reason",
            ),
            models.CheckConstraint(condition=Q(status="SHIPPED") | Q(tracking=""), name="order_tracking"),
            models.CheckConstraint(condition=Q(fulfilment__in=Fulfilment.values), name="order_fulfilment"),
            models.CheckConstraint(condition=Q(total_amount__gte=0), name="order_total"),
            models.CheckConstraint(condition=~Q(customer_name=""), name="order_has_customer"),
            models.CheckConstraint(
                condition=Q(split_from__isnull=True) | ~Q(split_from=F("id")), name="order_split_from_another"
            ),
        ]
        permissions: ClassVar = [
            ("confirm_order", "Can confirm orders"),
            ("ship_order", "Can ship orders"),
            ("cancel_order", "Can cancel orders"),
            ("erase_customer", "Can erase a customer's data"),
        ]

    def __str__(self) -> str:
        return self.number

    @classmethod
    def placed(cls, contact: Contact, lines: list[OrderLine], *, external_reference: str = "") -> Self:
        """A new order of these lines, neither saved; the lines get their order here. Raises InvalidValue."""
        reference = checked_line("external_reference", external_reference, longest=100)
        order = cls(**vars(contact), external_reference=reference, placed_by=current_actor())
        for line in lines:
            line.order = order
        order._add_up(lines)
        order.raise_event(
            OrderPlaced(
                order_id=order.id,
                number=order.number,
                customer_name=order.customer_name,
                lines=tuple(line.as_placed() for line in lines),
                total=order.total,
            )
        )
        return order

    @property
    def total(self) -> Money:
        return Money(self.total_amount, self.currency)

    @property
    def contact(self) -> Contact:
        return Contact(**{field.name: getattr(self, field.name) for field in fields(Contact)})

    @property
    def is_erased(self) -> bool:
        """Nobody knows any more who the customer was."""
        return self.customer_name == ERASED

    @property
    def status_path(self) -> str:
        return f"/o/{self.token}/"

    @property
    def status_url(self) -> str:
        """The customer's link; whoever has it sees the order."""
        return f"{settings.PUBLIC_URL}{self.status_path}"

    @property
    def allowed(self) -> tuple[str, ...]:
        """What the order may become from here."""
        return TRANSITIONS[self.status]

    @property
    def timeline(self) -> models.QuerySet[Event]:
        """All that happened to the order, oldest first."""
        return Event.objects.filter(stream=f"{self._meta.label_lower}:{self.pk}").order_by("id")

    def confirm(self) -> bool:
        """Promise the copies. False: it already was; InvalidTransition: it can't be."""
        if not self._move_to(Status.CONFIRMED):
            return False
        self.confirmed_at = timezone.now()
        self.raise_event(OrderConfirmed(order_id=self.id, number=self.number, customer_name=self.customer_name))
        return True

    def ship(self, *, tracking: str = "") -> bool:
        """Send or hand over the copies. False: it already was; InvalidTransition: it can't be."""
        tracking = checked_line("tracking", tracking, longest=100)
        if not self._move_to(Status.SHIPPED):
            return False
        self.shipped_at = timezone.now()
        self.tracking = tracking
        self.raise_event(
            OrderShipped(order_id=self.id, number=self.number, customer_name=self.customer_name, tracking=self.tracking)
        )
        return True

    def cancel(self, *, reason: str, note: str = "") -> bool:
        """Call it off. False: it already was; InvalidTransition: it can't be."""
        if reason not in CancelReason.values:
            raise InvalidValue("reason", f"one of {', '.join(CancelReason.values)}")
        note = checked_text("note", note, longest=500)
        if not self._move_to(Status.CANCELLED):
            return False
        self.cancelled_at = timezone.now()
        self.cancel_reason, self.cancel_note = reason, note
        self.raise_event(
            OrderCancelled(order_id=self.id, number=self.number, customer_name=self.customer_name, reason=reason)
        )
        return True

    def expire(self) -> bool:
        """Nobody confirmed it in time. False unless it is PENDING: then there is nothing to call off."""
        return self.status == Status.PENDING and self.cancel(reason=CancelReason.EXPIRED)

    def cancel_line(self, line: OrderLine, others: Sequence[OrderLine], *, reason: str = "") -> bool:
        """Call one line off. False: it already was; NotPending, LastLine: it can't be."""
        reason = checked_line("reason", reason, longest=REASON_LENGTH)
        if line.cancelled_at:
            return False
        self.refuse_unless_pending()
        if all(other.cancelled_at for other in others):
            raise LastLine
        line.cancelled_at = timezone.now()
        self._add_up(others)
        self.version += 1
        self.raise_event(
            LineCancelled(
                order_id=self.id,
                number=self.number,
                customer_name=self.customer_name,
                line_id=line.id,
                book_id=line.book_id,
                title=line.title,
                quantity=line.quantity,
                total=self.total,
                reason=reason,
            )
        )
        return True

    def await_copies(self, quantity: int) -> None:
        """Say that so many copies of a new order are not here yet."""
        self.raise_event(
            CopiesAwaited(order_id=self.id, number=self.number, customer_name=self.customer_name, quantity=quantity)
        )

    def put_back(self, line: OrderLine, quantity: int, *, reason: str = "") -> None:
        """So many copies that were kept for the line are somebody else's to have; it waits again."""
        self.version += 1
        self.raise_event(
            CopiesPutBack(
                order_id=self.id,
                number=self.number,
                line_id=line.id,
                book_id=line.book_id,
                title=line.title,
                quantity=quantity,
                reason=checked_line("reason", reason, longest=REASON_LENGTH),
            )
        )

    def note_return(self, line: OrderLine, quantity: int, *, is_damaged: bool) -> None:
        """Say that so many copies of the line came back; the order stays SHIPPED."""
        self.raise_event(
            OrderReturned(
                order_id=self.id,
                number=self.number,
                line_id=line.id,
                book_id=line.book_id,
                title=line.title,
                quantity=quantity,
                is_damaged=is_damaged,
            )
        )

    def split(self, lines: Sequence[OrderLine], missing: Mapping[UUID, int]) -> SplitOrder:
        """Move what the lines miss to a new order, with a number and a link of its own. Raises NothingToSplit."""
        open_lines = [line for line in lines if not line.cancelled_at]
        if not any(missing.values()):
            raise NothingToSplit("no line waits")
        if all(missing.get(line.id) == line.quantity for line in open_lines):
            raise NothingToSplit("every line waits for all of its copies")
        rest = Order(**vars(self.contact), placed_by=self.placed_by, placed_at=self.placed_at, split_from=self)
        moved = {line.id: line.split_off(missing[line.id]) for line in open_lines if missing.get(line.id)}
        for line in moved.values():
            line.order = rest
        self._add_up([line for line in open_lines if line.order_id == self.id])
        rest._add_up(list(moved.values()))
        self.version += 1
        told = tuple(line.as_placed() for line in moved.values())
        self.raise_event(
            OrderSplit(
                order_id=self.id,
                number=self.number,
                split_into_id=rest.id,
                split_into_number=rest.number,
                moved=told,
                total=self.total,
            )
        )
        rest.raise_event(
            OrderSplitOff(
                order_id=rest.id,
                number=rest.number,
                split_from_id=self.id,
                split_from_number=self.number,
                customer_name=rest.customer_name,
                lines=told,
                total=rest.total,
            )
        )
        return SplitOrder(order=rest, moved=moved)

    def refuse_unless_pending(self) -> None:
        """Raises NotPending once the copies are promised to the customer, sent, or free again."""
        if self.status != Status.PENDING:
            raise NotPending(current=self.status, allowed=self.allowed)

    def _add_up(self, lines: Sequence[OrderLine]) -> None:
        """The total is what the lines cost that aren't cancelled."""
        total = sum((line.line_total for line in lines if not line.cancelled_at), Money.zero(lines[0].currency))
        self.total_amount, self.currency = total.amount, total.currency

    def correct_contact(self, contact: Contact) -> None:
        """Put the customer's data right. Raises NoLongerEditable once it is shipped or cancelled."""
        self.refuse_closed()
        changed = tuple(name for name, value in vars(contact).items() if getattr(self, name) != value)
        if not changed:
            return
        for name in changed:
            setattr(self, name, getattr(contact, name))
        self.version += 1
        self.raise_event(ContactCorrected(order_id=self.id, number=self.number, changed=changed))

    def refuse_closed(self) -> None:
        """Raises NoLongerEditable once it is shipped or cancelled."""
        if not self.allowed:
            raise NoLongerEditable(current=self.status)

    def erase_customer(self, *, events: int) -> bool:
        """Forget who the customer was, and kill the link; `events` of the order were about the person.

        False: there was nothing left to forget; OrdersStillOpen: somebody waits for the books.
        """
        if self.allowed:
            raise OrdersStillOpen([self.number])
        filled = tuple(name for name, left in _AFTER_ERASURE.items() if getattr(self, name) != left)
        if not filled and not events:
            return False
        for name in filled:
            setattr(self, name, _AFTER_ERASURE[name])
        self.token = new_token()
        self.version += 1
        self.raise_event(CustomerErased(order_id=self.id, number=self.number, fields=filled, events=events))
        return True

    def rotate_token(self) -> None:
        """Kill the customer's link and make another."""
        self.token = new_token()
        self.raise_event(LinkRotated(order_id=self.id, number=self.number))

    def request_link(self) -> None:
        """The customer wants the link once more; it stays the same."""
        self.raise_event(LinkRequested(order_id=self.id, number=self.number))

    def add_note(self, text: str) -> None:
        """Write down what the staff should know; the customer never sees it. Kept as an event alone."""
        text = checked_text("text", text, longest=NOTE_LENGTH)
        if not text:
            raise InvalidValue("text", "a note says something")
        self.raise_event(NoteAdded(order_id=self.id, number=self.number, text=text))

    def _move_to(self, wanted: Status) -> bool:
        """False if the order is there already. Raises InvalidTransition where the table has no such way."""
        if self.status == wanted:
            return False
        if wanted not in self.allowed:
            raise InvalidTransition(current=self.status, wanted=wanted, allowed=self.allowed)
        self.status = wanted
        self.version += 1
        return True


class OrderLine(models.Model):
    """So many copies of a book, with its title and price as they were when the order was placed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines", editable=False)
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
