"""For the tests of those who raise events and write receivers; docs/testing.md shows each at work."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from bookshelf_site.events.aggregate import Aggregate
from bookshelf_site.events.delivery import settle
from bookshelf_site.events.domain_event import DomainEvent
from bookshelf_site.events.models import Delivery, DeliveryQuerySet, Event
from bookshelf_site.events.relay import Relay
from bookshelf_site.events.signals import RECEIVERS, DurableReceiver

E = TypeVar("E", bound=DomainEvent)


def raised(kind: type[E], by: Aggregate | None = None, /, **fields: object) -> list[E]:
    """The events of this class with these fields: in the log, or raised by an aggregate that is not saved yet.

    Raises TypeError for a field that the event doesn't have: a misspelt one would match nothing.
    """
    known = {field.name for field in dataclasses.fields(kind)}
    if unknown := fields.keys() - known:
        raise TypeError(f"{kind.__name__} has no field {', '.join(sorted(unknown))}")
    happened = by.raised_events if by is not None else _logged(kind)
    return [event for event in happened if isinstance(event, kind) and _has(event, fields)]


def assert_raised(kind: type[E], by: Aggregate | None = None, /, **fields: object) -> E:
    """The one event of this class with these fields. Fails if there is none or another one, and tells what there is."""
    found = raised(kind, by, **fields)
    if len(found) != 1:
        raise AssertionError(f"{len(found)} of {kind.__name__} with {fields}, among {raised(kind, by)}")
    return found[0]


def deliver_now() -> None:
    """Run all that is owed, and what comes of it, without waiting out leases and pauses.

    Fails with the traceback of a receiver that failed.
    """
    failed_before = list(_failed().values_list("pk", flat=True))
    Delivery.objects.pending().update(due=timezone.now())
    Relay().drain()
    for delivery in _failed().exclude(pk__in=failed_before):
        raise AssertionError(f"{delivery.receiver} failed and is {delivery.status}\n{delivery.last_error}")


def deliver_twice(receiver_uid: str, event: DomainEvent) -> None:
    """Put a receiver through what may happen to it; its effect must be there once after that.

    It runs, and its process dies before the commit. It runs again, and is done. Then the first process wakes up, and an
    engine repeats the message of the second. The event may be made up; nobody else hears it. Fails with what the
    receiver raises. Raises ValueError if it doesn't hear such events, or has heard this one.
    """
    durable = event.signal.durable.get(receiver_uid)
    if durable is None:
        raise ValueError(f"{receiver_uid!r} doesn't hear {event.name}")
    delivery = _delivery(durable, event)
    if delivery.status == Delivery.Status.DONE:
        raise ValueError(f"{receiver_uid!r} has heard this event: make one up, or let it be owed (ordered, external)")
    first = _granted(delivery)
    _run_and_die(first)
    second = _granted(delivery)
    settle([second])
    _assert_done(second)
    settle([first])
    settle([second])


def _logged(kind: type[DomainEvent]) -> list[DomainEvent]:
    return [row.decoded for row in Event.objects.filter(name=kind.name).order_by("id")]


def _has(event: DomainEvent, fields: dict[str, object]) -> bool:
    return all(getattr(event, name) == value for name, value in fields.items())


def _failed() -> DeliveryQuerySet:
    unsettled = Delivery.objects.exclude(status=Delivery.Status.DONE)
    return unsettled.filter(receiver__in=list(RECEIVERS)).exclude(last_error="")


@transaction.atomic
def _delivery(durable: DurableReceiver, event: DomainEvent) -> Delivery:
    row = Event.objects.filter(uid=event.uid).first()
    if row is None:
        row = Event.of(event)
        row.save()
    wanted = {"max_attempts": durable.max_attempts, "due": timezone.now()}
    return Delivery.objects.get_or_create(event=row, receiver=durable.uid, target="", defaults=wanted)[0]


def _granted(delivery: Delivery) -> Delivery:
    """As a relay claims it that finds its lease over."""
    due = timezone.now() + delivery.durable.lease
    Delivery.objects.filter(pk=delivery.pk).update(attempts=F("attempts") + 1, due=due)
    return Delivery.objects.select_related("event").get(pk=delivery.pk)


def _run_and_die(delivery: Delivery) -> None:
    """What the receiver has written goes with its process; what it has sent is sent."""
    if delivery.durable.external:
        _run(delivery)
        return
    with transaction.atomic():
        _run(delivery)
        transaction.set_rollback(True)


def _run(delivery: Delivery) -> None:
    event = delivery.event.decoded
    delivery.durable.run(sender=delivery.event.sender, events=[event], signal=event.signal, target=delivery.target)


def _assert_done(delivery: Delivery) -> None:
    delivery.refresh_from_db()
    if delivery.status != Delivery.Status.DONE:
        raise AssertionError(f"{delivery.receiver} failed and is {delivery.status}\n{delivery.last_error}")
