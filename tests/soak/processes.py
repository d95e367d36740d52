"""What runs in the processes of the soak, until told to stop or killed; forked from one that has loaded Django."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import execute_from_command_line  # noqa: E402
from django.db import DatabaseError, InterfaceError, connections, transaction  # noqa: E402

from bookshelf_site.errors import DomainError  # noqa: E402
from bookshelf_site.events import acting, embedded  # noqa: E402
from bookshelf_site.events.models import Delivery, Event  # noqa: E402
from bookshelf_site.events.sequencer import sequence  # noqa: E402
from catalog.models import Book  # noqa: E402
from inventory.services import receive_copies  # noqa: E402
from orders.mail.notifications import FICTIONAL  # noqa: E402
from orders.models import Contact, Order, Status  # noqa: E402
from orders.services import LineRequest, cancel_order, confirm_order, place_order, ship_order  # noqa: E402
from tests.soak import shop  # noqa: E402

NUMBERS: Final = 1_000_000
"""Each producer has so many of its own."""
FOLLOWED: Final = 200
BACKLOG: Final = 2_000
"""With so many deliveries owed a producer rests: what is never reached would not be tested."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a process has to know: which one it is, whose dice it throws, and where it writes down what it was told."""

    generation: int
    seed: int
    journal: Path


def produce(part: Part) -> None:
    """The shop's work, and changes that are rolled back."""
    _begin(part)
    rng = Random(f"{part.seed}/{part.generation}")
    settings.EVENTS_ENGINE = rng.choice(["inline", "relay"])
    if settings.EVENTS_ENGINE == "inline":
        embedded.start()
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    producer, number = Producer(rng, part), 0
    while not stopping:
        try:
            if number % 20 == 0 and Delivery.objects.pending().count() > BACKLOG:
                signal.sigtimedwait([], 0.5)
                continue
            number += 1
            with acting(actor=FICTIONAL):
                producer.act(part.generation * NUMBERS + number)
        except DomainError:
            pass  # no copies left, or somebody else was faster
        except (DatabaseError, InterfaceError):
            logging.getLogger(__name__).info("the database went away, or was busy for too long", exc_info=True)
            connections.close_all()
    embedded.stop()


class Producer:
    def __init__(self, rng: Random, part: Part) -> None:
        self.rng = rng
        self.stream = f"soak.producer:{part.generation}"
        self.journal = os.open(part.journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.books = list(Book.objects.values_list("pk", flat=True))

    def act(self, number: int) -> None:
        acts: dict[Callable[[int], object], int] = {
            self.strike: 30,
            self.change_ones_mind: 10,
            self.place: 30,
            self.confirm: 24,
            self.ship: 20,
            self.cancel: 8,
            self.receive: 4,
        }
        (act,) = self.rng.choices(list(acts), list(acts.values()))
        act(number)

    def strike(self, number: int) -> None:
        with transaction.atomic():
            shop.strike(number, stream=self.stream)
        self._remember("committed", number)

    def change_ones_mind(self, number: int) -> None:
        shop.strike_and_change_ones_mind(number, stream=self.stream)
        self._remember("rolled back", number)

    def place(self, number: int) -> None:
        books = self.rng.sample(self.books, self.rng.randint(1, 3))
        lines = [LineRequest(book_id=book, quantity=self.rng.randint(1, 2)) for book in books]
        email = f"customer-{number}@example.com" if number % 2 else ""  # who has none is owed no mail
        place_order(Contact(customer_name=f"Customer {number}", customer_email=email), lines)

    def confirm(self, number: int) -> None:
        confirm_order(order_id=self._one_of(Status.PENDING))

    def ship(self, number: int) -> None:
        ship_order(order_id=self._one_of(Status.CONFIRMED))

    def cancel(self, number: int) -> None:
        cancel_order(order_id=self._one_of(self.rng.choice([Status.PENDING, Status.CONFIRMED])), reason="customer")

    def receive(self, number: int) -> None:
        receive_copies(book_id=self.rng.choice(self.books), quantity=self.rng.randint(5, 40))

    def _one_of(self, status: Status) -> Any:
        """Any of the first few, so that producers meet at them."""
        few = list(Order.objects.filter(status=status).order_by("placed_at").values_list("pk", flat=True)[:10])
        if not few:
            raise NothingToDo
        return self.rng.choice(few)

    def _remember(self, what: str, number: int) -> None:
        os.write(self.journal, f"{what} {number}\n".encode())


class NothingToDo(DomainError):
    """No order is in that state."""


def relay(part: Part) -> None:
    _begin(part)
    settings.EVENTS_ENGINE = "relay"
    execute_from_command_line(["manage.py", "relay"])


def follow(part: Part) -> None:
    """Reads the log as another program does, from a position on, and writes down what it was given."""
    _begin(part)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    after = 0
    with part.journal.open("w", buffering=1) as seen:
        while True:
            last_round = bool(stopping)
            try:
                after = _read_on(after, seen.write)
            except (DatabaseError, InterfaceError):
                connections.close_all()
                continue
            if last_round:
                return
            signal.sigtimedwait([], 0.2)


def _read_on(after: int, write: Callable[[str], object]) -> int:
    while True:
        sequence()
        page = list(Event.objects.filter(position__gt=after).order_by("position")[:FOLLOWED])
        for event in page:
            write(f"{event.uid}\n")
            after = event.position or after
        if len(page) < FOLLOWED:
            return after


def _begin(part: Part) -> None:
    _die_with_parent()
    # what fails here fails on purpose
    logging.disable(logging.CRITICAL)
    connections.close_all()
    shop.connect_receivers()
    shop.shorten_times()
    shop.make_receivers_stumble(Random(f"{part.seed}/{part.generation}/stumbling"))


def _die_with_parent() -> None:
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
