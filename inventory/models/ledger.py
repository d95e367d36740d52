"""The ledger: every movement of copies, which proves how many there are."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q


class StockMovementQuerySet(models.QuerySet["StockMovement"]):
    def of_book(self, book_id: UUID) -> Self:
        return self.filter(item_id=book_id)

    def of_order(self, order_id: UUID) -> Self:
        return self.filter(order_id=order_id)

    def latest_first(self) -> Self:
        return self.order_by("-id")

    def opened_by(self, event_uids: Collection[UUID]) -> set[UUID]:
        """Which of these events have put their opening copies on the shelf already."""
        opened = self.filter(kind=StockMovement.Kind.OPENING, event_uid__in=event_uids)
        return {uid for uid in opened.values_list("event_uid", flat=True) if uid}


class StockMovement(models.Model):
    """One line of the ledger: what changed, the balance after it, why and by whom. Never changed, never deleted."""

    class Kind(models.TextChoices):
        OPENING = "opening"
        ALLOCATED = "allocated"
        SHIPPED = "shipped"
        RELEASED = "released"
        UNALLOCATED = "unallocated"
        RECEIVED = "received"
        COUNTED = "counted"
        DAMAGED = "damaged"
        LOST = "lost"
        CORRECTED = "corrected"
        RETURNED = "returned"

    id = models.BigAutoField(primary_key=True)
    item = models.ForeignKey(
        "inventory.StockItem", on_delete=models.PROTECT, related_name="movements", editable=False, db_index=False
    )
    kind = models.CharField(max_length=11, choices=Kind, editable=False)
    on_hand_change = models.IntegerField(editable=False)
    allocated_change = models.IntegerField(editable=False)
    on_hand = models.PositiveIntegerField(editable=False, help_text="on hand after it")
    allocated = models.PositiveIntegerField(editable=False, help_text="allocated after it")
    line_id = models.UUIDField(null=True, editable=False)
    order_id = models.UUIDField(null=True, editable=False, db_index=True)
    event_uid = models.UUIDField(null=True, editable=False)
    reason = models.CharField(max_length=200, editable=False)
    actor = models.CharField(max_length=150, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = StockMovementQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        indexes: ClassVar = [models.Index(fields=["item", "id"], name="movement_item")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event_uid"], condition=Q(kind="opening"), name="movement_opening_once"),
            models.UniqueConstraint(
                fields=["line_id", "kind"], condition=Q(kind__in=["shipped", "released"]), name="movement_line_once"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["opening", "received", "returned"], on_hand_change__gt=0, allocated_change=0)
                | Q(kind="allocated", on_hand_change=0, allocated_change__gt=0)
                | Q(kind__in=["released", "unallocated"], on_hand_change=0, allocated_change__lt=0)
                | Q(kind="shipped", on_hand_change__lt=0, allocated_change=F("on_hand_change"))
                | Q(kind__in=["damaged", "lost"], on_hand_change__lt=0, allocated_change=0)
                | Q(kind="counted", allocated_change=0)
                | (Q(kind="corrected", allocated_change=0) & ~Q(on_hand_change=0)),
                name="movement_fits_kind",
            ),
            models.CheckConstraint(
                condition=Q(line_id__isnull=False, order_id__isnull=False)
                | ~Q(kind__in=["allocated", "released", "unallocated", "shipped", "returned"]),
                name="movement_names_line",
            ),
            models.CheckConstraint(
                condition=Q(event_uid__isnull=False) | ~Q(kind="opening"), name="movement_names_event"
            ),
            models.CheckConstraint(condition=Q(allocated__lte=F("on_hand")), name="movement_balance"),
            models.CheckConstraint(
                condition=~Q(kind__in=["counted", "damaged", "lost", "corrected"]) | ~Q(reason=""),
                name="movement_has_reason",
            ),
        ]

    def __str__(self) -> str:
        if not (self.on_hand_change or self.allocated_change):
            return f"{self.kind}, as expected"
        return f"{self.kind} {self.on_hand_change:+} on hand, {self.allocated_change:+} allocated"
