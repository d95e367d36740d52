import io
import itertools
import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from openpyxl import Workbook

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import acting
from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
from catalog import imports
from catalog.imports import NotNow, Wishes, kept, worker, working
from catalog.models import Book, FeedImport, FeedPart
from catalog.services import reprice, withdraw
from tests.catalog.feeds.onix import message, product
from tests.effort import IS_THOROUGH
from tests.given import a_book, stock
from tests.plugins.server import wait_until

EMMA, PERSUASION, GATSBY = "9780141439587", "9780141439686", "9780743273565"
CSV = f"isbn,title,price\n{EMMA},Emma,9.99\n{PERSUASION},Persuasion,8.99\n123,Nothing,1.00\n".encode()


def never():
    return False


def an_import(content=CSV, name="feed.csv", **wishes):
    with acting(actor="user:bea"):
        return imports.hand_in([content], file_name=name, wishes=Wishes(**wishes))


def worked(feed):
    imports.work_on(never)
    return FeedImport.objects.get(pk=feed.pk)


def applied(feed):
    worked(feed)
    imports.apply(feed_id=feed.pk)
    return worked(feed)


def figures(feed):
    return feed.read, feed.added, feed.updated, feed.unchanged, feed.rejected


def isbns(count):
    """Valid ISBNs, as many as you like."""
    for number in range(count):
        body = f"978{number:09}"
        check = (10 - sum(int(d) * (3 if place % 2 else 1) for place, d in enumerate(body)) % 10) % 10
        yield f"{body}{check}"


def a_long_feed(count):
    return "\n".join(["isbn,title", *(f"{isbn},Volume {number}" for number, isbn in enumerate(isbns(count)))]).encode()


pytestmark = pytest.mark.django_db


# Hand in, look through


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_a_file_is_kept_in_parts_of_one_size(monkeypatch, piece):
    monkeypatch.setattr(kept, "PART", 50)

    feed = imports.hand_in(
        (CSV[at : at + piece] for at in range(0, len(CSV), piece)), file_name="feed.csv", wishes=Wishes()
    )

    parts = [bytes(part.content) for part in feed.parts.order_by("number")]
    assert b"".join(parts) == CSV
    assert {len(part) for part in parts[:-1]} == {50}
    assert (feed.size, feed.feed_format, feed.status) == (len(CSV), "csv", "checking")
    assert figures(worked(feed)) == (3, 2, 0, 0, 1)


def test_to_look_through_changes_nothing():
    feed = worked(an_import())

    assert (feed.status, feed.records, figures(feed)) == ("ready", 3, (3, 2, 0, 0, 1))
    [rejected] = feed.rejections.all()
    assert (rejected.line, rejected.record) == (4, "3")
    assert "ISBN" in rejected.reason
    assert not Book.objects.exists()


def test_what_is_ready_waits_for_somebody_to_say_yes():
    worked(an_import())

    imports.work_on(never)

    assert not Book.objects.exists()


def test_it_says_what_would_be_done():
    a_book("Emma", isbn=EMMA, price="9.99")
    a_book("Persuasion", isbn=PERSUASION, price="7.99")

    assert figures(worked(an_import())) == (3, 0, 1, 1, 1)


# Take over


def test_what_was_looked_through_is_taken_over():
    feed = applied(an_import(opening_stock=2))

    assert (feed.status, figures(feed), feed.rejections.count()) == ("done", (3, 2, 0, 0, 1), 1)
    assert {book.title: stock(book) for book in Book.objects.all()} == {"Emma": (2, 0), "Persuasion": (2, 0)}
    assert not FeedPart.objects.exists()
    assert feed.finished_at


def test_what_it_does_is_done_by_who_said_yes_and_found_by_its_id():
    feed = worked(an_import())
    with acting(actor="user:carl"):
        imports.apply(feed_id=feed.pk)

    worked(feed)

    added = Event.objects.filter(name="catalog.book_added")
    assert set(added.values_list("actor", "correlation_id")) == {("user:carl", str(feed.pk))}


def test_to_say_yes_twice_takes_it_over_once():
    feed = applied(an_import())

    again = imports.apply(feed_id=feed.pk)
    imports.work_on(never)

    assert again.status == "done"
    assert Event.objects.filter(name="catalog.book_added").count() == 2


def test_the_same_feed_again_changes_nothing():
    applied(an_import())
    events = Event.objects.count()

    feed = applied(an_import())

    assert figures(feed) == (3, 0, 0, 2, 1)
    assert Event.objects.count() == events


def test_books_without_a_price_get_the_one_that_was_asked_for():
    applied(an_import(f"isbn,title\n{EMMA},Emma\n".encode(), price=Money(Decimal("5.00"), "USD")))

    assert Book.objects.get().price == Money(Decimal("5.00"), "USD")


def test_onix_withdraws_without_a_title():
    book = a_book("Emma", isbn=EMMA)
    gone = product(notification="05", title="")

    feed = applied(an_import(message(gone).encode(), "feed.xml"))

    book.refresh_from_db()
    assert (feed.feed_format, figures(feed), book.status) == ("onix", (1, 0, 1, 0, 0), "withdrawn")


@pytest.mark.parametrize("isbn", [EMMA, int(EMMA), float(EMMA)])
def test_a_workbook_is_taken_over_with_isbns_as_texts_or_numbers(isbn):
    book = Workbook()
    for row in (["isbn", "title", "price"], [isbn, "'=Emma", 9.99], [None, None, None], [1, "x", 1]):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)

    feed = applied(an_import(file.getvalue(), "books.xlsx"))

    assert (feed.feed_format, feed.status, figures(feed)) == ("xlsx", "done", (2, 1, 0, 0, 1))
    assert feed.rejections.get().line == 4
    taken = Book.objects.get()
    assert (taken.isbn, taken.title, taken.price_amount) == (EMMA, "=Emma", Decimal("9.99"))


# What is broken

BROKEN = message(product()).encode().removesuffix(b"</ONIXMessage>") + b"<Product><Oops"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "The file is empty."),
        (b"a,b\n1,2\n", "no usable header"),
        (b"PK\x03\x04 no workbook", "no Excel workbook"),
        (BROKEN, "line"),
    ],
)
def test_of_a_broken_file_nothing_is_taken_over(content, problem):
    feed = worked(an_import(content))

    assert feed.status == "broken"
    assert problem in feed.problem
    assert not FeedPart.objects.exists()
    with pytest.raises(NotNow):
        imports.apply(feed_id=feed.pk)


def test_what_stands_before_the_place_is_taken_over_if_asked_for():
    ready = worked(an_import(BROKEN, is_partial=True))
    done = applied(ready)

    assert (ready.status, figures(ready)) == ("ready", (1, 1, 0, 0, 0))
    assert ready.problem == done.problem != ""
    assert done.status == "done"
    assert Book.objects.get().title == "Emma"


def test_wishes_that_can_not_be_are_refused():
    for wishes in ({"opening_stock": -1}, {"price": Money(Decimal(5), "EUR")}):
        with pytest.raises(InvalidValue):
            Wishes(**wishes)


# Cancel


@pytest.mark.parametrize("state", ["checking", "ready"])
def test_what_is_cancelled_is_never_taken_over(state):
    feed = an_import()
    if state == "ready":
        worked(feed)

    imports.cancel(feed_id=feed.pk)

    assert worked(feed).status == "cancelled"
    assert not Book.objects.exists()
    assert not FeedPart.objects.exists()
    with pytest.raises(NotNow):
        imports.apply(feed_id=feed.pk)


def test_what_is_done_can_not_be_cancelled():
    feed = applied(an_import())

    with pytest.raises(NotNow):
        imports.cancel(feed_id=feed.pk)


def importing(count, chunk, monkeypatch):
    """A feed of so many books, ready to be taken over in chunks of this size."""
    from catalog.feeds import importing

    monkeypatch.setattr(importing, "CHUNK", chunk)
    feed = worked(an_import(a_long_feed(count)))
    return imports.apply(feed_id=feed.pk)


def test_who_is_at_it_notices_that_it_was_cancelled(monkeypatch):
    feed = importing(30, 10, monkeypatch)
    asked = []

    def cancel_after_the_first_chunk():
        asked.append(1)
        if len(asked) == 2:
            imports.cancel(feed_id=feed.pk)
        return False

    imports.work_on(cancel_after_the_first_chunk)

    feed.refresh_from_db()
    assert (feed.status, feed.read, Book.objects.count()) == ("cancelled", 10, 10)


# Whoever is at it


def stop_after(count):
    """Says stop once it was asked so often: before a feed is claimed, then after each chunk."""
    asked = itertools.count(1)
    return lambda: next(asked) > count


def test_who_is_told_to_stop_hands_it_back_and_another_goes_on(monkeypatch):
    feed = importing(30, 10, monkeypatch)

    imports.work_on(stop_after(2))
    feed.refresh_from_db()
    left = (feed.status, feed.read, feed.held_until)
    feed = worked(feed)

    assert left == ("importing", 20, None)
    assert (feed.status, figures(feed), feed.attempts) == ("done", (30, 30, 0, 0, 0), 3)
    assert Event.objects.filter(name="catalog.book_added").count() == 30


def test_what_staff_change_meanwhile_is_not_changed_back(monkeypatch):
    feed = importing(30, 10, monkeypatch)
    imports.work_on(stop_after(2))
    book = Book.objects.get(isbn=next(isbns(1)))
    reprice(book_id=book.pk, price=Money(Decimal(99), "USD"))
    withdraw(book_id=book.pk)

    worked(feed)

    book.refresh_from_db()
    assert (book.price_amount, book.status) == (Decimal(99), "withdrawn")


def test_nobody_takes_what_somebody_is_at():
    feed = an_import()
    held = working._claim(feed.pk)

    imports.work_on(never)

    assert working._claim(feed.pk) is None
    assert held is not None
    feed.refresh_from_db()
    assert (feed.status, feed.attempts) == ("checking", 1)


def lost(feed):
    FeedImport.objects.filter(pk=feed.pk).update(held_until=timezone.now() - timedelta(seconds=1))


def test_what_nobody_was_heard_of_is_taken_up_again_and_its_old_worker_can_do_nothing_more(monkeypatch):
    feed = importing(30, 10, monkeypatch)
    stalled = working._claim(feed.pk)
    assert stalled
    lost(feed)
    worked(feed)

    working._work(stalled, stop=never)

    feed.refresh_from_db()
    assert (feed.status, figures(feed), Book.objects.count()) == ("done", (30, 30, 0, 0, 0), 30)


def test_a_stalled_worker_undoes_the_chunk_that_it_is_at(monkeypatch):
    feed = importing(30, 10, monkeypatch)
    stalled = working._claim(feed.pk)
    assert stalled
    lost(feed)
    working._claim(feed.pk)

    working._work(stalled, stop=never)

    feed.refresh_from_db()
    assert (feed.read, Book.objects.count(), Event.objects.count()) == (0, 0, 0)


def test_a_feed_that_costs_every_worker_its_life_is_given_up():
    feed = an_import()
    for _ in range(working.MOST_LOSSES + 1):
        working._claim(feed.pk)
        lost(feed)

    feed = worked(feed)

    assert (feed.status, "lost each time" in feed.problem) == ("broken", True)
    assert not FeedPart.objects.exists()


def test_an_error_of_our_own_is_told_and_costs_nothing_else(monkeypatch):
    def fail(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(worker, "preview_records", fail)

    feed = worked(an_import())

    assert (feed.status, "ZeroDivisionError" in feed.problem) == ("broken", True)


# In the request, or behind it


def test_a_short_feed_is_worked_at_at_once():
    feed = an_import()

    imports.work_shortly(feed)

    feed.refresh_from_db()
    assert feed.status == "ready"


def test_a_large_file_is_left_to_the_relay(monkeypatch):
    monkeypatch.setattr(working, "SHORT_BYTES", 10)
    feed = an_import()

    imports.work_shortly(feed)

    feed.refresh_from_db()
    assert (feed.status, feed.attempts) == ("checking", 0)


def test_a_feed_of_many_records_is_left_to_the_relay(monkeypatch):
    monkeypatch.setattr(working, "SHORT_RECORDS", 10)
    feed = an_import(a_long_feed(11))

    imports.work_shortly(feed)
    feed.refresh_from_db()
    left = (feed.status, feed.held_until, feed.losses)
    feed = worked(feed)
    imports.work_shortly(imports.apply(feed_id=feed.pk))

    feed.refresh_from_db()
    assert left == ("checking", None, 0)
    assert (feed.status, feed.records) == ("importing", 11)


def test_the_progress_is_counted_in_records_once_they_are_known():
    looked_at = FeedImport(status="checking", position=30, size=50)
    partly = FeedImport(status="checking", position=30, size=50, is_partial=True)
    taken = FeedImport(status="importing", read=1, records=3)

    assert [feed.percent for feed in (looked_at, partly, taken, FeedImport())] == [30, 60, 33, 0]


def test_files_that_nobody_said_yes_to_are_forgotten():
    ready, arriving, fresh = worked(an_import()), an_import(), worked(an_import())
    FeedImport.objects.filter(pk=ready.pk).update(created_at=timezone.now() - timedelta(days=8))
    FeedImport.objects.filter(pk=arriving.pk).update(
        created_at=timezone.now() - timedelta(hours=2), status=FeedImport.Status.ARRIVING
    )

    imports.tidy()

    states = [FeedImport.objects.get(pk=feed.pk).status for feed in (ready, arriving, fresh)]
    assert states == ["cancelled", "cancelled", "ready"]


# A relay that is killed in the middle


@pytest.mark.django_db(transaction=True)
def test_a_killed_relay_loses_nothing_and_repeats_nothing(nursery):
    books = 5_000 if IS_THOROUGH else 1_200
    feed = worked(an_import(a_long_feed(books), opening_stock=1))
    imports.apply(feed_id=feed.pk)
    first = nursery().start("manage.py", "relay")

    def read():
        feed.refresh_from_db()
        return feed.read

    try:
        wait_until(lambda: read() > 0)
    finally:
        first.end()
    lost(feed)
    FeedImport.objects.filter(pk=feed.pk, status="done").update(held_until=None)
    feed = worked(feed)

    assert (feed.status, figures(feed)) == ("done", (books, books, 0, 0, 0))
    assert Book.objects.count() == Event.objects.filter(name="catalog.book_added").count() == books


@pytest.mark.django_db(transaction=True)
def test_two_who_look_for_work_do_it_once(monkeypatch):
    from tests.racing import race

    feed = importing(60, 10, monkeypatch)

    race([lambda: imports.work_on(never)] * 3)

    feed.refresh_from_db()
    assert (feed.status, figures(feed), feed.attempts) == ("done", (60, 60, 0, 0, 0), 2)


@pytest.mark.django_db(transaction=True)
def test_whoever_runs_a_relay_works_at_them_beside_it():
    from bookshelf_site.events.relay import Relay

    feed = an_import()
    relay = Relay()
    thread = threading.Thread(target=relay.run, daemon=True)
    thread.start()

    def status():
        feed.refresh_from_db()
        return feed.status

    try:
        wait_until(lambda: status() == "ready")
    finally:
        relay.stop()
        relay.woken.set()
        thread.join(60)

    assert not thread.is_alive()
    assert [t for t in threading.enumerate() if t.name.startswith("bookshelf-imports")] == []
