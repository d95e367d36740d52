"""Stock: the copies on the shelf, to whom they are promised, and the ledger that proves it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Min, Q, Subquery, Sum, Value, Window
from django.db.models.functions import Coalesce, RowNumber
from django.utils import timezone

from bookshelf_site.errors import InvalidValue, checked_line
from bookshelf_site.events import current_actor, uuid7
from bookshelf_site.events.aggregate import Aggregate, AggregateQuerySet
from bookshelf_site.events.models import Event
from bookshelf_site.events.statements import Compiled, insert_missing
from inventory.errors import NeverShipped
from inventory.events import (
    CopiesReceived,
    CopiesReturned,
    NotificationRecorded,
    ResendRequested,
    StockAdjusted,
    StockRanLow,
    ThresholdSet,
    WaitingFilled,
)
from inventory.tally import Scan as Scan
from inventory.tally import Stocktake as Stocktake

MAX_COPIES = 1_000_000
MAX_ON_HAND = 1_000_000_000
REASON_LENGTH = 200


def checked_reason(text: str) -> str:
    """Why the shelf is put right by hand. Raises InvalidValue if nobody says."""
    reason = checked_line("reason", text, longest=REASON_LENGTH)
    if not reason:
        raise InvalidValue("reason", "say why, for whoever reads the ledger")
    return reason


class StockItemQuerySet(AggregateQuerySet["StockItem"]):
    def locked_for(self, book_ids: Collection[UUID]) -> dict[UUID, StockItem]:
        """The stock of these books by book, locked in one query by ascending key; made where there is none.

        Everybody locks in this order, so that two orders of the same books can't wait for each other. If one is missing
        none is locked before it is made: who holds one row and makes another may have to wait for it.
        """
        wanted = set(book_ids)
        items = _LOCKED_IF_ALL_THERE(wanted)
        if len(items) < len(wanted):
            insert_missing([StockItem(book_id=book_id) for book_id in sorted(wanted)])
            items = StockItem.lock_all(wanted)
        return {item.pk: item for item in items}

    def if_all_there(self, book_ids: Collection[UUID]) -> Self:
        """The stock of these books, or none if one of them has no row."""
        there = StockItem.objects.filter(pk__in=book_ids).order_by().annotate(one=Value(1)).values("one")
        counted = there.annotate(count=Count("*")).values("count")
        return self.filter(pk__in=book_ids).alias(there=Subquery(counted)).filter(there=len(book_ids))

    def locked_of(self, lines: AllocationQuerySet) -> Self:
        """The stock of the books that these lines are about, locked by ascending key."""
        return self.filter(pk__in=lines.order_by().values("item")).locked().order_by("pk")

    def locked_by_key(self) -> dict[UUID, StockItem]:
        return {item.pk: item for item in self.locked().order_by("pk")}

    def locked_one(self, book_id: UUID) -> StockItem:
        return self.locked_for([book_id])[book_id]

    def with_book(self) -> Self:
        return self.select_related("book")

    def of_book(self, book_id: UUID) -> StockItem:
        """The stock of a book; zeros, not saved, where there is no row. An unknown book raises its DoesNotExist."""
        item = self.with_book().filter(pk=book_id).first()
        return item or StockItem(book=StockItem.book.get_queryset().get(pk=book_id))

    def of_books(self, book_ids: Collection[UUID]) -> list[StockItem]:
        """The stock of these books, with them; zeros, not saved, where there is no row."""
        items = list(self.with_book().filter(pk__in=book_ids))
        missing = set(book_ids) - {item.pk for item in items}
        books = StockItem.book.get_queryset().filter(pk__in=missing) if missing else []
        return items + [StockItem(book=book) for book in books]

    def books_named(self, *, book_ids: Collection[UUID], isbns: Collection[str]) -> dict[UUID | str | None, UUID]:
        """The ids of the books that there are, by id and by ISBN."""
        books = StockItem.book.get_queryset().filter(Q(pk__in=book_ids) | Q(isbn__in=isbns))
        found = list(books.values_list("pk", "isbn"))
        return {pk: pk for pk, _ in found} | {isbn: pk for pk, isbn in found if isbn}

    def available(self) -> Self:
        return self.filter(on_hand__gt=F("allocated"))

    def waited_for(self) -> Self:
        """Of books for which an order line waits."""
        return self.filter(pk__in=Allocation.objects.waiting().order_by().values("item"))

    def by_waiting(self) -> Self:
        """Books for which lines wait, the longest waited for first; with how many lines and how many copies."""
        waits = Q(allocations__waiting_since__isnull=False)
        missing = F("allocations__wanted") - F("allocations__allocated") - F("allocations__shipped")
        return (
            self.with_book()
            .filter(waits)
            .annotate(
                since=Min("allocations__waiting_since", filter=waits),
                lines=Count("allocations", filter=waits),
                missing=Sum(missing, filter=waits),
            )
            .order_by("since", "pk")
        )

    def low(self) -> Self:
        """At or below the threshold, of books that were ever on the shelf or have a threshold of their own."""
        threshold = Coalesce("low_stock_threshold", settings.LOW_STOCK_THRESHOLD)
        return self.filter(Q(was_on_hand=True) | Q(low_stock_threshold__isnull=False)).filter(
            on_hand__lte=threshold + F("allocated")
        )

    def not_low(self) -> Self:
        return self.exclude(pk__in=StockItem.objects.low())


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
            self.raise_event(
                WaitingFilled(
                    book_id=self.pk,
                    order_id=line.order_id,
                    order_number=line.order_number,
                    line_id=line.line_id,
                    quantity=line.wanted,
                )
            )
        return movement

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


_LOCKED_IF_ALL_THERE = Compiled(lambda book_ids: StockItem.objects.if_all_there(book_ids).locked().order_by("pk"))


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
    item = models.ForeignKey(StockItem, on_delete=models.PROTECT, related_name="allocations", editable=False)
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
    item = models.ForeignKey(StockItem, on_delete=models.PROTECT, related_name="movements", editable=False)
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
                | (Q(kind__in=["counted", "corrected"], allocated_change=0) & ~Q(on_hand_change=0)),
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
        return f"{self.kind} {self.on_hand_change:+} on hand, {self.allocated_change:+} allocated"


class NotificationQuerySet(models.QuerySet["Notification"]):
    def of_order(self, order_id: UUID) -> Self:
        return self.filter(order_id=order_id)

    def latest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def locked(self) -> Self:
        return self.select_for_update(no_key=True)

    def untold(self) -> Self:
        """What the staff is to be told and is in no digest yet."""
        return self.filter(_IS_UNTOLD)


_IS_UNTOLD = Q(audience="staff", status="recorded", digest__isnull=True)


class Notification(models.Model):
    """What somebody is to be told: one row per event, kind and audience, and whether its mail went out."""

    class Kind(models.TextChoices):
        ORDER_PLACED = "order_placed"
        ORDER_CONFIRMED = "order_confirmed"
        ORDER_SHIPPED = "order_shipped"
        ORDER_CANCELLED = "order_cancelled"
        ORDER_SPLIT = "order_split"
        LINE_CANCELLED = "line_cancelled"
        COPIES_WAITING = "copies_waiting"
        COPIES_ARRIVED = "copies_arrived"
        STOCK_RAN_LOW = "stock_ran_low"
        MAIL_FAILED = "mail_failed"
        DELIVERY_DIED = "delivery_died"
        WEBHOOK_DISABLED = "webhook_disabled"

    class Audience(models.TextChoices):
        CUSTOMER = "customer"
        STAFF = "staff"

    class Channel(models.TextChoices):
        EMAIL = "email"

    class Status(models.TextChoices):
        RECORDED = "recorded"
        SENT = "sent"
        PRINTED = "printed"
        NO_ADDRESS = "no_address"
        WITHHELD = "withheld"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event_uid = models.UUIDField(editable=False)
    kind = models.CharField(max_length=30, choices=Kind, editable=False)
    audience = models.CharField(max_length=8, choices=Audience, editable=False)
    order_id = models.UUIDField(null=True, editable=False, db_index=True)
    book_id = models.UUIDField(null=True, editable=False)
    message = models.TextField(editable=False)
    channel = models.CharField(max_length=10, choices=Channel, default=Channel.EMAIL, editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.RECORDED, editable=False)
    sent_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True, editable=False)
    error = models.CharField(max_length=300, default="", editable=False, help_text="why its mail failed")
    digest = models.UUIDField(null=True, editable=False, help_text="the mail that told the staff of it")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["created_at", "id"], name="notification_created"),
            models.Index(fields=["created_at", "id"], condition=Q(status="failed"), name="notification_failed"),
            models.Index(fields=["id"], condition=_IS_UNTOLD, name="notification_untold"),
            models.Index(fields=["digest"], condition=Q(digest__isnull=False), name="notification_digest"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event_uid", "kind", "audience"], name="notification_once"),
            models.CheckConstraint(condition=~Q(status="sent") | Q(sent_at__isnull=False), name="notification_sent_at"),
        ]
        permissions: ClassVar = [("resend_notification", "Can have mails sent again")]

    def __str__(self) -> str:
        return self.message

    def note_mailed(self, status: Notification.Status, error: str = "") -> None:
        """Say what came of its mail."""
        self.status, self.error = status, error
        self.sent_at = timezone.now() if status == self.Status.SENT else None

    def open_again(self) -> None:
        """As if nobody had been told yet."""
        self.status, self.error, self.sent_at, self.digest = self.Status.RECORDED, "", None, None

    @property
    def stream(self) -> str:
        """An order's notifications are one stream, a book's another."""
        return f"{self._meta.label_lower}:{self.order_id or self.book_id or self.pk}"

    def recorded(self) -> NotificationRecorded:
        """What others hear of it."""
        return NotificationRecorded(
            stream=self.stream,
            notification_id=self.pk,
            kind=self.kind,
            audience=self.audience,
            order_id=self.order_id,
            book_id=self.book_id,
        )

    def resend_requested(self) -> ResendRequested:
        return ResendRequested(stream=self.stream, notification_id=self.pk, order_id=self.order_id)
