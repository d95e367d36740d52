from decimal import Decimal

import pytest

from bookshelf_site.money import InvalidMoney, Money


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


@pytest.mark.parametrize(
    ("written", "amount"),
    [("12.99", "12.99"), (" 12.9 ", "12.90"), ("0", "0.00"), ("-0", "0.00"), ("12.9900", "12.99"), ("007", "7.00")],
)
def test_an_amount_is_read_exactly(written: str, amount: str) -> None:
    assert str(Money.parse(written, "USD").amount) == amount


@pytest.mark.parametrize(
    "written",
    ["", " ", "banana", "12,99", "1_000", "1e3", "1E400", "١٢", "１２", "12.", ".5", "+1", "NaN", "sNaN", "Infinity",
     "0x1", "12.99 USD", "12\x0099", "\ud800"],
)  # fmt: skip
def test_what_a_person_would_not_write_is_no_amount(written: str) -> None:
    with pytest.raises(InvalidMoney, match="is no amount; write it like 12.99"):
        Money.parse(written, "USD")


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        ("-0.01", "an amount can't be negative"),
        ("0.001", "an amount has at most two decimals, such as 12.99"),
        ("NaN", "an amount must be a finite number, such as 12.99"),
        ("sNaN", "an amount must be a finite number, such as 12.99"),
        ("Infinity", "an amount must be a finite number, such as 12.99"),
        ("-Infinity", "an amount must be a finite number, such as 12.99"),
        ("1000000000000", "an amount has at most twelve digits before the point"),
        ("1E+999999", "an amount has at most twelve digits before the point"),
        ("1E-999999", "an amount has at most two decimals, such as 12.99"),
    ],
)
def test_what_is_no_amount_is_refused_with_the_reason(amount: str, reason: str) -> None:
    with pytest.raises(InvalidMoney) as refusal:
        usd(amount)

    assert str(refusal.value) == reason


@pytest.mark.parametrize("amount", [12, 12.99, "12.99", True, None])
def test_an_amount_is_a_decimal_and_nothing_like_it(amount: object) -> None:
    with pytest.raises(InvalidMoney, match="an amount is a Decimal, not a"):
        Money(amount, "USD")  # type: ignore[arg-type]


@pytest.mark.parametrize("currency", ["", "usd", "US", "USDX", "U$D", "US1", "ÜSD", "US\n", "USD\n"])
def test_a_currency_is_three_capital_letters(currency: str) -> None:
    with pytest.raises(InvalidMoney, match="is no ISO 4217 currency code"):
        Money(Decimal(1), currency)


def test_three_books_cost_three_times_as_much_to_the_cent() -> None:
    assert usd("12.99") * 3 == usd("38.97")


def test_tenths_add_up_exactly() -> None:
    assert usd("0.10") + usd("0.20") == usd("0.30")


def test_amounts_of_two_currencies_are_not_added() -> None:
    with pytest.raises(ValueError, match="EUR can't be added to USD"):
        usd("1") + Money(Decimal(1), "EUR")


def test_amounts_of_two_currencies_are_never_equal() -> None:
    assert usd("1") != Money(Decimal(1), "EUR")


def test_equal_amounts_are_one_value_however_they_were_written() -> None:
    assert {usd("12.9"), usd("12.90")} == {usd("12.90")}


def test_nothing_costs_less_than_nothing() -> None:
    with pytest.raises(InvalidMoney, match="an amount can't be negative"):
        usd("12.99") * -1


def test_it_is_shown_with_its_currency() -> None:
    assert str(usd("1234567.5")) == "1,234,567.50 USD"


def test_it_travels_as_text_never_as_a_float() -> None:
    assert usd("12.9").as_json() == {"amount": "12.90", "currency": "USD"}


def test_zero_is_an_amount() -> None:
    assert Money.zero("EUR") == Money(Decimal("0.00"), "EUR")
