"""What happens in the soak, and who hears it: receivers of every kind, whose effects nothing but their delivery counts.

There is no unique key on an effect, so that one that came twice would be there twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from bookshelf_site.events import DomainEvent, delivery
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.signals import RECEIVERS, DurableReceiver
from orders.events import OrderCancelled, OrderConfirmed, OrderPlaced, OrderShipped

LEASE: Final = timedelta(seconds=2)
FAILING: Final = 0.2
"""How many of all calls of receivers raise: half of them before their effect, half of them after it."""


class Struck(DomainEvent, name="soak.struck", version=1):
    """A number was written down."""

    number: int


class Answered(DomainEvent, name="soak.answered", version=1):
    """A receiver has heard that it was."""

    number: int


TABLES: Final = (
    "CREATE TABLE soak_change (number BIGINT)",
    "CREATE TABLE soak_effect (id {key} PRIMARY KEY, receiver TEXT, event_uid TEXT)",
)


def make_tables() -> None:
    key = "BIGSERIAL" if connection.vendor == "postgresql" else "INTEGER"
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(table.format(key=key))


def strike(number: int, *, stream: str) -> None:
    """A change and its event."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO soak_change (number) VALUES (%s)", [number])
    emit(Struck(number=number, stream=stream))


def note(receiver: str, event_uid: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO soak_effect (receiver, event_uid) VALUES (%s, %s)", [receiver, str(event_uid)])


def noting(uid: str) -> Callable[..., None]:
    def note_it(sender: object, event: DomainEvent, **kwargs: object) -> None:
        note(uid, event.uid)

    return note_it


def note_batch(sender: object, events: Sequence[DomainEvent], **kwargs: object) -> None:
    for event in events:
        note("soak.batch", event.uid)


def answer(sender: object, event: Struck, **kwargs: object) -> None:
    note("soak.answers", event.uid)
    emit(Answered(number=event.number))


def send(sender: object, event: DomainEvent, **kwargs: object) -> UUID:
    return event.uid


def record(outcome: UUID, **kwargs: object) -> None:
    note("soak.external", outcome)


def connect_receivers() -> None:
    signal = Struck.signal
    signal.connect(noting("soak.shares"), dispatch_uid="soak.shares")
    signal.connect(noting("soak.impatient"), dispatch_uid="soak.impatient", max_attempts=3)
    signal.connect(noting("soak.alone"), dispatch_uid="soak.alone", alone=True)
    signal.connect(noting("soak.ordered"), dispatch_uid="soak.ordered", ordered=True)
    signal.connect(note_batch, dispatch_uid="soak.batch", batch=True)
    signal.connect(send, dispatch_uid="soak.external", external=True, record=record)
    signal.connect(answer, dispatch_uid="soak.answers")
    Answered.signal.connect(noting("soak.answered"), dispatch_uid="soak.answered")
    audit = noting("soak.orders")
    for event in (OrderPlaced, OrderConfirmed, OrderShipped, OrderCancelled):
        event.signal.connect(audit, dispatch_uid="soak.orders")


def durable_receivers() -> list[DurableReceiver]:
    """Each once, though it may be registered under several names."""
    return list({id(durable): durable for durable in RECEIVERS.values()}.values())


def shorten_times() -> None:
    """Leases and pauses that a run of minutes sees pass, of every receiver of the shop."""
    for durable in durable_receivers():
        object.__setattr__(durable, "lease", LEASE)
    for name, span in {"BACKOFF_BASE": timedelta(seconds=0.1), "BACKOFF_CAP": LEASE}.items():
        if not hasattr(delivery, name):
            raise AttributeError(f"delivery has no {name} any more: the soak shortens it")
        setattr(delivery, name, span)


def make_receivers_stumble(rng: Random) -> None:
    for durable in durable_receivers():
        object.__setattr__(durable, "function", _stumbling(durable.function, rng))


class Stumbled(Exception):
    """A receiver that fails now and then."""


def _stumbling(function: Callable[..., Any], rng: Random) -> Callable[..., Any]:
    def stumble(**kwargs: Any) -> Any:
        dice = rng.random()
        if dice < FAILING / 2:
            raise Stumbled("before its effect")
        outcome = function(**kwargs)
        if dice < FAILING:
            raise Stumbled("after its effect")
        return outcome

    return stumble


def strike_and_change_ones_mind(number: int, *, stream: str) -> None:
    """A change whose transaction is rolled back, its event with it."""
    with transaction.atomic():
        strike(number, stream=stream)
        transaction.set_rollback(True)
