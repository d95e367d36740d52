"""A receiver by which nobody is to be told sleeps: it costs nothing, and misses nothing from when it is woken."""

from functools import partial

import pytest
from django.db import connection, transaction

from bookshelf_site.events.backfill import reconcile, replay_receiver, unreconciled
from bookshelf_site.events.models import Delivery, Event, Receiver
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.upkeep import note_receivers, put_to_sleep, wake_up
from tests.events.happenings import Rang, change_and_emit, ring
from tests.racing import race, race_behind

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]
UID = "tests.sleeper"


@pytest.fixture
def sleeper(connect):
    connect(Rang, UID)
    connect(Rang, "tests.awake")
    note_receivers()
    put_to_sleep(UID, when=lambda: True)


def owed(uid=UID):
    return list(Delivery.objects.filter(receiver=uid).order_by("pk").values_list("event__data__number", flat=True))


@pytest.mark.usefixtures("sleeper")
def test_it_is_owed_nothing_while_it_sleeps():
    ring(1)

    assert (owed(), owed("tests.awake")) == ([], [1])
    assert (unreconciled(), reconcile(), replay_receiver(receiver=UID).made) == ({}, {}, 0)


@pytest.mark.usefixtures("sleeper")
def test_to_know_who_sleeps_costs_no_statement(django_assert_num_queries):
    with transaction.atomic(), django_assert_num_queries(2):
        emit(Rang(number=1), Rang(number=2))


@pytest.mark.usefixtures("sleeper")
def test_woken_it_is_owed_what_comes_then_and_nothing_of_before():
    ring(1)

    wake_up(UID)
    ring(2)

    assert owed() == [2]
    assert reconcile() == {}


@pytest.mark.usefixtures("sleeper")
def test_one_that_is_awake_keeps_its_boundary():
    wake_up(UID)
    before = Receiver.objects.values().get(uid=UID)
    ring(1)

    wake_up(UID)

    assert Receiver.objects.values().get(uid=UID) == before
    assert owed() == [1]


def test_it_stays_awake_if_somebody_is_to_be_told(connect):
    connect(Rang, UID)
    note_receivers()

    put_to_sleep(UID, when=lambda: False)
    ring(1)

    assert owed() == [1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite there is one writer")
def test_whoever_has_found_it_asleep_is_waited_for(sleeper):
    """Else what commits late would be above the boundary, and owed to nobody."""
    [_] = race_behind(lambda: change_and_emit(Rang(number=1)), [partial(wake_up, UID)])

    assert Receiver.objects.get(uid=UID).owed_after == Event.objects.get().pk
    assert reconcile() == {}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite there is one writer")
def test_whoever_emits_while_it_is_woken_waits_and_finds_it_awake(sleeper):
    [_] = race_behind(partial(wake_up, UID), [partial(ring, 1)])

    assert owed() == [1]


@pytest.mark.django_db(transaction=True)
def test_of_many_that_emit_while_it_is_woken_each_is_owed_or_lies_below(sleeper):
    def emit_many():
        for number in range(20):
            ring(number)

    assert race([emit_many, emit_many, partial(wake_up, UID), emit_many]) == [None] * 4

    boundary = Receiver.objects.get(uid=UID).owed_after
    above = Event.objects.filter(pk__gt=boundary).order_by("pk").values_list("pk", flat=True)
    theirs = Delivery.objects.filter(receiver=UID).order_by("event_id").values_list("event_id", flat=True)
    assert list(theirs) == list(above)
