"""Deliveries as messages `(delivery_id, attempts)`: sent after the commit, taken by a worker, sent again if need be.

The number of attempts is the fencing token: a worker takes the row from exactly that number to the next, so that a
message that is repeated, or comes late, finds nothing to take. One that is lost is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from time import monotonic
from typing import Final, Protocol

import structlog
from django.db import transaction
from django.utils import timezone

from bookshelf_site.events.delivery import settle
from bookshelf_site.events.models import Delivery
from bookshelf_site.events.relay import BATCH, Relay, is_any_due, lock_due
from bookshelf_site.events.signals import RECEIVERS

RESUBMIT: Final = timedelta(seconds=60)
"""How long a message has to be taken before it is sent again; the old one expires, so that a backlog doesn't grow."""
PAUSE_SECONDS: Final = 10.0
"""How long a broker that failed is left alone, so that no request waits for what another has waited for in vain."""

Message = tuple[int, int]

log = structlog.get_logger(__name__)


class Transport(Protocol):
    def __call__(self, messages: Iterable[Message], /) -> None:
        """Send them, or raise in short time."""


def by_celery(messages: Iterable[Message]) -> None:
    from bookshelf_site.events.celery_engine import send  # noqa: PLC0415  # there only where this engine was chosen

    send(messages)


class Post:
    """The way to the workers."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.closed_until = 0.0

    @property
    def is_open(self) -> bool:
        return monotonic() >= self.closed_until

    def submit(self, deliveries: Sequence[Delivery]) -> None:
        """Send what a worker is to run. Never raises and hardly waits: what isn't sent is due one day."""
        if not deliveries or not self.is_open:
            return
        try:
            self.transport((delivery.pk, delivery.attempts) for delivery in deliveries)
        except Exception as failure:
            self.closed_until = monotonic() + PAUSE_SECONDS
            log.warning("the broker took no message; the relay will send it again", error=str(failure))


post = Post(by_celery)


def run(delivery_id: int, attempts: int) -> None:
    """What a worker does with a message."""
    delivery = take(delivery_id, attempts)
    if delivery is None:
        return
    settle([delivery])
    if delivery.stream:
        _wake_next_in_line(delivery)


def take(delivery_id: int, attempts: int) -> Delivery | None:
    """Compare and set: the attempt after exactly this one, counted now; None if it is somebody else's, or not its turn.

    What this code doesn't know is left to newer code.
    """
    mine = Delivery.objects.filter(pk=delivery_id, receiver__in=list(RECEIVERS)).held(attempts=attempts)
    delivery = mine.first_in_line().select_related("event").first()
    if delivery is None or delivery.is_exhausted:
        return None
    delivery.attempts += 1
    delivery.due = timezone.now() + delivery.durable.lease
    return delivery if mine.update(attempts=delivery.attempts, due=delivery.due) else None


def _wake_next_in_line(settled: Delivery) -> None:
    """Its message may have come too early, and have been left."""
    line = Delivery.objects.pending().filter(
        receiver=settled.receiver, target=settled.target, stream=settled.stream, attempts=0
    )
    post.submit(list(line.first_in_line()[:1]))


class Sweeper(Relay):
    """The relay of an engine that carries messages: sends again what is due, and leaves the running to the workers."""

    def drain(self) -> None:
        while not self.stopping and post.is_open and (late := postpone(self.batch)):
            post.submit(late)


def postpone(limit: int = BATCH) -> list[Delivery]:
    """What is due, and now isn't for a while. Counts no attempt: waiting in a backlog must not use them up."""
    if not is_any_due():
        return []
    with transaction.atomic(durable=True):
        late = lock_due(limit)
        Delivery.objects.filter(pk__in=[row.pk for row in late]).update(due=timezone.now() + RESUBMIT)
    return late
