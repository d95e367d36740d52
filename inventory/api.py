"""The stock's door for programs: /api/v1/stock and /api/v1/notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field

from bookshelf_site.access.auth import needs
from bookshelf_site.access.idempotency import answered_by
from bookshelf_site.bulk import READ_ALONE, ResultsOut, Rows, as_it_was
from bookshelf_site.errors import InvalidValue
from bookshelf_site.json_api import documents
from bookshelf_site.pages import AS_CHANGED, NEWEST_FIRST, Ordering, Page, PageParameters, paged, settled_since
from bookshelf_site.schemas import Count, Input, Line, Moment, growing, inline
from inventory import services
from inventory.models import MAX_COPIES, Notification, StockItem, StockMovement
from inventory.services import StockRow

BY_BOOK: Final = Ordering(key="book_id")
LATEST_FIRST: Final = Ordering(key="created_at", descending=True)
ADJUSTMENTS: Final = {
    "damaged": StockMovement.Kind.DAMAGED,
    "lost": StockMovement.Kind.LOST,
    "correction": StockMovement.Kind.CORRECTED,
}
REASON_LENGTH: Final = 200
A_COUNT: Final[dict[str, Any]] = {"isbn": "9780743273565", "counted": 7, "reason": "stocktake"}
NotificationKind = Annotated[Notification.Kind, inline(Notification.Kind)]

stock = Router()
notifications = Router()


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

    id: int
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
            id=movement.pk,
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
    isbn: str | None = Field(None, strict=True, pattern="^[0-9]{13}$", description="the 13 digits")
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
        return StockRow(**self.model_dump() | {"reason": self.reason or ""})


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


@stock.get("", operation_id="list_stock", auth=needs("inventory.view_stockitem"), response=StockPage)
def list_stock(request: HttpRequest, parameters: Query[StockParameters]) -> StockPage:
    """How many copies there are of each book. With `updated_since` the feed of availability."""
    items = StockItem.objects.with_book()
    if parameters.low is not None:
        items = items.low() if parameters.low else items.not_low()
    ordering = BY_BOOK
    if parameters.updated_since:
        items, ordering = settled_since(items, parameters.updated_since), AS_CHANGED
    found = paged(request, items, ordering, parameters)
    return StockPage(results=[StockOut.of(item) for item in found.rows], **found.links)


@stock.post(
    "/bulk",
    operation_id="move_copies",
    auth=needs("inventory.receive_copies", "inventory.adjust_stock"),
    response=ResultsOut,
    openapi_extra=documents("rows_refused"),
)
@answered_by(as_it_was)
def move_copies(request: HttpRequest, body: StockRows) -> list[Any]:
    """Receive or count the copies of up to 500 books; each result has the id of its movement, if anything moved."""
    return body.taken_over(lambda row: row.meant, services.move_copies)


@stock.get("/{uuid:book_id}", operation_id="get_stock", auth=needs("inventory.view_stockitem"), response=StockOut)
def get_stock(request: HttpRequest, book_id: UUID) -> StockOut:
    """How many copies there are of one book; none, if none ever came."""
    return StockOut.of(StockItem.objects.of_book(book_id))


@stock.get(
    "/{uuid:book_id}/movements",
    operation_id="list_movements",
    auth=needs("inventory.view_stockmovement"),
    response=MovementPage,
)
def list_movements(request: HttpRequest, book_id: UUID, parameters: Query[PageParameters]) -> MovementPage:
    """The ledger of a book: every copy that came, went, or was promised."""
    item = StockItem.objects.of_book(book_id)
    found = paged(request, StockMovement.objects.of_book(item.pk), NEWEST_FIRST, parameters)
    return MovementPage(results=[MovementOut.of(movement) for movement in found.rows], **found.links)


def _movement(movement_id: int, response: HttpResponse) -> MovementOut:
    return MovementOut.of(StockMovement.objects.get(pk=movement_id))


def _movement_if_any(movement_id: int | None, response: HttpResponse) -> Status[MovementOut | None]:
    return Status(204, None) if movement_id is None else Status(201, _movement(movement_id, response))


@stock.post(
    "/{uuid:book_id}/receipts",
    operation_id="receive_copies",
    auth=needs("inventory.receive_copies"),
    response={201: MovementOut},
)
@answered_by(_movement)
def receive_copies(request: HttpRequest, book_id: UUID, body: ReceiptIn) -> int:
    """Put delivered copies on the shelf; lines that wait for them are filled, oldest first."""
    item = StockItem.objects.of_book(book_id)
    return services.receive_copies(book_id=item.pk, quantity=body.quantity, reason=body.reason or "").pk


@stock.post(
    "/{uuid:book_id}/counts",
    operation_id="count_copies",
    auth=needs("inventory.adjust_stock"),
    response={201: MovementOut, 204: None},
    openapi_extra=documents("copies_allocated"),
)
@answered_by(_movement_if_any)
def count_copies(request: HttpRequest, book_id: UUID, body: CountIn) -> int | None:
    """Set the shelf to what was counted; 204 if the count was as expected, for then nothing moved."""
    item = StockItem.objects.of_book(book_id)
    movement = services.count_copies(book_id=item.pk, counted=body.counted, reason=body.reason)
    return movement.pk if movement else None


@stock.post(
    "/{uuid:book_id}/adjustments",
    operation_id="adjust_stock",
    auth=needs("inventory.adjust_stock"),
    response={201: MovementOut},
    openapi_extra=documents("copies_allocated"),
)
@answered_by(_movement)
def adjust_stock(request: HttpRequest, book_id: UUID, body: AdjustmentIn) -> int:
    """Write off damaged or lost copies, or correct the shelf."""
    item = StockItem.objects.of_book(book_id)
    kind = ADJUSTMENTS[body.kind]
    return services.adjust_stock(book_id=item.pk, change=body.change, kind=kind, reason=body.reason).pk


@stock.post(
    "/{uuid:book_id}/returns",
    operation_id="return_copies",
    auth=needs("inventory.receive_copies"),
    response={201: MovementOut},
    openapi_extra=documents("more_than_shipped"),
)
@answered_by(_movement)
def return_copies(request: HttpRequest, book_id: UUID, body: ReturnIn) -> int:
    """Take back copies that were sent to a customer, in parts if need be. Damaged ones are written off at once."""
    take_back = services.return_damaged_copies if body.condition == "damaged" else services.return_copies
    item = StockItem.objects.of_book(book_id)
    reason = body.reason or ""
    return take_back(book_id=item.pk, order_id=body.order_id, quantity=body.quantity, reason=reason).pk


@stock.patch(
    "/{uuid:book_id}", operation_id="set_low_stock_threshold", auth=needs("inventory.adjust_stock"), response=StockOut
)
def set_low_stock_threshold(request: HttpRequest, book_id: UUID, body: ThresholdIn) -> StockOut:
    """From how many copies on the stock of a book is low, and the staff is told."""
    item = StockItem.objects.of_book(book_id)
    services.set_low_stock_threshold(book_id=item.pk, threshold=body.low_stock_threshold, reason=body.reason or "")
    return StockOut.of(StockItem.objects.of_book(book_id))


@notifications.get(
    "", operation_id="list_notifications", auth=needs("inventory.view_notification"), response=NotificationPage
)
def list_notifications(request: HttpRequest, parameters: Query[NotificationParameters]) -> NotificationPage:
    """What customers and staff are to be told, the latest first."""
    listed = Notification.objects.all()
    if parameters.order_id:
        listed = listed.filter(order_id=parameters.order_id)
    if parameters.kind:
        listed = listed.filter(kind=parameters.kind)
    found = paged(request, listed, LATEST_FIRST, parameters)
    return NotificationPage(results=[NotificationOut.of(one) for one in found.rows], **found.links)
