"""Whom the webhooks hear: everybody. An event is first owed to each webhook that wants it, and then sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.db import DEFAULT_DB_ALIAS, connection

from bookshelf_site.events import DomainEvent
from bookshelf_site.events.domain_event import EVENTS
from bookshelf_site.events.signals import RECEIVERS, DurableReceiver
from bookshelf_site.webhooks import delivering, services
from bookshelf_site.webhooks.delivering import ATTEMPTS, Sent, Skipped
from bookshelf_site.webhooks.events import Pinged
from bookshelf_site.webhooks.models import FAN_OUT, SENDER, UNTOLD, Webhook

LEASE: Final = timedelta(minutes=1)
"""More than twice what one message may take."""


def fan_out(sender: object, events: Sequence[DomainEvent], **kwargs: object) -> None:
    """In the order of the stream, or a later event could be sent before an earlier one is owed."""
    services.owe(events)


def send(sender: object, event: DomainEvent, target: str, **kwargs: object) -> Sent | Skipped:
    return delivering.deliver(event, target)


def record(event: DomainEvent, target: str, outcome: Sent | Skipped, **kwargs: object) -> None:
    delivering.record(event, target, outcome)


def after_migrate(*, using: str, **kwargs: object) -> None:
    """In a shop that has no webhooks yet, events are owed to nobody for their sake."""
    if using == DEFAULT_DB_ALIAS and Webhook._meta.db_table in connection.introspection.table_names():
        services.rest_without_webhooks()


def connect() -> None:
    """All events are heard but pings, which are for one webhook. To `send` is owed only what `fan_out` owes it."""
    told = [event for event in set(EVENTS.values()) - {Pinged} if not event.name.startswith(UNTOLD)]
    for event in told:
        event.signal.connect(fan_out, dispatch_uid=FAN_OUT, batch=True, ordered=True)
    RECEIVERS[SENDER] = DurableReceiver(
        uid=SENDER,
        function=send,
        external=True,
        ordered=True,
        max_attempts=ATTEMPTS,
        lease=LEASE,
        record=record,
    )
