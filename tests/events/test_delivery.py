"""Exactly once, whoever tries, however it fails."""

import random
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from bookshelf_site.errors import DomainError
from bookshelf_site.events import PermanentFailure, RetryAfter, acting, unit_of_work
from bookshelf_site.events.delivery import BACKOFF_CAP, deliver, groups, pause, settle
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.relay import claim
from bookshelf_site.events.services import retry_delivery
from tests.events.happenings import (
    Echoed,
    Rang,
    assert_nothing_lost_nothing_twice,
    delivery_to,
    effects,
    note,
    relay_comes_by,
    ring,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]


@pytest.fixture
def by_relay(settings):
    """Nothing runs in the request: the test says who runs what and when."""
    settings.EVENTS_ENGINE = "relay"


def again(delivery):
    """The same grant in somebody else's hands."""
    return Delivery.objects.select_related("event").get(pk=delivery.pk)


# Once


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("alone", [True, False])
def test_the_same_delivery_run_by_six_threads_takes_effect_once(connect, by_relay, alone):
    executed = []

    def receiver(sender, event, **kwargs):
        executed.append(threading.get_ident())
        note("tests.first", event.number)

    connect(Rang, "tests.first", receiver, alone=alone)
    ring(1)
    claim()
    together = threading.Barrier(6)
    problems = []

    def run():
        try:
            mine = again(delivery_to("tests.first"))
            together.wait()
            settle([mine])
        except BaseException as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    assert len(executed) == 1
    assert_nothing_lost_nothing_twice("tests.first")
    assert delivery_to("tests.first").attempts == 1


def test_a_repeated_message_matches_nothing(connect, by_relay):
    connect(Rang, "tests.first")
    ring(1)
    claimed = claim()

    for _ in range(3):
        deliver([again(delivery) for delivery in claimed])

    assert_nothing_lost_nothing_twice("tests.first")


def test_a_worker_that_wakes_after_its_lease_has_no_effect(connect, by_relay):
    connect(Rang, "tests.first")
    ring(1)
    asleep = claim()

    relay_comes_by()
    deliver(asleep)

    assert_nothing_lost_nothing_twice("tests.first")
    assert delivery_to("tests.first").attempts == 2


def test_a_worker_that_wakes_beside_its_successor_has_no_effect(connect, by_relay, later):
    connect(Rang, "tests.first")
    ring(1)
    asleep = claim()
    later(seconds=60)
    successor = claim()

    deliver(asleep)
    assert effects() == []
    deliver(successor)

    assert_nothing_lost_nothing_twice("tests.first")


def test_a_worker_that_wakes_after_a_retry_by_hand_has_no_effect(connect, by_relay):
    connect(Rang, "tests.first", max_attempts=1)
    ring(1)
    asleep = claim()
    relay_comes_by()
    assert delivery_to("tests.first").status == "dead"
    retry_delivery(delivery_id=asleep[0].pk)
    successor = claim()

    deliver(asleep)
    assert effects() == []
    deliver(successor)

    assert_nothing_lost_nothing_twice("tests.first")
    assert delivery_to("tests.first").attempts == 2


def test_a_failure_that_comes_too_late_changes_nothing(connect, by_relay, later):
    def late(sender, event, **kwargs):
        raise LookupError("too late")

    connect(Rang, "tests.late", late, external=True)
    ring(1)
    asleep = claim()
    later(seconds=60)
    (successor,) = claim()

    held = again(successor)

    deliver(asleep)

    assert vars(again(successor)).items() >= {"attempts": 2, "due": held.due, "last_error": ""}.items()


@pytest.mark.django_db(transaction=True)
def test_a_receivers_own_hook_that_raises_repeats_nothing(connect):
    def hooks(sender, event, **kwargs):
        note("tests.hooks", event.number)
        transaction.on_commit(broken_hook)

    def broken_hook():
        raise LookupError("after the commit")

    connect(Rang, "tests.hooks", hooks)
    ring(1)

    relay_comes_by()

    assert_nothing_lost_nothing_twice("tests.hooks")
    assert delivery_to("tests.hooks").attempts == 1


# Shared transactions


def test_one_failure_in_a_shared_transaction_costs_the_others_nothing(connect, by_relay):
    def fails_at_seven(sender, event, **kwargs):
        note("tests.first", event.number)
        if event.number == 7:
            raise LookupError

    connect(Rang, "tests.first", fails_at_seven)
    ring(*range(10))

    deliver(claim())

    assert sorted(effects()) == [("tests.first", number) for number in range(10) if number != 7]
    assert Delivery.objects.settled().count() == 9


def test_one_stale_grant_in_a_shared_transaction_costs_the_others_nothing(connect, by_relay):
    connect(Rang, "tests.first")
    ring(*range(10))
    claimed = claim()
    settle([again(claimed[3])])

    deliver(claimed)

    assert_nothing_lost_nothing_twice("tests.first")


def test_new_deliveries_share_a_transaction_of_fifty(connect, by_relay):
    connect(Rang, "tests.first")
    ring(*range(120))

    assert [len(group) for group in groups(claim())] == [50, 50, 20]


@pytest.mark.parametrize("options", [{"alone": True}, {"external": True}])
def test_a_receiver_that_asks_for_it_shares_no_transaction(connect, by_relay, options):
    connect(Rang, "tests.first", **options)
    ring(1, 2, 3)

    assert [len(group) for group in groups(claim())] == [1, 1, 1]


def test_what_was_tried_before_shares_no_transaction(connect, by_relay, later):
    connect(Rang, "tests.first")
    ring(1)
    claim()
    later(seconds=60)
    ring(2, 3)

    assert [len(group) for group in groups([*claim(), *claim()])] == [1, 2]


def test_each_receiver_hears_its_events_in_their_order(connect, by_relay):
    heard: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    connect(Rang, "tests.a", lambda event, **kwargs: heard["a"].append(event.number))
    connect(Rang, "tests.b", lambda event, **kwargs: heard["b"].append(event.number), alone=True)
    connect(Rang, "tests.c", lambda events, **kwargs: heard["c"].extend(e.number for e in events), batch=True)
    ring(*range(30))

    deliver(claim())

    assert heard == {name: list(range(30)) for name in "abc"}


@pytest.mark.django_db(transaction=True)
def test_receivers_that_lock_the_same_rows_in_opposite_order_all_take_effect_once(connect, by_relay):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer, so nobody waits in a circle")
    rows, both_hold_one, first_calls = {1: "a", 2: "b", 3: "b", 4: "a"}, threading.Barrier(2), {1, 3}
    Group.objects.bulk_create([Group(name="a"), Group(name="b")])

    def locks(sender, event, **kwargs):
        Group.objects.select_for_update().get(name=rows[event.number])
        if event.number in first_calls:
            first_calls.discard(event.number)
            both_hold_one.wait(60)
        note("tests.locks", event.number)

    connect(Rang, "tests.locks", locks)
    ring(1, 2, 3, 4)
    claimed = claim()

    def run(group):
        settle(group)
        connection.close()

    threads = [threading.Thread(target=run, args=[group]) for group in (claimed[:2], claimed[2:])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert first_calls == set()
    assert_nothing_lost_nothing_twice("tests.locks")
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


# Batches


def test_a_batch_receiver_hears_many_at_once_even_beside_others(connect):
    heard = []
    connect(Rang, "tests.single")
    connect(Rang, "tests.batch", lambda events, **kwargs: heard.append([e.number for e in events]), batch=True)

    with transaction.atomic():
        emit(*(Rang(number=number) for number in range(60)))

    assert heard == [list(range(60))]


def test_a_batch_that_fails_is_heard_one_by_one(connect):
    def fails_at_two(sender, events, **kwargs):
        for event in events:
            if event.number == 2:
                raise LookupError
            note("tests.batch", event.number)

    connect(Rang, "tests.batch", fails_at_two, batch=True)

    with transaction.atomic():
        emit(*(Rang(number=number) for number in range(4)))

    assert effects() == [("tests.batch", 0), ("tests.batch", 1), ("tests.batch", 3)]
    assert Delivery.objects.pending().get().event.data == {"number": 2}


def test_a_batch_is_of_one_class_and_one_actor(connect, by_relay):
    from bookshelf_site.events import current_context

    heard = []

    def hear(sender, events, **kwargs):
        context = current_context()
        heard.append((type(events[0]).name, [e.number for e in events], context.actor, context.correlation_id))

    connect(Rang, "tests.batch", hear, batch=True)
    connect(Echoed, "tests.batch", hear, batch=True)
    for actor, number in [("user:alice", 1), ("user:bob", 2), ("user:alice", 3)]:
        with acting(actor=actor, correlation_id=f"request-{number}"):
            ring(number)
    with transaction.atomic():
        emit(Echoed(number=4))

    deliver(claim())

    assert heard == [
        ("tests.rang", [1, 3], "user:alice", ""),
        ("tests.rang", [2], "user:bob", "request-2"),
        ("tests.echoed", [4], "", ""),
    ]


# Failures


@pytest.mark.parametrize(("attempts", "longest"), [(1, 1), (2, 2), (3, 4), (10, 512), (11, 900), (40, 900)])
def test_the_pause_grows_to_a_cap_with_full_jitter(attempts, longest):
    random.seed(7)

    pauses = [pause(attempts, LookupError()).total_seconds() for _ in range(500)]

    assert min(pauses) < 0.05 * longest
    assert 0.95 * longest < max(pauses) <= longest <= BACKOFF_CAP.total_seconds()


@pytest.mark.parametrize(
    ("asked", "given"), [(7, 7), (0.5, 0.5), (-3, 0), (float("nan"), 0), (1e300, 86400), (float("inf"), 86400)]
)
def test_the_other_side_may_ask_for_a_pause_of_up_to_a_day(asked, given):
    assert pause(1, RetryAfter(asked)) == timedelta(seconds=given)


def test_retry_after_sets_when_it_is_due(connect, time_machine):
    time_machine.move_to("2026-01-01 12:00:00Z", tick=False)

    def busy(sender, event, **kwargs):
        raise RetryAfter(120, "too many requests")

    connect(Rang, "tests.busy", busy)
    ring(1)

    delivery = delivery_to("tests.busy")
    assert (delivery.status, delivery.due) == ("pending", timezone.now() + timedelta(seconds=120))


def test_a_permanent_failure_is_dead_at_once(connect):
    def hopeless(sender, event, **kwargs):
        raise PermanentFailure("no such address")

    connect(Rang, "tests.hopeless", hopeless)
    ring(1)

    delivery = delivery_to("tests.hopeless")
    assert (delivery.status, delivery.attempts) == ("dead", 1)
    assert "no such address" in delivery.last_error


def test_a_poison_is_dead_after_its_attempts_and_arrives_once_it_is_cured_and_retried(connect):
    poison = ["poison"]

    def poisoned(sender, event, **kwargs):
        note("tests.poisoned", event.number)
        if poison:
            raise LookupError("poison")

    connect(Rang, "tests.poisoned", poisoned, max_attempts=5)
    ring(1)
    for hours in range(1, 8):
        relay_comes_by(timedelta(hours=hours))
    dead = delivery_to("tests.poisoned")
    assert (dead.status, dead.attempts) == ("dead", 5)

    poison.clear()
    retry_delivery(delivery_id=dead.pk)
    relay_comes_by()

    assert_nothing_lost_nothing_twice("tests.poisoned")
    assert delivery_to("tests.poisoned").attempts == 6


def test_a_failure_with_characters_that_no_database_keeps_is_recorded(connect):
    def says_something_odd(sender, event, **kwargs):
        raise LookupError("NUL \0 and half a pair \ud800")

    connect(Rang, "tests.odd", says_something_odd)
    ring(1)

    assert "NUL ␀ and half a pair \\ud800" in delivery_to("tests.odd").last_error


def test_only_the_end_of_a_long_traceback_is_kept(connect):
    def talks(sender, event, **kwargs):
        raise LookupError("x" * 100_000 + "the end")

    connect(Rang, "tests.talks", talks)
    ring(1)

    last_error = delivery_to("tests.talks").last_error
    assert len(last_error) == 4000
    assert last_error.endswith("the end\n")


# Swallowed database errors


def test_a_receiver_that_hides_a_database_error_is_not_believed(connect):
    def hides(sender, event, **kwargs):
        note("tests.hides", event.number)
        with suppress(DomainError):
            refused_service()

    connect(Rang, "tests.hides", hides)
    ring(1)

    assert effects() == []
    assert delivery_to("tests.hides").status == "pending"
    assert "SwallowedDatabaseError" in delivery_to("tests.hides").last_error


@unit_of_work
def refused_service():
    Group.objects.create(name="half done")
    raise DomainError


def test_a_raw_statement_whose_error_is_hidden_is_not_believed(connect):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite breaks no transaction for a statement")

    def hides(sender, event, **kwargs):
        note("tests.hides", event.number)
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column")

    connect(Rang, "tests.hides", hides)
    ring(1)

    assert effects() == []
    assert "SwallowedDatabaseError" in delivery_to("tests.hides").last_error


def test_a_database_error_inside_a_savepoint_may_be_hidden(connect):
    def careful(sender, event, **kwargs):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT no_such_column")
        except DatabaseError:
            note("tests.careful", event.number)

    connect(Rang, "tests.careful", careful)
    ring(1)

    assert_nothing_lost_nothing_twice("tests.careful")


# What can't be read, and what is nobody's here


def test_a_payload_that_can_not_be_read_is_dead_with_its_reason_and_stops_nobody(connect, by_relay):
    connect(Rang, "tests.first")
    broken = Event.objects.create(**columns(Rang(number=1)) | {"data": {"number": "Alice Johnson"}})
    Delivery.objects.create(event=broken, receiver="tests.first", max_attempts=5, due=timezone.now())
    ring(2)

    relay_comes_by()

    dead = Delivery.objects.dead().get()
    assert dead.event == broken
    assert "BrokenPayload: tests.rang v1: number: Input should be a valid integer" in dead.last_error
    assert "Alice" not in dead.last_error
    assert effects() == [("tests.first", 2)]


def columns(event):
    row = Event.of(event)
    return {field.name: getattr(row, field.name) for field in Event._meta.fields if field.name != "id"}


@pytest.mark.parametrize("newer", [{"version": 2}, {"name": "tests.of_the_next_release"}])
def test_an_event_of_newer_code_is_tried_again(connect, by_relay, newer):
    connect(Rang, "tests.first")
    event = Event.objects.create(**columns(Rang(number=1)) | newer)
    Delivery.objects.create(event=event, receiver="tests.first", max_attempts=5, due=timezone.now())

    relay_comes_by(timedelta(seconds=1))

    delivery = delivery_to("tests.first")
    assert delivery.status == "pending"
    assert "UnknownToThisCode" in delivery.last_error


def test_a_delivery_to_a_receiver_of_other_code_is_left_alone(connect, by_relay):
    connect(Rang, "tests.first")
    ring(1)
    claimed = claim()
    Rang.signal.disconnect(dispatch_uid="tests.first")

    deliver(claimed)
    relay_comes_by()

    delivery = delivery_to("tests.first")
    assert (delivery.status, delivery.attempts, delivery.last_error) == ("pending", 1, "")
    connect(Rang, "tests.first")
    relay_comes_by()
    assert_nothing_lost_nothing_twice("tests.first")


# External receivers


@pytest.mark.django_db(transaction=True)
def test_an_external_receiver_runs_in_no_request_and_no_transaction(connect):
    inside = []

    def send(sender, event, **kwargs):
        inside.append(connection.in_atomic_block)
        return f"sent {event.number}"

    def record(event, target, outcome):
        inside.append(connection.in_atomic_block)
        note(outcome, event.number)

    connect(Rang, "tests.send", send, external=True, record=record)
    ring(1)
    assert inside == []

    relay_comes_by()

    assert inside == [False, True]
    assert effects() == [("sent 1", 1)]
    assert delivery_to("tests.send").status == "done"


@pytest.mark.django_db(transaction=True)
def test_an_external_receiver_refuses_to_run_inside_a_transaction(connect, by_relay):
    sent = []
    connect(Rang, "tests.send", lambda event, **kwargs: sent.append(event), external=True)
    ring(1)
    claimed = claim()

    with transaction.atomic():
        deliver(claimed)

    assert sent == []
    assert "never runs inside a transaction" in delivery_to("tests.send").last_error


def test_an_outcome_that_can_not_be_recorded_is_sent_again(connect, by_relay):
    sent, broken = [], ["broken"]

    def record(event, target, outcome):
        note("tests.recorded", event.number)
        if broken:
            raise LookupError

    connect(Rang, "tests.send", lambda event, **kwargs: sent.append(event.uid), external=True, record=record)
    ring(1)
    relay_comes_by()
    assert effects() == []

    broken.clear()
    relay_comes_by(timedelta(hours=2))

    assert effects() == [("tests.recorded", 1)]
    assert sent == [Event.objects.get().uid] * 2


def test_an_outcome_is_recorded_by_whoever_still_holds_the_delivery(connect, by_relay, later):
    connect(Rang, "tests.send", lambda **kwargs: None, external=True, record=lambda event, **kw: note("sent", 1))
    ring(1)
    asleep = claim()
    later(seconds=60)
    successor = claim()

    deliver(successor)
    deliver(asleep)

    assert effects() == [("sent", 1)]


def test_a_target_is_told_to_the_receiver(connect, by_relay):
    told = []
    connect(Rang, "tests.send", lambda target, **kwargs: told.append(target), external=True)
    ring(1)
    Delivery.objects.create(
        event=Event.objects.get(), receiver="tests.send", target="endpoint-7", max_attempts=5, due=timezone.now()
    )

    relay_comes_by()

    assert sorted(told) == ["", "endpoint-7"]
