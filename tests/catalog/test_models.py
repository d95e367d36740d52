from datetime import date

import pytest
from pytest_django import Settings

from bookshelf_site.errors import InvalidValue, VersionMismatch
from bookshelf_site.money import Money
from catalog.events import BookAdded, BookEdited, BookRepriced, BookRestored, BookWithdrawn
from catalog.models import MAX_OPENING_STOCK, Book, BookDetails
from inventory.models import MAX_COPIES
from tests.given import usd

EMMA = BookDetails(title="Emma", author="Jane Austen", isbn="9780141439587")


@pytest.fixture
def book() -> Book:
    book = Book.added(EMMA, price=usd("12.99"), opening_stock=0)
    book.take_raised()
    return book


def test_details_are_kept_trimmed_and_the_isbn_in_thirteen_digits() -> None:
    details = BookDetails(title=" Emma ", author="\tJane Austen\n", isbn="0-14-143958-0", description="A\nnovel\n")

    assert details == BookDetails(title="Emma", author="Jane Austen", isbn="9780141439587", description="A\nnovel")


@pytest.mark.parametrize("isbn", [None, "", "  "])
def test_a_book_may_have_no_isbn(isbn: str | None) -> None:
    assert BookDetails(title="Emma", isbn=isbn).isbn is None


@pytest.mark.parametrize(
    ("details", "field", "reason"),
    [
        ({"title": ""}, "title", "a book has a title"),
        ({"title": " \t "}, "title", "a book has a title"),
        ({"title": "\u200b"}, "title", "a book has a title"),
        ({"title": "x" * 201}, "title", "has 201 characters, at most 200 are kept"),
        ({"title": "a\x00b"}, "title", "must not contain U+0000, which is no character to be read"),
        ({"title": "a\ud800b"}, "title", "must not contain U+D800, which is no character to be read"),
        ({"title": "Emma\nPersuasion"}, "title", "must be one line, without tabs"),
        ({"author": "x" * 151}, "author", "has 151 characters, at most 150 are kept"),
        ({"publisher": "x" * 201}, "publisher", "has 201 characters, at most 200 are kept"),
        ({"description": "x" * 10_001}, "description", "has 10,001 characters, at most 10,000 are kept"),
        ({"product_form": "BBB"}, "product_form", "has 3 characters, at most 2 are kept"),
        ({"isbn": "banana"}, "isbn", "an ISBN has only digits and hyphens, and at the end of ten an X"),
        (
            {"isbn": "9780141439588"},
            "isbn",
            "its check digit does not fit: one of the digits is wrong, or two are swapped",
        ),
    ],
)
def test_details_that_no_book_has_are_refused(details: dict[str, str], field: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        BookDetails(**({"title": "Emma"} | details))  # type: ignore[arg-type]

    assert (refusal.value.field, refusal.value.reason) == (field, reason)


def test_a_new_book_tells_all_about_itself() -> None:
    book = Book.added(EMMA, price=usd("12.99"), opening_stock=3)

    assert book.raised_events == (
        BookAdded(
            book_id=book.id,
            title="Emma",
            author="Jane Austen",
            isbn="9780141439587",
            price=usd("12.99"),
            opening_stock=3,
        ),
    )
    assert (book.status, book.version, book.details, book.price) == ("active", 1, EMMA, usd("12.99"))


@pytest.mark.parametrize("opening_stock", [-1, 1_000_001, 2**63])
def test_a_book_opens_with_copies_that_a_shelf_can_hold(opening_stock: int) -> None:
    with pytest.raises(InvalidValue) as refusal:
        Book.added(EMMA, price=None, opening_stock=opening_stock)

    assert str(refusal.value) == "opening_stock: a book opens with 0 to 1,000,000 copies"


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        (usd("100000.00"), "a price is at most 99,999.99"),
        (Money(usd("1").amount, "EUR"), "the shop's currency is USD, not EUR"),
    ],
)
def test_a_price_that_the_shop_can_not_ask_is_refused(book: Book, price: Money, reason: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        book.reprice(price)

    assert str(refusal.value) == f"price: {reason}"
    assert (book.price, book.version, book.raised_events) == (usd("12.99"), 1, ())


@pytest.mark.parametrize("price", ["0.00", "99999.99"])
def test_the_least_and_the_highest_price_are_prices(book: Book, price: str) -> None:
    book.reprice(usd(price))

    assert book.price == usd(price)
    assert book.is_for_sale


def test_the_price_is_in_the_currency_of_the_shop(book: Book, settings: Settings) -> None:
    settings.SHOP_CURRENCY = "EUR"

    assert book.price == Money(usd("12.99").amount, "EUR")


def test_an_edit_says_what_changed(book: Book) -> None:
    book.edit(BookDetails(title="Emma: A Novel", author="Jane Austen", isbn="9780141439587", publisher="Penguin"))

    assert book.raised_events == (
        BookEdited(book_id=book.id, title="Emma: A Novel", isbn="9780141439587", changed=("title", "publisher")),
    )
    assert book.version == 2


def test_a_new_price_is_told_with_the_old_one(book: Book) -> None:
    book.reprice(usd("9.99"))

    assert book.raised_events == (BookRepriced(book_id=book.id, old_price=usd("12.99"), new_price=usd("9.99")),)
    assert book.version == 2


def test_a_book_without_a_price_is_not_for_sale(book: Book) -> None:
    book.reprice(None)

    assert book.raised_events == (BookRepriced(book_id=book.id, old_price=usd("12.99"), new_price=None),)
    assert not book.is_for_sale


def test_a_withdrawn_book_is_not_for_sale_until_it_is_restored(book: Book) -> None:
    book.withdraw()
    withdrawn = book.is_for_sale
    book.restore()

    assert (withdrawn, book.is_for_sale) == (False, True)
    assert book.raised_events == (
        BookWithdrawn(book_id=book.id, title="Emma"),
        BookRestored(book_id=book.id, title="Emma"),
    )
    assert book.version == 3


def test_what_is_so_already_changes_nothing(book: Book) -> None:
    book.edit(EMMA)
    book.reprice(usd("12.99"))
    book.restore()
    book.revise({"title": "Emma", "price": usd("12.99")})

    assert (book.version, book.raised_events) == (1, ())


def test_a_revision_changes_only_what_it_names(book: Book) -> None:
    book.revise({"published_on": date(1815, 12, 23)})

    assert book.details == BookDetails(
        title="Emma", author="Jane Austen", isbn="9780141439587", published_on=date(1815, 12, 23)
    )
    assert book.price == usd("12.99")


def test_a_revision_that_names_no_price_by_none_takes_it_away(book: Book) -> None:
    book.revise({"price": None})

    assert book.price is None


def test_who_expects_another_version_is_told_which_it_is(book: Book) -> None:
    book.expect_version(1)
    book.expect_version(None)

    with pytest.raises(VersionMismatch) as refusal:
        book.expect_version(2)

    assert (refusal.value.expected, refusal.value.current) == (2, 1)


def test_a_book_opens_with_no_more_than_the_stock_takes() -> None:
    assert MAX_OPENING_STOCK == MAX_COPIES
