"""Order: the rules of its way from the click to the parcel, and of its contents until then."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Self, TypedDict
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils import timezone

from bookshelf_site.errors import InvalidValue, checked_line, checked_text
from bookshelf_site.events import current_actor, uuid7
from bookshelf_site.events.aggregate import Aggregate
from bookshelf_site.events.erasure import ERASED
from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
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
from orders.models.contact import CONTACT_LENGTHS, NOTE_LENGTH, Contact, Fulfilment, languages
from orders.models.line import OrderLine
from orders.models.queries import OrderQuerySet
from orders.models.status import TRANSITIONS, CancelReason, Status
from orders.numbers import new_number
from orders.words import WordsField

MAX_LINES = 200
REASON_LENGTH = 200
REFERENCE_LENGTH = 100
TRACKING_LENGTH = 100
CANCEL_NOTE_LENGTH = 500

_AFTER_ERASURE = {
    "customer_name": ERASED,
    **dict.fromkeys(["customer_email", "phone", "street", "city", "postal_code", "country", "note", "cancel_note"], ""),
}
"""What stands in an order's personal fields when its customer was erased."""


@dataclass(frozen=True, kw_only=True)
class SplitOrder:
    """The new order of what another one waited for, and its lines by the lines that they were split off from."""

    order: Order
    moved: Mapping[UUID, OrderLine]


class _Whose(TypedDict):
    """What every event tells of which its customer is to be told."""

    order_id: UUID
    number: str
    customer_name: str
    has_email: bool


def new_token() -> str:
    """256 random bits: the only thing that opens an order's page."""
    return secrets.token_urlsafe(32)


class Order(Aggregate):
    """PENDING → CONFIRMED → SHIPPED, or CANCELLED before it is shipped."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.CharField(max_length=12, default=new_number, editable=False)
    token = models.CharField(max_length=43, default=new_token, editable=False)
    status = models.CharField(max_length=9, choices=Status, default=Status.PENDING, editable=False)
    customer_name = models.CharField(max_length=CONTACT_LENGTHS["customer_name"])
    customer_email = models.EmailField(max_length=CONTACT_LENGTHS["customer_email"], blank=True)
    words = WordsField(editable=False, default="", help_text="by which the order is found")
    phone = models.CharField(max_length=CONTACT_LENGTHS["phone"], blank=True)
    language = models.CharField(max_length=10, default="en", choices=languages)
    fulfilment = models.CharField(max_length=7, choices=Fulfilment, default=Fulfilment.COLLECT)
    street = models.CharField(max_length=CONTACT_LENGTHS["street"], blank=True)
    city = models.CharField(max_length=CONTACT_LENGTHS["city"], blank=True)
    postal_code = models.CharField(max_length=CONTACT_LENGTHS["postal_code"], blank=True)
    country = models.CharField(max_length=CONTACT_LENGTHS["country"], blank=True)
    note = models.TextField(blank=True)
    external_reference = models.CharField(max_length=REFERENCE_LENGTH, blank=True, editable=False)
    placed_by = models.CharField(max_length=150, blank=True, editable=False)
    total_amount = models.DecimalField(max_digits=14, decimal_places=2, editable=False)
    currency = models.CharField(max_length=3, editable=False)
    tracking = models.CharField(max_length=TRACKING_LENGTH, blank=True, editable=False)
    cancel_reason = models.CharField(max_length=12, choices=CancelReason, blank=True, editable=False)
    cancel_note = models.CharField(max_length=CANCEL_NOTE_LENGTH, blank=True, editable=False)
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
            # not the fields' own: there PostgreSQL would keep a second index of each, to search by its beginning
            models.UniqueConstraint(fields=["number"], name="order_number_once"),
            models.UniqueConstraint(fields=["token"], name="order_token_once"),
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
        reference = checked_line("external_reference", external_reference, longest=REFERENCE_LENGTH)
        order = cls(**vars(contact), external_reference=reference, placed_by=current_actor())
        for line in lines:
            line.order = order
        order._add_up(lines)
        order.raise_event(
            OrderPlaced(
                **order._whose,
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
        self.raise_event(OrderConfirmed(**self._whose))
        return True

    def ship(self, *, tracking: str = "") -> bool:
        """Send or hand over the copies. False: it already was; InvalidTransition: it can't be."""
        tracking = checked_line("tracking", tracking, longest=TRACKING_LENGTH)
        if not self._move_to(Status.SHIPPED):
            return False
        self.shipped_at = timezone.now()
        self.tracking = tracking
        self.raise_event(OrderShipped(**self._whose, tracking=self.tracking))
        return True

    def cancel(self, *, reason: str, note: str = "") -> bool:
        """Call it off. False: it already was; InvalidTransition: it can't be."""
        if reason not in CancelReason.values:
            raise InvalidValue("reason", f"one of {', '.join(CancelReason.values)}")
        note = checked_text("note", note, longest=CANCEL_NOTE_LENGTH)
        if not self._move_to(Status.CANCELLED):
            return False
        self.cancelled_at = timezone.now()
        self.cancel_reason, self.cancel_note = reason, note
        self.raise_event(OrderCancelled(**self._whose, reason=reason))
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
                **self._whose,
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
        self.raise_event(CopiesAwaited(**self._whose, quantity=quantity))

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
        self._tell_split(rest, tuple(line.as_placed() for line in moved.values()))
        return SplitOrder(order=rest, moved=moved)

    def _tell_split(self, rest: Order, moved: tuple[PlacedLine, ...]) -> None:
        """Each of the two orders says in its own timeline what has become of it."""
        self.raise_event(
            OrderSplit(
                order_id=self.id,
                number=self.number,
                split_into_id=rest.id,
                split_into_number=rest.number,
                moved=moved,
                total=self.total,
            )
        )
        rest.raise_event(
            OrderSplitOff(
                **rest._whose,
                split_from_id=self.id,
                split_from_number=self.number,
                lines=moved,
                total=rest.total,
            )
        )

    def refuse_unless_pending(self) -> None:
        """Raises NotPending once the copies are promised to the customer, sent, or free again."""
        if self.status != Status.PENDING:
            raise NotPending(current=self.status, allowed=self.allowed)

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

    @property
    def _whose(self) -> _Whose:
        return _Whose(
            order_id=self.id,
            number=self.number,
            customer_name=self.customer_name,
            has_email=bool(self.customer_email),
        )

    def _move_to(self, wanted: Status) -> bool:
        """False if the order is there already. Raises InvalidTransition where the table has no such way."""
        if self.status == wanted:
            return False
        if wanted not in self.allowed:
            raise InvalidTransition(current=self.status, wanted=wanted, allowed=self.allowed)
        self.status = wanted
        self.version += 1
        return True

    def _add_up(self, lines: Sequence[OrderLine]) -> None:
        """The total is what the lines cost that aren't cancelled."""
        total = sum((line.line_total for line in lines if not line.cancelled_at), Money.zero(lines[0].currency))
        self.total_amount, self.currency = total.amount, total.currency
