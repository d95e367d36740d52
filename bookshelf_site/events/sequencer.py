"""The sequencer: gives every event its position, one fixed order of all that happened.

Rows can't be read by their id: on PostgreSQL a transaction may take id 1 and commit after id 2 has been seen, and then
whoever asks for ids above 2 never hears of 1. A position is given only to what is committed, and once.

Nothing appears behind a position that was seen: one sequencer at a time numbers, from the highest position on, and lets
go of its lock only when its numbers are visible; so whoever sees a position sees all that are lower. On PostgreSQL this
needs two statements, because a snapshot is as old as its statement: the one that numbers has to begin after the lock is
held, or it could miss what the holder before has just committed. On SQLite there is one writer anyway.

No effect stands before its cause: what an event has caused, in a receiver or by a caller who saw it, took its id after
the event had committed. So its id is higher, which decides within a batch, for a batch takes the lowest ids first; and
a snapshot that shows the effect shows the cause too, so that no batch can have had the effect before. For the same
reason the events of one stream stand as they happened, if whoever raises them locks the aggregate first. What is
restored later, whatever its id, stands last.
"""

from __future__ import annotations

from typing import Final

import structlog
from django.db import OperationalError, connection, transaction
from django.db.models import Max

from bookshelf_site.events.models import Event

BATCH: Final = 1_000
"""How many events a transaction numbers at most; on SQLite nobody else can write meanwhile."""
AT_ONCE: Final = 5 * BATCH
"""After so many whoever waits for an answer gets one; the next caller goes on."""
LOCK: Final = 0x626F6F6B73657100
"""The number of the advisory lock, which all programs of a database share: `bookseq` in ASCII."""
PATIENCE: Final = "500ms"
"""How long it waits for another sequencer, or for a row: less than deadlock_timeout, so that it gives way first."""

log = structlog.get_logger(__name__)


def sequence() -> int:
    """Number what is committed and has no position, AT_ONCE events at most; returns how many.

    What was committed before the call has a position after it, whoever gave it; if there is more, or the database is
    busy, the next caller goes on. Costs one query if there is nothing to do. Raises RuntimeError inside a transaction,
    whose end the lock would wait for.
    """
    numbered = 0
    try:
        while numbered < AT_ONCE and _is_behind():
            count = _number_a_batch()
            numbered += count
            if count < BATCH:
                break
    except OperationalError as busy:
        log.warning("events stay unnumbered for now", exc_info=busy)
    return numbered


def last_position() -> int:
    """Up to where the log can be read: whatever has this position or a lower one is there to be seen."""
    last: int | None = Event.objects.filter(position__isnull=False).aggregate(last=Max("position"))["last"]
    return last or 0


def _is_behind() -> bool:
    # in the words of the partial index, and in its order, or the planner might read the whole log to find nothing
    unnumbered = Event.objects.filter(position__isnull=True).order_by("id")
    return unnumbered.values_list("id", flat=True).first() is not None


def _number_a_batch() -> int:
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for statement in _BECOME_THE_ONLY_ONE:
                cursor.execute(statement)
        cursor.execute(_NUMBER, [BATCH])
        count: int = cursor.rowcount
        return count


_BECOME_THE_ONLY_ONE: Final = (
    # a database or a role may have another default; with an older snapshot positions would be given twice
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    f"SET LOCAL lock_timeout = '{PATIENCE}'",
    f"SELECT pg_advisory_xact_lock({LOCK})",
)

_NUMBER: Final = """
    UPDATE events_event SET position = numbered.position
    FROM (
        SELECT id, (
            SELECT COALESCE(MAX(position), 0) FROM events_event WHERE position IS NOT NULL
        ) + ROW_NUMBER() OVER (ORDER BY id) AS position
        FROM (SELECT id FROM events_event WHERE position IS NULL ORDER BY id LIMIT %s) AS next
    ) AS numbered
    WHERE events_event.id = numbered.id
"""
