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
from tests.effort import IS_THOROUGH

WRITERS = 8
LONGEST = 0.4
SECONDS = 4 if IS_THOROUGH else 2
pytestmark = pytest.mark.django_db(transaction=True)


class Writers:
    """Add and change books in transactions that stay open for a while after the row was stamped."""

    def __init__(self, books):
        self.books = books
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
                    add_to_catalog(BookDetails(title=f"{step % 7} new {number}.{step}"), opening_stock=0)
                    if step % 3 == 0:
                        withdraw(book_id=self.books[number][step // 3 % len(self.books[number])].pk)
                    # one late writer of eight: on SQLite all others wait for it
                    time.sleep(LONGEST if number == 0 else 0.01)
                time.sleep(0.01)
        finally:
            connections.close_all()


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

    with Writers(moving):
        listed = walk(api, f"/books?limit=7&sort={sort}")

    for book in stay:
        assert listed.count(str(book.pk)) == 1


def test_who_follows_the_changes_misses_none(api, shelf, monkeypatch):
    monkeypatch.setattr(pages, "SETTLED_AFTER", timedelta(seconds=2 * LONGEST))
    _, moving = shelf
    since = timezone.now() - timedelta(minutes=1)
    copy: dict[str, str] = {}

    def follow(since):
        url = f"/books?limit=20&updated_since={quote(since.isoformat())}"
        while url:
            page = api.get(url).json()
            copy.update({book["id"]: book["status"] for book in page["results"]})
            since = max([since, *(datetime.fromisoformat(book["updated_at"]) for book in page["results"])])
            url = page["next"]
        return since

    until = time.monotonic() + SECONDS
    with Writers(moving):
        while time.monotonic() < until:
            since = follow(since)
            time.sleep(0.05)
    time.sleep(2 * LONGEST + 0.1)
    follow(since)

    assert copy == {str(pk): status for pk, status in Book.objects.values_list("pk", "status")}
    assert len(copy) > 84
