"""Messages that are lost, repeated and late. What was sent stands in a list, and the test is the worker."""

import time
from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone

from bookshelf_site.events.messages import RESUBMIT, Message, Sweeper, post, run, take
from bookshelf_site.events.models import Delivery
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.report import report
from tests.events.happenings import Echoed, Rang, changes, delivery_to, effects, ring
from tests.racing import race_behind

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]
STREAM = "events.event:1"


@pytest.fixture(autouse=True)
def by_message(settings, monkeypatch):
    settings.EVENTS_ENGINE = "celery"
    monkeypatch.setattr(post, "closed_until", 0.0)


def sweep(after=RESUBMIT):
    """A sweeper that runs so much later."""
    with time_machine.travel(timezone.now() + after):
        Sweeper().drain()


def owed():
    rows = Delivery.objects.select_related("event").order_by("event_id", "receiver")
    return [(d.receiver, d.event.data["number"], d.status, d.attempts) for d in rows]


@pytest.fixture
def sent(monkeypatch):
    letters: list[Message] = []
    monkeypatch.setattr(post, "transport", letters.extend)
    return letters


def work(letters):
    """As workers do: one message after the other, also those that come meanwhile."""
    while letters:
        run(*letters.pop(0))


def test_a_commit_sends_two_numbers_and_runs_nothing(connect, sent):
    connect(Rang, "tests.first")

    ring(1)

    delivery = delivery_to("tests.first")
    assert sent == [(delivery.pk, 0)]
    assert effects() == []
    assert (delivery.status, delivery.attempts) == ("pending", 0)
    assert timedelta() < delivery.due - timezone.now() <= RESUBMIT


def test_a_worker_takes_the_row_counts_the_attempt_and_leases_it(connect, sent, time_machine):
    connect(Rang, "tests.first", lease=timedelta(minutes=5))
    ring(1)
    time_machine.move_to(timezone.now(), tick=False)

    taken = take(*sent[0])

    assert taken is not None
    assert taken.attempts == 1
    delivery = delivery_to("tests.first")
    assert (delivery.attempts, delivery.due) == (1, timezone.now() + timedelta(minutes=5))
    assert take(*sent[0]) is None


@pytest.mark.django_db(transaction=True)
def test_of_workers_that_hold_the_same_message_one_takes_the_row(connect, sent):
    connect(Rang, "tests.first")
    ring(1)
    (message,) = sent

    taken = race_behind(lambda: list(Delivery.objects.select_for_update()), [lambda: take(*message)] * 6)

    assert sorted(one.attempts if one else 0 for one in taken) == [0, 0, 0, 0, 0, 1]
    assert owed() == [("tests.first", 1, "pending", 1)]


def test_what_a_receiver_raises_is_sent_in_its_turn(connect, sent):
    connect(Rang, "tests.first", lambda sender, event, **kwargs: emit(Echoed(number=event.number)))
    connect(Echoed, "tests.second")
    ring(1)

    work(sent)

    assert effects() == [("tests.second", 1)]
    assert not Delivery.objects.pending().exists()


def test_a_message_that_is_lost_is_sent_again_and_costs_no_attempt(connect, sent):
    connect(Rang, "tests.first")
    ring(1)
    first = list(sent)
    sent.clear()

    sweep(after=timedelta(seconds=50))
    assert sent == []
    sweep()

    assert sent == first
    work(sent)
    assert effects() == [("tests.first", 1)]
    assert owed() == [("tests.first", 1, "done", 1)]


def test_a_message_that_is_repeated_finds_nothing_to_do(connect, sent):
    connect(Rang, "tests.first")
    ring(1)

    for message in sent * 5:
        run(*message)

    assert effects() == [("tests.first", 1)]
    assert owed() == [("tests.first", 1, "done", 1)]


def test_a_backlog_of_an_hour_consumes_no_attempts(connect, sent):
    connect(Rang, "tests.first", max_attempts=3)
    ring(1, 2)

    for minutes in range(60):
        sweep(after=timedelta(minutes=minutes, seconds=61 + minutes))

    assert len(sent) >= 60
    assert {(status, attempts) for _, _, status, attempts in owed()} == {("pending", 0)}
    work(sent)
    assert effects() == [("tests.first", 1), ("tests.first", 2)]
    assert {(status, attempts) for _, _, status, attempts in owed()} == {("done", 1)}


def test_what_no_worker_takes_is_overdue_however_often_it_is_sent_again(connect, sent):
    connect(Rang, "tests.first")
    ring(1)
    assert report().overdue == {}

    with time_machine.travel(timezone.now() + timedelta(minutes=3)):
        Sweeper().drain()

        assert report().overdue == {"tests.first": 1}
        work(sent)
        assert report().overdue == {}


def test_what_failed_is_sent_again_after_its_pause_with_its_new_token(connect, sent):
    def fails_once(sender, event, **kwargs):
        if delivery_to("tests.first").attempts == 1:
            raise ValueError("not yet")

    connect(Rang, "tests.first", fails_once)
    ring(1)
    work(sent)
    assert owed() == [("tests.first", 1, "pending", 1)]

    sweep()

    assert [attempts for _, attempts in sent] == [1]
    work(sent)
    assert owed() == [("tests.first", 1, "done", 2)]


def test_a_message_that_is_late_is_no_licence_for_the_next_attempt(connect, sent):
    connect(Rang, "tests.first", lambda sender, event, **kwargs: 1 / 0)
    ring(1)
    late = sent[0]
    work(sent)

    run(*late)

    assert owed() == [("tests.first", 1, "pending", 1)]


def test_who_ends_its_worker_each_time_is_dead_when_its_attempts_are_used_up(connect, sent):
    def ends(sender, event, **kwargs):
        raise SystemExit

    connect(Rang, "tests.first", ends, max_attempts=3)
    ring(1)
    for round_ in range(1, 6):
        while sent:
            with pytest.raises(SystemExit):
                run(*sent.pop())
        sweep(after=timedelta(hours=round_))

    assert owed() == [("tests.first", 1, "dead", 3)]
    assert "every attempt ended with its process" in delivery_to("tests.first").last_error


def test_a_receiver_that_only_other_code_knows_is_left_to_it(connect, sent):
    connect(Rang, "tests.first")
    ring(1)
    Rang.signal.disconnect(dispatch_uid="tests.first")
    try:
        work(sent)
        sweep()
        assert sent == []
    finally:
        connect(Rang, "tests.first")

    assert owed() == [("tests.first", 1, "pending", 0)]


def test_who_is_not_first_in_line_is_left_and_called_when_it_is(connect, sent):
    connect(Rang, "tests.first", ordered=True)
    ring(1, 2, 3, stream=STREAM)
    sent.reverse()

    run(*sent.pop(0))
    run(*sent.pop(0))
    assert effects() == []
    assert {attempts for _, _, _, attempts in owed()} == {0}
    work(sent)

    assert effects() == [("tests.first", 1), ("tests.first", 2), ("tests.first", 3)]


def test_a_line_does_not_move_past_a_head_that_failed(connect, sent):
    connect(Rang, "tests.first", lambda sender, event, **kwargs: 1 / 0, ordered=True, max_attempts=1)
    ring(1, 2, stream=STREAM)

    work(sent)
    sweep()

    assert sent == []
    assert owed() == [("tests.first", 1, "dead", 1), ("tests.first", 2, "pending", 0)]


def test_a_sweeper_with_nothing_to_do_asks_one_question(connect, sent, django_assert_num_queries):
    connect(Rang, "tests.first")
    ring(1)

    with django_assert_num_queries(1):
        Sweeper().drain()


def test_a_transport_that_raises_fails_nobody_and_is_left_alone_for_a_while(connect, monkeypatch, time_machine):
    calls = []

    def broken(letters):
        calls.append(list(letters))
        raise OSError("no route to the broker")

    monkeypatch.setattr(post, "transport", broken)
    connect(Rang, "tests.first")

    ring(1)
    ring(2)

    assert changes() == [1, 2]
    assert len(calls) == 1
    assert not post.is_open
    monkeypatch.setattr(post, "closed_until", time.monotonic())
    sweep()
    assert len(calls) == 2
    assert {(status, attempts) for _, _, status, attempts in owed()} == {("pending", 0)}


def test_relay_once_needs_no_worker(connect, sent, settings):
    connect(Rang, "tests.first")
    ring(1)
    Delivery.objects.update(due=timezone.now())

    call_command("relay", "--once")

    assert owed() == [("tests.first", 1, "done", 1)]
