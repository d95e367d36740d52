"""The orders' door for programs: /api/v1/orders."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from bookshelf_site.access.auth import needs
from bookshelf_site.access.idempotency import Made, answered_by
from bookshelf_site.json_api import documents, locate
from bookshelf_site.pages import AS_CHANGED, Ordering, PageParameters, paged, settled_since
from bookshelf_site.schemas import Nothing
from orders import services
from orders.api.schemas import (
    CancelIn,
    ContactPatch,
    LineReasonIn,
    OrderIn,
    OrderOut,
    OrderPage,
    OrderParameters,
    PlacedOrderOut,
    ShipIn,
    TimelineEntry,
    TimelinePage,
)
from orders.models import Order
from orders.services import ReadOrder

LATEST_FIRST: Final = Ordering(key="placed_at", descending=True)
OLDEST_FIRST: Final = Ordering(key="id")

router = Router()


def _placed(made: Made | str, response: HttpResponse) -> PlacedOrderOut:
    read: ReadOrder = made.in_hand if isinstance(made, Made) else services.read_order(order_id=UUID(made))
    locate(response, "get_order", read.order.pk)
    return PlacedOrderOut.of(read, status_url=read.order.status_url)


def _changed(order_id: UUID | str, response: HttpResponse) -> OrderOut:
    return _answer(order_id)


@router.post(
    "",
    operation_id="place_order",
    auth=needs("orders.add_order"),
    response={201: PlacedOrderOut},
    openapi_extra=documents("insufficient_stock", "not_for_sale", "price_changed", "duplicate", headers=("Location",)),
)
@answered_by(_placed)
def place_order(request: HttpRequest, body: OrderIn) -> Made:
    """Place an order: all its copies are kept for it, or none are, and it is refused."""
    placed = services.place_and_read(
        body.contact,
        [line.request for line in body.lines],
        external_reference=body.external_reference or "",
        may_wait=body.if_unavailable == "wait",
    )
    return Made(placed.order.pk, placed)


@router.get("", operation_id="list_orders", auth=needs("orders.view_order"), response=OrderPage)
def list_orders(request: HttpRequest, parameters: Query[OrderParameters]) -> OrderPage:
    """List the orders, the latest first."""
    orders = Order.objects.with_lines().with_splits()
    if parameters.status:
        orders = orders.filter(status=parameters.status)
    if parameters.customer:
        orders = orders.of_customer(parameters.customer)
    ordering = LATEST_FIRST
    if parameters.updated_since:
        orders, ordering = settled_since(orders, parameters.updated_since), AS_CHANGED
    found = paged(request, orders, ordering, parameters)
    return OrderPage(results=[OrderOut.of(read) for read in services.read_orders(found.rows)], **found.links)


@router.get("/{id:order_id}", operation_id="get_order", auth=needs("orders.view_order"), response=OrderOut)
def get_order(request: HttpRequest, order_id: UUID) -> OrderOut:
    """One order."""
    return _answer(order_id)


@router.get(
    "/{id:order_id}/timeline", operation_id="get_timeline", auth=needs("orders.view_order"), response=TimelinePage
)
def get_timeline(request: HttpRequest, order_id: UUID, parameters: Query[PageParameters]) -> TimelinePage:
    """All that happened to an order and who did it, oldest first."""
    found = paged(request, Order.objects.get(pk=order_id).timeline, OLDEST_FIRST, parameters)
    return TimelinePage(results=[TimelineEntry.of(event) for event in found.rows], **found.links)


@router.patch(
    "/{id:order_id}",
    operation_id="correct_contact",
    auth=needs("orders.change_order"),
    response=OrderOut,
    openapi_extra=documents("invalid_transition"),
)
def correct_contact(request: HttpRequest, order_id: UUID, body: ContactPatch) -> OrderOut:
    """Put the customer's data right, until the order is shipped or cancelled."""
    services.amend_contact(order_id=order_id, changes=body.changes)
    return _answer(order_id)


@router.post(
    "/{id:order_id}/confirm",
    operation_id="confirm_order",
    auth=needs("orders.confirm_order"),
    response=OrderOut,
    openapi_extra=documents("invalid_transition", "lines_waiting"),
)
@answered_by(_changed)
def confirm_order(request: HttpRequest, order_id: UUID, body: Nothing | None = None) -> UUID:
    """Promise the copies to the customer. What is confirmed already stays as it is."""
    return services.confirm_order(order_id=order_id).pk


@router.post(
    "/{id:order_id}/ship",
    operation_id="ship_order",
    auth=needs("orders.ship_order"),
    response=OrderOut,
    openapi_extra=documents("invalid_transition"),
)
@answered_by(_changed)
def ship_order(request: HttpRequest, order_id: UUID, body: ShipIn | None = None) -> UUID:
    """The copies leave the shop. What is shipped already stays as it is."""
    return services.ship_order(order_id=order_id, tracking=(body and body.tracking) or "").pk


@router.post(
    "/{id:order_id}/cancel",
    operation_id="cancel_order",
    auth=needs("orders.cancel_order"),
    response=OrderOut,
    openapi_extra=documents("invalid_transition"),
)
@answered_by(_changed)
def cancel_order(request: HttpRequest, order_id: UUID, body: CancelIn) -> UUID:
    """Call the order off; its copies are free again. What is cancelled already stays as it is."""
    return services.cancel_order(order_id=order_id, reason=body.reason, note=body.note or "").pk


@router.post(
    "/{id:order_id}/split",
    operation_id="split_order",
    auth=needs("orders.change_order"),
    response=OrderOut,
    openapi_extra=documents("nothing_to_split"),
)
@answered_by(_changed)
def split_order(request: HttpRequest, order_id: UUID, body: Nothing | None = None) -> UUID:
    """What is here can move on: what the order waits for goes to a new one, the last that `split_into` names."""
    return services.split_order(order_id=order_id).pk


@router.post(
    "/{id:order_id}/lines/{id:line_id}/cancel",
    operation_id="cancel_line",
    auth=needs("orders.cancel_order"),
    response=OrderOut,
    openapi_extra=documents("invalid_transition", "last_line"),
)
@answered_by(_changed)
def cancel_line(request: HttpRequest, order_id: UUID, line_id: UUID, body: LineReasonIn | None = None) -> UUID:
    """Call one line off while the order is PENDING. What is cancelled already stays as it is."""
    return services.cancel_line(order_id=order_id, line_id=line_id, reason=LineReasonIn.said(body)).pk


@router.post(
    "/{id:order_id}/lines/{id:line_id}/put-back",
    operation_id="put_back_line",
    auth=needs("orders.change_order"),
    response=OrderOut,
    openapi_extra=documents("invalid_transition"),
)
@answered_by(_changed)
def put_back_line(request: HttpRequest, order_id: UUID, line_id: UUID, body: LineReasonIn | None = None) -> UUID:
    """Let a line of a PENDING order wait again, as the last, so that somebody else can have its copies."""
    return services.put_back_line(order_id=order_id, line_id=line_id, reason=LineReasonIn.said(body)).pk


def _answer(order_id: UUID | str) -> OrderOut:
    """The order read again after a write."""
    return OrderOut.of(services.read_order(order_id=UUID(str(order_id))))
