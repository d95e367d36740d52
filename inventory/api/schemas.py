"""What programs send to the stock and read from it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from bookshelf_site.bulk import READ_ALONE, Rows
from bookshelf_site.errors import InvalidValue
from bookshelf_site.pages import Page, PageParameters
from bookshelf_site.schemas import Count, Input, Line, Moment, Text, growing, inline
from catalog.isbn import InvalidIsbn, normalise_isbn
from inventory.models import MAX_COPIES, REASON_LENGTH, Notification, StockItem, StockMovement
from inventory.services import StockRow

A_COUNT: Final[dict[str, Any]] = {"isbn": "9780743273565", "counted": 7, "reason": "stocktake"}
NotificationKind = Annotated[Notification.Kind, inline(Notification.Kind)]


class StockOut(BaseModel):
    """The copies of a book: on the shelf, promised to orders, and left."""

    book_id: UUID
    isbn: str | None
    title: str
    on_hand: int
    allocated: int
    available: int
    low_stock_threshold: int = Field(description="the book's own, or the shop's")
    is_low: bool
    updated_at: datetime | None = Field(description="null: no copy ever came")

    @classmethod
    def of(cls, item: StockItem) -> Self:
        return cls(
            book_id=item.book_id,
            isbn=item.book.isbn,
            title=item.book.title,
            on_hand=item.on_hand,
            allocated=item.allocated,
            available=item.available,
            low_stock_threshold=item.threshold,
            is_low=item.is_low,
            updated_at=item.updated_at,
        )


class StockPage(Page[StockOut]):
    """A part of the stock."""


class StockParameters(PageParameters):
    low: bool | None = Field(None, description="whether the copies that are left are at or below the threshold")
    updated_since: Moment | None = Field(
        None, description="the stock that moved since then, as it moved, up to 60 s before now"
    )


class MovementOut(BaseModel):
    """A line of the ledger: what changed, and how much there was after it."""

    id: str
    book_id: UUID
    kind: Annotated[StockMovement.Kind, growing(StockMovement.Kind)]
    on_hand_change: int
    allocated_change: int
    on_hand: int
    allocated: int
    order_id: UUID | None
    line_id: UUID | None
    reason: str
    actor: str
    created_at: datetime

    @classmethod
    def of(cls, movement: StockMovement) -> Self:
        return cls(
            id=str(movement.pk),
            book_id=movement.item_id,
            kind=StockMovement.Kind(movement.kind),
            on_hand_change=movement.on_hand_change,
            allocated_change=movement.allocated_change,
            on_hand=movement.on_hand,
            allocated=movement.allocated,
            order_id=movement.order_id,
            line_id=movement.line_id,
            reason=movement.reason,
            actor=movement.actor,
            created_at=movement.created_at,
        )


class MovementPage(Page[MovementOut]):
    """A part of the ledger of a book, the newest first."""


class ReceiptIn(Input):
    model_config = ConfigDict(json_schema_extra={"examples": [{"quantity": 20, "reason": "delivery note 4711"}]})

    quantity: Count = Field(ge=1, le=MAX_COPIES)
    reason: Line | None = Field(None, max_length=REASON_LENGTH, description="such as the supplier's delivery note")


class CountIn(Input):
    model_config = ConfigDict(json_schema_extra={"examples": [{"counted": 7, "reason": "stocktake"}]})

    counted: Count = Field(ge=0, le=MAX_COPIES, description="all copies on the shelf, those that are promised too")
    reason: Line = Field(min_length=1, max_length=REASON_LENGTH)


class AdjustmentIn(Input):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"change": -1, "kind": "damaged", "reason": "water damage"}],
            "if": {"properties": {"kind": {"enum": ["damaged", "lost"]}}},
            "then": {"properties": {"change": {"maximum": -1}}},
        }
    )

    change: Count = Field(
        ge=-MAX_COPIES,
        le=MAX_COPIES,
        description="-1: a copy fewer; up only as a correction",
        json_schema_extra={"not": {"const": 0}},
    )
    kind: Literal["damaged", "lost", "correction"]
    reason: Line = Field(min_length=1, max_length=REASON_LENGTH)


class ReturnIn(Input):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"order_id": "0199c8f0-7d2a-7c3e-9f43-8b7c1c9b2f10", "quantity": 1}]}
    )

    order_id: UUID = Field(description="with which the copies were sent")
    quantity: Count = Field(ge=1, le=MAX_COPIES)
    condition: Literal["shelf", "damaged"] = Field(
        "shelf", description="`shelf`: they can be sold again; `damaged`: they are written off"
    )
    reason: Line | None = Field(None, max_length=REASON_LENGTH)


class ThresholdIn(Input):
    model_config = ConfigDict(json_schema_extra={"examples": [{"low_stock_threshold": 5}]})

    low_stock_threshold: Count | None = Field(ge=0, le=MAX_COPIES, description="null: the shop's own")
    reason: Line | None = Field(None, max_length=REASON_LENGTH)


class StockRowIn(Input):
    """Copies of one book, named by its id or its ISBN: how many were `received`, or how many were `counted`."""

    model_config = ConfigDict(json_schema_extra={"examples": [A_COUNT]})

    book_id: UUID | None = None
    isbn: Text | None = Field(None, max_length=40, description="in any form")
    received: Count | None = Field(None, ge=1, le=MAX_COPIES)
    counted: Count | None = Field(
        None, ge=0, le=MAX_COPIES, description="all on the shelf, those that are promised too"
    )
    reason: Line | None = Field(None, max_length=REASON_LENGTH, description="needed for a count")

    @property
    def meant(self) -> StockRow:
        if (self.book_id is None) == (self.isbn is None):
            raise InvalidValue("book_id", "name the book either by `book_id` or by `isbn`")
        if (self.received is None) == (self.counted is None):
            raise InvalidValue("received", "give either `received` or `counted`")
        return StockRow(**self.model_dump() | {"isbn": _isbn(self.isbn), "reason": self.reason or ""})


class StockRows(Rows[Annotated[StockRowIn, READ_ALONE]]):
    """Up to 500 deliveries and counts."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rows": [A_COUNT], "atomic": True}]})


class NotificationOut(BaseModel):
    """What somebody is to be told, and whether its mail went out."""

    id: UUID
    kind: Annotated[Notification.Kind, growing(Notification.Kind)]
    audience: Annotated[Notification.Audience, inline(Notification.Audience)]
    order_id: UUID | None
    book_id: UUID | None
    message: str
    channel: Annotated[Notification.Channel, growing(Notification.Channel)]
    status: Annotated[Notification.Status, inline(Notification.Status)]
    sent_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, notification: Notification) -> Self:
        return cls(
            id=notification.id,
            kind=Notification.Kind(notification.kind),
            audience=Notification.Audience(notification.audience),
            order_id=notification.order_id,
            book_id=notification.book_id,
            message=notification.message,
            channel=Notification.Channel(notification.channel),
            status=Notification.Status(notification.status),
            sent_at=notification.sent_at,
            created_at=notification.created_at,
        )


class NotificationPage(Page[NotificationOut]):
    """A part of the notifications, the latest first."""


class NotificationParameters(PageParameters):
    order_id: UUID | None = None
    kind: NotificationKind | None = None


def _isbn(text: str | None) -> str | None:
    """The 13 digits of what was sent. Raises InvalidValue."""
    try:
        return text if text is None else normalise_isbn(text)
    except InvalidIsbn as error:
        raise InvalidValue("isbn", str(error)) from error
