import json
import subprocess
from collections.abc import Callable

import pytest
from django.db import connection

from catalog.models import Book
from tests.given import a_book
from tests.plugins.nursery import Nursery

pytestmark = pytest.mark.django_db(transaction=True)

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(nursery: Callable[..., Nursery]) -> Run:
    return lambda *arguments: nursery().run("manage.py", "check_stock", *arguments)


@pytest.fixture
def sound(run: Run) -> Book:
    a_book("Persuasion", copies=3)
    return a_book("Emma", copies=10)


@pytest.fixture
def drifted(sound: Book) -> Book:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_stockitem SET on_hand = 11 WHERE on_hand = 10")
    return sound


def test_stock_that_adds_up_is_well(run: Run, sound: Book) -> None:
    ran = run()

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "2 books checked, 0 differences\n", "")


def test_drift_is_something_wrong_and_names_the_book(run: Run, drifted: Book) -> None:
    ran = run()

    assert ran.returncode == 1
    assert ran.stdout == "2 books checked, 1 differences\n"
    assert ran.stderr == f"book {drifted.pk}: on hand is 11, the rows behind it say 10\n"


def test_a_program_reads_what_differs(run: Run, drifted: Book) -> None:
    ran = run("--json")

    assert (ran.returncode, ran.stderr) == (1, "")
    assert json.loads(ran.stdout) == {
        "books": 2,
        "differences": [{"book_id": str(drifted.pk), "what": "on hand", "counter": 11, "proof": 10}],
    }


def test_a_program_reads_that_nothing_differs(run: Run, sound: Book) -> None:
    ran = run("--json")

    assert (ran.returncode, json.loads(ran.stdout)) == (0, {"books": 2, "differences": []})
