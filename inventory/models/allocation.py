"""Allocation: the copies that an order line has, waits for, was sent and brought back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q, Sum, Window
from django.db.models.functions import Coalesce, RowNumber
from django.utils import timezone

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import uuid7
from inventory.errors import NeverShipped


class AllocationQuerySet(models.QuerySet["Allocation"]):
    def of_order(self, order_id: UUID) -> Self:
        return self.filter(order_id=order_id)

    def of_orders(self, order_ids: Collection[UUID]) -> Self:
        return self.filter(order_id__in=order_ids)

    def of_line(self, order_id: UUID, line_id: UUID) -> Self:
        return self.filter(order_id=order_id, line_id=line_id)

    def of_book(self, book_id: UUID) -> Self:
        return self.filter(item_id=book_id)

    def of_number(self, order_number: str) -> Self:
        return self.filter(order_number=order_number)

    def promised(self) -> Self:
        return self.filter(allocated__gt=0)

    def open(self) -> Self:
        return self.filter(Q(allocated__gt=0) | Q(waiting_since__isnull=False))

    def waiting(self) -> Self:
        """Lines that wait for copies, the one that waits longest first."""
        return self.filter(waiting_since__isnull=False).order_by("waiting_since", "id")

    def next_in_line(self, book_ids: Collection[UUID], *, each: int) -> Self:
        """Of each of these books the lines that wait longest, no more than so many of each, in their turn."""
        turn = Window(RowNumber(), partition_by="item", order_by=["waiting_since", "id"])
        return self.waiting().filter(item__in=book_ids).annotate(turn=turn).filter(turn__lte=each)

    def waited_after(self, moment: datetime) -> Self:
        """Lines that still wait, or did until after this moment."""
        return self.filter(Q(waiting_since__isnull=False) | Q(waited_until__gt=moment))

    def order_numbers(self) -> list[str]:
        return sorted(set(self.filter(allocated__gt=0).values_list("order_number", flat=True)))

    def total(self) -> int:
        total: int = self.aggregate(total=Coalesce(Sum("allocated"), 0))["total"]
        return total


class Allocation(models.Model):
    """The copies promised to one order line; changed under the lock of its stock row only, never the order's."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    line_id = models.UUIDField(unique=True, editable=False)
    order_id = models.UUIDField(db_index=True, editable=False)
    order_number = models.CharField(max_length=12, editable=False)
    item = models.ForeignKey(
        "inventory.StockItem", on_delete=models.PROTECT, related_name="allocations", editable=False
    )
    wanted = models.PositiveIntegerField(editable=False)
    allocated = models.PositiveIntegerField(default=0, editable=False)
    shipped = models.PositiveIntegerField(default=0, editable=False)
    returned = models.PositiveIntegerField(default=0, editable=False)
    waiting_since: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True, editable=False
    )
    waited_until: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True, editable=False, help_text="when it last ceased to wait; from then on its order may expire"
    )

    objects = AllocationQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["item"], condition=Q(allocated__gt=0), name="allocation_open"),
            models.Index(
                fields=["item", "waiting_since", "id"],
                condition=Q(waiting_since__isnull=False),
                name="allocation_waiting",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(wanted__gte=1), name="allocation_wanted"),
            models.CheckConstraint(
                condition=Q(allocated__gte=0, shipped__gte=0) & Q(wanted__gte=F("allocated") + F("shipped")),
                name="allocation_within_wanted",
            ),
            models.CheckConstraint(condition=Q(allocated=0) | Q(shipped=0), name="allocation_sent_or_here"),
            models.CheckConstraint(
                condition=Q(returned__gte=0) & Q(returned__lte=F("shipped")), name="allocation_returned"
            ),
            models.CheckConstraint(
                condition=Q(waiting_since__isnull=True) | Q(wanted__gt=F("allocated") + F("shipped")),
                name="allocation_waiting_line",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.allocated} of {self.wanted} for {self.order_number}"

    @property
    def missing(self) -> int:
        return self.wanted - self.allocated - self.shipped

    def wait(self) -> None:
        """Get in line for what is missing."""
        self.waiting_since = timezone.now()

    def wait_no_longer(self) -> None:
        if self.waiting_since:
            self.waiting_since, self.waited_until = None, timezone.now()

    def take_back(self, quantity: int) -> None:
        """So many copies came back. Raises NeverShipped for more than were sent."""
        if quantity < 1:
            raise InvalidValue("quantity", "at least one copy comes back")
        if self.returned + quantity > self.shipped:
            raise NeverShipped(quantity=quantity, shipped=self.shipped, returned=self.returned)
        self.returned += quantity

    def move_to(self, *, order_id: UUID, order_number: str) -> None:
        """The line that waits, whole, is another order's now; it keeps its place."""
        self.order_id, self.order_number = order_id, order_number

    def split_off(self, *, line_id: UUID, order_id: UUID, order_number: str) -> Allocation:
        """What of the line waits, as a line of another order; it keeps its place."""
        rest = Allocation(
            line_id=line_id,
            order_id=order_id,
            order_number=order_number,
            item_id=self.item_id,
            wanted=self.missing,
            waiting_since=self.waiting_since,
        )
        self.wanted = self.allocated
        self.wait_no_longer()
        return rest
