"""What programs send to the orders and read from them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from bookshelf_site.events.models import Event
from bookshelf_site.pages import Page, PageParameters
from bookshelf_site.schemas import Count, Input, Line, Moment, MoneyIn, MoneyOut, Text, inline
from orders.models import (
    CANCEL_NOTE_LENGTH,
    CONTACT_LENGTHS,
    MAX_LINES,
    MAX_QUANTITY,
    NOTE_LENGTH,
    REASON_LENGTH,
    REFERENCE_LENGTH,
    TRACKING_LENGTH,
    CancelReason,
    Contact,
    ContactChanges,
    Fulfilment,
    Order,
    OrderLine,
    Status,
    languages,
)
from orders.services import LineRequest, ReadOrder

AN_ORDER: Final[dict[str, Any]] = {
    "customer_name": "Alice Johnson",
    "customer_email": "alice@example.com",
    "external_reference": "web-10042",
    "lines": [{"isbn": "9780743273565", "quantity": 2}],
}
Language = Annotated[Line, WithJsonSchema({"type": "string", "enum": [code for code, _ in languages()]})]
Reason = Literal["customer", "out_of_stock", "duplicate", "fraud", "other"]
OrderStatus = Annotated[Status, inline(Status)]


class Address(BaseModel):
    """Where the books go."""

    street: str
    city: str
    postal_code: str
    country: str


class AddressIn(Input):
    street: Line = Field(min_length=1, max_length=CONTACT_LENGTHS["street"])
    city: Line = Field(min_length=1, max_length=CONTACT_LENGTHS["city"])
    postal_code: Line = Field(min_length=1, max_length=CONTACT_LENGTHS["postal_code"])
    country: Line = Field(min_length=1, max_length=CONTACT_LENGTHS["country"])


NO_ADDRESS: Final = {"street": "", "city": "", "postal_code": "", "country": ""}


class LineIn(Input):
    """So many copies of a book, which is named by its id or its ISBN."""

    book_id: UUID | None = None
    isbn: Text | None = Field(None, max_length=40, description="in any form")
    quantity: Count = Field(ge=1, le=MAX_QUANTITY)
    expected_unit_price: MoneyIn | None = Field(None, description="what the customer was shown; 409 if it has changed")

    @property
    def request(self) -> LineRequest:
        expected = self.expected_unit_price.money if self.expected_unit_price else None
        return LineRequest(quantity=self.quantity, book_id=self.book_id, isbn=self.isbn, expected_unit_price=expected)


class OrderIn(Input):
    """What a customer asks for. Lines of the same book become one."""

    model_config = ConfigDict(json_schema_extra={"examples": [AN_ORDER]})

    customer_name: Line = Field(min_length=1, max_length=CONTACT_LENGTHS["customer_name"])
    customer_email: Line | None = Field(None, max_length=CONTACT_LENGTHS["customer_email"])
    phone: Line | None = Field(None, max_length=CONTACT_LENGTHS["phone"])
    language: Language = "en"
    fulfilment: Literal["collect", "ship"] = "collect"
    address: AddressIn | None = Field(None, description="needed to ship")
    note: Text | None = Field(None, max_length=NOTE_LENGTH)
    external_reference: Line | None = Field(None, max_length=REFERENCE_LENGTH, description="yours; unique per key")
    if_unavailable: Literal["reject", "wait"] = Field(
        "reject", description="`wait`: keep what is there, and let the rest of each line wait for copies"
    )
    lines: list[LineIn] = Field(min_length=1, max_length=MAX_LINES)

    @property
    def contact(self) -> Contact:
        return Contact(
            customer_name=self.customer_name,
            customer_email=self.customer_email or "",
            phone=self.phone or "",
            language=self.language,
            fulfilment=self.fulfilment,
            note=self.note or "",
            **(self.address.model_dump() if self.address else NO_ADDRESS),
        )


class ContactPatch(Input):
    """What of the contact data is to change; what is left out stays as it is, null empties it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"customer_email": "alice.johnson@example.com"}]})

    customer_name: Line = Field("", min_length=1, max_length=CONTACT_LENGTHS["customer_name"])
    customer_email: Line | None = Field(None, max_length=CONTACT_LENGTHS["customer_email"])
    phone: Line | None = Field(None, max_length=CONTACT_LENGTHS["phone"])
    language: Language = "en"
    fulfilment: Literal["collect", "ship"] = "collect"
    address: AddressIn | None = None
    note: Text | None = Field(None, max_length=NOTE_LENGTH)

    @property
    def changes(self) -> ContactChanges:
        given = {name: value or "" for name, value in self.model_dump(exclude_unset=True).items() if name != "address"}
        if "address" in self.model_fields_set:
            given |= self.address.model_dump() if self.address else NO_ADDRESS
        return given  # type: ignore[return-value]  # the fields are those of the changes


class ShipIn(Input):
    tracking: Line | None = Field(None, max_length=TRACKING_LENGTH, description="the carrier's number")


class CancelIn(Input):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "customer"}]})

    reason: Reason
    note: Text | None = Field(None, max_length=CANCEL_NOTE_LENGTH)


class LineReasonIn(Input):
    """Why something is done to a line, for whoever reads the order's timeline."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "out of print"}]})

    reason: Line | None = Field(None, max_length=REASON_LENGTH)

    @classmethod
    def said(cls, body: LineReasonIn | None) -> str:
        return (body and body.reason) or ""


class LineOut(BaseModel):
    id: UUID
    book_id: UUID
    isbn: str | None
    title: str
    quantity: int
    allocated: int = Field(description="copies that are kept for the line now; 0 once it is shipped")
    unit_price: MoneyOut
    line_total: MoneyOut
    cancelled_at: datetime | None = Field(description="a line that is cancelled is no part of the total")

    @classmethod
    def of(cls, line: OrderLine, *, allocated: int) -> Self:
        return cls(
            id=line.id,
            book_id=line.book_id,
            isbn=line.isbn or None,
            title=line.title,
            quantity=line.quantity,
            allocated=allocated,
            unit_price=MoneyOut.of(line.unit_price),
            line_total=MoneyOut.of(line.line_total),
            cancelled_at=line.cancelled_at,
        )


class OrderOut(BaseModel):
    """An order with its lines; titles and prices are those of the day it was placed."""

    id: UUID
    number: str = Field(description="what staff and customer call it; it opens nothing")
    status: OrderStatus
    customer_name: str
    customer_email: str
    phone: str
    language: str
    fulfilment: Annotated[Fulfilment, inline(Fulfilment)]
    address: Address | None
    note: str
    external_reference: str | None
    total: MoneyOut
    lines: list[LineOut]
    tracking: str
    placed_at: datetime
    confirmed_at: datetime | None
    shipped_at: datetime | None
    cancelled_at: datetime | None
    cancel_reason: Annotated[CancelReason, inline(CancelReason)] | None
    cancel_note: str
    split_from: UUID | None = Field(description="the order of which this one has what was waited for")
    split_into: list[UUID] = Field(description="the orders that have what this one waited for")
    updated_at: datetime

    @classmethod
    def of(cls, read: ReadOrder, **more: str) -> Self:
        order = read.order
        return cls(
            id=order.id,
            number=order.number,
            status=Status(order.status),
            customer_name=order.customer_name,
            customer_email=order.customer_email,
            phone=order.phone,
            language=order.language,
            fulfilment=Fulfilment(order.fulfilment),
            address=_address(order),
            note=order.note,
            external_reference=order.external_reference or None,
            total=MoneyOut.of(order.total),
            lines=[LineOut.of(line, allocated=read.allocated.get(line.id, 0)) for line in read.lines],
            tracking=order.tracking,
            placed_at=order.placed_at,
            confirmed_at=order.confirmed_at,
            shipped_at=order.shipped_at,
            cancelled_at=order.cancelled_at,
            cancel_reason=CancelReason(order.cancel_reason) if order.cancel_reason else None,
            cancel_note=order.cancel_note,
            split_from=order.split_from_id,
            split_into=list(read.split_into),
            updated_at=order.updated_at,
            **more,
        )


class PlacedOrderOut(OrderOut):
    """A new order, with the link to its page, which is told here and nowhere else."""

    status_url: str = Field(description="for the customer alone: whoever has it sees the order")


class OrderPage(Page[OrderOut]):
    """A part of the orders."""


class OrderParameters(PageParameters):
    status: OrderStatus | None = None
    customer: Line | None = Field(
        None, min_length=1, max_length=254, description="beginnings of words in name and e-mail"
    )
    updated_since: Moment | None = Field(
        None, description="the orders changed since then, as they were changed, up to 60 s before now"
    )


class TimelineEntry(BaseModel):
    """Something that happened to the order."""

    id: UUID
    type: str
    occurred_at: datetime
    actor: str = Field(description="`user:…`, `key:…`; empty for the shop itself")
    request_id: str
    data: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(
            id=event.uid,
            type=event.name,
            occurred_at=event.occurred_at,
            actor=event.actor,
            request_id=event.correlation_id,
            data=event.data,
        )


class TimelinePage(Page[TimelineEntry]):
    """A part of what happened to the order, oldest first."""


def _address(order: Order) -> Address | None:
    if not (order.street or order.city or order.postal_code or order.country):
        return None
    return Address(street=order.street, city=order.city, postal_code=order.postal_code, country=order.country)
