"""What the event core does after each migration."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Exists, Max, OuterRef
from django.utils import timezone

from bookshelf_site.events.models import Delivery, Event, Receiver
from bookshelf_site.events.signals import DurableReceiver, durable_receivers
from bookshelf_site.events.triggers import make_append_only

BATCH = 1_000


def after_migrate(*, using: str, **kwargs: object) -> None:
    """Make the triggers of the event log, and note from where on each receiver is owed events."""
    make_append_only(Event, using=using, write_once=["position"])
    if Receiver._meta.db_table in connections[using].introspection.table_names():
        note_receivers(using=using)
        rename_deliveries(using=using)


def note_receivers(*, using: str = DEFAULT_DB_ALIAS) -> None:
    """A receiver that is new is owed what commits from now on; one that has a new uid, what it was owed before."""
    with transaction.atomic(using=using):
        known = {row.uid: row for row in Receiver.objects.using(using).locked()}
        new = [durable for durable in durable_receivers() if _is_news(durable, known)]
        if new:
            last, now = _last_event(using), timezone.now()
            for durable in new:
                _note(durable, known, last, now, using)


def put_to_sleep(uid: str, *, when: Callable[[], bool]) -> None:
    """The receiver is owed nothing until it is woken, if `when` says that nobody is to be told by it."""
    with transaction.atomic():
        # asked under the lock, for somebody may just be waking it
        if Receiver.objects.locked().filter(uid=uid, asleep=False) and when():
            Receiver.objects.filter(uid=uid).update(asleep=True)


def wake_up(uid: str) -> None:
    """The receiver is owed what commits from now on; nothing of what was emitted while it slept."""
    with transaction.atomic():
        if Receiver.objects.locked().filter(uid=uid, asleep=True):
            # waits for whoever has just found it asleep and has not committed yet
            last = _last_event(DEFAULT_DB_ALIAS)
            Receiver.objects.filter(uid=uid).update(asleep=False, owed_after=last)


def _is_news(durable: DurableReceiver, known: dict[str, Receiver]) -> bool:
    """Has no row yet, or takes over from a former name. A name that was given up is no news to code of before."""
    former = [known[name] for name in durable.aliases if name in known]
    return durable.uid not in known or any(row.owed_after is not None for row in former)


def _note(durable: DurableReceiver, known: dict[str, Receiver], last: int, now: datetime, using: str) -> None:
    earlier = [known[name] for name in durable.names if name in known and known[name].owed_after is not None]
    Receiver.objects.using(using).update_or_create(
        uid=durable.uid,
        defaults={
            "owed_after": max((row.owed_after or 0 for row in earlier), default=last),
            "since": min((row.since for row in earlier), default=now),
        },
    )
    # kept without a boundary: old code that still knows the name must not owe it what the new name has had
    Receiver.objects.using(using).filter(uid__in=durable.aliases).update(owed_after=None)


def _last_event(using: str) -> int:
    """The id that parts what has committed from what will."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        # waits for whoever is just emitting; an id is given out under this lock's opposite, so none is in flight
        with connection.cursor() as cursor:
            cursor.execute(f'LOCK TABLE "{Event._meta.db_table}" IN SHARE ROW EXCLUSIVE MODE')
    last: int | None = Event.objects.using(using).aggregate(last=Max("pk"))["last"]
    return last or 0


def rename_deliveries(*, using: str = DEFAULT_DB_ALIAS) -> int:
    """Put what stands under a receiver's former uids under its own; returns how many.

    May happen at any time: whoever runs one knows it by its id, and this code finds it under either name. One that is
    just being run is left for the next time.
    """
    renamed = 0
    for durable in durable_receivers():
        last = 0
        while durable.aliases and (batch := _rename_a_batch(durable, last, using)):
            renamed, last = renamed + len(batch), batch[-1]
    return renamed


def _rename_a_batch(durable: DurableReceiver, last: int, using: str) -> list[int]:
    twin = Delivery.objects.filter(event=OuterRef("event"), target=OuterRef("target"), receiver=durable.uid)
    with transaction.atomic(using=using):
        former = Delivery.objects.using(using).filter(receiver__in=durable.aliases, pk__gt=last).exclude(Exists(twin))
        free = former.select_for_update(skip_locked=True, of=("self",), no_key=True).order_by("pk")
        ids = list(free.values_list("pk", flat=True)[:BATCH])
        Delivery.objects.using(using).filter(pk__in=ids).update(receiver=durable.uid)
    return ids
