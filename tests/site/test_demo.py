"""`manage.py demo` as a process of its own, on the kind of database that the run is on."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
from django.db import connection

from bookshelf_site.demo.scratch import scratch_database
from bookshelf_site.events.models import Event
from catalog.models import Book
from orders.models import Order
from tests.conftest import ROOT
from tests.given import a_book, an_order, stock
from tests.plugins.nursery import Nursery

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.heavy("sqlite")]

STORY = """\
Adding book to catalog...
  [Inventory] Stocked 10 copies of 'The Great Gatsby'
  Inventory: The Great Gatsby, qty=10

Placing an order...
Confirming order...
  [Notification] Order <number> confirmed for Alice Johnson
Shipping order...
  [Notification] Order <number> shipped to Alice Johnson

All checks passed!
"""

Ran = subprocess.CompletedProcess[str]
Run = Callable[..., Ran]


@pytest.fixture
def run(nursery: Callable[..., Nursery]) -> Run:
    return lambda *arguments, **environment: nursery(**environment).run("manage.py", "demo", *arguments)


def databases() -> set[str]:
    """Every database there is where a scratch one would be made."""
    if connection.vendor == "sqlite":
        return {path.name for path in Path(connection.settings_dict["NAME"]).parent.iterdir()}
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor.fetchall()}


def told(ran: Ran) -> str:
    """What it printed, its ids aside."""
    return re.sub(r"Order [0-9A-Z]{9} ", "Order <number> ", ran.stdout)


def test_it_tells_the_story_line_for_line_and_leaves_nothing_behind(run: Run) -> None:
    before = databases()

    ran = run()

    assert (told(ran), ran.stderr, ran.returncode) == (STORY, "", 0)
    assert len(set(re.findall(r"Order ([0-9A-Z]{9}) ", ran.stdout))) == 1
    assert databases() - {f"{name}{part}" for name in before for part in ("-wal", "-shm")} <= before


def test_it_leaves_a_shop_that_has_the_same_book_alone(run: Run) -> None:
    book = a_book("The Great Gatsby", isbn="9780743273565", copies=3)
    order = an_order((book, 2))
    events = Event.objects.count()

    ran = run()

    assert (told(ran), ran.returncode) == (STORY, 0)
    assert (Book.objects.get(), Order.objects.get(), Event.objects.count()) == (book, order, events)
    assert stock(book) == (3, 2)


def test_it_is_the_same_story_in_every_shop(run: Run) -> None:
    ran = run(EVENTS_ENGINE="relay", SHOP_CURRENCY="EUR", OPENING_STOCK="0", LOG_FORMAT="json", DEBUG="1")

    assert (told(ran), ran.returncode) == (STORY, 0)


def test_it_refuses_to_play_where_something_is(run: Run) -> None:
    book = a_book("Emma", copies=3)
    name = str(connection.settings_dict["NAME"])

    ran = run("--in", name)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"CommandError: {name} is not empty: the story is played in a new database only.\n"
    assert Book.objects.get() == book


def test_it_refuses_to_play_in_another_database_than_it_was_told(run: Run, child_environment: dict[str, str]) -> None:
    with scratch_database() as scratch:
        ran = run("--in", "bookshelf_demo_other", DATABASE_URL=scratch.url)
        again = run("--in", scratch.name, DATABASE_URL=scratch.url)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert "the database: expected 'bookshelf_demo_other', found" in ran.stderr
    # it had not even begun to make tables there
    assert (told(again), again.returncode) == (STORY, 0)


@pytest.fixture
def where_none_may_be_made(child_environment: dict[str, str]) -> Iterator[str]:
    """The address of a shop beside which nobody may make a database."""
    if connection.vendor == "sqlite":
        # no folder can be made in /proc, not even by root
        yield "sqlite:////proc/shop.sqlite3"
        return
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE clerk LOGIN PASSWORD 'clerk' NOCREATEDB")
    parts = urlsplit(child_environment["DATABASE_URL"])
    host = parts.netloc.rpartition("@")[2]
    yield urlunsplit(parts._replace(netloc=f"clerk:clerk@{host}"))
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE clerk")


def test_where_no_database_may_be_made_it_says_so(run: Run, where_none_may_be_made: str) -> None:
    before = databases()

    ran = run(DATABASE_URL=where_none_may_be_made)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr in {
        "CommandError: No scratch database can be made in /proc: No such file or directory.\n",
        "CommandError: No scratch database can be made on this server: permission denied to create database.\n",
    }
    assert databases() == before


def test_a_scratch_database_is_gone_even_if_its_user_fails() -> None:
    before = databases()

    with pytest.raises(LookupError), scratch_database() as scratch:
        made = databases() - before
        raise LookupError

    assert len(made) == 1
    assert made.pop() in scratch.name
    assert databases() == before


@pytest.mark.parametrize("folder", ["memory lane", "ünïcode", "100%"])
def test_a_scratch_database_of_sqlite_is_beside_the_shop(
    tmp_path: Path, folder: str, child_environment: dict[str, str]
) -> None:
    (tmp_path / folder).mkdir()
    url = f"sqlite:///{quote(str(tmp_path / folder / 'shop.sqlite3'))}"
    code = "import django; django.setup(); from bookshelf_site.demo.scratch import *\n"
    code += "with scratch_database() as scratch: print(scratch.name)"

    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=child_environment | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "bookshelf_site.settings"},
        capture_output=True,
        text=True,
        timeout=180,
    )

    assert ran.stdout.startswith(f"{tmp_path / folder}/demo-"), ran.stderr
    assert list((tmp_path / folder).iterdir()) == []
