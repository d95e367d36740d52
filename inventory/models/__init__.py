"""Stock: the copies on the shelf, to whom they are promised, and the ledger that proves it."""

from __future__ import annotations

from inventory.models.allocation import Allocation, AllocationQuerySet
from inventory.models.ledger import StockMovement, StockMovementQuerySet
from inventory.models.notification import Notification, NotificationQuerySet
from inventory.models.queries import StockItemQuerySet
from inventory.models.stock import MAX_COPIES, MAX_ON_HAND, REASON_LENGTH, StockItem, checked_reason
from inventory.models.tally import Scan, Stocktake

__all__ = [
    "MAX_COPIES",
    "MAX_ON_HAND",
    "REASON_LENGTH",
    "Allocation",
    "AllocationQuerySet",
    "Notification",
    "NotificationQuerySet",
    "Scan",
    "StockItem",
    "StockItemQuerySet",
    "StockMovement",
    "StockMovementQuerySet",
    "Stocktake",
    "checked_reason",
]
