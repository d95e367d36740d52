"""StockItem: the counters of a book's copies. Whatever moves them writes a line of the ledger."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from bookshelf_site.errors import InvalidValue, checked_line
from bookshelf_site.events import current_actor
from bookshelf_site.events.aggregate import Aggregate
from bookshelf_site.events.models import Event
from inventory.events import (
    CopiesReceived,
    CopiesReturned,
    StockAdjusted,
    StockRanLow,
    ThresholdSet,
    WaitingFilled,
    WaitingPartlyFilled,
)
from inventory.models.allocation import Allocation
from inventory.models.ledger import StockMovement
from inventory.models.queries import StockItemQuerySet

MAX_COPIES = 1_000_000
MAX_ON_HAND = 1_000_000_000
REASON_LENGTH = 200


def checked_reason(text: str) -> str:
    """Why the shelf is put right by hand. Raises InvalidValue if nobody says."""
    reason = checked_line("reason", text, longest=REASON_LENGTH)
    if not reason:
        raise InvalidValue("reason", "say why, for whoever reads the ledger")
    return reason


class StockItem(Aggregate):
    """The copies of one book. available = on_hand − allocated; changed under this row's lock only."""

    book = models.OneToOneField(
        "catalog.Book", on_delete=models.PROTECT, primary_key=True, related_name="stock", editable=False
    )
    on_hand = models.PositiveIntegerField(default=0, editable=False)
    allocated = models.PositiveIntegerField(default=0, editable=False)
    was_on_hand = models.BooleanField(default=False, editable=False, help_text="has ever been on the shelf")
    is_watched = models.BooleanField(
        default=False, editable=False, help_text="was above its threshold: falling to it is news"
    )
    low_stock_threshold = models.PositiveIntegerField(
        null=True, blank=True, help_text="tell the staff at this many available copies; empty: the shop's own"
    )
    updated_at = models.DateTimeField(auto_now=True)

    objects = StockItemQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = "stock"
        verbose_name_plural = "stock"
        indexes: ClassVar = [
            models.Index(fields=["updated_at", "book"], name="stock_updated"),
            # of a large catalogue few books are on the shelf; PostgreSQL learns from it how few
            models.Index(F("on_hand") - F("allocated"), name="stock_available"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(on_hand__gte=0) & Q(allocated__gte=0) & Q(allocated__lte=F("on_hand")),
                name="stock_counters",
            ),
            models.CheckConstraint(condition=Q(on_hand=0) | Q(was_on_hand=True), name="stock_was_on_hand"),
            models.CheckConstraint(
                condition=Q(low_stock_threshold__isnull=True) | Q(low_stock_threshold__lte=MAX_COPIES),
                name="stock_threshold",
            ),
        ]
        permissions: ClassVar = [
            ("receive_copies", "Can receive copies from a supplier"),
            ("adjust_stock", "Can count and adjust stock"),
        ]

    def __str__(self) -> str:
        return f"{self.on_hand} on hand, {self.allocated} allocated"

    @property
    def available(self) -> int:
        return self.on_hand - self.allocated

    @property
    def threshold(self) -> int:
        return settings.LOW_STOCK_THRESHOLD if self.low_stock_threshold is None else self.low_stock_threshold

    @property
    def is_low(self) -> bool:
        counts = self.was_on_hand or self.low_stock_threshold is not None
        return counts and self.available <= self.threshold

    def watch(self) -> None:
        """Tell the staff when what can be had falls to the threshold: once, until it has risen above it again.

        Decided on what a unit of work leaves behind, not on what it passes through.
        """
        if self.available > self.threshold:
            self.is_watched = True
        elif self.is_watched:
            self.is_watched = False
            self.raise_event(StockRanLow(book_id=self.pk, available=self.available, threshold=self.threshold))

    @property
    def thresholds(self) -> models.QuerySet[Event]:
        """What was decided about when it is low, the latest first."""
        told = Event.objects.filter(stream=f"{self._meta.label_lower}:{self.pk}")
        return told.filter(name=ThresholdSet.name).order_by("-id")

    def set_threshold(self, threshold: int | None, *, reason: str = "") -> None:
        """From how many copies on the stock is low; None: the shop's own. It is no news to who sets it."""
        if threshold is not None and not 0 <= threshold <= MAX_COPIES:
            raise InvalidValue("low_stock_threshold", f"between 0 and {MAX_COPIES:,} copies, or none of its own")
        reason = checked_line("reason", reason, longest=REASON_LENGTH)
        if threshold != self.low_stock_threshold:
            self.raise_event(ThresholdSet(book_id=self.pk, threshold=threshold, reason=reason))
        self.low_stock_threshold = threshold
        self.is_watched = self.available > self.threshold

    def open_with(self, quantity: int, *, event_uid: UUID) -> StockMovement:
        """The copies with which a book comes into the catalogue."""
        return self._moved(StockMovement.Kind.OPENING, on_hand=quantity, event_uid=event_uid)

    def fill(self, line: Allocation, quantity: int) -> StockMovement:
        """Give so many copies to a line that waits; it waits no longer when it has them all."""
        movement = self.allocate(line, quantity)
        if not line.missing:
            line.wait_no_longer()
        self._tell_filled(line, quantity)
        return movement

    def _tell_filled(self, line: Allocation, quantity: int) -> None:
        of_line = {
            "book_id": self.pk,
            "order_id": line.order_id,
            "order_number": line.order_number,
            "line_id": line.line_id,
        }
        if line.missing:
            self.raise_event(WaitingPartlyFilled(**of_line, quantity=quantity, missing=line.missing))
        else:
            self.raise_event(WaitingFilled(**of_line, quantity=line.wanted))

    def allocate(self, line: Allocation, quantity: int) -> StockMovement:
        line.allocated += quantity
        return self._moved(StockMovement.Kind.ALLOCATED, allocated=quantity, line=line)

    def allocate_whole(self, line: Allocation) -> StockMovement:
        """Give a line that was born with all its copies these copies."""
        return self._moved(StockMovement.Kind.ALLOCATED, allocated=line.allocated, line=line)

    def release(self, line: Allocation) -> StockMovement:
        """What was promised to the line is free again."""
        quantity, line.allocated = line.allocated, 0
        return self._moved(StockMovement.Kind.RELEASED, allocated=-quantity, line=line)

    def put_back(self, line: Allocation) -> StockMovement:
        """What was promised to the line is free for somebody else; the line waits again, as the last."""
        quantity, line.allocated = line.allocated, 0
        line.waiting_since = timezone.now()
        return self._moved(StockMovement.Kind.UNALLOCATED, allocated=-quantity, line=line)

    def ship(self, line: Allocation) -> StockMovement:
        """What was promised to the line leaves the shelf."""
        quantity, line.allocated = line.allocated, 0
        line.shipped += quantity
        return self._moved(StockMovement.Kind.SHIPPED, on_hand=-quantity, allocated=-quantity, line=line)

    def take_back(self, line: Allocation, quantity: int, *, reason: str = "") -> list[StockMovement]:
        """What was sent comes back and can be sold again. Raises NeverShipped for more than was sent."""
        returned = self._returned(line, quantity, reason)
        self._tell_returned(line, quantity, is_damaged=False)
        return [returned]

    def take_back_damaged(self, line: Allocation, quantity: int, *, reason: str = "") -> list[StockMovement]:
        """What was sent comes back and can't be sold: the ledger says that it came, and that it is written off."""
        returned = self._returned(line, quantity, reason)
        reason = returned.reason or "came back damaged"
        written_off = self._moved(StockMovement.Kind.DAMAGED, on_hand=-quantity, line=line, reason=reason)
        self._tell_returned(line, quantity, is_damaged=True)
        return [returned, written_off]

    def _returned(self, line: Allocation, quantity: int, reason: str) -> StockMovement:
        line.take_back(quantity)
        self._refuse_overflow("quantity", quantity)
        reason = checked_line("reason", reason, longest=REASON_LENGTH)
        return self._moved(StockMovement.Kind.RETURNED, on_hand=quantity, line=line, reason=reason)

    def _tell_returned(self, line: Allocation, quantity: int, *, is_damaged: bool) -> None:
        self.raise_event(
            CopiesReturned(
                book_id=self.pk,
                order_id=line.order_id,
                line_id=line.line_id,
                quantity=quantity,
                is_damaged=is_damaged,
                on_hand=self.on_hand,
            )
        )

    def receive(self, quantity: int, *, reason: str = "") -> StockMovement:
        if not 1 <= quantity <= MAX_COPIES:
            raise InvalidValue("quantity", f"receive between 1 and {MAX_COPIES:,} copies")
        self._refuse_overflow("quantity", quantity)
        reason = checked_line("reason", reason, longest=REASON_LENGTH)
        movement = self._moved(StockMovement.Kind.RECEIVED, on_hand=quantity, reason=reason)
        self.raise_event(CopiesReceived(book_id=self.pk, quantity=quantity, on_hand=self.on_hand))
        return movement

    def adjust(self, change: int, *, kind: StockMovement.Kind, reason: str) -> StockMovement:
        """Put the shelf right by hand; the caller has made sure that what is promised stays there."""
        self._refuse_overflow("change", change)
        movement = self._moved(kind, on_hand=change, reason=checked_reason(reason))
        self.raise_event(
            StockAdjusted(book_id=self.pk, kind=kind, change=change, on_hand=self.on_hand, reason=movement.reason)
        )
        return movement

    def found_right(self, *, reason: str) -> StockMovement:
        """The shelf was counted and holds what it should: nothing moves, and the ledger says that somebody looked."""
        return self._moved(StockMovement.Kind.COUNTED, reason=checked_reason(reason))

    def _refuse_overflow(self, field: str, change: int) -> None:
        if self.on_hand + change > MAX_ON_HAND:
            raise InvalidValue(field, f"the shelf holds {self.on_hand:,} copies, and at most {MAX_ON_HAND:,}")

    def _moved(
        self,
        kind: StockMovement.Kind,
        *,
        on_hand: int = 0,
        allocated: int = 0,
        line: Allocation | None = None,
        event_uid: UUID | None = None,
        reason: str = "",
    ) -> StockMovement:
        """Move the counters and write down why."""
        self.on_hand += on_hand
        self.allocated += allocated
        self.was_on_hand = self.was_on_hand or self.on_hand > 0
        return StockMovement(
            item=self,
            kind=kind,
            on_hand_change=on_hand,
            allocated_change=allocated,
            on_hand=self.on_hand,
            allocated=self.allocated,
            line_id=line.line_id if line else None,
            order_id=line.order_id if line else None,
            event_uid=event_uid,
            reason=reason,
            actor=current_actor(),
        )
