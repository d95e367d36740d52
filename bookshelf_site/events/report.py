"""How the deliveries are doing: what is owed, how old the oldest is, what is dead, what nobody was told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import Count, Q
from django.utils import timezone

from bookshelf_site.events.backfill import unreconciled
from bookshelf_site.events.models import Delivery, DeliveryQuerySet, Receiver
from bookshelf_site.events.signals import RECEIVERS

OVERDUE: Final = timedelta(seconds=60)
WINDOW: Final = timedelta(seconds=60)
MOST_COUNTED: Final = 100_000
"""Nobody who looks may hold up those who deliver."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Counts of deliveries by receiver, and when the longest due was due."""

    owed: dict[str, int]
    oldest_due: datetime | None
    overdue: dict[str, int]
    dead: dict[str, int]
    unknown: dict[str, int]
    """Owed to receivers that this code doesn't know: code that does has to run."""
    missing: dict[str, int]
    """Events that a receiver should have heard and no delivery says so: code that didn't know it has emitted them."""

    @property
    def problems(self) -> list[str]:
        found = {
            f"overdue by more than {OVERDUE.seconds} s": self.overdue,
            "dead": self.dead,
            "never written down as owed": self.missing,
        }
        return [f"{sum(counts.values())} {what} ({_listed(counts)})" for what, counts in found.items() if counts]

    def as_json(self) -> dict[str, object]:
        return {
            "ok": not self.problems,
            "owed": sum(self.owed.values()),
            "oldest": self.oldest_due.isoformat() if self.oldest_due else None,
            "overdue": sum(self.overdue.values()),
            "dead": self.dead,
            "unknown": self.unknown,
            "missing": self.missing,
        }


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{receiver}: {count}" for receiver, count in sorted(counts.items()))


def report() -> Report:
    pending = Delivery.objects.pending()
    return Report(
        owed=_by_receiver(pending),
        oldest_due=pending.order_by("due").values_list("due", flat=True).first(),
        overdue=_by_receiver(pending.filter(_is_overdue(timezone.now() - OVERDUE))),
        dead=_by_receiver(Delivery.objects.dead()),
        unknown=_by_receiver(pending.exclude(receiver__in=list(RECEIVERS))),
        missing=unreconciled(),
    )


def _is_overdue(since: datetime) -> Q:
    overdue = Q(due__lte=since)
    if settings.EVENTS_ENGINE == "celery":
        # the relay puts off what no worker takes, again and again; then the event's age tells
        overdue |= Q(attempts=0, event__occurred_at__lte=since - OVERDUE)
    return overdue


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one receiver is doing; of all that is owed the longest due `MOST_COUNTED` are counted, and so of the dead."""

    receiver: str
    owed: int = 0
    overdue: int = 0
    oldest_due: datetime | None = None
    dead: int = 0

    @property
    def age(self) -> timedelta:
        """How long the longest due has been due."""
        now = timezone.now()
        return max(now - (self.oldest_due or now), timedelta())


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What one receiver has settled lately, in how many attempts."""

    receiver: str
    done: int
    attempts: int


def standings() -> list[Standing]:
    """Of every receiver that has a row, or that something is owed to. Three queries, however much there is."""
    current = Receiver.objects.exclude(owed_after=None).values_list("uid", flat=True)
    found = {uid: Standing(receiver=uid) for uid in current}
    for row in Delivery.objects.raw(_OWED, [_as_stored(timezone.now() - OVERDUE), MOST_COUNTED]):
        counts = {"owed": row.owed, "overdue": row.overdue}  # type: ignore[attr-defined]  # named by the query
        found[row.receiver] = Standing(receiver=row.receiver, oldest_due=row.due, **counts)
    for row in Delivery.objects.raw(_DEAD, [MOST_COUNTED]):
        known = found.get(row.receiver, Standing(receiver=row.receiver))
        found[row.receiver] = replace(known, dead=row.dead)  # type: ignore[attr-defined]  # here too
    return sorted(found.values(), key=lambda standing: standing.receiver)


def settled_lately() -> list[Settled]:
    """What was settled within `WINDOW`: one query, on the index of `done_at`, that reads no more than that."""
    rows = Delivery.objects.raw(_SETTLED, [_as_stored(timezone.now() - WINDOW)])
    return [
        Settled(receiver=row.receiver, done=row.done, attempts=row.tried)  # type: ignore[attr-defined]  # and here
        for row in rows
    ]


def _as_stored(moment: datetime) -> object:
    return connection.ops.adapt_datetimefield_value(moment)


# A limit inside a count is what the ORM can't say. Each in the words of its partial index, and in its order.
_OWED: Final = """
    SELECT MIN(id) AS id, receiver, MIN(due) AS due, COUNT(*) AS owed, COUNT(CASE WHEN due <= %s THEN 1 END) AS overdue
    FROM (SELECT id, receiver, due FROM events_delivery WHERE status = 'pending' ORDER BY due LIMIT %s) AS longest_due
    GROUP BY receiver
"""
_DEAD: Final = """
    SELECT MIN(id) AS id, receiver, COUNT(*) AS dead
    FROM (SELECT id, receiver FROM events_delivery WHERE status = 'dead' ORDER BY receiver LIMIT %s) AS letters
    GROUP BY receiver
"""
_SETTLED: Final = """
    SELECT MIN(id) AS id, receiver, COUNT(*) AS done, SUM(attempts) AS tried
    FROM events_delivery WHERE status = 'done' AND done_at >= %s GROUP BY receiver ORDER BY receiver
"""


def _by_receiver(deliveries: DeliveryQuerySet) -> dict[str, int]:
    return dict(deliveries.order_by("receiver").values_list("receiver").annotate(Count("pk")))
