"""Events that happen in these tests only, and a ledger that would show an effect that was lost or came twice.

A child process imports it too: `python -m tests.events.child`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import time_machine
from django.db import connection, transaction
from django.utils import timezone

from bookshelf_site.events import DomainEvent, personal, upcasts
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.relay import Relay
from bookshelf_site.money import Money


class Rang(DomainEvent, name="tests.rang", version=1):
    number: int


class Echoed(DomainEvent, name="tests.echoed", version=1):
    number: int


class Called(DomainEvent, name="tests.called", version=1):
    number: int
    aloud: bool = True


class Whispered(DomainEvent, name="tests.whispered", version=2):
    to: str = personal()
    about: str | None = personal()
    loudness: int


class Chimed(DomainEvent, name="tests.chimed", version=3, aliases=("tests.bonged",)):
    """Version 1 had `times`, version 2 `strokes`; version 3 says where, too."""

    strokes: int
    tower: str
    heard_by: str = personal()


@upcasts("tests.chimed", version=1)
def name_strokes(values: dict[str, Any]) -> dict[str, Any]:
    return values | {"strokes": values.pop("times")}


@upcasts("tests.chimed", version=2)
def add_tower(values: dict[str, Any]) -> dict[str, Any]:
    return {"tower": "the only one"} | values


@dataclass(frozen=True, kw_only=True)
class Part:
    key: UUID
    price: Money
    words: tuple[str, ...]
    note: str | None


class Everything(DomainEvent, name="tests.everything", version=1):
    text: str
    whole: int
    yes: bool
    amount: Decimal
    key: UUID
    day: date
    moment: datetime
    price: Money
    maybe: Money | None
    parts: tuple[Part, ...]


def make_ledger() -> None:
    key = "BIGSERIAL" if connection.vendor == "postgresql" else "INTEGER"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS tests_change (id {key} PRIMARY KEY, number INTEGER)")
        cursor.execute(f"CREATE TABLE IF NOT EXISTS tests_effect (id {key} PRIMARY KEY, receiver TEXT, number INTEGER)")


def empty_ledger() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tests_change")
        cursor.execute("DELETE FROM tests_effect")


def ring(*numbers: int, stream: str = "") -> None:
    """A change and its event, in one transaction each."""
    for number in numbers:
        with transaction.atomic():
            change_and_emit(Rang(number=number, stream=stream))


def change_and_emit(event: Rang) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO tests_change (number) VALUES (%s)", [event.number])
    emit(event)


def note(receiver: str, number: int) -> None:
    """The effect of a receiver; nothing keeps it from being noted twice but the delivery."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO tests_effect (receiver, number) VALUES (%s, %s)", [receiver, number])


def effects() -> list[tuple[str, int]]:
    return _rows("SELECT receiver, number FROM tests_effect ORDER BY id")


def changes() -> list[int]:
    return [number for (number,) in _rows("SELECT number FROM tests_change ORDER BY id")]


def _rows(query: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def assert_nothing_lost_nothing_twice(*receivers: str) -> None:
    """Every change has its event, every event its effect with each receiver once, and nothing is owed any more."""
    happened = [event["number"] for event in Event.objects.filter(name="tests.rang").values_list("data", flat=True)]
    assert sorted(happened) == sorted(changes())
    assert Counter(effects()) == Counter((receiver, number) for receiver in receivers for number in happened)
    assert not Delivery.objects.exclude(status="done").exists()


def relay_comes_by(after: timedelta = timedelta(hours=1)) -> None:
    """A relay that runs so much later, when every lease and every pause is over, and for no time at all.

    While it ran, what it has just put back could be due again: pauses are random, and may be next to nothing.
    """
    with time_machine.travel(timezone.now() + after, tick=False):
        Relay().drain()


def delivery_to(receiver: str) -> Delivery:
    return Delivery.objects.select_related("event").get(receiver=receiver)
