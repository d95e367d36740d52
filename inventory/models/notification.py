"""Notification: what customers and staff are to be told, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from bookshelf_site.events import uuid7
from inventory.events import NotificationRecorded, ResendRequested


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
        LINK_REQUESTED = "link_requested"
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
            by_mail=self.audience == self.Audience.CUSTOMER and self.status == self.Status.RECORDED,
        )

    def resend_requested(self) -> ResendRequested:
        return ResendRequested(stream=self.stream, notification_id=self.pk, order_id=self.order_id)
