"""What staff do to deliveries, on the record like everything else that happens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from bookshelf_site.events.domain_event import DomainEvent


class DeliveryRetried(DomainEvent, name="events.delivery_retried", version=1):
    """A dead letter is owed again."""

    event_uid: UUID
    receiver: str
    target: str
    attempts: int


class DeliverySkipped(DomainEvent, name="events.delivery_skipped", version=1):
    """A dead letter was given up, and nobody is owed it any more."""

    event_uid: UUID
    receiver: str
    target: str
    attempts: int
    reason: str


class ReceiverReplayed(DomainEvent, name="events.receiver_replayed", version=1):
    """A receiver is owed events of the log: some it was never told, some it has done are owed again."""

    receiver: str
    since: datetime | None
    made: int
    reopened: int


class EventReplayed(DomainEvent, name="events.event_replayed", version=1):
    """One event is owed to one receiver, for the first time or again."""

    event_uid: UUID
    receiver: str
