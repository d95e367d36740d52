"""Orders and their lines: what a customer asked for, and who may do what to it when."""

from __future__ import annotations

from orders.models.contact import CONTACT_LENGTHS, NOTE_LENGTH, Contact, ContactChanges, Fulfilment, languages
from orders.models.line import MAX_QUANTITY, OrderLine
from orders.models.links import LinkLimit, LinkRequest
from orders.models.order import (
    CANCEL_NOTE_LENGTH,
    MAX_LINES,
    REASON_LENGTH,
    REFERENCE_LENGTH,
    TRACKING_LENGTH,
    Order,
    SplitOrder,
    new_token,
)
from orders.models.queries import OrderQuerySet
from orders.models.status import TRANSITIONS, CancelReason, Status

__all__ = [
    "CANCEL_NOTE_LENGTH",
    "CONTACT_LENGTHS",
    "MAX_LINES",
    "MAX_QUANTITY",
    "NOTE_LENGTH",
    "REASON_LENGTH",
    "REFERENCE_LENGTH",
    "TRACKING_LENGTH",
    "TRANSITIONS",
    "CancelReason",
    "Contact",
    "ContactChanges",
    "Fulfilment",
    "LinkLimit",
    "LinkRequest",
    "Order",
    "OrderLine",
    "OrderQuerySet",
    "SplitOrder",
    "Status",
    "languages",
    "new_token",
]
