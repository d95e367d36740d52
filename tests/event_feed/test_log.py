"""Who follows the log misses nothing, sees nothing twice and no effect before its cause, whatever happens meanwhile."""

import time
from collections.abc import Iterator
from functools import partial
from random import Random
from threading import Event as Flag
from threading import Lock
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bookshelf_site.event_feed import log
from bookshelf_site.event_feed.log import Stretch, is_known, read_log
from bookshelf_site.events import acting, sequencer
from bookshelf_site.events.models import Event
from bookshelf_site.events.outbox import emit
from tests.events.happenings import Echoed, Rang
from tests.racing import race

READERS = 3
WRITERS = 8
TRANSACTIONS = 12


def happened(*events: Rang | Echoed) -> None:
    with transaction.atomic():
        emit(*events)


def numbers(stretch: Stretch) -> list[int]:
    return [event.data["number"] for event in stretch.events]


read_all = partial(read_log, after=0, patterns=[], limit=200)


# Reading


@pytest.mark.django_db
def test_a_stretch_ends_where_the_next_begins() -> None:
    happened(*(Rang(number=number) for number in range(5)))

    first = read_log(after=0, patterns=[], limit=2)
    second = read_log(after=first.end, patterns=[], limit=2)
    third = read_log(after=second.end, patterns=[], limit=2)

    assert [numbers(first), numbers(second), numbers(third)] == [[0, 1], [2, 3], [4]]
    assert [first.has_more, second.has_more, third.has_more] == [True, True, False]


@pytest.mark.django_db
def test_a_full_stretch_with_nothing_behind_it_is_the_last() -> None:
    happened(Rang(number=1), Rang(number=2))

    stretch = read_log(after=0, patterns=[], limit=2)

    assert (numbers(stretch), stretch.has_more) == ([1, 2], False)


@pytest.mark.django_db
def test_who_asks_for_one_type_passes_over_the_others_once() -> None:
    happened(Rang(number=1), Echoed(number=2), Echoed(number=3))

    stretch = read_log(after=0, patterns=["tests.rang"], limit=2)

    assert (numbers(stretch), stretch.end, stretch.has_more) == ([1], 3, False)


@pytest.mark.django_db
def test_a_stretch_of_one_type_that_is_full_ends_with_its_last_event() -> None:
    happened(Rang(number=1), Echoed(number=2), Rang(number=3))

    stretch = read_log(after=0, patterns=["tests.rang"], limit=1)

    assert (numbers(stretch), stretch.end, stretch.has_more) == ([1], 1, True)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ([], [1, 2]),
        (["tests.rang"], [1]),
        (["tests.rang", "tests.echoed"], [1, 2]),
        (["tests.*"], [1, 2]),
        (["tests.rang", "tests.*"], [1, 2]),
        (["orders.*"], []),
        (["test_.*"], []),
        (["tests.ran"], []),
    ],
)
def test_types_are_asked_for_by_name_or_family(patterns: list[str], found: list[int]) -> None:
    happened(Rang(number=1), Echoed(number=2))

    assert numbers(read_log(after=0, patterns=patterns, limit=50)) == found


@pytest.mark.django_db
def test_an_event_of_newer_code_is_read_with_its_family() -> None:
    row = Event.of(Rang(number=1))
    row.name, row.version = "tests.from_the_future", 7
    row.save()

    assert numbers(read_log(after=0, patterns=["tests.*"], limit=50)) == [1]


@pytest.mark.parametrize(
    ("pattern", "known"),
    [
        ("tests.rang", True),
        ("tests.*", True),
        ("tests.ran", False),
        ("tests", False),
        ("test*", False),
        ("*", True),
        (".*", False),
        ("", False),
        ("tests.rang.*", False),
        ("Tests.*", False),
    ],
)
def test_what_no_event_can_match_is_known_not_to_be_there(pattern: str, known: bool) -> None:
    assert is_known(pattern) is known


@pytest.mark.django_db
def test_who_has_seen_all_costs_two_queries() -> None:
    happened(Rang(number=1))
    end = read_all().end

    with CaptureQueriesContext(connection) as queries:
        stretch = read_log(after=end, patterns=[], limit=50)

    assert (stretch.events, stretch.end) == ([], end)
    assert len(queries) == 2


@pytest.mark.django_db
def test_what_is_numbered_during_the_reading_is_read_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or `end` would pass over it, for a reader of another type's events."""

    def last_position() -> int:
        last = sequencer.last_position()
        happened(Rang(number=2))
        sequencer.sequence()
        return last

    happened(Rang(number=1))
    monkeypatch.setattr(log, "last_position", last_position)

    first = read_log(after=0, patterns=[], limit=50)
    monkeypatch.undo()
    second = read_log(after=first.end, patterns=[], limit=50)

    assert (numbers(first), numbers(second)) == ([1], [2])


@pytest.mark.django_db
def test_a_backlog_is_read_to_its_end_by_who_goes_on_as_long_as_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though only a part of it is numbered for each stretch, and none of that part was asked for."""
    monkeypatch.setattr(sequencer, "BATCH", 2)
    monkeypatch.setattr(sequencer, "AT_ONCE", 2)
    monkeypatch.setattr(log, "AT_ONCE", 2)
    happened(*(Echoed(number=number) for number in range(4)), Rang(number=4))

    stretches = [read_log(after=0, patterns=["tests.rang"], limit=50)]
    while stretches[-1].has_more:
        stretches.append(read_log(after=stretches[-1].end, patterns=["tests.rang"], limit=50))

    assert [(numbers(stretch), stretch.end) for stretch in stretches] == [([], 2), ([], 4), ([4], 5)]


# Several writers and readers at once


class Shop:
    """Writers that commit late and out of order, sometimes not at all, and sometimes because of what others did."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.lock = Lock()
        self.committed: list[UUID] = []
        self.writing = WRITERS
        self.closed = Flag()

    def write(self, writer: int) -> None:
        random = Random(self.seed + writer)
        try:
            for _ in range(TRANSACTIONS):
                self._transact(random)
        finally:
            with self.lock:
                self.writing -= 1
            if not self.writing:
                self.closed.set()

    def _transact(self, random: Random) -> None:
        with self.lock:
            seen = list(self.committed)
        cause = random.choice(seen) if seen and random.random() < 0.5 else None
        events = [Rang(number=0) for _ in range(random.randint(1, 3))]
        with transaction.atomic(), acting(causation_id=cause):
            emit(*events)
            time.sleep(random.uniform(0, 0.01))
            is_taken_back = random.random() < 0.1
            transaction.set_rollback(is_taken_back)
        if not is_taken_back:
            with self.lock:
                self.committed += [event.uid for event in events]

    def follow(self, reader: int) -> list[Event]:
        """Read until everybody has gone home, and then once more to the end."""
        random, read, after = Random(self.seed - reader), [], 0
        while True:
            was_closed = self.closed.is_set()
            stretch = read_log(after=after, patterns=[], limit=random.randint(1, 20))
            read += stretch.events
            after = stretch.end
            if was_closed and not stretch.has_more and not stretch.events:
                return read


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_reader_misses_an_event_or_reads_it_twice_or_before_its_cause(seed: int) -> None:
    shop = Shop(seed)
    writers = [partial(shop.write, number) for number in range(WRITERS)]
    readers = [partial(shop.follow, number) for number in range(READERS)]

    results = race([*readers, *writers])

    assert [result for result in results if isinstance(result, Exception)] == []
    first, *others = [[event.uid for event in result] for result in results[:READERS]]
    assert sorted(first) == sorted(shop.committed)
    assert others == [first] * len(others)
    assert list(again()) == first
    places = {uid: place for place, uid in enumerate(first)}
    effects = [event for event in results[0] if event.causation_id]
    assert effects
    assert all(places[event.causation_id] < places[event.uid] for event in effects)


def again() -> Iterator[UUID]:
    after, has_more = 0, True
    while has_more:
        stretch = read_log(after=after, patterns=[], limit=7)
        after, has_more = stretch.end, stretch.has_more
        yield from (event.uid for event in stretch.events)
