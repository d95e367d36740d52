"""Which column of a table says what, in the spellings that shops and suppliers use."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from catalog.feeds.records import UnreadableFeed

# Of several spellings in one table the first counts. Compared without case, accents, spaces and punctuation.
SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("title", "booktitle", "bookname", "producttitle", "name", "titel", "titre", "originaltitle"),
    "author": (
        "author", "authors", "authorname", "authornames", "contributor", "contributors", "writer", "by",
        "autor", "autoren", "auteur", "auteurs",
    ),
    "publisher": ("publisher", "publishername", "imprint", "verlag", "editeur"),
    "description": ("description", "blurb", "longdescription", "shortdescription", "summary", "synopsis"),
    "published_on": (
        "publishedon", "publicationdate", "published", "pubdate", "publishdate", "datepublished", "dateofpublication",
        "releasedate", "onsaledate", "erscheinungsdatum",
    ),
    "price": ("price", "listprice", "rrp", "retailprice", "msrp", "sellingprice", "preis", "prix"),
    "currency": ("currency", "currencycode", "pricecurrency", "wahrung", "devise"),
    "product_form": ("productform", "format", "binding"),
    "availability": ("availability", "productavailability", "availabilitycode"),
    "opening_stock": ("openingstock",),
    "withdrawn": ("withdrawn", "status"),
}  # fmt: skip
ISBN_13: Final = ("isbn13", "ean13", "ean", "gtin13", "gtin", "barcode", "isbnean", "eanisbn")
ISBN_10: Final = ("isbn", "isbnnumber", "isbnno", "isbn10")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each fact stands in a row; the columns of ISBN-13 come before those that may hold an ISBN-10."""

    width: int
    positions: Mapping[str, int]
    isbn_13: tuple[int, ...]
    isbn_10: tuple[int, ...]

    @classmethod
    def of(cls, header: Sequence[str], currency: str) -> Self:
        """Find the columns by their names; a price column that names the shop's currency goes before others."""
        names = [spelling(cell) for cell in header]
        code = currency.casefold()
        prices = SPELLINGS["price"]
        named = tuple(price + code for price in prices) + tuple(code + price for price in prices)
        wanted = {**SPELLINGS, "price": named + prices}
        return cls(
            width=max((place for place, name in enumerate(names, 1) if name), default=0),
            positions={field: names.index(s[0]) for field, known in wanted.items() if (s := _present(known, names))},
            isbn_13=tuple(names.index(name) for name in _present(ISBN_13, names)),
            isbn_10=tuple(names.index(name) for name in _present(ISBN_10, names)),
        )

    @property
    def known(self) -> int:
        return len(self.positions) + len(self.isbn_13) + len(self.isbn_10)

    def require_usable(self, header: Sequence[str], line: int) -> None:
        """A table names its columns, at least the title and an ISBN."""
        missing = [] if "title" in self.positions else ["title"]
        missing += [] if self.isbn_13 or self.isbn_10 else ["isbn"]
        if missing:
            found = ", ".join(repr(cell.strip()[:30]) for cell in header[:12] if cell.strip())
            raise UnreadableFeed(
                f"Line {line} is no usable header: no column for {' and '.join(missing)} among {found or 'no names'}. "
                "The first line must name the columns, such as title, author, isbn, price."
            )

    def cell(self, row: Sequence[str], field: str) -> str:
        place = self.positions.get(field)
        return row[place] if place is not None else ""


def spelling(name: str) -> str:
    """A column's name without what differs between senders: ISBN-13, isbn_13 and Isbn 13 are one."""
    return "".join(c for c in unicodedata.normalize("NFKD", name).casefold() if c.isalnum())


def _present(known: Sequence[str], names: Sequence[str]) -> list[str]:
    return [name for name in known if name in names]
