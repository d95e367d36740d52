import io

import pytest

from bookshelf_site.events.models import Event
from catalog.feeds import read_feed
from catalog.feeds.importing import ImportReport, Terms, import_records
from catalog.models import Book
from tests.catalog.feeds.onix import EMMA, GATSBY, identifier, message, product
from tests.given import raised, stock, usd

pytestmark = pytest.mark.django_db

SUPPLY = (
    "<SupplyDetail><ProductAvailability>20</ProductAvailability><Price><PriceType>02</PriceType>"
    "<PriceAmount>8.99</PriceAmount><CurrencyCode>USD</CurrencyCode></Price></SupplyDetail>"
)
EMMA_ADDED = product(supply=SUPPLY)
EMMA_DELETED = product(notification="05", title="")
GATSBY_ADDED = product(reference="com.example.2", identifiers=identifier(GATSBY)).replace("Emma", "The Great Gatsby")
WITHOUT_ISBN = product(reference="com.example.3", identifiers="")


def take_over(*products: str) -> ImportReport:
    report = ImportReport()
    records = read_feed(io.BytesIO(message(*products).encode()), currency="USD")
    for _ in import_records(records, terms=Terms(opening_stock=2), report=report):
        pass
    return report


def test_a_message_becomes_books_with_stock_and_events_once() -> None:
    report = take_over(EMMA_ADDED, WITHOUT_ISBN, GATSBY_ADDED)

    emma = Book.objects.get(isbn=EMMA)
    assert (report.read, report.added, len(report.rejected)) == (3, 2, 1)
    assert (emma.title, emma.price, emma.availability, stock(emma)) == ("Emma", usd("8.99"), "20", (2, 0))
    assert raised("catalog.book_added") == 2


def test_the_same_message_again_changes_nothing() -> None:
    take_over(EMMA_ADDED, GATSBY_ADDED)
    before, events = list(Book.objects.order_by("pk").values()), Event.objects.count()

    report = take_over(EMMA_ADDED, GATSBY_ADDED)

    assert (report.read, report.added, report.updated, report.unchanged) == (2, 0, 0, 2)
    assert (list(Book.objects.order_by("pk").values()), Event.objects.count()) == (before, events)


def test_a_deletion_withdraws_the_book_and_leaves_it_as_it_is() -> None:
    take_over(EMMA_ADDED)

    first, again = take_over(EMMA_DELETED), take_over(EMMA_DELETED)

    emma = Book.objects.get()
    assert (first.updated, again.unchanged, raised("catalog.book_withdrawn")) == (1, 1, 1)
    assert (emma.status, emma.title, emma.price) == ("withdrawn", "Emma", usd("8.99"))


def test_a_deletion_of_a_book_that_the_shop_never_had_changes_nothing() -> None:
    report = take_over(EMMA_DELETED)

    assert (report.read, report.unchanged, report.rejected) == (1, 1, [])
    assert not Book.objects.exists()


def test_a_partial_update_changes_what_it_says() -> None:
    take_over(EMMA_ADDED)

    report = take_over(product(notification="04", title="", supply=SUPPLY.replace("8.99", "9.99")))

    emma = Book.objects.get()
    assert (report.updated, emma.title, emma.price) == (1, "Emma", usd("9.99"))


def test_a_partial_update_without_a_title_adds_no_book() -> None:
    report = take_over(product(notification="04", title=""), GATSBY_ADDED)

    assert (report.read, report.added) == (2, 1)
    assert [(entry.record, entry.reason) for entry in report.rejected] == [
        ("com.example.1", "it updates a book that is not in the catalogue, and has no title under which to add it")
    ]
    assert Book.objects.get().isbn == GATSBY
