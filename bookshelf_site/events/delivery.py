"""One delivery: acknowledge first, effect second, one transaction. This is where exactly once is decided."""

from __future__ import annotations

import random
import traceback
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

import structlog
from django.db import connection, transaction
from django.utils import timezone

from bookshelf_site.events.context import Context, within
from bookshelf_site.events.failures import (
    PermanentFailure,
    RetryAfter,
    Superseded,
    SwallowedDatabaseError,
    UnknownReceiver,
)
from bookshelf_site.events.models import Delivery
from bookshelf_site.events.signals import RECEIVERS

BACKOFF_BASE = timedelta(seconds=1)
BACKOFF_CAP = timedelta(minutes=15)
GROUP = 50
"""How many deliveries share a transaction at most; on SQLite nobody else can write meanwhile."""
BATCH = 500
"""How many events a batch receiver hears at once at most."""
ERROR_LENGTH = 4000

log = structlog.get_logger(__name__)


def deliver(deliveries: Iterable[Delivery]) -> None:
    """Run claimed deliveries; never raises for what a receiver does. Each receiver hears its events in their order."""
    for group in groups(deliveries):
        settle(group)


def groups(deliveries: Iterable[Delivery]) -> Iterator[list[Delivery]]:
    """What shares a transaction: a batch receiver's deliveries, and all others but those that have to be alone."""
    lanes: dict[object, list[Delivery]] = {}
    for delivery in deliveries:
        lanes.setdefault(_lane(delivery), []).append(delivery)
    for lane, members in lanes.items():
        size = GROUP if lane == "" else BATCH
        yield from (members[start : start + size] for start in range(0, len(members), size))


def _lane(delivery: Delivery) -> object:
    durable = RECEIVERS.get(delivery.receiver)
    # what was tried before may fail again, and would cost the others their transaction
    if durable is None or durable.alone or durable.external or delivery.attempts > 1:
        return delivery.pk
    return durable.uid if durable.batch else ""


def settle(group: Sequence[Delivery]) -> None:
    """Run them in one transaction; if any raises, all of it is rolled back and each then runs alone."""
    try:
        _attempt(group)
    except Exception as failure:
        if len(group) > 1:
            log.info("a shared transaction failed, each delivery runs alone", size=len(group), exc_info=failure)
            for delivery in group:
                settle([delivery])
        elif not isinstance(failure, (Superseded, UnknownReceiver)):
            _put_back(group[0], failure)


def _attempt(group: Sequence[Delivery]) -> None:
    if group[0].durable.external:
        _call_out(group[0])
        return
    with transaction.atomic(durable=True):
        _acknowledge(group)
        for together in _calls(group):
            _call(together)
        _refuse_silent_rollback()


def _acknowledge(group: Sequence[Delivery]) -> None:
    """The first statement: fences a stale grant off, and locks the rows against everybody else while we live."""
    if Delivery.acknowledge([delivery.pk for delivery in group], attempts=group[0].attempts) != len(group):
        raise Superseded


def _calls(group: Sequence[Delivery]) -> Iterable[list[Delivery]]:
    """One call for each delivery, or for all that a batch receiver may hear at once."""
    calls: dict[object, list[Delivery]] = {}
    for delivery in group:
        event = delivery.event
        together = (delivery.receiver, delivery.target, event.name, event.actor)
        calls.setdefault(together if delivery.durable.batch else delivery.pk, []).append(delivery)
    return calls.values()


def _call(deliveries: Sequence[Delivery]) -> object:
    first, events = deliveries[0], [delivery.event.decoded for delivery in deliveries]
    with within(_cause(deliveries)):
        return first.durable.run(sender=first.event.sender, events=events, signal=events[0].signal, target=first.target)


def _cause(deliveries: Sequence[Delivery]) -> Context:
    """What the receiver's own events are stamped with; of a batch only what is true of all its events."""
    first = deliveries[0].event
    request = {delivery.event.correlation_id for delivery in deliveries}
    return Context(
        actor=first.actor,
        correlation_id=first.correlation_id if len(request) == 1 else "",
        causation_id=first.uid if len(deliveries) == 1 else None,
    )


def _call_out(delivery: Delivery) -> None:
    """An external receiver: called outside any transaction, its outcome written with the acknowledgement."""
    _refuse_open_transaction()
    outcome = _call([delivery])
    with transaction.atomic(durable=True), within(_cause([delivery])):
        _acknowledge([delivery])
        if delivery.durable.record is not None:
            delivery.durable.record(event=delivery.event.decoded, target=delivery.target, outcome=outcome)
        _refuse_silent_rollback()


def _refuse_open_transaction() -> None:
    blocks = connection.atomic_blocks
    if blocks and not getattr(blocks[-1], "_from_testcase", False):
        raise RuntimeError("an external receiver never runs inside a transaction")


def _refuse_silent_rollback() -> None:
    """Django rolls back a transaction that a swallowed database error has broken, and says nothing."""
    if connection.needs_rollback or _is_aborted():
        raise SwallowedDatabaseError("a receiver hid a database error; let it rise, or wrap the risk in atomic()")


def _is_aborted() -> bool:
    return connection.vendor == "postgresql" and connection.connection.info.transaction_status.name == "INERROR"


def _put_back(delivery: Delivery, failure: Exception) -> None:
    """Back off, or give up: compare-and-set again, so that after a commit of doubtful outcome it matches nothing."""
    gives_up = isinstance(failure, PermanentFailure) or delivery.is_exhausted
    held = Delivery.objects.filter(pk=delivery.pk).held(attempts=delivery.attempts)
    matched = held.update(
        status=Delivery.Status.DEAD if gives_up else Delivery.Status.PENDING,
        due=timezone.now() + pause(delivery.attempts, failure),
        last_error=_as_text(failure),
    )
    outcome = ("dead" if gives_up else "will be tried again") if matched else "failed after it was settled"
    bound = log.bind(receiver=delivery.receiver, event_uid=str(delivery.event.uid), attempt=delivery.attempts)
    bound.warning("delivery failed", outcome=outcome, exc_info=failure)


def _as_text(failure: Exception) -> str:
    """The traceback, without the characters that PostgreSQL can't keep: no failure may fail to be recorded."""
    lines = "".join(traceback.format_exception(failure)).replace("\0", "␀")
    return lines.encode("utf-8", "backslashreplace").decode()[-ERROR_LENGTH:]


def pause(attempts: int, failure: Exception) -> timedelta:
    """How long to wait: what the other side asked for, else full jitter over an exponential."""
    if isinstance(failure, RetryAfter):
        return timedelta(seconds=failure.seconds)
    longest = min(BACKOFF_CAP, BACKOFF_BASE * 2 ** min(attempts - 1, 30))
    return timedelta(seconds=random.uniform(0, longest.total_seconds()))  # noqa: S311  # jitter, not a secret
