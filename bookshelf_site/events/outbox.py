"""emit: write what happened, and to whom it is owed, into the transaction of the change; announce it after commit."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from weakref import WeakSet

import structlog
from django.db import connection, transaction
from django.utils import timezone

from bookshelf_site.events import statements
from bookshelf_site.events.domain_event import DomainEvent
from bookshelf_site.events.engines import engine
from bookshelf_site.events.models import Delivery, Event, Receiver
from bookshelf_site.events.signals import announcing
from bookshelf_site.events.statements import Write

log = structlog.get_logger(__name__)


def emit(*events: DomainEvent, beside: Sequence[Write] = ()) -> None:
    """Store the events and what is owed for them, two statements however many, and announce them after commit.

    Beside them the change is written that they tell of; if a unique key keeps it out, they tell nothing (`Write.once`).
    Raises RuntimeError outside a transaction: there a crash could part an event from its change.
    """
    if not events:
        statements.insert([], beside)
        return
    if not connection.in_atomic_block:
        raise RuntimeError("emit() works inside a transaction only: the event and its change commit together")
    if not connection.run_on_commit:
        _line.expected.clear()
    rows, asleep = statements.insert_asking([Event.of(event) for event in events], Receiver.who_sleeps(), beside)
    news = News(rows, statements.insert(_owed(rows, (asleep or "").split(), timezone.now())))
    _line.expected.add(news)
    # a method and no partial: of a robust hook that raises Django logs the __qualname__
    transaction.on_commit(news.announce, robust=True)


def _owed(rows: Iterable[Event], asleep: Collection[str], now: datetime) -> list[Delivery]:
    return [
        Delivery.owed(row, durable, *engine().birth(durable, now))
        for row in rows
        for durable in row.decoded.signal.durable.values()
        if durable.hears(row.decoded) and durable.uid not in asleep
    ]


class News:
    """What one `emit` has written."""

    def __init__(self, rows: list[Event], deliveries: list[Delivery]) -> None:
        self.rows = rows
        self.deliveries = deliveries

    def announce(self) -> None:
        """Runs after the commit."""
        _line.expected.discard(self)
        _line.waiting.append(self)
        # the rest of this commit happened before whatever its receivers are going to raise
        if not _line.is_running and not _line.expected:
            _line.run()

    def send(self) -> None:
        """Send the signals: best-effort receivers hear them now, durable ones through their deliveries."""
        for row in self.rows:
            event = row.decoded
            if not event.signal.has_best_effort_receivers:
                continue
            try:
                with announcing(event.uid):
                    event.signal.send_robust(sender=row.sender, event=event)
            except Exception:
                log.exception("a signal was not sent to all best-effort receivers", event_name=row.name)


class _Line(threading.local):
    """What this thread has yet to announce: first in, first out."""

    def __init__(self) -> None:
        # weak, because Django forgets the hooks of what is rolled back, and then nothing is to be waited for
        self.expected: WeakSet[News] = WeakSet()
        self.waiting: deque[News] = deque()
        self.is_running = False

    def run(self) -> None:
        """Deliver what is waiting, and only then what its receivers have raised meanwhile."""
        self.is_running = True
        try:
            while self.waiting:
                _deliver([self.waiting.popleft() for _ in range(len(self.waiting))])
        finally:
            # whatever ends this early, even the process's own end: the rows are there and the relay runs them
            self.waiting.clear()
            self.is_running = False


_line = _Line()


def _deliver(news: Iterable[News]) -> None:
    deliveries: list[Delivery] = []
    for one in news:
        one.send()
        deliveries += one.deliveries
    engine().wake(deliveries)
