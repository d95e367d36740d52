from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookshelf_site.money import Money
from catalog.feeds import cells
from catalog.feeds.records import Refused

GATSBY = "9780743273565"
ROUNDED = "its ISBN was rounded by a spreadsheet: format the column as text and export it again"
CHECK_DIGIT = "its ISBN is not valid: its check digit does not fit: one of the digits is wrong, or two are swapped"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("  The  Great\n\tGatsby ", "The Great Gatsby"),
        ("The\0 Great\x07 Gats\u200bby", "The Great Gatsby"),
        ('="The Great Gatsby"', "The Great Gatsby"),
        ("'-30-", "-30-"),
        ("'Salem's Lot", "'Salem's Lot"),
        ("Les Mise\u0301rables", "Les Misérables"),
    ],
)
def test_a_text_is_freed_of_what_systems_leave_in_it(cell: str, text: str) -> None:
    assert cells.read_text(cell) == text


def test_a_description_keeps_its_paragraphs() -> None:
    assert cells.read_paragraphs(" One.\r\n\r\n\r\n\r\nTwo  \nthree. \n") == "One.\n\nTwo\nthree."


@pytest.mark.parametrize(
    ("thirteen", "ten"),
    [
        ([GATSBY], []),
        (['="9780743273565"'], []),
        (["'9780743273565"], []),
        (["9780743273565.0"], []),
        ([GATSBY], ["0804429573"]),
        (["9.78074327356e+12"], ["743273567"]),
        (["9,78074E+12"], ["743273567.0"]),
        (["4006381333931", GATSBY], []),
        ([], ["", "0743273567"]),
    ],
)
def test_the_first_isbn_that_can_be_trusted_counts(thirteen: list[str], ten: list[str]) -> None:
    assert cells.read_isbn(thirteen, ten) == GATSBY


@pytest.mark.parametrize(("eaten", "isbn"), [("7442912", "9780007442911"), ("61120081", "9780061120084")])
def test_leading_zeros_that_a_spreadsheet_ate_are_restored(eaten: str, isbn: str) -> None:
    assert cells.read_isbn([], [eaten]) == isbn


@pytest.mark.parametrize(
    ("thirteen", "ten", "reason"),
    [
        ([], [], "it has no ISBN"),
        ([" "], ["\0"], "it has no ISBN"),
        (["9.78067172365e+12"], [""], ROUNDED),
        (["9780310000000"], [], ROUNDED),
        (["9.78081297106e+12"], ["812971060"], CHECK_DIGIT),
        ([], ["743273560"], CHECK_DIGIT),
        ([], ["74327"], "its ISBN is not valid: an ISBN has 10 or 13 digits, not 5"),
    ],
)
def test_a_record_without_an_isbn_is_refused(thirteen: list[str], ten: list[str], reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        cells.read_isbn(thirteen, ten)

    assert str(refusal.value) == reason


def test_zeros_are_not_added_to_what_is_no_isbn_10() -> None:
    with pytest.raises(Refused):
        cells.read_isbn(["7442912"], [])


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("12.99", "12.99"),
        ("12,99", "12.99"),
        ("12", "12.00"),
        ("12.9", "12.90"),
        (".99", "0.99"),
        ("12.9900", "12.99"),
        ("$12.99", "12.99"),
        ("US$ 12.99", "12.99"),
        ("12.99 $", "12.99"),
        ("12.99 USD", "12.99"),
        ("usd 12,99", "12.99"),
        ("12,-", "12.00"),
        ("1,234.50", "1234.50"),
        ("1.234,50", "1234.50"),
        ("1 234,50", "1234.50"),
        ("1\u00a0234,50", "1234.50"),
        ("1'234.50", "1234.50"),
        ("'12.99", "12.99"),
        ('="12.99"', "12.99"),
        ("99999.99", "99999.99"),
    ],
)
def test_a_price_is_read_as_people_write_it(written: str, amount: str) -> None:
    assert cells.read_price(written, "", "USD") == Money(Decimal(amount), "USD")


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("banana", "the price “banana” is no amount; write it like 12.99"),
        ("-5", "the price “-5” is no amount; write it like 12.99"),
        ("NaN", "the price “NaN” is no amount; write it like 12.99"),
        ("Infinity", "the price “Infinity” is no amount; write it like 12.99"),
        ("1e3", "the price “1e3” is no amount; write it like 12.99"),
        ("12,99,5", "the price “12,99,5” is no amount; write it like 12.99"),
        ("1.234", "the price “1.234” can be read in two ways; write it with two decimals, like 12.99"),
        ("12,345", "the price “12,345” can be read in two ways; write it with two decimals, like 12.99"),
        ("12.9950", "its price is not valid: an amount has at most two decimals, such as 12.99"),
        ("100000", "its price is not valid: a book costs at most 99,999.99"),
    ],
)
def test_a_price_that_is_none_is_refused(written: str, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        cells.read_price(written, "", "USD")

    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("written", "currency"),
    [
        ("", ""),
        ("n/a", ""),
        ("-", ""),
        ("0.00", ""),
        ("12.99", "EUR"),
        ("€12.99", ""),
        ("12.99 GBP", ""),
        ("C$12.99", ""),
    ],
)
def test_no_price_and_another_currency_leave_the_book_without_price(written: str, currency: str) -> None:
    assert cells.read_price(written, currency, "USD") is None


def test_a_dollar_is_no_euro() -> None:
    assert cells.read_price("$12.99", "", "EUR") is None
    assert cells.read_price("12,99 €", "eur", "EUR") == Money(Decimal("12.99"), "EUR")


@given(st.decimals(min_value=Decimal("0.01"), max_value=Decimal("99999.99"), places=2))
def test_every_price_is_read_back_in_three_countries(amount: Decimal) -> None:
    german = f"{amount:,}".translate(str.maketrans(",.", ".,"))

    read = {cells.read_price(written, "", "EUR") for written in (f"{amount}", f"{amount:,}", german, f"€ {amount}")}

    assert read == {Money(amount, "EUR")}


@pytest.mark.parametrize(
    "written",
    [
        "2020-05-14", "20200514", "2020/05/14", "2020-05-14T00:00:00Z", "2020-05-14 00:00:00", "14.05.2020",
        "14.5.2020", "14 May 2020", "14-May-2020", "May 14, 2020", "14/05/2020", "5/14/2020",
    ],
)  # fmt: skip
def test_a_full_date_is_read(written: str) -> None:
    assert cells.read_date(written) == date(2020, 5, 14)


@pytest.mark.parametrize(
    "written", ["", "2020", "2020.0", "May 2020", "03/04/2020", "2020-02-30", "99/99/2020", "soon"]
)
def test_what_is_no_certain_day_is_no_date(written: str) -> None:
    assert cells.read_date(written) is None


def test_trade_codes_are_read_from_codes_and_words() -> None:
    assert [cells.read_product_form(cell) for cell in ("bc", "Hardcover", "papyrus roll", "")] == ["BC", "BB", "", ""]
    assert [cells.read_availability(cell) for cell in ("20", "Out of print", "who knows", "")] == ["20", "51", "", ""]


def test_opening_stock_is_a_whole_number() -> None:
    assert [cells.read_copies(cell) for cell in ("", "0", " 12 ")] == [None, 0, 12]
    for written in ("-1", "1.5", "many", "1000000000"):
        with pytest.raises(Refused, match="is no whole number of copies"):
            cells.read_copies(written)
