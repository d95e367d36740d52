"""One order of all that happened: nothing behind what was seen, no effect before its cause, whatever commits late."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from bookshelf_site.events import sequencer
from bookshelf_site.events.models import Event
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.relay import Relay
from bookshelf_site.events.sequencer import last_position, sequence
from tests.events.happenings import Echoed, Rang, ring
from tests.plugins.server import wait_until
from tests.racing import race, run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("ledger")]


@pytest.fixture
def postgresql():
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite there is one writer, so nothing can commit late")


def in_order():
    """The numbers of the events, and whether they are an effect, as the log has them."""
    numbered = Event.objects.filter(position__isnull=False).order_by("position")
    return [(name.removeprefix("tests."), data["number"]) for name, data in numbered.values_list("name", "data")]


def positions():
    return list(Event.objects.order_by("id").values_list("position", flat=True))


@contextmanager
def held_open(number):
    """A transaction of somebody else that has emitted, so it has its id, and commits when the block ends."""
    has_emitted, may_commit = threading.Event(), threading.Event()

    def emit_and_wait():
        with transaction.atomic():
            emit(Rang(number=number))
            has_emitted.set()
            may_commit.wait(60)

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(run, emit_and_wait)
        assert has_emitted.wait(60)
        try:
            yield
        finally:
            may_commit.set()
        writer.result()


class Reader:
    """Follows the log by position, as whoever asks for events does."""

    column = "position"

    def __init__(self):
        self.last = 0
        self.read = []

    def poll(self):
        sequence()
        news = Event.objects.filter(**{f"{self.column}__gt": self.last}).order_by(self.column)
        for cursor, data in news.values_list(self.column, "data"):
            self.last = cursor
            self.read.append(data["number"])


class NaiveReader(Reader):
    """Follows the log by id: what everybody writes first."""

    column = "id"


# Order


def test_events_are_numbered_as_they_happened():
    ring(1, 2, 3)

    assert sequence() == 3

    assert positions() == [1, 2, 3]
    assert last_position() == 3


def test_an_empty_log_ends_before_its_first_event():
    assert (sequence(), last_position()) == (0, 0)


def test_what_is_numbered_stays_as_it_is():
    ring(1, 2)
    sequence()
    ring(3)
    sequence()

    assert sequence() == 0

    assert positions() == [1, 2, 3]


@pytest.mark.usefixtures("postgresql")
def test_what_commits_late_stands_behind_what_was_seen():
    reader = Reader()
    with held_open(1):
        ring(2)
        reader.poll()
        assert reader.read == [2]

    reader.poll()

    assert reader.read == [2, 1]
    assert Event.objects.get(data={"number": 1}).pk < Event.objects.get(data={"number": 2}).pk


@pytest.mark.usefixtures("postgresql")
def test_who_follows_the_ids_loses_what_commits_late():
    """So the test above can fail."""
    reader = NaiveReader()
    with held_open(1):
        ring(2)
        reader.poll()

    reader.poll()

    assert reader.read == [2]


@pytest.mark.usefixtures("postgresql")
def test_what_is_rolled_back_late_is_missed_by_nobody():
    reader = Reader()
    with held_open(1):
        with transaction.atomic():
            emit(Rang(number=2))
            transaction.set_rollback(True)
        ring(3)
        reader.poll()

    reader.poll()

    assert reader.read == [3, 1]


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_no_effect_stands_before_its_cause(connect, monkeypatch, batch):
    monkeypatch.setattr(sequencer, "BATCH", batch)
    connect(Rang, "tests.echoes", lambda event, **kwargs: emit(Echoed(number=event.number)))
    ring(1, 2)

    sequence()

    assert in_order() == [("rang", 1), ("echoed", 1), ("rang", 2), ("echoed", 2)]


@pytest.mark.usefixtures("postgresql")
def test_no_effect_stands_before_its_cause_though_others_commit_late(connect):
    connect(Rang, "tests.echoes", lambda event, **kwargs: emit(Echoed(number=event.number)))
    with held_open(1):
        ring(2)
        sequence()

    sequence()

    assert in_order() == [("rang", 2), ("echoed", 2), ("rang", 1), ("echoed", 1)]


def test_what_is_restored_stands_last_whatever_its_id():
    ring(1, 2, 3)
    sequence()
    with transaction.atomic():
        restored = Event.of(Rang(number=0))
        restored.pk = -1
        restored.save(force_insert=True)

    sequence()

    assert in_order() == [("rang", 1), ("rang", 2), ("rang", 3), ("rang", 0)]


# Cost


def test_with_nothing_to_number_it_is_one_query_and_no_transaction():
    ring(1)
    sequence()

    with CaptureQueriesContext(connection) as queries:
        sequence()

    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]


def test_a_relay_numbers_what_it_has_worked_on_and_an_idle_one_asks_for_no_more_than_before(connect):
    connect(Rang, "tests.ordered", ordered=True)
    ring(1)
    Relay().drain()
    assert positions() == [1]

    with CaptureQueriesContext(connection) as queries:
        Relay().drain()

    assert len(queries) == 1


def test_the_look_for_unnumbered_events_reads_an_index():
    unnumbered = Event.objects.filter(position__isnull=True).order_by("id").values_list("id", flat=True)

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off" if connection.vendor == "postgresql" else "SELECT 1")
        plan = unnumbered[:1].explain()

    assert "event_unsequenced" in plan


def test_a_batch_costs_the_same_however_many_are_in_it():
    costs = []
    for count in (1, 50):
        ring(*range(count))
        with CaptureQueriesContext(connection) as queries:
            sequence()
        costs.append(len(queries))

    assert costs[0] == costs[1]


def test_a_backlog_is_numbered_in_batches_and_nobody_waits_for_all_of_it(monkeypatch):
    monkeypatch.setattr(sequencer, "BATCH", 10)
    monkeypatch.setattr(sequencer, "AT_ONCE", 30)
    ring(*range(35))

    assert [sequence(), sequence(), sequence()] == [30, 5, 0]

    assert positions() == list(range(1, 36))


# Several at once


def test_of_several_sequencers_each_event_is_numbered_by_one():
    ring(*range(40))

    counted = race([sequence] * 6)

    assert sum(counted) == 40
    assert positions() == list(range(1, 41))


@contextmanager
def numbering_elsewhere():
    """A sequencer that has numbered and not yet committed."""
    has_numbered, may_commit = threading.Event(), threading.Event()

    def number_and_wait():
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in (*sequencer._BECOME_THE_ONLY_ONE, sequencer._NUMBER):
                cursor.execute(statement, [1000] if "%s" in statement else None)
            has_numbered.set()
            may_commit.wait(60)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(run, number_and_wait)
        assert has_numbered.wait(60)
        try:
            yield
        finally:
            may_commit.set()
        other.result()


def sequence_where_reads_repeat():
    """In a database whose transactions read as of their first statement, unless they say otherwise."""
    level = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {}"
    with connection.cursor() as cursor:
        cursor.execute(level.format("REPEATABLE READ"))
        try:
            return sequence()
        finally:
            cursor.execute(level.format("READ COMMITTED"))


@pytest.mark.usefixtures("postgresql")
@pytest.mark.parametrize("second", [sequence, sequence_where_reads_repeat])
def test_who_comes_second_waits_and_numbers_what_the_first_could_not_see(second):
    """Else it would be told that there is nothing more, though it was committed before it asked."""
    ring(1)
    with ThreadPoolExecutor(1) as pool:
        with numbering_elsewhere():
            ring(2)
            counted = pool.submit(run, second)
            wait_until(lambda: is_waited_for("advisory"))
        assert counted.result(20) == 1

    assert positions() == [1, 2]


def is_waited_for(kind):
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = %s AND NOT granted)", [kind])
        return cursor.fetchone()[0]


@pytest.mark.usefixtures("postgresql")
def test_who_waits_in_vain_reads_what_is_there(caplog):
    reader = Reader()
    ring(1)
    reader.poll()
    ring(2)
    with numbering_elsewhere():
        ring(3)
        reader.poll()
        assert reader.read == [1]
        assert "events stay unnumbered for now" in caplog.text

    reader.poll()

    assert reader.read == [1, 2, 3]


# What may go wrong


def test_inside_a_transaction_it_is_refused():
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        ring(1)
        sequence()


@pytest.mark.usefixtures("postgresql")
def test_it_gives_way_to_who_locks_an_event_and_numbers_it_later(caplog):
    ring(1)
    with transaction.atomic():
        Event.objects.select_for_update().get()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(run, sequence).result(20) == 0

    assert "events stay unnumbered for now" in caplog.text
    assert sequence() == 1


def test_a_busy_database_leaves_them_to_the_next(monkeypatch, caplog):
    def busy():
        raise OperationalError("database is locked")

    ring(1)
    monkeypatch.setattr(sequencer, "_number_a_batch", busy)
    assert sequence() == 0
    assert "database is locked" in caplog.text

    monkeypatch.undo()

    assert sequence() == 1


def test_the_database_refuses_to_number_twice():
    ring(1, 2)
    sequence()

    with pytest.raises(IntegrityError, match="append-only"):
        Event.objects.filter(position=1).update(position=3)

    assert positions() == [1, 2]


SEQUENCER = """
import sys

import django

django.setup()

from django.db import connection

from bookshelf_site.events.sequencer import sequence


def commit():
    print("about to commit", flush=True)
    sys.stdin.readline()


connection.commit = commit
sequence()
"""


def test_a_sequencer_that_is_killed_before_its_commit_has_numbered_nothing(nursery, tmp_path):
    ring(1, 2)
    program = tmp_path / "sequencer.py"
    program.write_text(SEQUENCER)
    child = nursery().start(str(program))
    assert child.stdout.readline() == "about to commit\n"
    child.end()
    assert positions() == [None, None]

    # the server may take a moment to notice that the one who holds the lock is gone
    wait_until(lambda: sequence() == 2)

    assert positions() == [1, 2]
