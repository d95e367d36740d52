"""Lists under eight writers whose transactions commit late: what a reader walks through misses nothing that stays."""

import threading
import time
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest
from django.db import connections, transaction
from django.utils import timezone

from bookshelf_site import pages
from catalog.models import Book, BookDetails
from catalog.services import add_to_catalog, withdraw
from inventory.models import Allocation
from inventory.services import receive_copies
from tests.effort import IS_THOROUGH
from tests.given import a_waiting_order, books

WRITERS = 8
LONGEST = 0.4
SECONDS = 4 if IS_THOROUGH else 2
pytestmark = pytest.mark.django_db(transaction=True)


class Writers:
    """Change the shop, each by its number and step, in transactions that stay open for a while after that."""

    def __init__(self, change):
        self.change = change
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.write, args=(number,)) for number in range(WRITERS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()

    def __exit__(self, *error):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def write(self, number):
        try:
            step = 0
            while not self.stop.is_set():
                step += 1
                with transaction.atomic():
                    self.change(number, step)
                    # one late writer of eight: on SQLite all others wait for it
                    time.sleep(LONGEST if number == 0 else 0.01)
                time.sleep(0.01)
        finally:
            connections.close_all()


def fill_the_catalogue(books):
    """Writers who add books, and withdraw those of theirs."""

    def change(number, step):
        add_to_catalog(BookDetails(title=f"{step % 7} new {number}.{step}"), opening_stock=0)
        if step % 3 == 0:
            withdraw(book_id=books[number][step // 3 % len(books[number])].pk)

    return Writers(change)


def order_and_receive(books):
    """Writers who order what isn't here, each book by two of them, and receive it copy by copy."""

    def change(number, step):
        book = books[number // 2]
        if step % 3 == 1:
            a_waiting_order((book, 2))
        else:
            receive_copies(book_id=book.pk, quantity=1)

    return Writers(change)


def kept_copies(order):
    [line] = order["lines"]
    return line["allocated"]


def walk(api, url):
    listed = []
    while url:
        page = api.get(url).json()
        listed += [book["id"] for book in page["results"]]
        url = page["next"]
    return listed


@pytest.fixture
def shelf():
    """Books that stay as they are, and some for each writer to change."""
    stay = [add_to_catalog(BookDetails(title=f"{number % 7} stays {number}"), opening_stock=0) for number in range(60)]
    moving = [
        [add_to_catalog(BookDetails(title=f"{number % 7} moves"), opening_stock=0) for _ in range(3)]
        for number in range(WRITERS)
    ]
    return stay, moving


@pytest.mark.parametrize("sort", ["title", "-title", "price", "-created_at"])
def test_what_stays_appears_once_in_a_walk_through_the_pages(api, shelf, sort):
    stay, moving = shelf

    with fill_the_catalogue(moving):
        listed = walk(api, f"/books?limit=7&sort={sort}")

    for book in stay:
        assert listed.count(str(book.pk)) == 1


def followed(api, path, writers, of_row):
    """What a program keeps of a list that it asks again and again for what has changed, while others write."""
    since = timezone.now() - timedelta(minutes=1)
    copy = {}

    def follow(since):
        url = f"{path}?limit=20&updated_since={quote(since.isoformat())}"
        while url:
            page = api.get(url).json()
            copy.update({row["id"]: of_row(row) for row in page["results"]})
            since = max([since, *(datetime.fromisoformat(row["updated_at"]) for row in page["results"])])
            url = page["next"]
        return since

    until = time.monotonic() + SECONDS
    with writers:
        while time.monotonic() < until:
            since = follow(since)
            time.sleep(0.05)
    time.sleep(2 * LONGEST + 0.1)
    follow(since)
    return copy


@pytest.fixture
def settling(monkeypatch):
    monkeypatch.setattr(pages, "SETTLED_AFTER", timedelta(seconds=2 * LONGEST))


def test_who_follows_the_changes_misses_none(api, shelf, settling):
    _, moving = shelf

    copy = followed(api, "/books", fill_the_catalogue(moving), lambda book: book["status"])

    assert copy == {str(pk): status for pk, status in Book.objects.values_list("pk", "status")}
    assert len(copy) > 84


def test_who_follows_the_orders_knows_of_every_copy_that_came(api, settling):
    sold_out = books(WRITERS // 2, copies=0)

    copy = followed(api, "/orders", order_and_receive(sold_out), kept_copies)

    assert copy == {str(pk): kept for pk, kept in Allocation.objects.values_list("order_id", "allocated")}
    assert any(copy.values())
