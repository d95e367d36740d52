from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone
from model_bakery import baker
from pytest_django import Settings

from bookshelf_site.errors import InvalidValue, VersionMismatch
from bookshelf_site.events import acting
from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
from catalog import services
from catalog.errors import DuplicateIsbn
from catalog.models import Book, BookDetails
from tests.given import a_book, an_order, raised, stock, usd
from tests.racing import outcomes, race, race_behind

pytestmark = pytest.mark.django_db

EMMA = "9780141439587"
PERSUASION = "9780141439686"


def test_a_book_is_added_and_the_event_says_so() -> None:
    with acting(actor="user:alice", correlation_id="req-1"):
        book = services.add_to_catalog(BookDetails(title="Emma", isbn=EMMA), price=usd("12.99"), opening_stock=4)

    event = Event.objects.get(name="catalog.book_added")
    assert Book.objects.get().details == BookDetails(title="Emma", isbn=EMMA)
    assert (event.stream, event.actor, event.correlation_id) == (f"catalog.book:{book.pk}", "user:alice", "req-1")
    assert event.data == {
        "book_id": str(book.pk),
        "title": "Emma",
        "author": "",
        "isbn": EMMA,
        "price": {"amount": "12.99", "currency": "USD"},
        "opening_stock": 4,
    }


def test_a_book_opens_with_the_copies_that_the_shop_always_opens_with(settings: Settings) -> None:
    settings.OPENING_STOCK = 7

    book = services.add_to_catalog(BookDetails(title="Emma"))

    assert stock(book) == (7, 0)


def test_a_book_may_open_with_no_copies() -> None:
    book = services.add_to_catalog(BookDetails(title="Emma"), opening_stock=0)

    assert stock(book) == (0, 0)


def test_an_isbn_names_one_book_however_it_is_written() -> None:
    first = a_book("Emma", isbn=EMMA)

    with pytest.raises(DuplicateIsbn) as refusal:
        a_book("Emma again", isbn="0-14-143958-0")

    assert (refusal.value.isbn, refusal.value.existing_id) == (EMMA, first.pk)
    assert Book.objects.get() == first
    assert raised("catalog.book_added") == 1


def test_books_without_an_isbn_are_not_duplicates() -> None:
    a_book("A local history")
    a_book("A local history")

    assert Book.objects.count() == 2


def test_an_edit_that_takes_another_books_isbn_changes_nothing() -> None:
    emma, persuasion = a_book("Emma", isbn=EMMA), a_book("Persuasion", isbn=PERSUASION)

    with pytest.raises(DuplicateIsbn) as refusal:
        services.edit(book_id=persuasion.pk, details=BookDetails(title="Emma", isbn=EMMA), price=usd("1.00"))

    unchanged = Book.objects.get(pk=persuasion.pk)
    assert refusal.value.existing_id == emma.pk
    assert (unchanged.details, unchanged.price, unchanged.version) == (persuasion.details, usd("12.99"), 1)
    assert raised("catalog.book_edited") + raised("catalog.book_repriced") == 0


def test_an_edit_changes_details_and_price_and_tells_both() -> None:
    book = a_book("Emma")

    services.edit(book_id=book.pk, details=BookDetails(title="Emma: A Novel"), price=usd("9.99"), expected_version=1)

    changed = Book.objects.get()
    assert (changed.title, changed.price, changed.version) == ("Emma: A Novel", usd("9.99"), 3)
    assert (raised("catalog.book_edited"), raised("catalog.book_repriced")) == (1, 1)


def test_an_edit_of_what_has_changed_meanwhile_is_refused() -> None:
    book = a_book("Emma")
    services.reprice(book_id=book.pk, price=usd("9.99"))

    with pytest.raises(VersionMismatch):
        services.edit(book_id=book.pk, details=BookDetails(title="X"), price=None, expected_version=1)
    with pytest.raises(VersionMismatch):
        services.revise(book_id=book.pk, changes={"title": "X"}, expected_version=1)

    unchanged = Book.objects.get()
    assert (unchanged.title, unchanged.price, unchanged.version) == ("Emma", usd("9.99"), 2)


def test_a_revision_leaves_alone_what_it_does_not_name() -> None:
    book = a_book("Emma", isbn=EMMA)

    services.revise(book_id=book.pk, changes={"title": "Emma: A Novel"})

    changed = Book.objects.get()
    assert (changed.title, changed.author, changed.isbn, changed.price) == (
        "Emma: A Novel",
        "Jane Austen",
        EMMA,
        usd("12.99"),
    )


def test_a_price_in_another_currency_changes_nothing() -> None:
    book = a_book("Emma")

    with pytest.raises(InvalidValue, match="the shop's currency is USD, not EUR"):
        services.reprice(book_id=book.pk, price=Money(Decimal(1), "EUR"))

    assert Book.objects.get().price == usd("12.99")


@pytest.mark.parametrize("amount", ["0.00", "0.01", "99999.99"])
def test_a_price_comes_back_from_the_database_to_the_cent(amount: str) -> None:
    book = a_book("Emma", price=amount)

    assert Book.objects.get(pk=book.pk).price == usd(amount)


def test_a_withdrawn_book_can_be_restored() -> None:
    book = a_book("Emma")

    services.withdraw(book_id=book.pk)
    withdrawn = Book.objects.get().status
    services.restore(book_id=book.pk)

    assert (withdrawn, Book.objects.get().status) == ("withdrawn", "active")
    assert (raised("catalog.book_withdrawn"), raised("catalog.book_restored")) == (1, 1)


def test_whoever_asks_for_what_was_updated_hears_of_no_book_that_was_not() -> None:
    book = a_book("Emma")
    services.withdraw(book_id=book.pk)
    before = Book.objects.get()

    services.withdraw(book_id=book.pk)
    services.reprice(book_id=book.pk, price=usd("12.99"))
    services.edit(book_id=book.pk, details=before.details, price=before.price)
    services.revise(book_id=book.pk, changes={"title": "Emma"})

    after = Book.objects.get()
    assert (after.updated_at, after.version) == (before.updated_at, before.version)
    assert raised("catalog.book_withdrawn") == 1


def test_an_unknown_book_is_not_there() -> None:
    for service in (services.withdraw, services.restore):
        with pytest.raises(Book.DoesNotExist):
            service(book_id=uuid4())


def test_a_book_is_not_locked_outside_a_transaction(transactional_db: None) -> None:
    with pytest.raises(RuntimeError, match="inside a unit of work only"):
        Book.objects.locked()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("emma", ["Emma"]),
        ("austen", ["Emma", "Persuasion"]),
        ("jane emma", ["Emma"]),
        ("emma persuasion", []),
        ("0-14-143958-0", ["Emma"]),
        ("ISBN 978-0-14-143958-7", ["Emma"]),
        ("9780141439587 51299", ["Emma"]),
        ("97801414396", ["Persuasion"]),
        ("978-0-14-143958", ["Emma"]),
        ("-", []),
        ("emma —", ["Emma"]),
        ("%", []),
        ("", ["Emma", "Persuasion"]),
    ],
)
def test_books_are_found_by_words_and_isbn(text: str, found: list[str]) -> None:
    a_book("Emma", isbn=EMMA)
    a_book("Persuasion", isbn=PERSUASION)

    assert [book.title for book in Book.objects.search(text).order_by("title")] == found


def test_books_with_copies_that_can_be_ordered_are_in_stock() -> None:
    a_book("Here", copies=1)
    a_book("Gone", copies=0)
    promised = a_book("Promised", copies=1)
    an_order((promised, 1))

    assert [book.title for book in Book.objects.in_stock()] == ["Here"]
    assert {book.title for book in Book.objects.out_of_stock()} == {"Gone", "Promised"}
    assert {book.title: book.available for book in Book.objects.with_stock()} == {"Here": 1, "Gone": 0, "Promised": 0}


def test_a_book_that_has_no_stock_row_has_no_copies() -> None:
    baker.make(Book, title="Emma")

    assert Book.objects.get().available == 0
    assert Book.objects.with_stock().get().available == 0


def test_a_book_was_made_and_changed_when_it_was() -> None:
    book = a_book("Emma")

    assert abs(timezone.now() - book.created_at) < timedelta(minutes=1)
    assert Book.objects.get().updated_at == book.updated_at


@pytest.mark.django_db(transaction=True)
def test_of_two_who_add_the_same_isbn_at_once_one_does() -> None:
    def add() -> Book:
        return a_book("Emma", isbn=EMMA, copies=3)

    results = race([add] * 6)

    added = Book.objects.get()
    assert outcomes(results) == {"done": 1, "DuplicateIsbn": 5}
    assert {error.existing_id for error in results if isinstance(error, DuplicateIsbn)} == {added.pk}
    assert (raised("catalog.book_added"), stock(added)) == (1, (3, 0))


@pytest.mark.django_db(transaction=True)
def test_of_two_who_edit_the_same_version_one_wins() -> None:
    book = a_book("Emma")

    def reword(title: str) -> Book:
        return services.revise(book_id=book.pk, changes={"title": title}, expected_version=1)

    def lock() -> Book:
        return Book.objects.locked().get(pk=book.pk)

    results = race_behind(lock, [lambda: reword("One"), lambda: reword("Two")])

    assert outcomes(results) == {"done": 1, "VersionMismatch": 1}
    assert (Book.objects.get().version, raised("catalog.book_edited")) == (2, 1)


@pytest.mark.django_db(transaction=True)
def test_two_who_revise_different_things_both_do() -> None:
    book = a_book("Emma")

    def lock() -> Book:
        return Book.objects.locked().get(pk=book.pk)

    race_behind(
        lock,
        [
            lambda: services.revise(book_id=book.pk, changes={"title": "Emma: A Novel"}),
            lambda: services.revise(book_id=book.pk, changes={"publisher": "Penguin"}),
        ],
    )

    revised = Book.objects.get()
    assert (revised.title, revised.publisher, revised.version) == ("Emma: A Novel", "Penguin", 3)


def test_a_book_that_is_added_in_a_larger_work_goes_with_it() -> None:
    with pytest.raises(LookupError), transaction.atomic():
        a_book("Emma", isbn=EMMA)
        raise LookupError

    assert not Book.objects.exists()
    assert raised("catalog.book_added") == 0
