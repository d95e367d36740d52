"""Where an order stands, what may become of it from there, and why it was called off."""

from __future__ import annotations

from django.db import models


class Status(models.TextChoices):
    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    SHIPPED = "SHIPPED"
    CANCELLED = "CANCELLED"


class CancelReason(models.TextChoices):
    CUSTOMER = "customer", "the customer changed their mind"
    OUT_OF_STOCK = "out_of_stock", "a book can't be had"
    EXPIRED = "expired", "it was never confirmed"
    DUPLICATE = "duplicate", "ordered twice"
    FRAUD = "fraud", "not a real order"
    OTHER = "other", "other"


TRANSITIONS: dict[str, tuple[str, ...]] = {
    Status.PENDING: (Status.CONFIRMED, Status.CANCELLED),
    Status.CONFIRMED: (Status.SHIPPED, Status.CANCELLED),
    Status.SHIPPED: (),
    Status.CANCELLED: (),
}
"""All that may happen to an order's status."""
