"""What an emit promises, from the transaction of the change to the first attempts after its commit."""

import logging
import threading
from contextlib import suppress

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from bookshelf_site.events import acting
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.outbox import emit
from tests.events.happenings import (
    Echoed,
    Rang,
    assert_nothing_lost_nothing_twice,
    change_and_emit,
    changes,
    delivery_to,
    effects,
    note,
    relay_comes_by,
    ring,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]


@pytest.fixture
def fail(connect):
    """A receiver that raises until its list is emptied."""
    broken = ["broken"]

    def failing(sender, event, **kwargs):
        note("tests.failing", event.number)
        if broken:
            raise LookupError("no such shelf")

    connect(Rang, "tests.failing", failing)
    return broken


def test_a_receivers_effect_is_there_when_the_change_is(connect):
    connect(Rang, "tests.first")

    ring(1)

    assert effects() == [("tests.first", 1)]
    assert_nothing_lost_nothing_twice("tests.first")


def test_a_receiver_that_raises_breaks_neither_the_change_nor_its_neighbours(connect, fail):
    connect(Rang, "tests.second")

    ring(1)

    assert changes() == [1]
    assert effects() == [("tests.second", 1)]
    assert delivery_to("tests.failing").status == "pending"
    assert "LookupError: no such shelf" in delivery_to("tests.failing").last_error


def test_what_failed_arrives_by_the_relay(connect, fail):
    connect(Rang, "tests.second")
    ring(1)

    fail.clear()
    relay_comes_by()

    assert_nothing_lost_nothing_twice("tests.failing", "tests.second")
    assert delivery_to("tests.failing").attempts == 2


def test_a_rolled_back_change_leaves_no_event_and_tells_nobody(connect):
    connect(Rang, "tests.first")

    with pytest.raises(LookupError), transaction.atomic():
        change_and_emit(Rang(number=1))
        raise LookupError

    assert changes() == []
    assert effects() == []
    assert not Event.objects.exists()
    assert not Delivery.objects.exists()


def test_a_rolled_back_savepoint_takes_its_events_along(connect, listen):
    heard = []
    connect(Rang, "tests.first")
    listen(Rang, lambda event, **kwargs: heard.append(event.number))

    with transaction.atomic():
        change_and_emit(Rang(number=1))
        with suppress(LookupError), transaction.atomic():
            change_and_emit(Rang(number=2))
            raise LookupError
        change_and_emit(Rang(number=3))

    assert heard == [1, 3]
    assert effects() == [("tests.first", 1), ("tests.first", 3)]
    assert_nothing_lost_nothing_twice("tests.first")


def test_what_is_left_of_a_commit_is_heard_though_its_last_savepoint_was_rolled_back(connect):
    connect(Rang, "tests.first")

    with transaction.atomic():
        change_and_emit(Rang(number=1))
        with suppress(LookupError), transaction.atomic():
            change_and_emit(Rang(number=2))
            raise LookupError

    assert_nothing_lost_nothing_twice("tests.first")


@pytest.mark.django_db(transaction=True)
def test_emitting_outside_a_transaction_is_refused(connect):
    connect(Rang, "tests.first")

    with pytest.raises(RuntimeError, match="inside a transaction only"):
        emit(Rang(number=1))

    assert not Event.objects.exists()
    assert effects() == []


@pytest.mark.django_db(transaction=True)
def test_a_constraint_that_fails_at_commit_leaves_nothing(connect):
    connect(Rang, "tests.first")

    with pytest.raises(IntegrityError), transaction.atomic():
        change_and_emit(Rang(number=1))
        break_a_deferred_constraint()

    assert changes() == []
    assert effects() == []
    assert not Event.objects.exists()


def break_a_deferred_constraint():
    """A row whose foreign key leads nowhere: both databases look at it when they commit."""
    from django.contrib.admin.models import LogEntry

    LogEntry.objects.create(user_id=999_999, action_flag=1)


@pytest.mark.django_db(transaction=True)
def test_a_receiver_whose_commit_fails_is_tried_again_and_takes_effect_once(connect):
    broken = ["broken"]

    def breaks_at_commit(sender, event, **kwargs):
        note("tests.late", event.number)
        if broken:
            break_a_deferred_constraint()

    connect(Rang, "tests.late", breaks_at_commit)
    ring(1)
    assert effects() == []
    assert "IntegrityError" in delivery_to("tests.late").last_error

    broken.clear()
    relay_comes_by()

    assert_nothing_lost_nothing_twice("tests.late")


@pytest.mark.django_db(transaction=True)
def test_a_foreign_hook_that_raises_before_ours_delays_and_loses_nothing(connect):
    connect(Rang, "tests.first")

    def foreign():
        raise LookupError("somebody else's mistake")

    with pytest.raises(LookupError), transaction.atomic():
        transaction.on_commit(foreign)
        change_and_emit(Rang(number=1))
    assert changes() == [1]
    assert effects() == []

    relay_comes_by()

    assert_nothing_lost_nothing_twice("tests.first")


@pytest.mark.django_db(transaction=True)
def test_a_foreign_hook_that_raised_holds_up_no_later_commit(connect):
    connect(Rang, "tests.first")

    def foreign():
        raise LookupError

    with pytest.raises(LookupError) as still_alive, transaction.atomic():
        change_and_emit(Rang(number=1))
        transaction.on_commit(foreign)
        change_and_emit(Rang(number=2))
    ring(3)

    assert still_alive.traceback
    assert ("tests.first", 3) in effects()
    relay_comes_by()
    assert_nothing_lost_nothing_twice("tests.first")


@pytest.mark.django_db(transaction=True)
def test_our_hook_breaks_no_request_when_the_database_goes_away_after_the_commit(connect, caplog):
    """It is the hook that raises here, for not even the failure can be written down."""

    def unplugged(sender, event, **kwargs):
        connection.close()
        connection.settings_dict["NAME"], connection.settings_dict["HOST"] = "/nowhere/nothing", "/nowhere"
        raise LookupError("the plug was pulled")

    connect(Rang, "tests.unplugged", unplugged)
    connect(Rang, "tests.neighbour")
    heard = []
    before = dict(connection.settings_dict)
    pool = connection.settings_dict["OPTIONS"].pop("pool", None)
    try:
        with caplog.at_level(logging.ERROR), transaction.atomic():
            change_and_emit(Rang(number=1))
            transaction.on_commit(lambda: heard.append("the next hook"))
    finally:
        connection.close()
        connection.settings_dict |= before
        if pool:
            connection.settings_dict["OPTIONS"]["pool"] = pool

    assert heard == ["the next hook"]
    assert "Error calling News.announce in on_commit()" in caplog.text
    assert changes() == [1]


def test_a_best_effort_receiver_that_raises_stops_no_other(connect, listen, caplog):
    connect(Rang, "tests.first")
    heard = []

    def broken(**kwargs):
        raise LookupError("no such ear")

    listen(Rang, broken)
    listen(Rang, lambda event, **kwargs: heard.append(event.number))

    with caplog.at_level(logging.ERROR):
        ring(1)

    assert heard == [1]
    assert "no such ear" in caplog.text
    assert_nothing_lost_nothing_twice("tests.first")


def test_a_nameless_best_effort_receiver_that_raises_stops_no_durable_one(connect, listen):
    connect(Rang, "tests.first")

    class Nameless:
        """Django asks a receiver that raised for its __qualname__."""

        def __call__(self, **kwargs):
            raise LookupError

    listen(Rang, Nameless())

    ring(1)

    assert_nothing_lost_nothing_twice("tests.first")


def test_a_best_effort_receiver_hears_the_event_and_its_sender(listen):
    heard = []
    listen(Rang, lambda sender, event, **kwargs: heard.append((sender, event)))

    ring(1, stream="events.event:7")
    ring(2)

    assert heard == [(Event, Rang(number=1)), (Rang, Rang(number=2))]


def test_the_end_of_the_process_inside_a_receiver_leaves_the_rest_to_the_relay(connect):
    def exits(sender, event, **kwargs):
        note("tests.exits", event.number)
        raise SystemExit

    connect(Rang, "tests.exits", exits)
    with pytest.raises(SystemExit):
        ring(1)
    assert effects() == []

    Rang.signal.disconnect(dispatch_uid="tests.exits")
    connect(Rang, "tests.exits")
    relay_comes_by()

    assert_nothing_lost_nothing_twice("tests.exits")


def test_the_next_commit_is_announced_after_one_that_ended_early(connect):
    def exits_once(sender, event, **kwargs):
        if event.number == 1:
            raise SystemExit
        note("tests.exits", event.number)

    connect(Rang, "tests.exits", exits_once)
    with pytest.raises(SystemExit):
        ring(1)

    ring(2)

    assert effects() == [("tests.exits", 2)]


# First in, first out


@pytest.fixture
def heard(connect):
    """Receivers of Rang that raise Echoed, and one of Echoed; in which order they are heard."""
    order = []

    def hear(name, *, echoes=()):
        def receiver(sender, event, **kwargs):
            order.append(f"{name} {event.number}")
            for number in echoes:
                emit(Echoed(number=event.number * 10 + number))

        return receiver

    connect(Rang, "tests.raises", hear("rang/a", echoes=[1]))
    connect(Rang, "tests.alone", hear("rang/b"), alone=True)
    connect(Echoed, "tests.echo", hear("echo"))
    return order


def test_what_a_receiver_raises_is_heard_after_all_receivers_of_the_event_before_it(heard):
    ring(1)

    assert heard == ["rang/a 1", "rang/b 1", "echo 11"]


def test_what_a_receiver_raises_is_heard_after_the_rest_of_the_commit(heard):
    with transaction.atomic():
        change_and_emit(Rang(number=1))
        with transaction.atomic():
            change_and_emit(Rang(number=2))

    assert heard == ["rang/a 1", "rang/a 2", "rang/b 1", "rang/b 2", "echo 11", "echo 21"]


def test_the_relay_keeps_the_same_order(heard, settings):
    settings.EVENTS_ENGINE = "relay"
    ring(1, 2)
    settings.EVENTS_ENGINE = "inline"
    assert heard == []

    relay_comes_by()

    assert heard == ["rang/a 1", "rang/a 2", "rang/b 1", "rang/b 2", "echo 11", "echo 21"]


def test_a_best_effort_receivers_own_change_waits_its_turn(connect, listen):
    order = []
    listen(Rang, lambda event, **kwargs: ring(2) if event.number == 1 else None)
    connect(Rang, "tests.order", lambda event, **kwargs: order.append(event.number))

    ring(1)

    assert order == [1, 2]


def test_an_event_raised_by_a_receiver_that_fails_did_not_happen(connect):
    def raises_and_fails(sender, event, **kwargs):
        emit(Echoed(number=1))
        raise LookupError

    connect(Rang, "tests.fails", raises_and_fails)

    ring(1)

    assert list(Event.objects.values_list("name", flat=True)) == ["tests.rang"]


# Who and why


def test_an_event_says_who_acted_on_whose_request_and_what_caused_it(connect):
    connect(Rang, "tests.raises", lambda event, **kwargs: emit(Echoed(number=event.number)))

    with acting(actor="user:alice", correlation_id="request-7"):
        ring(1)

    rang, echoed = Event.objects.order_by("id")
    assert (rang.actor, rang.correlation_id, rang.causation_id) == ("user:alice", "request-7", None)
    assert (echoed.actor, echoed.correlation_id, echoed.causation_id) == ("user:alice", "request-7", rang.uid)


def test_the_chain_holds_when_the_relay_delivers(connect, settings):
    settings.EVENTS_ENGINE = "relay"
    connect(Rang, "tests.raises", lambda event, **kwargs: emit(Echoed(number=event.number)))
    with acting(actor="user:alice", correlation_id="request-7"):
        ring(1)

    with acting(actor="the relay's own", correlation_id="poll"):
        relay_comes_by()

    rang, echoed = Event.objects.order_by("id")
    assert (echoed.actor, echoed.correlation_id, echoed.causation_id) == ("user:alice", "request-7", rang.uid)


def test_a_name_as_long_as_a_users_may_be_fits():
    with acting(actor=f"user:{'n' * 150}"):
        ring(1)

    assert Event.objects.get().actor == f"user:{'n' * 145}"


# Engines and costs


def test_the_relay_engine_runs_nothing_in_the_request(connect, settings):
    settings.EVENTS_ENGINE = "relay"
    connect(Rang, "tests.first")

    ring(1)

    delivery = delivery_to("tests.first")
    assert (delivery.status, delivery.attempts) == ("pending", 0)
    assert effects() == []


def test_an_inline_delivery_is_born_claimed(connect):
    seen = []
    connect(Rang, "tests.first")

    with transaction.atomic():
        emit(Rang(number=1))
        seen.append(delivery_to("tests.first"))

    assert (seen[0].attempts, seen[0].due > seen[0].event.occurred_at) == (1, True)


def test_an_emit_costs_two_statements_however_many_receivers_and_events(connect):
    connect(Rang, "tests.first")
    connect(Rang, "tests.second")
    connect(Rang, "tests.third")

    with transaction.atomic():
        with CaptureQueriesContext(connection) as queries:
            emit(*(Rang(number=number) for number in range(20)))
        transaction.set_rollback(True)

    assert len(queries) == 2


@pytest.mark.django_db(transaction=True)
def test_inline_delivery_costs_one_more_transaction(connect):
    connect(Rang, "tests.first")
    connect(Rang, "tests.second")

    with CaptureQueriesContext(connection) as queries:
        ring(1)

    begun = [query["sql"] for query in queries if query["sql"].startswith("BEGIN")]
    inserts = [query["sql"] for query in queries if query["sql"].startswith("INSERT INTO tests_effect")]
    acknowledged = [query["sql"] for query in queries if query["sql"].startswith("UPDATE")]
    assert (len(begun), len(inserts), len(acknowledged)) == (2, 2, 1)


def test_more_events_than_one_statement_holds_are_all_owed_and_heard(connect):
    heard = []
    connect(Rang, "tests.batch", lambda events, **kwargs: heard.append([e.number for e in events]), batch=True)

    with transaction.atomic():
        emit(*(Rang(number=number) for number in range(1200)))

    assert [len(batch) for batch in heard] == [500, 500, 200]
    assert [number for batch in heard for number in batch] == list(range(1200))
    assert Delivery.objects.settled().count() == 1200


def test_threads_announce_each_their_own(connect):
    """What one thread is announcing holds no other up."""
    from bookshelf_site.events import outbox

    seen = []
    other = threading.Thread(target=lambda: seen.append(outbox._line.is_running))

    def ask_another_thread(**kwargs):
        other.start()
        other.join()

    connect(Rang, "tests.first", ask_another_thread)

    ring(1)

    assert seen == [False]
