"""What a receiver was never told it is owed once; nothing comes twice by it."""

import pytest
from django.db import connection
from django.utils import timezone

from bookshelf_site.events import PermanentFailure, acting
from bookshelf_site.events.backfill import (
    Replay,
    reconcile,
    repeat_preview,
    repeat_receiver,
    replay_event,
    replay_preview,
    replay_receiver,
    unreconciled,
)
from bookshelf_site.events.errors import AlreadyOwed, NotHeard, NotRepeatable, TooOld, UnheardOf
from bookshelf_site.events.models import Delivery, Event, Receiver
from bookshelf_site.events.pruning import prune_deliveries
from bookshelf_site.events.relay import Relay
from bookshelf_site.events.services import skip_delivery
from bookshelf_site.events.upkeep import after_migrate, note_receivers
from tests.events.happenings import Echoed, Rang, assert_nothing_lost_nothing_twice, effects, note, relay_comes_by, ring
from tests.racing import Act, race, race_behind

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]
committed = pytest.mark.django_db(transaction=True)


@pytest.fixture
def deployed(connect):
    """The migration that brings `tests.new` has run; what emits is code that doesn't know it yet."""
    connect(Rang, "tests.new")
    note_receivers()
    Rang.signal.disconnect(dispatch_uid="tests.new")
    return lambda **options: connect(Rang, "tests.new", **options)


def test_what_old_processes_emitted_since_the_deploy_comes_once(deployed):
    ring(1, 2)
    deployed()
    ring(3)

    assert unreconciled() == {"tests.new": 2}
    assert reconcile() == {"tests.new": 2}
    assert reconcile() == {}
    relay_comes_by()

    assert_nothing_lost_nothing_twice("tests.new")


def test_what_happened_before_the_deploy_is_not_owed(connect):
    ring(1)
    connect(Rang, "tests.new")
    note_receivers()

    assert reconcile() == {}
    assert not Delivery.objects.exists()


def test_a_receiver_that_no_migration_has_noted_is_owed_nothing_afterwards(connect):
    ring(1)
    connect(Rang, "tests.new")

    assert (unreconciled(), reconcile()) == ({}, {})


def test_clocks_have_no_say_in_who_is_owed_what(deployed, later):
    later(hours=-1)
    ring(1)
    deployed()

    assert reconcile() == {"tests.new": 1}


def test_only_what_it_hears_is_owed(deployed, connect):
    ring(1)
    connect(Echoed, "tests.other")
    deployed()
    note_receivers()

    assert reconcile() == {"tests.new": 1}


def test_many_are_made_in_batches(deployed, monkeypatch):
    monkeypatch.setattr("bookshelf_site.events.backfill.BATCH", 2)
    ring(*range(5))
    deployed()

    assert reconcile() == {"tests.new": 5}
    relay_comes_by()

    assert_nothing_lost_nothing_twice("tests.new")


def test_an_ordered_receiver_waits_its_turn(deployed):
    ring(1, 2, stream="orders.order:1")
    deployed(ordered=True)
    reconcile()

    assert set(Delivery.objects.values_list("stream", flat=True)) == {"orders.order:1"}
    relay_comes_by()
    assert effects() == [("tests.new", 1), ("tests.new", 2)]


@committed
def test_several_reconcile_at_once_beside_code_that_emits(deployed, monkeypatch):
    monkeypatch.setattr("bookshelf_site.events.backfill.BATCH", 3)
    ring(*range(20))
    deployed()

    results = race([reconcile, reconcile, reconcile, lambda: ring(20, 21, 22), relay, relay])

    assert not [error for error in results if isinstance(error, Exception)]
    assert sum(made.get("tests.new", 0) for made in results[:3]) == 20
    relay_comes_by()
    assert_nothing_lost_nothing_twice("tests.new")


def relay():
    Relay().drain()


@committed
@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite there is one writer")
def test_whoever_makes_deliveries_sees_a_boundary_that_has_just_moved(deployed):
    ring(1)
    deployed()

    def move():
        Receiver.objects.filter(uid="tests.new").update(owed_after=Event.objects.get().pk)

    assert race_behind(move, [reconcile]) == [{}]
    assert not Delivery.objects.exists()


def test_replay_owes_what_was_missed_since_then(deployed, later):
    ring(1)
    later(hours=1)
    moment = timezone.now()
    ring(2)
    deployed()

    assert replay_preview(receiver="tests.new", since=moment) == Replay(made=1, reopened=0)
    assert not Delivery.objects.exists()
    assert replay_receiver(receiver="tests.new", since=moment) == Replay(made=1, reopened=0)
    relay_comes_by()

    assert effects() == [("tests.new", 2)]


def test_replay_leaves_alone_what_has_been_heard(connect):
    connect(Rang, "tests.first")
    note_receivers()
    ring(1)

    assert replay_receiver(receiver="tests.first") == Replay(made=0, reopened=0)
    assert effects() == [("tests.first", 1)]


def test_what_is_repeatable_is_heard_once_more_under_a_new_token(connect):
    connect(Rang, "tests.first", repeatable=True, max_attempts=4)
    note_receivers()
    ring(1, 2)

    assert repeat_preview(receiver="tests.first") == Replay(made=0, reopened=2)
    assert repeat_receiver(receiver="tests.first") == Replay(made=0, reopened=2)

    assert set(Delivery.objects.values_list("status", "attempts", "max_attempts", "done_at")) == {
        ("pending", 1, 5, None)
    }
    relay_comes_by()
    assert effects() == [("tests.first", number) for number in (1, 2, 1, 2)]
    assert set(Delivery.objects.values_list("status", "attempts")) == {("done", 2)}


def test_many_are_heard_again_in_batches_and_each_once(connect, monkeypatch):
    monkeypatch.setattr("bookshelf_site.events.backfill.BATCH", 2)
    connect(Rang, "tests.first", repeatable=True)
    ring(*range(5))

    assert repeat_receiver(receiver="tests.first").reopened == 5
    relay_comes_by()

    assert len(effects()) == 10


def test_what_is_not_repeatable_stays_done(connect):
    connect(Rang, "tests.first")
    ring(1)

    with pytest.raises(NotRepeatable):
        repeat_receiver(receiver="tests.first")

    assert Delivery.objects.get().status == "done"


def test_what_was_skipped_stays_so(connect):
    def dies(sender, event, **kwargs):
        raise PermanentFailure

    connect(Rang, "tests.dies", dies, repeatable=True)
    ring(1)
    skip_delivery(delivery_id=Delivery.objects.get().pk, reason="told by phone")

    assert repeat_receiver(receiver="tests.dies") == Replay(made=0, reopened=0)
    assert Delivery.objects.get().status == "done"


def test_a_misspelt_receiver_is_refused_and_told_which_there_are():
    with pytest.raises(UnheardOf, match=r"No durable receiver is called 'tests.nobody' here; there are .*inventory\."):
        replay_receiver(receiver="tests.nobody")


def test_a_replay_is_on_record(deployed):
    ring(1)
    deployed(repeatable=True)

    with acting(actor="user:alice"):
        repeat_receiver(receiver="tests.new")
        relay_comes_by()
        repeat_receiver(receiver="tests.new")

    made, reopened = Event.objects.filter(name="events.receiver_replayed").order_by("id")
    common = {"receiver": "tests.new", "since": None}
    assert (made.actor, made.stream) == ("user:alice", "events.receiver:tests.new")
    assert made.data == common | {"made": 1, "reopened": 0}
    assert reopened.data == common | {"made": 0, "reopened": 1}


# One event to one receiver


@pytest.fixture
def event(deployed):
    ring(1)
    return Event.objects.get()


def test_one_event_that_was_missed_is_owed(deployed, event):
    deployed()

    with acting(actor="user:alice"):
        replay_event(event_id=event.pk, receiver="tests.new")
    relay_comes_by()

    assert effects() == [("tests.new", 1)]
    recorded = Event.objects.get(name="events.event_replayed")
    assert recorded.actor == "user:alice"
    assert recorded.data == {"event_uid": str(event.uid), "receiver": "tests.new"}


def test_one_event_is_heard_again_by_whom_may_hear_it_again(deployed, event):
    deployed(repeatable=True)
    for _ in range(2):
        replay_event(event_id=event.pk, receiver="tests.new")
        relay_comes_by()

    assert effects() == [("tests.new", 1)] * 2
    assert Delivery.objects.get().attempts == 2


@pytest.mark.parametrize("status", ["pending", "dead"])
def test_what_is_owed_already_is_refused(deployed, event, status):
    deployed(repeatable=True)
    reconcile()
    Delivery.objects.update(status=status)

    with pytest.raises(AlreadyOwed, match=f"To tests.new it is {status}"):
        replay_event(event_id=event.pk, receiver="tests.new")

    assert Delivery.objects.get().status == status


def test_what_may_have_been_heard_and_forgotten_is_refused(deployed, event):
    deployed(repeatable=True)
    Receiver.objects.filter(uid="tests.new").update(owed_after=event.pk)

    with pytest.raises(TooOld):
        replay_event(event_id=event.pk, receiver="tests.new")

    assert not Delivery.objects.exists()


def test_one_that_does_not_hear_it_is_refused(event):
    with pytest.raises(NotHeard, match=r"inventory\.stock_copies doesn't hear tests\.rang"):
        replay_event(event_id=event.pk, receiver="inventory.stock_copies")


def test_what_is_not_repeatable_is_refused(deployed, event):
    deployed()
    replay_event(event_id=event.pk, receiver="tests.new")
    relay_comes_by()

    with pytest.raises(NotRepeatable):
        replay_event(event_id=event.pk, receiver="tests.new")

    assert effects() == [("tests.new", 1)]


# All of it together


@committed
def test_after_pruning_a_new_uid_a_reconcile_and_a_replay_nothing_has_come_twice(connect, later):
    def hears(sender, event, **kwargs):
        note("tests.hears", event.number)

    connect(Rang, "tests.old", hears)
    note_receivers()
    ring(1, 2)
    Rang.signal.disconnect(dispatch_uid="tests.old")
    ring(3)  # by code that doesn't know it
    later(days=100)
    connect(Rang, "tests.new", hears, aliases=("tests.old",))
    after_migrate(using="default")
    Rang.signal.disconnect(dispatch_uid="tests.new")
    connect(Rang, "tests.old", hears)
    ring(4)  # by old code, after the migration
    Rang.signal.disconnect(dispatch_uid="tests.old")
    connect(Rang, "tests.new", hears, aliases=("tests.old",))
    ring(5)

    acts: list[Act] = [
        lambda: prune_deliveries(days=30),
        reconcile,
        lambda: replay_receiver(receiver="tests.new"),
        relay,
    ]
    results = race(acts * 2)
    for act in acts:
        act()
    relay_comes_by()
    prune_deliveries(days=30)
    replay_receiver(receiver="tests.new")
    relay_comes_by()

    assert not [error for error in results if isinstance(error, Exception)]
    assert sorted(effects()) == [("tests.hears", number) for number in (1, 2, 3, 4, 5)]
    assert not Delivery.objects.filter(event__data__number__in=[1, 2]).exists()
    assert not Delivery.objects.exclude(status="done").exists()
