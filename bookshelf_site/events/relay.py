"""The relay: delivers what is owed. Any number of them, on any machine; the rows decide who runs what."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from time import monotonic, sleep

import structlog
from django.db import close_old_connections, connections, transaction
from django.db.models import F
from django.utils import timezone

from bookshelf_site.events.companions import companions
from bookshelf_site.events.delivery import groups, settle
from bookshelf_site.events.duties import Rounds
from bookshelf_site.events.models import Delivery, DeliveryQuerySet
from bookshelf_site.events.sequencer import sequence
from bookshelf_site.events.signals import RECEIVERS

POLL_SECONDS = 1.0
BATCH = 200
PATIENCE_SECONDS = 60.0

log = structlog.get_logger(__name__)


def claim(limit: int = BATCH) -> list[Delivery]:
    """Take what is due, counting the attempt now: a receiver that kills its process runs out of attempts too."""
    if not is_any_due():
        return []
    with transaction.atomic(durable=True):
        taken = _at_once(lock_due(limit))
        _take(taken)
    return taken


def is_any_due() -> bool:
    """One query and no transaction, for those who ask every second."""
    return _claimable().exists()


def lock_due(limit: int) -> list[Delivery]:
    """What is due and nobody else is at, for the caller's transaction; what has used up its attempts is dead."""
    locked = _claimable().select_related("event").select_for_update(skip_locked=True, of=("self",), no_key=True)
    rows = list(locked[:limit])
    _bury([row for row in rows if row.is_exhausted])
    return [row for row in rows if not row.is_exhausted]


def _claimable() -> DeliveryQuerySet:
    return Delivery.objects.claimable(timezone.now(), list(RECEIVERS))


def _at_once(rows: list[Delivery]) -> list[Delivery]:
    """What was started before may have killed its process: alone, so that no neighbour pays with its attempts."""
    fresh = [row for row in rows if not row.attempts]
    return fresh if fresh[:1] == rows[:1] else rows[:1]


def _take(rows: Sequence[Delivery]) -> None:
    if not rows:
        return
    until = timezone.now() + max(row.durable.lease for row in rows)
    Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(attempts=F("attempts") + 1, due=until)
    for row in rows:
        row.attempts += 1


def _bury(exhausted: Sequence[Delivery]) -> None:
    if exhausted:
        log.warning("deliveries are dead", ids=[row.pk for row in exhausted])
        Delivery.objects.filter(pk__in=[row.pk for row in exhausted]).update(
            status=Delivery.Status.DEAD,
            last_error="every attempt ended with its process: started, and never heard of again",
        )


def hand_back(claimed: Sequence[Delivery]) -> None:
    """Return what of one claim was not started: due at once, and the attempt that was counted is added on top."""
    if claimed:
        mine = Delivery.objects.filter(pk__in=[row.pk for row in claimed]).held(attempts=claimed[0].attempts)
        mine.update(due=timezone.now(), max_attempts=F("max_attempts") + 1)


class Relay:
    """One loop that claims and delivers until it is told to stop.

    After a claim that found less than a batch it takes a breath, in seconds: of what is committed meanwhile many are
    claimed at once, for to claim costs more than to deliver.
    """

    def __init__(self, *, batch: int = BATCH, breath: float = 0.0) -> None:
        self.batch = batch
        self.breath = breath
        self.stopping = False
        self.woken = threading.Event()
        self.rounds = Rounds()

    def stop(self) -> None:
        """Finish the group in hand, give the rest back. Takes no lock, so that a signal's handler may call it."""
        self.stopping = True

    def run(self) -> None:
        """Deliver what is due, then wait for a commit or the next second; survives whatever goes wrong."""
        with companions(lambda: self.stopping):
            while not self.stopping:
                self.woken.clear()
                try:
                    close_old_connections()
                    self.drain()
                    self.rounds.make()
                except Exception:
                    log.exception("the relay stumbled and goes on")
                    connections.close_all()
                self.woken.wait(POLL_SECONDS)
        connections.close_all()

    def run_once(self, *, patience: float = PATIENCE_SECONDS) -> None:
        """Deliver until nothing is pending that this code knows; waits out leases and backoff, but no longer."""
        end = monotonic() + patience
        self.drain()
        while not self.stopping and (due := next_due()) is not None:
            # never at once: a row that somebody holds past its lease is due all the time
            wait = max(0.05, (due - timezone.now()).total_seconds())
            if monotonic() + wait > end:
                return
            self.woken.wait(min(wait, POLL_SECONDS))
            self.drain()

    def drain(self) -> None:
        """Deliver until nothing is due."""
        _here.is_relay = True
        try:
            while not self.stopping and (claimed := claim(self.batch)):
                self._deliver(claimed)
                sequence()  # never when idle: who reads the log has it numbered first
                if len(claimed) < self.batch:
                    sleep(self.breath)
        finally:
            _here.is_relay = False

    def _deliver(self, claimed: Sequence[Delivery]) -> None:
        end = monotonic() + min(delivery.durable.lease for delivery in claimed).total_seconds() / 2
        # what talks to the outside is slow and goes last
        waiting = deque(sorted(groups(claimed), key=lambda group: group[0].durable.external))
        while waiting and not self.stopping and monotonic() < end:
            settle(waiting.popleft())
        hand_back([delivery for group in waiting for delivery in group])


def next_due() -> datetime | None:
    """When the next delivery that this code knows can be tried; None if none is pending, or all wait in a line."""
    owed = Delivery.objects.pending().filter(receiver__in=list(RECEIVERS)).first_in_line()
    return owed.order_by("due").values_list("due", flat=True).first()


_here = threading.local()


def runs_here() -> bool:
    """Is this thread a relay's? What its receivers raise is claimed in its turn, after what was claimed before."""
    return getattr(_here, "is_relay", False)
