from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine

from catalog.feeds.records import BookRecord
from tests.catalog.feeds.onix import book, product, product_21, rejection

TODAY = datetime(2026, 6, 15, 12, tzinfo=UTC)


def price(amount: str, price_type: str = "02", currency: str = "USD", extra: str = "") -> str:
    typed = f"<PriceType>{price_type}</PriceType>" if price_type else ""
    stated = f"<CurrencyCode>{currency}</CurrencyCode>" if currency else ""
    return f"<Price>{typed}<PriceAmount>{amount}</PriceAmount>{stated}{extra}</Price>"


def supply(*prices: str, availability: str = "") -> str:
    told = f"<ProductAvailability>{availability}</ProductAvailability>" if availability else ""
    return f"<SupplyDetail>{told}{''.join(prices)}</SupplyDetail>"


def territory(*, countries: str = "", regions: str = "", excluded: str = "") -> str:
    return (
        f"<Territory><CountriesIncluded>{countries}</CountriesIncluded><RegionsIncluded>{regions}</RegionsIncluded>"
        f"<CountriesExcluded>{excluded}</CountriesExcluded></Territory>"
    )


def market(countries: str, *supplies: str) -> str:
    return f"<ProductSupply><Market>{territory(countries=countries)}</Market>{''.join(supplies)}</ProductSupply>"


def supplied(*product_supplies: str, currency: str = "USD") -> BookRecord:
    whole = product().replace("<ProductSupply></ProductSupply>", "".join(product_supplies))
    return book(whole, currency=currency)


def amount(*prices: str, currency: str = "USD", header: str = "") -> str | None:
    chosen = book(product(supply=supply(*prices)), currency=currency, header=header).price
    return None if chosen is None else str(chosen.amount)


@pytest.mark.parametrize(
    ("prices", "chosen"),
    [
        ([price("1", "01"), price("2", "02"), price("4", "04")], "2.00"),
        ([price("1", "01"), price("4", "04")], "4.00"),
        ([price("3", "03"), price("1", "01")], "1.00"),
        ([price("41", "41"), price("42", "42")], "42.00"),
        ([price("2"), price("3")], "2.00"),
        ([price("0", ""), price("1", "01")], "1.00"),
        ([price("7", "")], "7.00"),
        ([price("5", "05"), price("7", "07"), price("12", "12"), price("22", "22")], None),
        ([price("2", currency="GBP")], None),
        ([price("2", currency="GBP"), price("1", "01")], "1.00"),
        ([price("2", currency="usd")], "2.00"),
        ([price("0.00")], None),
        ([price("2", currency="")], None),
        (["<Price><PriceType>02</PriceType><CurrencyCode>USD</CurrencyCode></Price>"], None),
        ([], None),
    ],
)
def test_the_price_is_one_for_customers_in_the_shops_currency(prices: list[str], chosen: str | None) -> None:
    assert amount(*prices) == chosen


def test_what_a_price_leaves_out_the_header_may_say() -> None:
    header = "<DefaultPriceType>05</DefaultPriceType><DefaultCurrencyCode>USD</DefaultCurrencyCode>"
    header_21 = "<DefaultPriceTypeCode>02</DefaultPriceTypeCode><DefaultCurrencyCode>USD</DefaultCurrencyCode>"

    assert amount(price("2", "", ""), header=header) is None
    assert amount(price("2", "02", ""), header=header) == "2.00"
    assert amount(price("2", "", ""), header=header_21) == "2.00"
    assert amount(price("2", "", "GBP"), header=header_21) is None


@pytest.mark.parametrize(
    "extra",
    [
        "<PriceQualifier>06</PriceQualifier>",
        "<PriceQualifier>01</PriceQualifier>",
        "<MinimumOrderQuantity>10</MinimumOrderQuantity>",
        "<PriceCondition><PriceConditionType>10</PriceConditionType></PriceCondition>",
        "<PriceEffectiveUntil>20260614</PriceEffectiveUntil>",
        "<PriceDate><PriceDateRole>15</PriceDateRole><Date>20260614</Date></PriceDate>",
    ],
)
@time_machine.travel(TODAY, tick=False)
def test_a_price_that_not_everybody_gets_today_is_none(extra: str) -> None:
    assert amount(price("2", extra=extra)) is None
    assert amount(price("2", extra=extra), price("1", "01")) == "1.00"


@pytest.mark.parametrize(
    "extra",
    [
        "<PriceQualifier>05</PriceQualifier>",
        "<MinimumOrderQuantity>1</MinimumOrderQuantity>",
        "<PriceCondition><PriceConditionType>00</PriceConditionType></PriceCondition>",
        "<PriceEffectiveFrom>20260615</PriceEffectiveFrom><PriceEffectiveUntil>20260615</PriceEffectiveUntil>",
        "<PriceEffectiveUntil>soon</PriceEffectiveUntil>",
    ],
)
@time_machine.travel(TODAY, tick=False)
def test_a_price_that_everybody_gets_today_is_one(extra: str) -> None:
    assert amount(price("2", extra=extra)) == "2.00"


@time_machine.travel(TODAY, tick=False)
def test_a_price_to_come_is_taken_only_where_there_is_none_yet() -> None:
    to_come = price("9", extra="<PriceDate><PriceDateRole>14</PriceDateRole><Date>20260616</Date></PriceDate>")

    assert amount(to_come, price("1", "01")) == "1.00"
    assert amount(to_come) == "9.00"
    assert amount(price("2", extra="<PriceEffectiveFrom>20260615</PriceEffectiveFrom>"), price("3")) == "2.00"


@pytest.mark.parametrize(
    ("elsewhere", "currency"),
    [
        (territory(countries="CA MX"), "USD"),
        (territory(regions="WORLD", excluded="US CA"), "USD"),
        ("<CountryCode>CA</CountryCode>", "USD"),
        ("<Territory>ROW</Territory><CountryExcluded>US</CountryExcluded>", "USD"),
        (territory(countries="CH"), "EUR"),
    ],
)
def test_a_price_for_other_countries_comes_last(elsewhere: str, currency: str) -> None:
    there, here = price("2", "02", currency, elsewhere), price("1", "01", currency)

    assert amount(there, here, currency=currency) == "1.00"
    assert amount(there, currency=currency) == "2.00"


@pytest.mark.parametrize(
    ("here", "currency"),
    [
        (territory(countries="CA US"), "USD"),
        (territory(regions="WORLD", excluded="CA"), "USD"),
        (territory(excluded="CA"), "USD"),
        ("<CountryCode>US</CountryCode>", "USD"),
        ("<Territory>WORLD</Territory>", "USD"),
        (territory(countries="DE AT"), "EUR"),
    ],
)
def test_a_price_for_a_country_of_the_currency_is_for_the_shop(here: str, currency: str) -> None:
    assert amount(price("2", "02", currency, here), price("1", "01", currency), currency=currency) == "2.00"


def test_the_market_of_the_shop_goes_before_others() -> None:
    there = market("AU NZ", supply(price("30"), availability="10"))
    here = market("US CA", supply(price("20", "01"), availability="21"))

    record = supplied(there, here)

    assert (record.price and record.price.amount, record.availability) == (Decimal("20.00"), "21")


def test_the_availability_is_that_of_who_supplies_at_the_price() -> None:
    without = supply(price("2", currency="GBP"), availability="40")

    assert supplied(market("US", without, supply(price("2"), availability="20"))).availability == "20"
    assert supplied(market("US", without, supply(price("2")))).availability == "40"
    assert supplied(market("AU", without), market("US", supply(availability="31"))).availability == "31"


@pytest.mark.parametrize(
    ("told", "availability"),
    [
        ("<AvailabilityCode>IP</AvailabilityCode>", "20"),
        ("<AvailabilityCode>OP</AvailabilityCode>", "51"),
        ("<AvailabilityCode>IP</AvailabilityCode><ProductAvailability>31</ProductAvailability>", "31"),
        ("<AvailabilityCode>XX</AvailabilityCode>", ""),
        ("<ProductAvailability>soon</ProductAvailability>", ""),
        ("", ""),
    ],
)
def test_the_availability_of_2_1_is_told_as_list_65(told: str, availability: str) -> None:
    assert book(product_21(f"<SupplyDetail>{told}</SupplyDetail>")).availability == availability


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("free", "the price “free” is no amount; write it like 12.99"),
        ("100000", "its price is not valid: a book costs at most 99,999.99"),
        ("-1", "the price “-1” is no amount; write it like 12.99"),
    ],
)
def test_a_price_that_is_no_amount_is_a_reason_to_reject(written: str, reason: str) -> None:
    assert rejection(product(supply=supply(price(written)))).reason == reason
