"""Orders that nobody has confirmed in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.utils import timezone

from bookshelf_site.events import unit_of_work
from inventory import services as inventory
from orders.errors import NotAllExpired
from orders.models import Order
from orders.services.moving import MOVED

ASKED_AT_ONCE: Final = 500

log = structlog.get_logger(__name__)


def expire_orders() -> list[Order]:
    """Cancel the orders that nobody has confirmed in time, each in a transaction of its own.

    An order with a line that waits never expires; its time begins when the last one was filled. One that can't be
    cancelled keeps no other from it: it is logged, and NotAllExpired raised at the end.
    """
    if not settings.PENDING_ORDER_HOURS:
        return []
    moment = timezone.now() - timedelta(hours=settings.PENDING_ORDER_HOURS)
    expired: list[Order] = []
    failed: list[UUID] = []
    for order_id in _overdue(moment):
        try:
            expired += _expire(order_id, moment)
        except Exception:
            log.exception("an order could not be expired", order_id=str(order_id))
            failed.append(order_id)
    if failed:
        raise NotAllExpired(expired=[order.number for order in expired], failed=failed)
    return expired


def _overdue(moment: datetime) -> Iterator[UUID]:
    """Orders that were placed until then and have not waited since, the oldest first."""
    placed = list(Order.objects.pending().placed_until(moment).order_by("placed_at").values_list("pk", flat=True))
    for start in range(0, len(placed), ASKED_AT_ONCE):
        some = placed[start : start + ASKED_AT_ONCE]
        still_in_time = inventory.orders_that_waited_after(moment, some)
        yield from (order_id for order_id in some if order_id not in still_in_time)


@unit_of_work
def _expire(order_id: UUID, moment: datetime) -> list[Order]:
    """The order, expired; nothing if it was confirmed meanwhile, or has a line that waits after all."""
    order = Order.lock(order_id)
    if inventory.orders_that_waited_after(moment, [order_id]) or not order.expire():
        return []
    order.save(update_fields=MOVED)
    inventory.release_copies(order_id=order.id)
    return [order]
