"""How fast one relay settles what is owed, beside raw psycopg doing the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from uuid import UUID

from django.db import connection, transaction
from django.dispatch import receiver

from benchmarks.clock import rate
from bookshelf_site.events import DomainEvent, erasing, uuid7
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.relay import Relay
from inventory.models import Notification

SINGLES = 2_000
BATCHED = 20_000
SETTLED = 1_000_000


class ThingHappened(DomainEvent, name="benchmarks.thing_happened"):
    """One receiver hears it, and writes one row."""

    thing_id: UUID


class ThingsHappened(DomainEvent, name="benchmarks.things_happened"):
    """One batch receiver hears it, and writes a row for each."""

    thing_id: UUID


@receiver(ThingHappened.signal, dispatch_uid="benchmarks.note_one")
def note_one(sender: object, event: ThingHappened, **kwargs: object) -> None:
    notification(event.uid, event.thing_id).save(force_insert=True)


@receiver(ThingsHappened.signal, dispatch_uid="benchmarks.note_many", batch=True)
def note_many(sender: object, events: Sequence[ThingsHappened], **kwargs: object) -> None:
    Notification.objects.bulk_create([notification(event.uid, event.thing_id) for event in events])


def notification(event_uid: UUID, thing_id: UUID) -> Notification:
    return Notification(
        event_uid=event_uid, kind="order_placed", audience="customer", order_id=thing_id, message="It did"
    )


def owe(event: type[ThingHappened] | type[ThingsHappened], number: int) -> None:
    """Events with one pending delivery each, and nothing else in the tables' way."""
    clear()
    for start in range(0, number, 1_000):
        with transaction.atomic():
            emit(*(event(thing_id=uuid7()) for _ in range(start, min(start + 1_000, number))))
    vacuum()


def clear() -> None:
    with transaction.atomic(), erasing(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM events_delivery WHERE status = 'pending' OR receiver LIKE 'benchmarks.note%'")
        cursor.execute(
            "DELETE FROM events_event WHERE NOT EXISTS (SELECT FROM events_delivery WHERE event_id = events_event.id)"
        )
        cursor.execute("DELETE FROM inventory_notification")


def vacuum() -> None:
    with connection.cursor() as cursor:
        for table in ("events_delivery", "events_event", "inventory_notification"):
            cursor.execute(f"VACUUM ANALYZE {table}")


def drain(number: int) -> float:
    result = rate(number, Relay().drain)
    left = Delivery.objects.pending().count()
    assert not left, f"{left} deliveries are still owed"
    return result


def drain_single() -> float:
    owe(ThingHappened, SINGLES)
    return drain(SINGLES)


def drain_batches() -> float:
    owe(ThingsHappened, BATCHED)
    return drain(BATCHED)


def raw_single() -> float:
    owe(ThingHappened, SINGLES)
    return rate(SINGLES, lambda: raw(1))


def raw_batches() -> float:
    owe(ThingsHappened, BATCHED)
    return rate(BATCHED, lambda: raw(100))


ACKNOWLEDGE = """
    UPDATE events_delivery SET status = 'done', done_at = now(), attempts = attempts + 1
    WHERE id = ANY(%s) AND status = 'pending'
"""
NOTE = """
    INSERT INTO inventory_notification
        (id, event_uid, kind, audience, order_id, message, channel, status, error, created_at)
    VALUES (%s, %s, 'order_placed', 'customer', %s, 'It did', 'email', 'recorded', '', now())
"""


def raw(size: int) -> None:
    """Raw psycopg: fetch what is owed in one go; then, per `size` of them, acknowledge and write in one transaction."""
    connection.ensure_connection()
    psycopg = connection.connection
    owed = psycopg.execute(
        "SELECT d.id, e.uid, e.data->>'thing_id' FROM events_delivery d JOIN events_event e ON e.id = d.event_id "
        "WHERE d.status = 'pending' ORDER BY d.due"
    ).fetchall()
    for start in range(0, len(owed), size):
        group = owed[start : start + size]
        with psycopg.transaction(), psycopg.cursor() as cursor:
            cursor.execute(ACKNOWLEDGE, [[row[0] for row in group]])
            cursor.executemany(NOTE, [(uuid7(), uid, thing_id) for _, uid, thing_id in group])


@cache
def settle_a_million() -> None:
    """A table full of settled deliveries, written at once by the database."""
    clear()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (uid, name, version, stream, data, occurred_at, correlation_id, actor, position) "
            "SELECT gen_random_uuid(), 'benchmarks.old', 1, '', '{}', now(), '', '', n FROM generate_series(1, %s) n",
            [SETTLED],
        )
        cursor.execute(
            "INSERT INTO events_delivery (event_id, receiver, target, stream, status, attempts, max_attempts, due, "
            "done_at, last_error) SELECT id, 'benchmarks.settled', '', '', 'done', 1, 12, now(), now(), '' "
            "FROM events_event WHERE name = 'benchmarks.old'"
        )


def unsettle() -> None:
    with transaction.atomic(), erasing(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_delivery, events_event CASCADE")
    settle_a_million.cache_clear()


def drain_beside_settled() -> float:
    settle_a_million()
    return drain_single()


def drain_beside_nothing() -> float:
    unsettle()
    return drain_single()


def drain_by_one() -> float:
    return drain_by(1)


def drain_by_two() -> float:
    return drain_by(2)


def drain_by(processes: int) -> float:
    """Relays in processes of their own, started at the same moment once all of them are ready."""
    owe(ThingHappened, SINGLES * 3)
    command = [sys.executable, "-m", "benchmarks.relay_process"]
    relays = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for relay in relays:
        assert relay.stdout is not None
        assert relay.stdout.readline() == "ready\n"

    def drain_all() -> None:
        for relay in relays:
            assert relay.stdin is not None
            relay.stdin.write("go\n")
            relay.stdin.flush()
        for relay in relays:
            relay.communicate()

    result = rate(SINGLES * 3, drain_all)
    assert Event.objects.count() >= SINGLES * 3
    assert not Delivery.objects.pending().exists()
    return result
