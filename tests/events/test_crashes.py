"""Real processes, killed by a real SIGKILL wherever one may die; then a relay comes by, in a process of its own too."""

import signal

import pytest
from django.utils import timezone

from bookshelf_site.events.models import Delivery, Event
from tests.events.happenings import Rang, assert_nothing_lost_nothing_twice, changes, effects, ring

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("ledger")]
KILLED = -signal.SIGKILL
EVERYONE = ("tests.first", "tests.shares", "tests.alone")


@pytest.fixture
def start(nursery):
    """`start("shop", "committed")`: the process; it dies where it is told to, or ends by itself."""
    return lambda *arguments: nursery().start("tests.events.child", *arguments)


@pytest.fixture
def run(start):
    return lambda *arguments: start(*arguments).wait(60)


@pytest.fixture
def owed_by_relay(connect, settings):
    """Events that only a relay delivers: what their receivers do is up to the children."""
    settings.EVENTS_ENGINE = "relay"
    for name in EVERYONE:
        connect(Rang, name, alone=name == "tests.alone", max_attempts=3)
    return ring


def test_a_process_that_lives_leaves_nothing_to_do(run):
    assert run("shop") == 0

    assert_nothing_lost_nothing_twice(*EVERYONE)


def test_killed_before_the_commit_nothing_has_happened(run):
    assert run("shop", "before the commit") == KILLED

    assert run("relay") == 0
    assert changes() == []
    assert effects() == []
    assert not Event.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("where", "done"),
    [
        pytest.param("committed", [], id="after the commit, before the receivers"),
        pytest.param("first 1 has written", [], id="inside a receiver, after its writes"),
        pytest.param("shares 1 starts", [], id="between receivers that share a transaction"),
        pytest.param("first 1 is committed", ["first", "shares"], id="after a receiver's commit"),
        pytest.param("alone 1 starts", ["first", "shares"], id="between receivers"),
        pytest.param("alone 1 is committed", ["first", "shares", "alone"], id="after the last receiver's commit"),
    ],
)
def test_killed_after_the_commit_nothing_is_lost_and_nothing_comes_twice(run, where, done):
    assert run("shop", where) == KILLED
    assert changes() == [1]
    assert effects() == [(f"tests.{name}", 1) for name in done]

    assert run("relay") == 0

    assert_nothing_lost_nothing_twice(*EVERYONE)


@pytest.mark.parametrize("where", ["first 7 has written", "alone 7 has written", "alone 7 is committed"])
def test_a_relay_killed_in_the_middle_of_a_batch_loses_nothing_and_repeats_nothing(run, owed_by_relay, where):
    owed_by_relay(*range(12))

    assert run("relay", where) == KILLED
    assert Delivery.objects.pending().exists()

    assert run("relay") == 0
    assert_nothing_lost_nothing_twice(*EVERYONE)


def test_a_receiver_that_kills_its_process_each_time_is_dead_and_takes_nobody_along(run, owed_by_relay):
    owed_by_relay(1, 2, 3)
    killer = "alone 2 has written"

    endings = [run("relay", killer) for _ in range(4)]

    assert endings == [KILLED, KILLED, KILLED, 1]
    dead = Delivery.objects.dead().select_related("event").get()
    # a relay that comes to it late hands it back once more, and takes one attempt more for that
    assert (dead.receiver, dead.event.data, dead.attempts - dead.max_attempts) == ("tests.alone", {"number": 2}, 0)
    expected = [(name, number) for name in EVERYONE for number in (1, 2, 3)]
    assert sorted(effects()) == sorted(set(expected) - {("tests.alone", 2)})
    assert Delivery.objects.settled().count() == 8


def test_two_relays_in_two_processes_repeat_nothing(start, owed_by_relay):
    owed_by_relay(*range(60))

    relays = [start("relay"), start("relay")]

    assert [relay.wait(60) for relay in relays] == [0, 0]
    assert_nothing_lost_nothing_twice(*EVERYONE)


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_relay_that_is_told_to_stop_finishes_what_is_in_hand_and_hands_back_the_rest(start, connect, settings, told):
    settings.EVENTS_ENGINE = "relay"
    connect(Rang, "tests.alone", alone=True, max_attempts=3)
    ring(1, 2, 3)
    relay = start("relay", "wait")
    assert relay.stdout.readline() == "1\n"

    relay.send_signal(told)
    relay.stdin.write("go on\n")
    relay.stdin.flush()

    assert relay.wait(60) == 0
    assert effects() == [("tests.alone", 1)]
    assert sorted(Delivery.objects.values_list("status", "attempts", "max_attempts")) == [
        ("done", 1, 3),
        ("pending", 1, 4),
        ("pending", 1, 4),
    ]
    assert Delivery.objects.overdue(timezone.now()).count() == 2
