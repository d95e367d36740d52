"""What the surroundings may do to a shop at work: cut its wires, freeze it, restart its database, crowd its rows."""

import http.client
import json
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models import F

from bookshelf_site.access.services import create_api_key
from bookshelf_site.events.models import Delivery, Event
from tests.events import crowd
from tests.events.happenings import Rang, assert_nothing_lost_nothing_twice, change_and_emit, changes, effects, ring
from tests.events.wire import Cut, wire
from tests.given import a_book
from tests.plugins.database import PostgresFromWheel, _die_with_parent
from tests.plugins.server import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("ledger")]
RESPONDS_SOONER = "-c idle_in_transaction_session_timeout=500"


@pytest.fixture
def only_postgresql():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is no server: it has no connection to lose, and a frozen writer keeps everybody waiting")


@pytest.fixture
def begin(nursery, tmp_path):
    """`begin("worker", "first 1", "--once", DATABASE_URL=…)`: the process."""

    def begin(module, *arguments, **environment):
        with (tmp_path / "errors").open("ab") as errors:
            return nursery(**environment).start(f"tests.events.{module}", *arguments, errors=errors)

    return begin


@pytest.fixture
def ends(tmp_path):
    """Its exit code, and what all of them have complained of."""

    def ends(child):
        child.stdin.close()
        return child.wait(180), (tmp_path / "errors").read_text()

    return ends


@pytest.fixture
def owed_to_relays(connect, settings):
    """Rings that only a relay delivers to these receivers; what they do is up to the workers."""
    settings.EVENTS_ENGINE = "relay"

    def owe(*receivers):
        for name in receivers:
            connect(Rang, name, alone=name == "tests.alone", external=name == "tests.external")

    return owe


def comes_to(worker, point):
    assert worker.stdout.readline() == f"{point}\n"


def goes_on(worker):
    worker.stdin.write("go on\n")
    worker.stdin.flush()


# The end of a connection, at a COMMIT

SHOP = ("tests.first", "tests.shares", "tests.alone")


def test_a_commit_that_the_server_never_heard_leaves_nothing(only_postgresql, begin, ends):
    with wire({1: Cut.BEFORE_IT_IS_HEARD}) as cut:
        code, error = ends(begin("child", "shop", DATABASE_URL=cut.url))

    assert code == 1
    assert "OperationalError" in error
    assert changes() == []
    assert effects() == []
    assert not Event.objects.exists()
    assert not Delivery.objects.exists()


def test_a_commit_whose_answer_was_lost_has_happened_and_a_relay_tells_everybody(only_postgresql, begin, ends):
    with wire({1: Cut.BEFORE_IT_IS_ANSWERED}) as cut:
        code, error = ends(begin("child", "shop", DATABASE_URL=cut.url))
    assert code == 1
    assert "OperationalError" in error
    assert changes() == [1]
    assert effects() == []

    assert ends(begin("child", "relay"))[0] == 0

    assert_nothing_lost_nothing_twice(*SHOP)


def test_a_relay_whose_commits_are_cut_off_repeats_nothing_and_goes_on(only_postgresql, begin, owed_to_relays, ends):
    """Its claims and its receivers' effects, each unheard and unanswered."""
    owed_to_relays("tests.first", "tests.alone")
    ring(*range(4))
    cuts = dict(zip(range(1, 12, 2), [*Cut] * 3, strict=True))

    with wire(cuts) as cut:
        relay = begin("worker", "nowhere", DATABASE_URL=cut.url)
        wait_until(lambda: not Delivery.objects.exclude(status="done").exists() and cut.commits >= max(cuts), 40)
        relay.send_signal(signal.SIGTERM)

        assert ends(relay)[0] == 0
    assert_nothing_lost_nothing_twice("tests.first", "tests.alone")


GATE = 4711
"""An advisory lock: who commits, waits for it."""


@pytest.fixture
def gate(only_postgresql):
    """`gate("tests_change")`: whoever has written to this table stands still in its COMMIT; call it again to open."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION tests_wait() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN PERFORM pg_advisory_xact_lock({GATE}); RETURN NULL; END $$"
        )
        cursor.execute(f"SELECT pg_advisory_lock({GATE})")

    def close(table):
        with connection.cursor() as cursor:
            cursor.execute(
                f"CREATE CONSTRAINT TRIGGER tests_gate AFTER INSERT ON {table}"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tests_wait()"
            )

    yield close
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock_all()")
        cursor.execute("DROP FUNCTION tests_wait() CASCADE")


def end_whoever_is_committing():
    """Wait for a session that stands still in its COMMIT, and end it."""
    ended = []

    def find_and_end():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND query = 'COMMIT' AND wait_event = 'advisory'"
            )
            ended.extend(cursor.fetchall())
        return bool(ended)

    wait_until(find_and_end, 40)
    assert ended == [(True,)]


def test_a_session_that_is_ended_in_the_middle_of_its_commit_leaves_nothing(begin, gate, ends):
    gate("tests_change")
    shop = begin("child", "shop")

    end_whoever_is_committing()

    code, error = ends(shop)
    assert code == 1
    assert "OperationalError: terminating connection due to administrator command" in error
    assert changes() == []
    assert effects() == []
    assert not Event.objects.exists()


def test_a_relay_whose_session_is_ended_in_the_middle_of_a_commit_tries_again(begin, gate, owed_to_relays, ends):
    owed_to_relays("tests.first")
    ring(1)
    gate("tests_effect")
    relay = begin("worker", "nowhere", "--once")

    end_whoever_is_committing()
    assert effects() == []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_unlock({GATE})")

    assert ends(relay)[0] == 0
    assert_nothing_lost_nothing_twice("tests.first")
    assert Delivery.objects.get().attempts == 2


# Frozen


def test_a_worker_that_was_frozen_inside_a_transaction_past_its_lease_has_no_effect(
    only_postgresql, begin, child_environment, owed_to_relays, ends
):
    owed_to_relays("tests.alone")
    ring(1, 2)
    separator = "&" if "?" in child_environment["DATABASE_URL"] else "?"
    url = f"{child_environment['DATABASE_URL']}{separator}options={RESPONDS_SOONER.replace(' ', '%20')}"
    frozen = begin("worker", "alone 1", DATABASE_URL=url)
    comes_to(frozen, "alone 1")
    frozen.send_signal(signal.SIGSTOP)

    assert ends(begin("worker", "nowhere", "--once"))[0] == 0
    assert_nothing_lost_nothing_twice("tests.alone")

    frozen.send_signal(signal.SIGCONT)
    goes_on(frozen)
    frozen.send_signal(signal.SIGTERM)
    assert ends(frozen)[0] == 0
    assert_nothing_lost_nothing_twice("tests.alone")


def test_a_worker_that_was_frozen_while_it_talked_to_the_outside_records_no_second_outcome(begin, owed_to_relays, ends):
    owed_to_relays("tests.external")
    ring(1, 2)
    frozen = begin("worker", "external 1")
    comes_to(frozen, "external 1")
    frozen.send_signal(signal.SIGSTOP)

    assert ends(begin("worker", "nowhere", "--once"))[0] == 0
    assert_nothing_lost_nothing_twice("tests.external")

    frozen.send_signal(signal.SIGCONT)
    goes_on(frozen)
    frozen.send_signal(signal.SIGTERM)
    assert ends(frozen)[0] == 0
    assert_nothing_lost_nothing_twice("tests.external")


# Much at once


def test_a_thousand_that_were_owed_for_an_hour_are_delivered_by_two_relays_at_the_first_attempt(
    begin, owed_to_relays, ends
):
    owed_to_relays("tests.first")
    with transaction.atomic():
        for number in range(1000):
            change_and_emit(Rang(number=number))
    Delivery.objects.update(due=F("due") - timedelta(hours=1))

    relays = [begin("worker", "nowhere", "--once", "--batch", "20", LEASE_SECONDS="30") for _ in range(2)]

    assert [ends(relay)[0] for relay in relays] == [0, 0]
    assert_nothing_lost_nothing_twice("tests.first")
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


class Buyer:
    def __init__(self, port, key):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=180)
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def orders(self, *books):
        body = {"customer_name": "Alice Johnson", "lines": [{"book_id": str(book.pk), "quantity": 1} for book in books]}
        self.connection.request("POST", "/api/v1/orders", json.dumps(body), self.headers)
        response = self.connection.getresponse()
        response.read()
        return response.status

    def close(self):
        self.connection.close()


def test_receivers_that_lock_in_the_opposite_order_to_buyers_refuse_none_of_them(start, port):
    shelf = sorted([a_book("Emma", copies=1000), a_book("Persuasion", copies=1000)], key=lambda book: book.pk)
    _, key = create_api_key(name="till", group=Group.objects.get(name="Bookseller"))
    start(DJANGO_SETTINGS_MODULE="tests.events.crowd_settings")

    def buy(number):
        with closing(Buyer(port, key)) as buyer:
            return [buyer.orders(*shelf) for _ in range(10)]

    with ThreadPoolExecutor(8) as buyers:
        answers = [status for statuses in buyers.map(buy, range(8)) for status in statuses]

    assert Counter(answers) == {201: 80}
    wait_until(lambda: not Delivery.objects.exclude(status="done").exists(), 40)
    assert Counter(effects()) == {(receiver, 1): 80 for receiver in crowd.RECEIVERS}


# The database itself


@pytest.fixture
def own_server(only_postgresql):
    """A server that nobody else uses, with the shop's tables."""
    # in a folder that another account may enter: pytest's own is closed to it
    with tempfile.TemporaryDirectory(prefix="bookshelf-crash-") as folder:
        server = PostgresFromWheel(Path(folder))
        server.start()
        yield server
        server.stop()


def test_a_relay_goes_on_after_its_database_crashed_and_came_back(nursery, begin, own_server, ends):
    url = own_server.url.removesuffix("bookshelf") + "postgres"
    here = {"DATABASE_URL": url, "EVENTS_ENGINE": "relay"}
    assert nursery(**here).run("manage.py", "migrate", "--verbosity=0").returncode == 0
    assert ends(begin("worker", "ring", "300", **here)) == (0, "")
    relay = begin("worker", "first 70", **here)
    comes_to(relay, "first 70")

    crash_and_restart(own_server)
    goes_on(relay)

    wait_until(lambda: asked(url, "SELECT count(*) FROM events_delivery WHERE status <> 'done'") == [(0,)], 40)
    relay.send_signal(signal.SIGTERM)
    assert ends(relay)[0] == 0
    assert asked(url, "SELECT receiver, count(*), count(DISTINCT number) FROM tests_effect GROUP BY 1 ORDER BY 1") == [
        ("tests.alone", 300, 300),
        ("tests.external", 300, 300),
        ("tests.first", 300, 300),
    ]


def crash_and_restart(server):
    server.process.send_signal(signal.SIGQUIT)  # at once: nothing is written down before it ends
    server.process.wait(60)
    server.process = subprocess.Popen(
        server.process.args,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  # no thread of ours matters
        **server._as_account(),
    )
    server._wait_until_it_answers(server.process)


def asked(url, query):
    with psycopg.connect(url) as database:
        return database.execute(query).fetchall()
