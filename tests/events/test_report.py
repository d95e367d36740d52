"""How the receivers are doing, at a price that doesn't grow with what is done."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from bookshelf_site.events import PermanentFailure, report
from bookshelf_site.events.models import Delivery, Event, Receiver
from bookshelf_site.events.report import Settled, Standing, settled_lately, standings
from bookshelf_site.events.upkeep import note_receivers
from tests.events.happenings import Rang, relay_comes_by, ring

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]


@pytest.fixture(autouse=True)
def nobody_else():
    Receiver.objects.all().delete()


@pytest.fixture
def by_relay(settings):
    settings.EVENTS_ENGINE = "relay"


def dies(sender, event, **kwargs):
    raise PermanentFailure


def test_whoever_is_owed_nothing_stands_well(connect):
    connect(Rang, "tests.first")
    note_receivers()
    mine = [standing for standing in standings() if standing.receiver.startswith("tests.")]

    assert mine == [Standing(receiver="tests.first")]
    assert mine[0].age == timedelta()


def test_what_is_owed_overdue_and_dead_is_counted_by_receiver(connect, by_relay):
    connect(Rang, "tests.dies", dies)
    connect(Rang, "tests.first")
    ring(1)
    relay_comes_by()
    ring(2, 3)
    long_due = timezone.now() - timedelta(hours=2)
    Delivery.objects.filter(receiver="tests.first", event__data__number=2).update(due=long_due)

    dying, first = standings()

    assert (dying.owed, dying.overdue, dying.dead) == (2, 0, 1)
    assert first == Standing(receiver="tests.first", owed=2, overdue=1, oldest_due=long_due, dead=0)
    assert timedelta(hours=2) <= first.age < timedelta(hours=2, minutes=1)


def test_a_receiver_that_only_has_dead_letters_is_there(connect):
    connect(Rang, "tests.dies", dies)
    ring(1)

    assert standings() == [Standing(receiver="tests.dies", dead=1)]


def test_what_waits_for_its_time_has_no_age(connect, by_relay):
    connect(Rang, "tests.first")
    ring(1)
    Delivery.objects.update(due=timezone.now() + timedelta(hours=1))

    (first,) = standings()

    assert first.age == timedelta()


def test_no_more_is_counted_than_anybody_wants_to_know(connect, by_relay, monkeypatch):
    monkeypatch.setattr("bookshelf_site.events.report.MOST_COUNTED", 2)
    connect(Rang, "tests.first")
    ring(1, 2, 3)

    (first,) = standings()

    assert first.owed == 2


def test_a_name_that_was_given_up_is_not_shown():
    Receiver.objects.create(uid="tests.old", since=timezone.now(), owed_after=None)

    assert standings() == []


def test_what_was_settled_in_the_last_minute_is_counted_with_its_attempts(connect):
    connect(Rang, "tests.first")
    ring(1, 2, 3)
    Delivery.objects.filter(event__data__number=1).update(attempts=4)
    Delivery.objects.filter(event__data__number=3).update(done_at=timezone.now() - timedelta(minutes=2))

    assert settled_lately() == [Settled(receiver="tests.first", done=2, attempts=5)]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="a plan of PostgreSQL's")
@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        pytest.param(report._OWED, ["2026-11-23", "100"], id="owed"),
        pytest.param(report._DEAD, ["100"], id="dead"),
        pytest.param(report._SETTLED, ["now"], id="settled lately"),
    ],
)
def test_settled_deliveries_are_passed_over(query, arguments):
    ring(1)
    event = Event.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_delivery"
            " (event_id, receiver, target, stream, status, attempts, max_attempts, due, done_at, last_error)"
            " SELECT %s, 'tests.first', n::text, '', 'done', 1, 5, now(), now() - interval '1 day', ''"
            " FROM generate_series(1, 20000) AS n",
            [event.pk],
        )
        cursor.execute("ANALYZE events_delivery")
        cursor.execute(f"EXPLAIN {query}", arguments)
        plan = "\n".join(row for (row,) in cursor.fetchall())

    assert "Seq Scan" not in plan
