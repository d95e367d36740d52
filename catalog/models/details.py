"""BookDetails: what the catalogue says of a book; and the price that the shop can ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypedDict

from django.conf import settings

from bookshelf_site.errors import InvalidValue, checked_line, checked_text
from bookshelf_site.money import Money
from catalog.isbn import InvalidIsbn, normalise_isbn

TITLE_LENGTH = 200
AUTHOR_LENGTH = 150
PUBLISHER_LENGTH = 200
DESCRIPTION_LENGTH = 10_000
MAX_PRICE = Decimal("99999.99")


@dataclass(frozen=True, kw_only=True)
class BookDetails:
    """All that the catalogue says of a book, its price apart. Raises InvalidValue, naming the field."""

    title: str
    author: str = ""
    isbn: str | None = None
    description: str = ""
    publisher: str = ""
    published_on: date | None = None
    product_form: str = ""
    availability: str = ""

    def __post_init__(self) -> None:
        for field, longest in _LENGTHS.items():
            object.__setattr__(self, field, checked_line(field, getattr(self, field), longest=longest))
        description = checked_text("description", self.description, longest=DESCRIPTION_LENGTH)
        object.__setattr__(self, "description", description)
        if not self.title:
            raise InvalidValue("title", "a book has a title")
        object.__setattr__(self, "isbn", _isbn(self.isbn))


class BookChanges(TypedDict, total=False):
    """What of a book is to change; what isn't named stays as it is."""

    title: str
    author: str
    isbn: str | None
    description: str
    publisher: str
    published_on: date | None
    price: Money | None


_LENGTHS = {
    "title": TITLE_LENGTH,
    "author": AUTHOR_LENGTH,
    "publisher": PUBLISHER_LENGTH,
    "product_form": 2,
    "availability": 2,
}


def _isbn(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    try:
        return normalise_isbn(text)
    except InvalidIsbn as error:
        raise InvalidValue("isbn", str(error)) from error


def checked_price(price: Money | None) -> Money | None:
    """The price, if the shop can ask it. Raises InvalidValue for another currency or over 99,999.99."""
    if price is None:
        return None
    if price.currency != settings.SHOP_CURRENCY:
        raise InvalidValue("price", f"the shop's currency is {settings.SHOP_CURRENCY}, not {price.currency}")
    if price.amount > MAX_PRICE:
        raise InvalidValue("price", f"a price is at most {MAX_PRICE:,}")
    return price
