"""Orders with what only the stock knows of them; doors ask here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Subquery

from bookshelf_site.events.compiled import Compiled
from inventory import services as inventory
from inventory.services import MovedCopies
from inventory.services import Shelf as Shelf  # doors may name it
from orders.models import Order, OrderLine, OrderQuerySet, new_token


@dataclass(frozen=True, kw_only=True)
class ReadOrder:
    """An order as it is shown: its lines, the copies that are promised to each, and what was split from it."""

    order: Order
    lines: Sequence[OrderLine]
    allocated: Mapping[UUID, int]
    split_into: Sequence[UUID]


def read_order(*, order_id: UUID) -> ReadOrder:
    """The order as it is now. Raises DoesNotExist."""
    lines = _LINES([order_id])
    if not lines:
        raise Order.DoesNotExist
    order = lines[0].order
    return ReadOrder(
        order=order,
        lines=lines,
        allocated={line.pk: vars(line)["allocated"] for line in lines},
        # whatever is split is no longer as it was placed
        split_into=sorted(order.splits.values_list("pk", flat=True)) if order.version > 1 else [],
    )


def read_orders(orders: Collection[Order]) -> list[ReadOrder]:
    """Orders that were read `with_lines()` and `with_splits()`."""
    allocated = inventory.allocated_by_line([order.pk for order in orders])
    return [
        ReadOrder(
            order=order,
            lines=list(order.lines.all()),
            allocated=allocated,
            split_into=sorted(split.pk for split in order.splits.all()),
        )
        for order in orders
    ]


_LINES = Compiled(
    lambda order_ids: (
        OrderLine.objects.filter(order_id__in=order_ids)
        .select_related("order")
        .annotate(allocated=Subquery(inventory.allocated_copies(OuterRef("pk"))))
    )
)
"""The lines of an order with the order itself, and `allocated`, in one statement: most answers need them."""


@dataclass(frozen=True, kw_only=True)
class PromisedLine:
    """A line and the copies that are set aside for it; `missing` ones are still waited for."""

    line: OrderLine
    allocated: int
    missing: int


def promised_lines(order: Order) -> list[PromisedLine]:
    """The lines of an order as the shelf sees them; of what is closed or cancelled nothing is missing any more."""
    return promised_by_order([order])[order.pk]


def promised_by_order(orders: Collection[Order]) -> dict[UUID, list[PromisedLine]]:
    """The lines of these orders as the shelf sees them, by order."""
    allocated = inventory.allocated_by_line([order.pk for order in orders])
    return {order.pk: [_promised(order, line, allocated) for line in order.lines.all()] for order in orders}


def returned_by_line(order: Order) -> dict[UUID, int]:
    """How many copies of each line the customer brought back, of those of which any were."""
    return inventory.returned_by_line(order.pk)


def with_settled_copies(orders: OrderQuerySet) -> OrderQuerySet:
    """Each with `settled`, which tells by itself, without its lines, whether its copies stand as they stood."""
    return orders.annotate(settled=Subquery(inventory.settled_copies(OuterRef("pk"))))


_OPENED = Compiled(lambda tokens: with_settled_copies(Order.objects.with_token(tokens[0])), stand_in=new_token)


def opened_by(token: str) -> Order | None:
    """The order that this link opens, with `settled`, for one query; open pages ask for it again and again."""
    return next(iter(_OPENED([token])), None)


def shelves_of(order: Order) -> dict[UUID, Shelf]:
    """How the copies of its books stand, by book."""
    return inventory.shelves([line.book_id for line in order.lines.all()])


def waiting(orders: OrderQuerySet) -> OrderQuerySet:
    """Those that have a line that waits for copies."""
    return orders.filter(pk__in=inventory.waiting_orders())


def not_waiting(orders: OrderQuerySet) -> OrderQuerySet:
    """Those of which no line waits: their copies are here, gone, or free again."""
    return orders.exclude(pk__in=inventory.waiting_orders())


def with_waits(orders: OrderQuerySet) -> OrderQuerySet:
    """Each with `waits`: whether a line of it waits for copies."""
    return orders.annotate(waits=Exists(inventory.waiting_orders().filter(order_id=OuterRef("pk"))))


def movements_of(order: Order) -> list[MovedCopies]:
    """The copies that moved for the order, oldest first."""
    return inventory.moved_copies(order.pk)


def _promised(order: Order, line: OrderLine, allocated: Mapping[UUID, int]) -> PromisedLine:
    here = allocated.get(line.pk, 0)
    is_open = bool(order.allowed) and not line.cancelled_at
    return PromisedLine(line=line, allocated=here, missing=line.quantity - here if is_open else 0)
