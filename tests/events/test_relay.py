"""Who may take what, when, and what is left when it stops."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.utils import ConnectionHandler
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bookshelf_site.events import PermanentFailure, embedded
from bookshelf_site.events import delivery as delivery_module
from bookshelf_site.events import relay as relay_module
from bookshelf_site.events.delivery import deliver
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.relay import Relay, claim, hand_back, next_due
from bookshelf_site.events.services import retry_delivery, skip_delivery
from tests.events.happenings import (
    Echoed,
    Rang,
    assert_nothing_lost_nothing_twice,
    change_and_emit,
    delivery_to,
    effects,
    note,
    relay_comes_by,
    ring,
)
from tests.racing import race

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]
FIRST, SECOND = "events.event:1", "events.event:2"


@pytest.fixture(autouse=True)
def by_relay(settings):
    settings.EVENTS_ENGINE = "relay"


def numbers(deliveries):
    return [delivery.event.data["number"] for delivery in deliveries]


def owed():
    return {d.event.data["number"]: (d.status, d.attempts) for d in Delivery.objects.select_related("event")}


# Claiming


def test_a_claim_counts_the_attempt_and_leases_for_as_long_as_the_receiver_asks(connect, time_machine):
    connect(Rang, "tests.first", lease=timedelta(minutes=5))
    ring(1)
    time_machine.move_to(timezone.now() + timedelta(seconds=1), tick=False)

    (claimed,) = claim()

    delivery = delivery_to("tests.first")
    assert (delivery.attempts, delivery.due) == (1, timezone.now() + timedelta(minutes=5))
    assert claimed.attempts == 1


def test_what_is_claimed_is_nobody_elses_until_its_lease_is_over(connect, later):
    connect(Rang, "tests.first")
    ring(1)
    claim()

    assert claim() == []
    later(seconds=31)
    assert numbers(claim()) == [1]


def test_the_longest_due_are_taken_first(connect):
    connect(Rang, "tests.first")
    ring(1, 2, 3)
    Delivery.objects.filter(event__data={"number": 3}).update(due=timezone.now() - timedelta(hours=1))

    assert numbers(claim(2)) == [3, 1]


def test_a_batch_of_mixed_leases_is_held_for_the_longest(connect, time_machine):
    connect(Rang, "tests.short", lease=timedelta(seconds=10))
    connect(Rang, "tests.long", lease=timedelta(seconds=120))
    ring(1)
    time_machine.move_to(timezone.now() + timedelta(seconds=1), tick=False)

    claim()

    assert {delivery.due for delivery in Delivery.objects.all()} == {timezone.now() + timedelta(seconds=120)}


def test_an_idle_poll_is_one_query_and_no_transaction(connect):
    connect(Rang, "tests.first")
    ring(1)
    relay_comes_by()

    with CaptureQueriesContext(connection) as queries:
        assert claim() == []

    assert len(queries) == 1
    assert queries[0]["sql"].startswith("SELECT 1")


@pytest.mark.parametrize("ordered", [False, True])
def test_claiming_and_idling_read_the_partial_indexes(connect, ordered):
    connect(Rang, "tests.first", ordered=ordered)
    claimable = Delivery.objects.claimable(timezone.now(), ["tests.first"])
    if connection.vendor == "postgresql":
        # the planner of a table that is almost empty has other ideas, which depend on what it has counted
        with connection.cursor() as cursor:
            for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
                cursor.execute(f"SET LOCAL enable_{way} = off")

    plan = claimable[:200].explain()

    assert "delivery_owed" in plan
    assert "delivery_line" in plan
    assert "USE TEMP B-TREE" not in plan
    assert "Sort" not in plan


def test_what_was_started_before_is_claimed_alone(connect, later):
    connect(Rang, "tests.first")
    ring(1, 2)
    claim()
    later(seconds=31)
    ring(3, 4)

    assert [numbers(claim()) for _ in range(3)] == [[1], [2], [3, 4]]


def test_whoever_ends_its_process_each_time_is_dead_and_takes_nobody_along(connect, later):
    """As it would be with SIGKILL: claimed, and never heard of again."""

    def ends(sender, event, **kwargs):
        if event.number == 2:
            raise SystemExit
        note("tests.ends", event.number)

    connect(Rang, "tests.ends", ends, max_attempts=3)
    ring(1, 2, 3)

    for _ in range(5):
        try:
            Relay().drain()
        except SystemExit:
            later(seconds=31)

    assert owed() == {1: ("done", 2), 2: ("dead", 3), 3: ("done", 2)}
    assert "every attempt ended with its process" in Delivery.objects.dead().get().last_error
    assert sorted(effects()) == [("tests.ends", 1), ("tests.ends", 3)]


def test_a_backlog_that_sits_loses_no_attempts(connect, later):
    connect(Rang, "tests.first", max_attempts=1)
    ring(*range(30))

    later(hours=1)
    Relay().drain()

    assert_nothing_lost_nothing_twice("tests.first")


@pytest.mark.django_db(transaction=True)
def test_two_relays_at_one_table_take_each_delivery_once(connect):
    connect(Rang, "tests.first")
    connect(Rang, "tests.second", alone=True)
    with transaction.atomic():
        for number in range(150):
            change_and_emit(Rang(number=number))
    together = threading.Barrier(2)

    def run():
        together.wait()
        Relay(batch=7).drain()
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert_nothing_lost_nothing_twice("tests.first", "tests.second")
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


@pytest.mark.django_db(transaction=True)
def test_a_relay_passes_over_what_another_is_running_after_its_lease(connect, later):
    """The acknowledgement comes first and locks the row, so the receiver isn't even started twice."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer, which others wait for")
    started, may_end, executed, told = threading.Event(), threading.Event(), [], []

    def slow(sender, event, **kwargs):
        executed.append(event.number)
        started.set()
        told.append(may_end.wait(60))
        note("tests.slow", event.number)

    connect(Rang, "tests.slow", slow)
    ring(1)
    claimed = claim()

    def run():
        deliver(claimed)
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait(60)
    later(seconds=60)

    assert claim() == []
    may_end.set()
    thread.join()
    Relay().drain()

    assert executed == [1]
    assert told == [True]  # a claim that waits for the row lets the receiver wait in vain
    assert_nothing_lost_nothing_twice("tests.slow")


def test_a_relay_and_the_request_do_not_race(connect, settings):
    settings.EVENTS_ENGINE = "inline"
    relays = []
    connect(Rang, "tests.first", lambda event, **kwargs: relays.append(claim()), alone=True)
    connect(Rang, "tests.second", alone=True)

    ring(1)

    assert relays == [[]]
    assert Delivery.objects.settled().count() == 2


# Handing back


def test_what_is_handed_back_is_due_at_once_and_has_lost_no_attempt(connect):
    connect(Rang, "tests.first", max_attempts=1)
    ring(1, 2)

    hand_back(claim())

    assert [(d.attempts, d.max_attempts) for d in Delivery.objects.all()] == [(1, 2), (1, 2)]
    relay_comes_by(timedelta(0))
    assert_nothing_lost_nothing_twice("tests.first")


def test_a_stale_grant_hands_nothing_back(connect, later):
    connect(Rang, "tests.first")
    ring(1)
    asleep = claim()
    later(seconds=31)
    claim()
    before = delivery_to("tests.first")

    hand_back(asleep)

    after = delivery_to("tests.first")
    assert (after.due, after.max_attempts) == (before.due, before.max_attempts)


def test_a_relay_that_is_told_to_stop_finishes_what_is_in_hand_and_hands_back_the_rest(connect):
    relay = Relay()

    def stops_at_two(sender, event, **kwargs):
        note("tests.first", event.number)
        if event.number == 2:
            relay.stop()

    connect(Rang, "tests.first", stops_at_two, alone=True)
    ring(1, 2, 3, 4)

    relay.drain()

    assert effects() == [("tests.first", 1), ("tests.first", 2)]
    assert owed() == {1: ("done", 1), 2: ("done", 1), 3: ("pending", 1), 4: ("pending", 1)}
    relay_comes_by(timedelta(0))
    assert_nothing_lost_nothing_twice("tests.first")


def test_the_rest_of_a_batch_is_handed_back_when_half_its_lease_is_gone(connect, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(relay_module, "monotonic", lambda: clock[0])

    def slow(sender, event, **kwargs):
        note("tests.slow", event.number)
        clock[0] += 16

    connect(Rang, "tests.slow", slow, alone=True)
    ring(1, 2, 3)

    Relay()._deliver(claim())

    assert effects() == [("tests.slow", 1)]
    assert Delivery.objects.overdue(timezone.now()).count() == 2


def test_what_talks_to_the_outside_keeps_nobody_waiting(connect):
    connect(Rang, "tests.mail", lambda event, **kwargs: note("tests.mail", event.number), external=True)
    connect(Rang, "tests.first")
    ring(1, 2)

    Relay().drain()

    assert effects() == [("tests.first", 1), ("tests.first", 2), ("tests.mail", 1), ("tests.mail", 2)]


# Order


def test_an_ordered_receiver_hears_a_stream_in_order_under_retries(connect):
    broken = [1, 1, 3]

    def stumbles(sender, event, **kwargs):
        if event.number in broken:
            broken.remove(event.number)
            raise LookupError
        note("tests.ordered", event.number)

    connect(Rang, "tests.ordered", stumbles, ordered=True)
    ring(1, 2, 3, 4, stream=FIRST)

    for hours in range(1, 6):
        relay_comes_by(timedelta(hours=hours))

    assert effects() == [("tests.ordered", number) for number in [1, 2, 3, 4]]


@pytest.mark.django_db(transaction=True)
def test_four_relays_keep_every_stream_in_order_under_retries(connect, monkeypatch):
    monkeypatch.setattr(delivery_module, "BACKOFF_BASE", timedelta(milliseconds=20))
    broken = {stream * 100 + number for stream in range(1, 6) for number in (1, 4, 7)}

    def stumbles(sender, event, **kwargs):
        note("tests.ordered", event.number)
        if event.number in broken:
            broken.remove(event.number)
            raise LookupError

    connect(Rang, "tests.ordered", stumbles, ordered=True)
    streams = {stream: [stream * 100 + number for number in range(1, 9)] for stream in range(1, 6)}
    for stream, its_numbers in streams.items():
        ring(*its_numbers, stream=f"events.event:{stream}")

    race([lambda: Relay(batch=3).run_once(patience=30)] * 4)

    heard = [number for _, number in effects()]
    assert {stream: [number for number in heard if number // 100 == stream] for stream in streams} == streams
    assert broken == set()


def test_an_ordered_receiver_runs_in_no_request(connect, settings):
    settings.EVENTS_ENGINE = "inline"
    connect(Rang, "tests.ordered", ordered=True)

    ring(1, stream=FIRST)

    assert effects() == []


def test_a_dead_head_blocks_its_stream_only(connect):
    connect(Rang, "tests.ordered", fails_at_one, ordered=True)
    connect(Rang, "tests.unordered")
    ring(1, 2, stream=FIRST)
    ring(3, stream=SECOND)

    relay_comes_by()

    ordered = Delivery.objects.filter(receiver="tests.ordered").select_related("event")
    assert {d.event.data["number"]: d.status for d in ordered} == {1: "dead", 2: "pending", 3: "done"}
    assert [number for receiver, number in effects() if receiver == "tests.unordered"] == [1, 2, 3]


def fails_at_one(sender, event, **kwargs):
    if event.number == 1:
        raise PermanentFailure
    note("tests.ordered", event.number)


def test_skipping_a_dead_head_frees_its_stream(connect):
    connect(Rang, "tests.ordered", fails_at_one, ordered=True)
    ring(1, 2, stream=FIRST)
    relay_comes_by()
    assert effects() == []

    skip_delivery(delivery_id=Delivery.objects.dead().get().pk, reason="the customer knows")
    relay_comes_by()

    assert effects() == [("tests.ordered", 2)]


def test_retrying_a_dead_head_keeps_the_order(connect):
    cured: list[str] = []

    def needs_a_cure(sender, event, **kwargs):
        if not cured:
            raise PermanentFailure
        note("tests.ordered", event.number)

    connect(Rang, "tests.ordered", needs_a_cure, ordered=True)
    ring(1, 2, stream=FIRST)
    relay_comes_by()

    cured.append("yes")
    retry_delivery(delivery_id=Delivery.objects.dead().get().pk)
    relay_comes_by()

    assert effects() == [("tests.ordered", 1), ("tests.ordered", 2)]


# The loop


def test_the_loop_survives_whatever_goes_wrong(monkeypatch, caplog):
    """Even a mistake of its own, and the next round delivers."""
    rounds: list[int] = []
    relay = Relay()

    def drain():
        rounds.append(len(rounds))
        relay.woken.set()
        if len(rounds) == 1:
            raise ValueError("a mistake")
        relay.stop()

    monkeypatch.setattr(relay, "drain", drain)
    monkeypatch.setattr(ConnectionHandler, "close_all", lambda self: None)
    monkeypatch.setattr(relay_module, "close_old_connections", lambda: None)

    relay.run()

    assert rounds == [0, 1]
    assert "the relay stumbled and goes on" in caplog.text


def test_run_once_waits_out_a_pause(connect, settings):
    settings.EVENTS_ENGINE = "inline"
    broken = ["broken"]

    def stumbles(sender, event, **kwargs):
        if broken:
            raise LookupError(broken.pop())
        note("tests.first", event.number)

    connect(Rang, "tests.first", stumbles)
    ring(1)

    Relay().run_once()

    assert_nothing_lost_nothing_twice("tests.first")


def test_run_once_does_not_wait_for_what_it_may_not_live_to_see(connect):
    connect(Rang, "tests.first")
    ring(1)
    Delivery.objects.update(due=timezone.now() + timedelta(hours=1))

    Relay().run_once(patience=60)

    assert Delivery.objects.pending().count() == 1


def test_next_due_overlooks_what_stands_in_a_line_behind_a_dead_letter(connect):
    connect(Rang, "tests.ordered", fails_at_one, ordered=True)
    ring(1, 2, stream=FIRST)
    relay_comes_by()

    assert Delivery.objects.pending().count() == 1
    assert next_due() is None


@pytest.mark.django_db(transaction=True)
def test_the_embedded_relay_is_woken_by_a_commit_and_stops_when_told(connect, settings, monkeypatch):
    """Its next round would be an hour away."""
    settings.EVENTS_ENGINE = "inline"
    monkeypatch.setattr(relay_module, "POLL_SECONDS", 3600)
    done = threading.Event()

    def send(sender, event, **kwargs):
        note("tests.ordered", event.number)
        transaction.on_commit(done.set)

    connect(Rang, "tests.ordered", send, ordered=True)
    embedded.start()
    try:
        thread = embedded._thread
        embedded.start()
        assert embedded._thread is thread

        ring(1)

        assert done.wait(60)
    finally:
        embedded.stop()
    assert thread is not None
    assert not thread.is_alive()
    assert_nothing_lost_nothing_twice("tests.ordered")


def test_what_a_relays_receiver_raises_is_owed_and_delivered_in_the_same_drain(connect, settings):
    settings.EVENTS_ENGINE = "inline"
    connect(Rang, "tests.raises", lambda event, **kwargs: emit(Echoed(number=event.number)), ordered=True)
    connect(Echoed, "tests.echo")
    ring(1, stream=FIRST)

    Relay().drain()

    assert effects() == [("tests.echo", 1)]
    assert Event.objects.count() == 2
