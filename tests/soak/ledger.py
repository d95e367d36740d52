"""The check at the end: what was promised, compared with what is there."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path

from django.core.management import CommandError, call_command
from django.db import connection

from bookshelf_site.events.domain_event import EVENTS
from bookshelf_site.events.models import Delivery, Event, Receiver
from bookshelf_site.events.sequencer import sequence
from inventory.models import Notification
from orders.models import Order

PLACED, CONFIRMED = "orders.order_placed", "orders.order_confirmed"
SHIPPED, CANCELLED = "orders.order_shipped", "orders.order_cancelled"
PATHS: dict[str, list[list[str]]] = {
    "PENDING": [[PLACED]],
    "CONFIRMED": [[PLACED, CONFIRMED]],
    "SHIPPED": [[PLACED, CONFIRMED, SHIPPED]],
    "CANCELLED": [[PLACED, CANCELLED], [PLACED, CONFIRMED, CANCELLED]],
}
SHOWN = 5


def differences(*, journal: Path, followed: Path) -> Iterator[str]:
    """Each is a sentence; none, if nothing was lost and nothing came twice."""
    yield from _changes_and_events(journal)
    yield from _orders_and_events()
    yield from _events_and_deliveries()
    yield from _events_and_effects()
    yield from _answers()
    yield from _order_of_streams()
    yield from _log(followed)
    yield from _left_over()


def _compared(what: str, expected: Iterable[Hashable], found: Iterable[Hashable]) -> Iterator[str]:
    there, here = Counter(list(expected)), Counter(list(found))  # a mapping would be taken for counts
    for verdict, counts in (("missing", there - here), ("too many", here - there)):
        if counts:
            some = ", ".join(str(thing) for thing in list(counts)[:SHOWN])
            yield f"{what}: {counts.total()} {verdict}, such as {some}"


def _rows(query: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def _changes_and_events(journal: Path) -> Iterator[str]:
    changes = [number for (number,) in _rows("SELECT number FROM soak_change")]
    yield from _compared("events of changes", changes, _numbers("soak.struck"))
    told: dict[str, set[object]] = defaultdict(set)
    for line in journal.read_text().splitlines():
        outcome, _, number = line.rpartition(" ")
        told[outcome].add(int(number))
    if lost := told["committed"] - set(changes):
        yield f"{len(lost)} changes are not there although their commit was answered"
    if undead := told["rolled back"] & set(changes):
        yield f"{len(undead)} changes are there although they were rolled back"


def _numbers(name: str) -> list[object]:
    return [data["number"] for data in Event.objects.filter(name=name).values_list("data", flat=True)]


def _orders_and_events() -> Iterator[str]:
    paths: dict[str, list[str]] = defaultdict(list)
    told = Event.objects.filter(name__in=[PLACED, CONFIRMED, SHIPPED, CANCELLED]).order_by("id")
    for stream, name in told.values_list("stream", "name"):
        paths[stream].append(name)
    orders = {f"orders.order:{pk}": status for pk, status in Order.objects.values_list("pk", "status")}
    yield from _compared("orders that events speak of", orders, paths)
    for stream, status in orders.items():
        if paths[stream] not in PATHS[status]:
            yield f"{stream} is {status}, its events are {paths[stream]}"


def _owed() -> Iterator[tuple[str, str]]:
    """Each event with each of its receivers, but what says that it is nothing for one, or has slept all the time."""
    asleep = set(Receiver.objects.filter(asleep=True).values_list("uid", flat=True))
    for uid, name, data in Event.objects.values_list("uid", "name", "data"):
        for receiver, durable in EVENTS[name].signal.durable.items():
            if receiver not in asleep and data.get(durable.only_if) is not False:
                yield receiver, str(uid)


def _events_and_deliveries() -> Iterator[str]:
    found = Delivery.objects.values_list("receiver", "event__uid")
    yield from _compared("deliveries", _owed(), ((receiver, str(uid)) for receiver, uid in found))


def _events_and_effects() -> Iterator[str]:
    owed = list(_owed())
    soak = [(receiver, uid) for receiver, uid in owed if receiver.startswith("soak.")]
    yield from _compared("effects", soak, _rows("SELECT receiver, event_uid FROM soak_effect"))
    told = [uid for receiver, uid in owed if receiver.startswith("inventory.notify_")]
    noted = Notification.objects.values_list("event_uid", flat=True)
    yield from _compared("notifications", told, map(str, noted))


def _answers() -> Iterator[str]:
    """What a receiver raises has happened as often as its effect, and says what caused it."""
    struck = {str(uid) for uid in Event.objects.filter(name="soak.struck").values_list("uid", flat=True)}
    causes = [str(cause) for cause in Event.objects.filter(name="soak.answered").values_list("causation_id", flat=True)]
    yield from _compared("answers", struck, causes)


def _order_of_streams() -> Iterator[str]:
    """An ordered receiver has heard each stream as it happened."""
    ids = {str(uid): (stream, pk) for pk, uid, stream in Event.objects.values_list("pk", "uid", "stream")}
    last: dict[str, int] = {}
    for (uid,) in _rows("SELECT event_uid FROM soak_effect WHERE receiver = 'soak.ordered' ORDER BY id"):
        stream, pk = ids[str(uid)]
        if pk < last.get(stream, 0):
            yield f"soak.ordered heard {uid} of {stream} too late"
        last[stream] = pk


def _log(followed: Path) -> Iterator[str]:
    sequence()
    log = list(Event.objects.order_by("position").values_list("uid", "causation_id"))
    if Event.objects.filter(position=None).exists():
        yield "events have no position"
    place = {uid: index for index, (uid, _) in enumerate(log)}
    for uid, cause in log:
        if cause in place and place[cause] > place[uid]:
            yield f"{uid} stands before its cause"
    read = followed.read_text().split()
    if read != [str(uid) for uid, _ in log][: len(read)]:
        yield "who followed the log was given something else than what is there"
    yield from _compared("events that were followed", (str(uid) for uid, _ in log), read)


def _left_over() -> Iterator[str]:
    for status, receiver in Delivery.objects.exclude(status="done").values_list("status", "receiver")[:SHOWN]:
        yield f"a delivery to {receiver} is {status}"
    for command in ("check_stock", "check_events"):
        said = io.StringIO()
        try:
            call_command(command, stdout=said, stderr=said)
        except (CommandError, SystemExit) as refusal:
            yield f"{command}: {refusal} {said.getvalue().strip()}"
