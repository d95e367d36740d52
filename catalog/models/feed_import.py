"""FeedImport: a feed that somebody handed in at the desk, what it would do, what it did, and who is at it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from bookshelf_site.events import uuid7
from bookshelf_site.money import Money

FEED_NAME_LENGTH = 200


class FeedImportQuerySet(models.QuerySet["FeedImport"]):
    def unfinished(self) -> Self:
        """Those that somebody has to work at."""
        return self.filter(status__in=["checking", "importing"])

    def waiting(self, now: datetime) -> Self:
        """Those that nobody is at, or whose worker wasn't heard of for too long; the oldest first."""
        return (
            self.unfinished().filter(Q(held_until__isnull=True) | Q(held_until__lte=now)).order_by("created_at", "id")
        )

    def locked(self) -> Self:
        return self.select_for_update(no_key=True)

    def held(self, feed: FeedImport) -> Self:
        """The row, if it is still where this worker has it; `attempts` is the fencing token."""
        return self.filter(pk=feed.pk, status=feed.status, attempts=feed.attempts)


class FeedImport(models.Model):
    """A file of books: looked through first, taken over once somebody has said yes."""

    class Status(models.TextChoices):
        ARRIVING = "arriving"
        CHECKING = "checking"
        READY = "ready"
        IMPORTING = "importing"
        DONE = "done"
        BROKEN = "broken"
        CANCELLED = "cancelled"

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        XLSX = "xlsx", "XLSX"
        ONIX = "onix", "ONIX"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    file_name = models.CharField("file", max_length=FEED_NAME_LENGTH, editable=False)
    feed_format = models.CharField("format", max_length=4, choices=Format, editable=False)
    size = models.PositiveBigIntegerField(default=0, editable=False, help_text="bytes")
    actor = models.CharField("by", max_length=150, editable=False)
    is_partial = models.BooleanField(default=False, editable=False, help_text="of a broken file, what stands before")
    opening_stock = models.PositiveIntegerField(default=0, editable=False, help_text="copies of each new book")
    price_amount = models.DecimalField(max_digits=7, decimal_places=2, null=True, editable=False)
    status = models.CharField(max_length=9, choices=Status, default=Status.ARRIVING, editable=False)
    read = models.PositiveIntegerField(default=0, editable=False)
    added = models.PositiveIntegerField(default=0, editable=False)
    updated = models.PositiveIntegerField(default=0, editable=False)
    unchanged = models.PositiveIntegerField(default=0, editable=False)
    rejected = models.PositiveIntegerField(default=0, editable=False)
    records = models.PositiveIntegerField(
        null=True, editable=False, help_text="in the file, once it was looked through"
    )
    position = models.PositiveBigIntegerField(default=0, editable=False, help_text="bytes that were looked through")
    problem = models.TextField(default="", editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False, help_text="times begun; only ever grows")
    losses = models.PositiveSmallIntegerField(default=0, editable=False, help_text="workers lost since it last got on")
    held_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    applied_at = models.DateTimeField(null=True, editable=False, help_text="when somebody said yes")
    finished_at = models.DateTimeField(null=True, editable=False)

    objects = FeedImportQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = "import"
        indexes: ClassVar = [
            models.Index(fields=["created_at", "id"], name="feed_import_created"),
            models.Index(
                fields=["created_at"], condition=Q(status__in=["checking", "importing"]), name="feed_import_unfinished"
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_at_work(self) -> bool:
        return self.status in {self.Status.CHECKING, self.Status.IMPORTING}

    @property
    def is_over(self) -> bool:
        return self.status in {self.Status.DONE, self.Status.BROKEN, self.Status.CANCELLED}

    @property
    def price(self) -> Money | None:
        return None if self.price_amount is None else Money(self.price_amount, settings.SHOP_CURRENCY)

    @property
    def percent(self) -> int:
        """How far it is, from 0 to 100. To look a file through is to read it twice: is it whole, and what is in it."""
        if self.status == self.Status.IMPORTING:
            done, whole = self.read, self.records or 0
        else:
            done, whole = self.position, self.size * (1 if self.is_partial else 2)
        return min(100, 100 * done // whole) if whole else 0

    def rejected_rows(self) -> Iterator[tuple[object, ...]]:
        """Line, record and reason of every rejection, read as they are asked for."""
        yield from self.rejections.order_by("id").values_list("line", "record", "reason").iterator(chunk_size=2_000)


class FeedPart(models.Model):
    """A piece of the file until it is taken over, in the database: there each web server and each worker has it."""

    feed = models.ForeignKey(FeedImport, on_delete=models.CASCADE, related_name="parts", editable=False)
    number = models.PositiveIntegerField(editable=False)
    content = models.BinaryField(editable=False)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [models.UniqueConstraint(fields=["feed", "number"], name="feed_part_once")]

    def __str__(self) -> str:
        return f"{self.feed_id}/{self.number}"


class FeedRejection(models.Model):
    """A record of a feed that wasn't taken over, where it stands, and why."""

    feed = models.ForeignKey(FeedImport, on_delete=models.CASCADE, related_name="rejections", editable=False)
    line = models.PositiveIntegerField(null=True, editable=False)
    record = models.CharField(max_length=FEED_NAME_LENGTH, editable=False)
    reason = models.TextField(editable=False)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.record}: {self.reason}"
