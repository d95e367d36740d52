"""Who runs what was committed: the process itself, a relay, or the workers of Celery (EVENTS_ENGINE).

The rows are the truth and an engine only wakes somebody up; so one that loses, repeats or delays does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from django.conf import settings

from bookshelf_site.events import embedded, messages
from bookshelf_site.events.delivery import deliver
from bookshelf_site.events.models import Delivery
from bookshelf_site.events.relay import Relay, runs_here
from bookshelf_site.events.signals import DurableReceiver


class Birth(NamedTuple):
    """How a delivery is written down: how often it counts as started, and when a relay may look after it."""

    attempts: int
    due: datetime


class Engine(Protocol):
    def birth(self, durable: DurableReceiver, now: datetime) -> Birth: ...

    def wake(self, deliveries: Sequence[Delivery]) -> None:
        """They are committed: run them, or tell who does. Never raises."""

    def relay(self, batch: int) -> Relay:
        """What looks after those that are due."""


class ByRelay:
    """Everything waits for a relay."""

    def birth(self, durable: DurableReceiver, now: datetime) -> Birth:
        return Birth(0, now)

    def wake(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            embedded.wake()

    def relay(self, batch: int) -> Relay:
        return Relay(batch=batch)


class Inline(ByRelay):
    """The process that commits runs what it may, a relay the rest."""

    def birth(self, durable: DurableReceiver, now: datetime) -> Birth:
        if durable.runs_inline and not runs_here():
            # born claimed, so that no relay races the process that is about to run it
            return Birth(1, now + durable.lease)
        return super().birth(durable, now)

    def wake(self, deliveries: Sequence[Delivery]) -> None:
        deliver(delivery for delivery in deliveries if delivery.attempts)
        super().wake([delivery for delivery in deliveries if not delivery.attempts])


class ByMessage:
    """A message each goes to the workers; the relay sends again what they haven't taken in time."""

    def birth(self, durable: DurableReceiver, now: datetime) -> Birth:
        # due so late that no relay races the message
        return Birth(0, now + messages.RESUBMIT)

    def wake(self, deliveries: Sequence[Delivery]) -> None:
        messages.post.submit(deliveries)

    def relay(self, batch: int) -> Relay:
        return messages.Sweeper(batch=batch)


ENGINES: Final[dict[str, Engine]] = {"inline": Inline(), "relay": ByRelay(), "celery": ByMessage()}


def engine() -> Engine:
    return ENGINES[settings.EVENTS_ENGINE]
