from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bookshelf_site.events.models import Delivery, Event
from catalog import services
from catalog.errors import DuplicateIsbn
from catalog.feeds import BookRecord, Rejected, UnreadableFeed
from catalog.feeds.importing import CHUNK, ImportReport, Terms, import_records, preview_records
from catalog.models import Book
from tests.given import a_book, raised, stock, usd
from tests.racing import outcomes, race, race_behind

pytestmark = pytest.mark.django_db

EMMA, PERSUASION = "9780141439587", "9780141439686"


def a_record(isbn: str = EMMA, title: str = "Emma", *, record: str = "1", **said: object) -> BookRecord:
    return BookRecord(record=record, isbn=isbn, title=title, **said)  # type: ignore[arg-type]


def isbns(count: int, *, start: int = 0) -> list[str]:
    """Valid ISBNs, one after the other."""
    stems = [f"978{number:09}" for number in range(start, start + count)]
    return [stem + str(-sum(int(c) * (1 + 2 * (i % 2)) for i, c in enumerate(stem)) % 10) for stem in stems]


def many_records(count: int, *, start: int = 0) -> list[BookRecord]:
    return [
        a_record(isbn, f"Volume {place}", record=str(place)) for place, isbn in enumerate(isbns(count, start=start), 1)
    ]


def take_over(records: Iterable[BookRecord | Rejected], terms: Terms | None = None) -> dict[str, object]:
    report = ImportReport()
    for _ in import_records(records, terms=terms or Terms(), report=report):
        pass
    return report.as_json()


def preview(records: Iterable[BookRecord | Rejected], terms: Terms | None = None) -> dict[str, object]:
    report = ImportReport()
    for _ in preview_records(records, terms=terms or Terms(), report=report):
        pass
    return report.as_json()


def counts(
    *, read: int, added: int = 0, updated: int = 0, unchanged: int = 0, rejected: Iterable[tuple[str, str]] = ()
) -> dict[str, object]:
    entries = [{"record": record, "reason": reason} for record, reason in rejected]
    return {"read": read, "added": added, "updated": updated, "unchanged": unchanged, "rejected": entries}


def test_a_new_book_is_taken_over_with_all_that_is_said_of_it() -> None:
    said = a_record(
        author="Jane Austen",
        publisher="Penguin",
        description="A novel.",
        published_on=date(2003, 4, 29),
        price=usd("8.99"),
        product_form="BC",
        availability="20",
        opening_stock=4,
    )

    report = take_over([said])

    book = Book.objects.get()
    assert report == counts(read=1, added=1)
    assert (book.isbn, book.title, book.author, book.publisher) == (EMMA, "Emma", "Jane Austen", "Penguin")
    assert (book.description, book.published_on, book.price) == ("A novel.", date(2003, 4, 29), usd("8.99"))
    assert (book.product_form, book.availability, book.version) == ("BC", "20", 1)
    assert stock(book) == (4, 0)


def test_each_book_is_told_of_once_and_stocked_by_that() -> None:
    take_over(many_records(3), Terms(opening_stock=2))

    assert raised("catalog.book_added") == 3
    assert [stock(book) for book in Book.objects.all()] == [(2, 0)] * 3
    assert list(Delivery.objects.values_list("receiver", "status")) == [("inventory.stock_copies", "done")] * 3


def test_run_again_it_changes_nothing() -> None:
    records = [*many_records(3), a_record(price=usd("8.99"), record="4", withdrawn=True)]
    terms = Terms(opening_stock=2, price=usd("12.99"))
    take_over(records, terms)
    before, events = list(Book.objects.order_by("pk").values()), Event.objects.count()

    report = take_over(records, terms)

    assert report == counts(read=4, unchanged=4)
    assert list(Book.objects.order_by("pk").values()) == before
    assert Event.objects.count() == events


def test_what_changed_is_updated_and_told() -> None:
    take_over([a_record(price=usd("8.99"), author="Jane Austen", opening_stock=2)])

    report = take_over([a_record(title="Emma: A Novel", price=usd("9.99"), opening_stock=50)])

    book = Book.objects.get()
    assert report == counts(read=1, updated=1)
    assert (book.title, book.author, book.price, book.version) == ("Emma: A Novel", "Jane Austen", usd("9.99"), 3)
    assert Event.objects.get(name="catalog.book_edited").data["changed"] == ["title"]
    assert Event.objects.get(name="catalog.book_repriced").data["new_price"] == {"amount": "9.99", "currency": "USD"}
    assert stock(book) == (2, 0)


def test_an_update_is_seen_by_who_asks_what_was_updated() -> None:
    take_over([a_record(), a_record(PERSUASION, "Persuasion", record="2")])
    before = dict(Book.objects.values_list("isbn", "updated_at"))

    take_over([a_record(title="Emma: A Novel"), a_record(PERSUASION, "Persuasion", record="2")])

    after = dict(Book.objects.values_list("isbn", "updated_at"))
    assert after[EMMA] > before[EMMA]
    assert after[PERSUASION] == before[PERSUASION]


def test_what_a_record_does_not_say_stays_as_the_shop_has_it() -> None:
    take_over([a_record(author="Jane Austen", publisher="Penguin", price=usd("8.99"), description="A novel.")])
    before = Book.objects.get().details

    report = take_over([a_record()])

    assert report == counts(read=1, unchanged=1)
    assert (Book.objects.get().details, Book.objects.get().price) == (before, usd("8.99"))


def test_a_feed_does_not_restore_what_the_shop_withdrew() -> None:
    take_over([a_record()])
    services.withdraw(book_id=Book.objects.get().pk)

    report = take_over([a_record()])

    assert report == counts(read=1, unchanged=1)
    assert Book.objects.get().status == "withdrawn"


def test_a_withdrawn_record_withdraws_the_book() -> None:
    take_over([a_record()])

    report = take_over([a_record(withdrawn=True)])

    assert report == counts(read=1, updated=1)
    assert (Book.objects.get().status, raised("catalog.book_withdrawn")) == ("withdrawn", 1)


def test_a_book_may_come_withdrawn() -> None:
    report = take_over([a_record(withdrawn=True)])

    assert report == counts(read=1, added=1)
    assert list(Event.objects.order_by("id").values_list("name", flat=True)) == [
        "catalog.book_added",
        "catalog.book_withdrawn",
    ]


def test_the_shops_price_is_for_books_that_have_none() -> None:
    take_over([a_record(price=usd("8.99"))])

    report = take_over(
        [a_record(), a_record(PERSUASION, "Persuasion", record="2")],
        Terms(price=usd("12.99")),
    )

    prices = {book.isbn: book.price for book in Book.objects.all()}
    assert report == counts(read=2, added=1, unchanged=1)
    assert prices == {EMMA: usd("8.99"), PERSUASION: usd("12.99")}


def test_the_shops_price_is_given_to_a_known_book_that_has_none() -> None:
    take_over([a_record()])

    report = take_over([a_record()], Terms(price=usd("12.99")))

    assert report == counts(read=1, updated=1)
    assert Book.objects.get().price == usd("12.99")


def test_a_price_of_nothing_is_a_price() -> None:
    take_over([a_record(price=usd("0.00"))], Terms(price=usd("12.99")))

    assert Book.objects.get().price == usd("0.00")


def test_the_shops_copies_are_for_books_that_bring_none() -> None:
    take_over(
        [a_record(opening_stock=0), a_record(PERSUASION, "Persuasion", record="2")],
        Terms(opening_stock=5),
    )

    assert {book.isbn: stock(book) for book in Book.objects.all()} == {EMMA: (0, 0), PERSUASION: (5, 0)}


def test_a_record_that_says_the_same_again_changes_nothing() -> None:
    report = take_over([a_record(record="1"), a_record(record="2")])

    assert report == counts(read=2, added=1, unchanged=1)


def test_a_record_that_says_otherwise_is_rejected_by_the_place_of_the_first() -> None:
    report = take_over([a_record(record="1"), a_record(title="Emma?", record="2"), a_record(record="3")])

    assert report == counts(
        read=3, added=1, unchanged=1, rejected=[("2", "record 1 has the same ISBN and says otherwise")]
    )
    assert Book.objects.get().title == "Emma"


def test_a_duplicate_is_seen_across_chunks() -> None:
    records = many_records(CHUNK)
    again, otherwise = a_record(records[0].isbn, "Volume 1", record="A"), a_record(records[1].isbn, "X", record="B")

    report = take_over([*records, again, otherwise])

    assert report == counts(
        read=CHUNK + 2,
        added=CHUNK,
        unchanged=1,
        rejected=[("B", "record 2 has the same ISBN and says otherwise")],
    )


def test_two_records_under_one_reference_are_two_records() -> None:
    report = take_over([a_record(record="ref"), a_record(record="ref"), a_record(title="Emma?", record="ref")])

    assert report == counts(
        read=3, added=1, unchanged=1, rejected=[("ref", "record ref has the same ISBN and says otherwise")]
    )


def test_what_the_reader_rejected_is_passed_on() -> None:
    report = take_over([Rejected(record="1", reason="it has no ISBN"), a_record(record="2")])

    assert report == counts(read=2, added=1, rejected=[("1", "it has no ISBN")])


def test_an_empty_feed_is_no_feed_to_fear() -> None:
    assert take_over([]) == counts(read=0)


@pytest.mark.parametrize("count", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_no_record_is_lost_where_chunks_meet(count: int) -> None:
    report = take_over(many_records(count))

    assert report == counts(read=count, added=count)
    assert Book.objects.count() == count


def test_progress_is_told_after_each_chunk_with_what_is_in_by_then() -> None:
    reports = import_records(many_records(CHUNK + 3), terms=Terms(), report=ImportReport())

    told = [(so_far.read, so_far.added, Book.objects.count()) for so_far in reports]

    assert told == [(CHUNK, CHUNK, CHUNK), (CHUNK + 3, CHUNK + 3, CHUNK + 3)]


def test_what_was_read_of_a_feed_that_breaks_off_is_in() -> None:
    def broken() -> Iterator[BookRecord | Rejected]:
        yield from many_records(CHUNK + 2)
        raise UnreadableFeed("the file ends in the middle of a record")

    report = ImportReport()
    with pytest.raises(UnreadableFeed):
        for _ in import_records(broken(), terms=Terms(), report=report):
            pass

    assert report.as_json() == counts(read=CHUNK + 2, added=CHUNK + 2)
    assert Book.objects.count() == CHUNK + 2


def test_a_preview_counts_as_the_import_does_and_writes_nothing() -> None:
    take_over([a_record(), a_record(PERSUASION, "Persuasion", record="2", price=usd("8.99"))])
    before, events = list(Book.objects.order_by("pk").values()), Event.objects.count()
    records: list[BookRecord | Rejected] = [
        a_record(title="Emma: A Novel", record="1"),
        a_record(PERSUASION, "Persuasion", record="2"),
        *many_records(2, start=1000),
        Rejected(record="5", reason="it has no ISBN"),
    ]

    previewed = preview(records)

    assert previewed == counts(read=5, added=2, updated=1, unchanged=1, rejected=[("5", "it has no ISBN")])
    assert list(Book.objects.order_by("pk").values()) == before
    assert Event.objects.count() == events
    assert take_over(records) == previewed


def test_a_book_that_the_shop_edited_is_put_right_by_the_feed() -> None:
    book = a_book("Emma!", isbn=EMMA, price=None)

    take_over([a_record()])

    assert (Book.objects.get().title, Book.objects.get().pk) == ("Emma", book.pk)


def queries(records: list[BookRecord]) -> int:
    with CaptureQueriesContext(connection) as captured:
        take_over(records, Terms(opening_stock=1))
    return len(captured)


def test_what_a_chunk_says_does_not_change_how_often_the_database_is_asked() -> None:
    plain = many_records(40)
    rich = [
        a_record(isbn, "x" * 200, record=str(place), author="y" * 150, price=usd("9.99"), opening_stock=place)
        for place, isbn in enumerate(isbns(40, start=100), 1)
    ]

    costs = [queries(plain), queries(rich), queries(plain), queries(rich)]

    assert costs == [costs[0], costs[0], 1, 1]


def asked(records: list[BookRecord]) -> dict[str, list[int]]:
    """How many values the database is given with each statement, by what the statement begins with."""
    found: dict[str, list[int]] = defaultdict(list)

    def note(execute: Any, sql: str, values: Any, *rest: Any) -> Any:
        if "SAVEPOINT" not in sql:
            found[" ".join(sql.split()[:3])].append(len(values))
        return execute(sql, values, *rest)

    with connection.execute_wrapper(note):
        take_over(records, Terms(opening_stock=1))
    return found


def test_a_chunk_asks_each_question_once_or_as_often_as_its_values_fill_a_statement() -> None:
    few, many = asked(many_records(40)), asked(many_records(CHUNK, start=1000))

    assert sum(map(len, few.values())) <= 20
    assert few.keys() == many.keys()
    for statement, values in many.items():
        assert len(values) <= len(few[statement]) + filled(values), statement


def filled(values: list[int]) -> int:
    """How many statements they fill to nine tenths: SQLite takes so many values with each, PostgreSQL any number."""
    most = connection.features.max_query_params
    return sum(values) // (most * 9 // 10) if most else 0


@pytest.mark.django_db(transaction=True)
def test_an_import_and_a_door_that_add_the_same_book_at_once_make_one() -> None:
    records = many_records(50)

    results = race(
        [
            lambda: take_over(records),
            lambda: take_over(list(reversed(records))),
            lambda: a_book("By hand", isbn=records[25].isbn),
        ]
    )

    errors = [result for result in results if isinstance(result, Exception)]
    assert outcomes(errors) in ({}, {"DuplicateIsbn": 1})
    assert all(isinstance(error, DuplicateIsbn) for error in errors)
    assert Book.objects.count() == raised("catalog.book_added") == 50


@pytest.mark.django_db(transaction=True)
def test_two_feeds_that_add_the_same_books_in_opposite_order_do_not_wait_for_each_other() -> None:
    records = many_records(50)

    def hold_one_in_the_middle() -> None:
        a_book("By hand, and then not", isbn=records[25].isbn)
        transaction.set_rollback(True)

    results = race_behind(
        hold_one_in_the_middle, [lambda: take_over(records), lambda: take_over(list(reversed(records)))]
    )

    assert outcomes(results) == {"done": 2}
    assert Book.objects.count() == raised("catalog.book_added") == 50


@pytest.mark.django_db(transaction=True)
def test_two_feeds_that_update_the_same_books_in_opposite_order_both_come_through() -> None:
    records = many_records(50)
    take_over(records)
    one = [a_record(r.isbn, "One", record=r.record) for r in records]
    two = [a_record(r.isbn, "Two", record=r.record) for r in reversed(records)]

    results = race([lambda: take_over(one), lambda: take_over(two)])

    assert outcomes(results) == {"done": 2}
    assert set(Book.objects.values_list("title", "version")) in ({("One", 3)}, {("Two", 3)})
