"""The stock's door for programs: /api/v1/stock and /api/v1/notifications."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from bookshelf_site.access.auth import needs
from bookshelf_site.access.idempotency import answered_by
from bookshelf_site.bulk import ResultsOut, as_it_was
from bookshelf_site.json_api import documents
from bookshelf_site.pages import AS_CHANGED, NEWEST_FIRST, Ordering, PageParameters, paged, settled_since
from inventory import services
from inventory.api.schemas import (
    AdjustmentIn,
    CountIn,
    MovementOut,
    MovementPage,
    NotificationOut,
    NotificationPage,
    NotificationParameters,
    ReceiptIn,
    ReturnIn,
    StockOut,
    StockPage,
    StockParameters,
    StockRows,
    ThresholdIn,
)
from inventory.models import Notification, StockItem, StockMovement

BY_BOOK: Final = Ordering(key="book_id")
LATEST_FIRST: Final = Ordering(key="created_at", descending=True)
ADJUSTMENTS: Final = {
    "damaged": StockMovement.Kind.DAMAGED,
    "lost": StockMovement.Kind.LOST,
    "correction": StockMovement.Kind.CORRECTED,
}

stock = Router()
notifications = Router()


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


@stock.get("/{id:book_id}", operation_id="get_stock", auth=needs("inventory.view_stockitem"), response=StockOut)
def get_stock(request: HttpRequest, book_id: UUID) -> StockOut:
    """How many copies there are of one book; none, if none ever came."""
    return StockOut.of(StockItem.objects.of_book(book_id))


@stock.get(
    "/{id:book_id}/movements",
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


@stock.post(
    "/{id:book_id}/receipts",
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
    "/{id:book_id}/counts",
    operation_id="count_copies",
    auth=needs("inventory.adjust_stock"),
    response={201: MovementOut},
    openapi_extra=documents("copies_allocated"),
)
@answered_by(_movement)
def count_copies(request: HttpRequest, book_id: UUID, body: CountIn) -> int:
    """Set the shelf to what was counted. If it was right nothing moves: the movement says that somebody looked."""
    item = StockItem.objects.of_book(book_id)
    return services.count_copies(book_id=item.pk, counted=body.counted, reason=body.reason).pk


@stock.post(
    "/{id:book_id}/adjustments",
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
    "/{id:book_id}/returns",
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
    "/{id:book_id}", operation_id="set_low_stock_threshold", auth=needs("inventory.adjust_stock"), response=StockOut
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
