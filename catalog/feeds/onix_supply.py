"""What a book costs here and whether it can be had, out of all prices, markets and suppliers that a product names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import Final
from xml.etree.ElementTree import Element

from bookshelf_site.money import Money
from catalog.feeds.cells import read_price
from catalog.feeds.onix_codes import (
    AVAILABILITIES,
    EURO_COUNTRIES,
    FROM_DATE,
    PRICE_QUALIFIERS,
    PRICE_TYPES,
    UNCONDITIONAL,
    UNTIL_DATE,
)
from catalog.feeds.onix_values import code, codes, day, number

WORLD: Final = "WORLD"
TWO_DIGITS: Final = re.compile("[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Shop:
    """Where and when a book is to be sold: in the countries of the currency, with which ISO 4217 codes begin."""

    currency: str
    today: date

    @property
    def countries(self) -> frozenset[str]:
        return EURO_COUNTRIES if self.currency == "EUR" else frozenset({self.currency[:2]})


@dataclass(frozen=True, slots=True)
class Supply:
    """A supplier's terms, and whether they are for other markets than the shop's."""

    element: Element
    elsewhere: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """A price that the shop may ask, and how far it is from the one that it wants."""

    price: Element
    supply: Supply
    distance: tuple[bool, bool, int]


def read_supply(product: Element, header: Element, shop: Shop) -> tuple[Money | None, str]:
    """The price in the shop's currency, and the availability as List 65 has it.

    Left out are prices of other currencies, of suppliers, for certain customers or quantities, under a condition, and
    expired ones. Of the others, those for the countries of the currency go before those for others only, those that are
    valid before those to come, then recommended with tax before fixed with tax before those without. The availability
    is that of the same supplier, if it tells any. Raises Refused if the price is no amount.
    """
    supplies = sorted(_supplies(product, shop), key=attrgetter("elsewhere"))
    best = min(_offers(supplies, header, shop), key=attrgetter("distance"), default=None)
    if best is None:
        return None, _availability(supplies)
    price = read_price(code(best.price, "PriceAmount"), "", shop.currency)
    return price, _availability([best.supply, *supplies])


def _supplies(product: Element, shop: Shop) -> Iterator[Supply]:
    for element in product.findall("SupplyDetail"):
        yield Supply(element, elsewhere=False)
    for market_supply in product.findall("ProductSupply"):
        markets = market_supply.findall("Market")
        elsewhere = bool(markets) and not any(_sells_here(market, shop) for market in markets)
        for element in market_supply.findall("SupplyDetail"):
            yield Supply(element, elsewhere)


def _offers(supplies: Sequence[Supply], header: Element, shop: Shop) -> Iterator[Offer]:
    currency, price_type = code(header, "DefaultCurrencyCode"), code(header, "DefaultPriceType")
    for supply in supplies:
        for price in supply.element.findall("Price"):
            stated = code(price, "PriceType") or price_type
            if (code(price, "CurrencyCode") or currency).upper() != shop.currency or stated not in PRICE_TYPES:
                continue
            if _is_for_anybody(price) and not _is_over(price, shop.today):
                elsewhere = supply.elsewhere or not _sells_here(price, shop)
                yield Offer(price, supply, (elsewhere, _is_to_come(price, shop.today), PRICE_TYPES.index(stated)))


def _is_for_anybody(price: Element) -> bool:
    return (
        code(price, "PriceQualifier") in PRICE_QUALIFIERS
        and (number(price, "MinimumOrderQuantity") or 1) == 1
        and all(code(condition, "PriceConditionType") in UNCONDITIONAL for condition in price.findall("PriceCondition"))
    )


def _is_over(price: Element, today: date) -> bool:
    until = day(price, "PriceEffectiveUntil") or _price_date(price, UNTIL_DATE)
    return until is not None and until < today


def _is_to_come(price: Element, today: date) -> bool:
    begin = day(price, "PriceEffectiveFrom") or _price_date(price, FROM_DATE)
    return begin is not None and begin > today


def _price_date(price: Element, role: str) -> date | None:
    dates = (day(dated, "Date") for dated in price.findall("PriceDate") if code(dated, "PriceDateRole") == role)
    return next(dates, None)


def _sells_here(place: Element, shop: Shop) -> bool:
    """Whether a market or a price is for a country of the shop's currency, or for no certain one."""
    territory = place.find("Territory")
    if territory is not None and len(territory):
        countries, regions = codes(territory, "CountriesIncluded"), codes(territory, "RegionsIncluded")
        excluded = codes(territory, "CountriesExcluded")
    else:
        countries, regions = codes(place, "CountryCode"), codes(place, "Territory")
        excluded = codes(place, "CountryExcluded")
    if shop.countries <= excluded:
        return False
    return bool(shop.countries & countries) or WORLD in regions or not (countries or regions)


def _availability(supplies: Sequence[Supply]) -> str:
    told = (_told_availability(supply.element) for supply in supplies)
    return next((availability for availability in told if availability), "")


def _told_availability(supply: Element) -> str:
    availability = code(supply, "ProductAvailability")
    if TWO_DIGITS.fullmatch(availability):
        return availability
    return AVAILABILITIES.get(code(supply, "AvailabilityCode"), "")
