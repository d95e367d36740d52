"""Owing afterwards: what a receiver was never told, and what it is to hear once more.

Nothing comes twice by it. A delivery is made only where there is none under any of the receiver's names, and only above
`Receiver.owed_after`, below which their absence means nothing. Whoever makes one holds the receiver's row, and so does
pruning when it moves that boundary; the unique key stands behind both. Code that emits meanwhile is no danger: an event
and its deliveries become visible together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from bookshelf_site.events import embedded, unit_of_work
from bookshelf_site.events.errors import AlreadyOwed, NotHeard, NotRepeatable, TooOld, UnheardOf
from bookshelf_site.events.events import EventReplayed, ReceiverReplayed
from bookshelf_site.events.models import Delivery, DeliveryQuerySet, Event, EventQuerySet, Receiver
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.signals import RECEIVERS, DurableReceiver, durable_receivers
from bookshelf_site.events.upkeep import rename_deliveries

BATCH: Final = 1_000
"""How many deliveries a transaction makes at most; on SQLite nobody else can write meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """How many deliveries were made, and how many that were done are owed again."""

    made: int
    reopened: int


def reconcile() -> dict[str, int]:
    """Owe every receiver what was emitted since it is there by code that didn't know it; how many, by receiver.

    Run again it does nothing; what an old process emits after it, the next run finds.
    """
    rename_deliveries()
    made = {durable.uid: _in_batches(_missing_maker(durable)) for durable in durable_receivers()}
    return {uid: count for uid, count in made.items() if count}


def unreconciled() -> dict[str, int]:
    """How many deliveries `reconcile` would make, by receiver."""
    boundaries = _boundaries()
    counts = {
        durable.uid: Event.objects.never_owed_to(durable, after=boundaries[durable.uid]).count()
        for durable in durable_receivers()
        if durable.uid in boundaries
    }
    return {uid: count for uid, count in counts.items() if count}


def replay_receiver(*, receiver: str, since: datetime | None = None) -> Replay:
    """Owe a receiver what happened since then and it was never told. Raises UnheardOf."""
    durable = _known(receiver)
    return Replay(made=_in_batches(_missing_maker(durable, since=since, is_replay=True)), reopened=0)


def repeat_receiver(*, receiver: str, since: datetime | None = None) -> Replay:
    """The same, and let it hear again what it has done; what was skipped stays so. Raises UnheardOf, NotRepeatable."""
    durable = _repeatable(receiver)
    reopened = _in_batches(_reopener(durable, since=since))
    return Replay(made=replay_receiver(receiver=receiver, since=since).made, reopened=reopened)


def replay_preview(*, receiver: str, since: datetime | None = None) -> Replay:
    """What `replay_receiver` would do. Raises UnheardOf."""
    durable = _known(receiver)
    after = _boundaries().get(durable.uid)
    return Replay(made=_missing(durable, since, after).count() if after is not None else 0, reopened=0)


def repeat_preview(*, receiver: str, since: datetime | None = None) -> Replay:
    """What `repeat_receiver` would do. Raises UnheardOf, NotRepeatable."""
    done = _done(_repeatable(receiver), since)
    return Replay(made=replay_preview(receiver=receiver, since=since).made, reopened=done.count())


@unit_of_work
def replay_event(*, event_id: int, receiver: str) -> Delivery:
    """Owe one event to one receiver: for the first time, or again if it is repeatable.

    Raises UnheardOf, NotHeard, TooOld, NotRepeatable, AlreadyOwed.
    """
    durable, event = _known(receiver), Event.objects.get(pk=event_id)
    if not Event.objects.heard_by(durable).filter(pk=event_id).exists():
        raise NotHeard(receiver=durable.uid, event=event.name)
    boundary = _locked_boundary(durable)
    theirs = Delivery.objects.select_for_update(no_key=True).filter(event=event, receiver__in=durable.names, target="")
    delivery = theirs.first()
    if delivery is None:
        if boundary is None or event.pk <= boundary:
            raise TooOld(receiver=durable.uid)
        delivery = Delivery.owed(event, durable, 0, timezone.now())
    else:
        if delivery.status != Delivery.Status.DONE:
            raise AlreadyOwed(receiver=durable.uid, current=delivery.status)
        if not durable.repeatable:
            raise NotRepeatable(receiver=durable.uid)
        delivery.retry()
    delivery.save()
    emit(EventReplayed(stream=f"events.event:{event.pk}", event_uid=event.uid, receiver=durable.uid))
    transaction.on_commit(embedded.wake, robust=True)
    return delivery


Batch = Callable[[int], list[int]]
"""Writes what comes after this id, in a transaction of its own, and returns the ids that it dealt with."""


def _in_batches(write: Batch) -> int:
    total, last = 0, 0
    while dealt_with := write(last):
        total, last = total + len(dealt_with), dealt_with[-1]
    return total


def _missing_maker(durable: DurableReceiver, *, since: datetime | None = None, is_replay: bool = False) -> Batch:
    @unit_of_work
    def make(last: int) -> list[int]:
        boundary = _locked_boundary(durable)
        if boundary is None:
            return []
        rows = list(_missing(durable, since, max(boundary, last)).order_by("pk").only("stream")[:BATCH])
        now = timezone.now()
        Delivery.objects.bulk_create((Delivery.owed(row, durable, 0, now) for row in rows), ignore_conflicts=True)
        if rows and is_replay:
            _record(durable, since, made=len(rows))
        transaction.on_commit(embedded.wake, robust=True)
        return [row.pk for row in rows]

    return make


def _reopener(durable: DurableReceiver, *, since: datetime | None) -> Batch:
    newest: int = Delivery.objects.aggregate(newest=Max("pk"))["newest"] or 0

    @unit_of_work
    def reopen(last: int) -> list[int]:
        # up to what there was when it began, or it would chase what is done meanwhile
        done = _done(durable, since).filter(pk__gt=last, pk__lte=newest)
        locked = done.select_for_update(of=("self",), no_key=True).order_by("pk")
        ids = list(locked.values_list("pk", flat=True)[:BATCH])
        # the attempts go on counting: they are the fencing token
        Delivery.objects.filter(pk__in=ids).update(
            status=Delivery.Status.PENDING,
            done_at=None,
            due=timezone.now(),
            max_attempts=F("attempts") + durable.max_attempts,
        )
        if ids:
            _record(durable, since, reopened=len(ids))
        transaction.on_commit(embedded.wake, robust=True)
        return ids

    return reopen


def _record(durable: DurableReceiver, since: datetime | None, *, made: int = 0, reopened: int = 0) -> None:
    """With each batch, so that nothing is replayed without a word."""
    stream = f"{Receiver._meta.label_lower}:{durable.uid}"
    emit(ReceiverReplayed(stream=stream, receiver=durable.uid, since=since, made=made, reopened=reopened))


def _missing(durable: DurableReceiver, since: datetime | None, after: int) -> EventQuerySet:
    missing = Event.objects.never_owed_to(durable, after=after)
    return missing.filter(occurred_at__gte=since) if since else missing


def _done(durable: DurableReceiver, since: datetime | None) -> DeliveryQuerySet:
    """What it has done; of what was skipped somebody has decided that it stays so."""
    done = Delivery.objects.settled().filter(receiver__in=durable.names, last_error="")
    return done.filter(event__occurred_at__gte=since) if since else done


def _boundaries() -> dict[str, int]:
    rows = Receiver.objects.awake().values_list("uid", "owed_after")
    return {uid: owed_after for uid, owed_after in rows if owed_after is not None}


def _locked_boundary(durable: DurableReceiver) -> int | None:
    """None before the migration that brings the receiver, for a name that was given up, and while it sleeps."""
    return Receiver.objects.locked().awake().filter(uid=durable.uid).values_list("owed_after", flat=True).first()


def _known(receiver: str) -> DurableReceiver:
    try:
        return RECEIVERS[receiver]
    except KeyError:
        raise UnheardOf(receiver=receiver, known=_listed(RECEIVERS)) from None


def _repeatable(receiver: str) -> DurableReceiver:
    durable = _known(receiver)
    if not durable.repeatable:
        raise NotRepeatable(receiver=durable.uid)
    return durable


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
