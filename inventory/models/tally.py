"""Stocktake: a count that goes on for hours, scan by scan, until it is applied; each of the staff has their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import Count, Max, Q, Sum

from bookshelf_site.events import uuid7


class StocktakeQuerySet(models.QuerySet["Stocktake"]):
    def unfinished(self) -> Self:
        return self.filter(finished_at__isnull=True)

    def locked(self) -> Self:
        return self.select_for_update(no_key=True)

    def of(self, actor: str) -> Self:
        return self.filter(actor=actor)

    def with_figures(self) -> Self:
        """How many books were counted, and when the last one was."""
        return self.annotate(
            books=Count("scans__book", distinct=True),
            copies=Sum("scans__copies", default=0),
            last_scan=Max("scans__at"),
        )

    def scanned(self) -> Self:
        """Of those with figures, where something was scanned, the latest first."""
        return self.filter(last_scan__isnull=False).order_by("-last_scan")


class Stocktake(models.Model):
    """What one of the staff has counted since they began."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    actor = models.CharField(max_length=150, editable=False)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, editable=False)
    is_applied = models.BooleanField(default=False, editable=False, help_text="else it was thrown away")
    scans: models.Manager[Scan]
    books: int
    """With figures only, as the two after it."""
    copies: int
    last_scan: datetime | None

    objects = StocktakeQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["actor"], condition=Q(finished_at__isnull=True), name="stocktake_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(is_applied=False) | Q(finished_at__isnull=False), name="stocktake_applied_is_finished"
            ),
        ]

    def __str__(self) -> str:
        return f"stocktake of {self.started_at:%Y-%m-%d}"

    def counted(self) -> dict[UUID, int]:
        """The copies that were found, by book."""
        return dict(self.scans.order_by().values("book").annotate(n=Sum("copies")).values_list("book", "n"))

    def latest(self, limit: int) -> Sequence[Scan]:
        """The last scans, the newest first."""
        return list(self.scans.select_related("book").order_by("-id")[:limit])


class Scan(models.Model):
    """So many copies of a book that somebody held in their hands; `token` makes one sent twice count once."""

    stocktake = models.ForeignKey(Stocktake, on_delete=models.CASCADE, related_name="scans", editable=False)
    book = models.ForeignKey("catalog.Book", on_delete=models.PROTECT, related_name="+", editable=False)
    copies = models.PositiveIntegerField(editable=False)
    token = models.UUIDField(editable=False)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [models.Index(fields=["stocktake", "book"], name="scan_book")]
        constraints: ClassVar = [models.UniqueConstraint(fields=["stocktake", "token"], name="scan_once")]

    def __str__(self) -> str:
        return f"{self.copies} × {self.book_id}"
