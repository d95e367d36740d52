"""Real workers on a real broker: it loses, repeats and delays messages, it is down, and workers die."""

import signal
import socket
import subprocess
import sys
import time
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone
from kombu.connection import Connection

from bookshelf_site.events import celery_engine
from bookshelf_site.events.messages import RESUBMIT, Sweeper, post
from bookshelf_site.events.models import Delivery
from tests.conftest import ROOT
from tests.events.happenings import Rang, assert_nothing_lost_nothing_twice, changes, effects, ring

pytestmark = [
    pytest.mark.broker,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ledger", "everyone", "queue"),
]
EVERYONE = ("tests.first", "tests.shares", "tests.alone", "tests.ordered", "tests.external")
STREAM = "events.event:1"
KILLED = -signal.SIGKILL
PATIENCE_SECONDS = 120
BUSY_MACHINE = {"amqp": {"confirm_publish": True, "read_timeout": 30, "write_timeout": 30}}


@pytest.fixture
def everyone(connect):
    """This process takes the orders; what its receivers do is up to the workers."""
    for name in EVERYONE:
        kind = name.removeprefix("tests.")
        connect(
            Rang, name, alone=kind == "alone", ordered=kind == "ordered", external=kind == "external", max_attempts=3
        )


class OwnQueue:
    def __init__(self, url):
        self.connection = Connection(url)
        self.queue = celery_engine.app.amqp.queues[celery_engine.QUEUE](self.connection.default_channel)
        self.queue.declare()

    def size(self):
        """How many messages no worker has been given yet."""
        return self.queue.queue_declare().message_count

    def lose_everything(self):
        assert self.queue.purge()

    def close(self):
        self.queue.delete()
        self.queue.exchange.delete()
        self.connection.release()


@pytest.fixture
def queue(broker_url, settings, monkeypatch):
    settings.EVENTS_ENGINE = "celery"
    settings.CELERY_BROKER_URL = broker_url
    monkeypatch.setattr(post, "closed_until", 0.0)
    monkeypatch.setattr(celery_engine, "QUEUE", f"bookshelf-tests-{uuid4().hex}")
    monkeypatch.setattr(celery_engine, "PATIENCE", 30)
    monkeypatch.setattr(celery_engine, "OPTIONS", BUSY_MACHINE)
    queue = OwnQueue(broker_url)
    yield queue
    queue.close()


COMMANDS = {
    "worker": ["celery", "-A", "tests.events.celery_child", "worker", "--without-gossip", "--without-mingle"],
    "relay": ["tests.events.celery_child"],
}


@pytest.fixture
def start(queue, broker_url, child_environment):
    """`start("worker")`, `start("relay")`: the process; it dies where it is told to, or when the test ends."""
    children = []

    def start(what, *options, dies_where=""):
        environment = child_environment | {
            "EVENTS_ENGINE": "celery",
            "CELERY_BROKER_URL": broker_url,
            "TESTS_QUEUE": celery_engine.QUEUE,
            "TESTS_DIES_WHERE": dies_where,
        }
        command = [sys.executable, "-m", *COMMANDS[what], *options]
        child = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
        children.append(child)
        return child

    yield start
    for child in children:
        child.terminate()
    for child in children:
        stop(child)


@pytest.fixture
def work(start):
    """Let a worker do all that is waiting, and end."""

    def work(*options):
        worker = start("worker", "--pool", "solo", *options)
        until(none_is_pending)
        stop(worker)

    return work


def stop(worker):
    """A worker finishes what it is at, first."""
    worker.terminate()
    try:
        worker.wait(60)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def until(condition):
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited in vain; {set(outcomes())}"
        time.sleep(0.05)


def none_is_pending():
    return not Delivery.objects.pending().exists()


def outcomes():
    return Delivery.objects.values_list("status", "attempts")


def sweep(times=1):
    """A relay comes by when the last message should have been taken long ago, so often."""
    for again in range(1, times + 1):
        with time_machine.travel(timezone.now() + again * 2 * RESUBMIT):
            Sweeper().drain()


def test_workers_deliver_everything(start):
    start("worker", "--concurrency", "2")

    ring(*range(10), stream=STREAM)

    until(none_is_pending)
    assert_nothing_lost_nothing_twice(*EVERYONE)
    assert [number for receiver, number in effects() if receiver == "tests.ordered"] == list(range(10))
    assert set(outcomes()) == {("done", 1)}


def test_every_message_is_lost(queue, work):
    ring(1, 2)
    queue.lose_everything()

    sweep()
    work()

    assert_nothing_lost_nothing_twice(*EVERYONE)
    assert set(outcomes()) == {("done", 1)}


def test_every_message_is_repeated(queue, start):
    ring(1, 2)
    everything = list(Delivery.objects.values_list("pk", "attempts"))
    celery_engine.send(everything * 5)
    assert queue.size() == 6 * len(everything)

    workers = [start("worker", "--pool", "solo"), start("worker", "--pool", "solo")]

    until(lambda: queue.size() == 0)
    for worker in workers:
        stop(worker)
    assert queue.size() == 0
    assert_nothing_lost_nothing_twice(*EVERYONE)
    assert set(outcomes()) == {("done", 1)}


def test_every_message_is_delayed_past_its_resubmission(queue, start):
    ring(1, 2)
    sweep(times=3)
    assert queue.size() > Delivery.objects.count()

    worker = start("worker", "--pool", "solo")

    until(lambda: queue.size() == 0)
    stop(worker)
    assert_nothing_lost_nothing_twice(*EVERYONE)
    assert set(outcomes()) == {("done", 1)}


def test_a_backlog_of_an_hour_consumes_no_attempts(queue, work):
    ring(1, 2)
    sweep(times=30)
    assert set(outcomes()) == {("pending", 0)}

    work()

    assert_nothing_lost_nothing_twice(*EVERYONE)
    assert set(outcomes()) == {("done", 1)}


def test_the_broker_is_down_at_the_commit(queue, work, settings, broker_url, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as nobody, monkeypatch.context() as impatient:
        impatient.setattr(celery_engine, "PATIENCE", 1)
        settings.CELERY_BROKER_URL = f"amqp://guest:guest@127.0.0.1:{nobody.getsockname()[1]}//"
        began = time.monotonic()
        ring(*range(5))
        assert time.monotonic() - began < 10
    assert changes() == list(range(5))
    assert queue.size() == 0

    settings.CELERY_BROKER_URL = broker_url
    monkeypatch.setattr(post, "closed_until", 0.0)
    sweep()
    work()

    assert_nothing_lost_nothing_twice(*EVERYONE)
    assert set(outcomes()) == {("done", 1)}


def test_a_worker_is_killed_in_the_middle_of_a_receiver_and_another_goes_on(start):
    doomed = start("worker", "--pool", "solo", dies_where="first 2 has written")
    ring(1, 2, 3)
    assert doomed.wait(PATIENCE_SECONDS) == KILLED
    assert ("tests.first", 2) not in effects()

    start("worker", "--pool", "solo")
    start("relay")

    until(none_is_pending)
    assert_nothing_lost_nothing_twice(*EVERYONE)
    assert sorted(outcomes()) == [("done", 1)] * 14 + [("done", 2)]


def test_a_receiver_that_kills_its_process_each_time_is_dead_and_takes_nobody_along(queue, start):
    start("worker", "--concurrency", "1", dies_where="alone 2 has written")
    start("relay")
    ring(1, 2, 3)

    until(none_is_pending)

    dead = Delivery.objects.dead().select_related("event").get()
    assert (dead.receiver, dead.event.data, dead.attempts) == ("tests.alone", {"number": 2}, 3)
    assert ("tests.alone", 2) not in effects()
    assert len(effects()) == 14
