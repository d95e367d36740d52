"""A webhook's delivery log: what it was sent or is to be, how often tried, and with what success."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from django.db import models
from django.db.models import OuterRef, Subquery

from bookshelf_site.events.models import Delivery, DeliveryQuerySet
from bookshelf_site.webhooks.models import SENDER, Attempt

SKIPPED: Final = "skipped"
"""How the last error of a delivery begins that is settled without having been sent."""


def messages_to(webhook_id: UUID) -> DeliveryQuerySet:
    """All deliveries to a webhook; the queries say it in the words of the partial index."""
    return Delivery.objects.exclude(target="").filter(target=webhook_id.hex, receiver=SENDER)


def with_last_attempt(deliveries: DeliveryQuerySet) -> DeliveryQuerySet:
    """Each with the id of its last attempt, and with the event that it waits for, if it waits in line."""
    attempts = Attempt.objects.filter(delivery=OuterRef("pk")).order_by("-number")
    older = Delivery.objects.exclude(status=Delivery.Status.DONE).filter(
        receiver=OuterRef("receiver"),
        target=OuterRef("target"),
        stream=OuterRef("stream"),
        event_id__lt=OuterRef("event_id"),
    )
    return deliveries.select_related("event").annotate(
        last_attempt_id=Subquery(attempts.values("pk")[:1]),
        waits_for=Subquery(older.exclude(stream="").order_by("event_id").values("event__uid")[:1]),
    )


class Message:
    """A delivery to a webhook as its log tells it: what, how often tried, and with what success."""

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"
        SKIPPED = "skipped"

    def __init__(self, delivery: Delivery, last: Attempt | None) -> None:
        self.delivery = delivery
        self.event = delivery.event
        self.last = last

    @classmethod
    def of(cls, deliveries: Sequence[Delivery]) -> list[Self]:
        """In one query for all of them, which come from `with_last_attempt`."""
        ids: list[int | None] = [getattr(delivery, "last_attempt_id", None) for delivery in deliveries]
        found = Attempt.objects.in_bulk([pk for pk in ids if pk])
        return [cls(delivery, found.get(pk or 0)) for delivery, pk in zip(deliveries, ids, strict=True)]

    @property
    def status(self) -> Status:
        match self.delivery.status:
            case Delivery.Status.PENDING:
                return self.Status.PENDING
            case Delivery.Status.DEAD:
                return self.Status.FAILED
        if self.delivery.last_error.startswith(SKIPPED):
            return self.Status.SKIPPED
        # a ping is tried once, whatever comes of it
        return self.Status.DELIVERED if self.last is None or self.last.is_success else self.Status.FAILED

    @property
    def why(self) -> str:
        """What went wrong the last time, or why it was skipped."""
        if self.status == self.Status.SKIPPED:
            return self.delivery.last_error.splitlines()[0]
        if self.last is None or self.last.is_success:
            return ""
        return self.last.error or f"answered {self.last.response_status}"

    @property
    def badge(self) -> str:
        """As the style sheet calls it."""
        return {self.Status.DELIVERED: "active", self.Status.SKIPPED: "neutral"}.get(self.status, str(self.status))

    @property
    def attempts(self) -> int:
        return self.last.number if self.last else 0

    @property
    def waits_for(self) -> UUID | None:
        """The older message about the same that has to get through first."""
        waits_for: UUID | None = getattr(self.delivery, "waits_for", None)
        return waits_for if self.status == self.Status.PENDING else None

    @property
    def next_attempt_at(self) -> datetime | None:
        """When it is tried next; unknown while it waits for another."""
        if self.status != self.Status.PENDING or self.waits_for:
            return None
        return self.delivery.due
