"""What a cell of a table means: texts, ISBNs, prices and dates as people and spreadsheets write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from bookshelf_site.money import InvalidMoney, Money
from bookshelf_site.spreadsheets import restored
from catalog.feeds.plain_text import one_line
from catalog.feeds.records import MAX_PRICE, Refused
from catalog.isbn import InvalidIsbn, normalise_isbn, search_isbn

FORMULA: Final = re.compile(r'\s*="(.*)"\s*', re.DOTALL)  # ="9780743273565", which keeps a spreadsheet from rounding

ROUNDED: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?E[+]?[0-9]+|97[89][0-9]{3}0{7}", re.IGNORECASE)
EATEN: Final = re.compile(r"[0-9]{6,8}[0-9Xx]")  # an ISBN-10 without its leading zeros

NO_PRICE: Final = frozenset({"", "-", "–", "—", "n/a", "tba", "tbc", "none", "null"})
SIGNS: Final[Mapping[str, frozenset[str]]] = {
    "$": frozenset({"USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN"}),
    "€": frozenset({"EUR"}),
    "£": frozenset({"GBP"}),
    "¥": frozenset({"JPY", "CNY"}),
}
WRITTEN_PRICE: Final = re.compile(
    r"(?P<letters>[A-Z]{0,3})(?P<sign>[$€£¥]?)\s*"
    r"(?P<number>[0-9.,' ]*?[0-9])(?:[.,][-–—]+)?\s*"
    r"(?P<after>[$€£¥]|[A-Z]{3})?"
)
PLAIN: Final = re.compile(r"(?P<whole>[0-9]*)(?:[.,](?P<decimals>[0-9]+))?")
GROUPED: Final = re.compile(
    r"(?P<whole>[0-9]{1,3}(?:(?P<mark>[.,' ])[0-9]{3})(?:(?P=mark)[0-9]{3})*)(?:(?!(?P=mark))[.,](?P<decimals>[0-9]+))?"
)
TWO_WAYS: Final = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DATES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<y>[0-9]{4})([-/.]?)(?P<m>[0-9]{2})\2(?P<d>[0-9]{2})(?:[T ][0-9:.]+(?:Z|[+-][0-9:]+)?)?",
        r"(?P<d>[0-9]{1,2})\.\s?(?P<m>[0-9]{1,2})\.\s?(?P<y>[0-9]{4})",
        r"(?P<d>[0-9]{1,2})\.?[ -](?P<m>[A-Za-z]{3,9})\.?[ -](?P<y>[0-9]{4})",
        r"(?P<m>[A-Za-z]{3,9})\.? (?P<d>[0-9]{1,2}),? (?P<y>[0-9]{4})",
    )
)
SLASHED: Final = re.compile(r"(?P<a>[0-9]{1,2})/(?P<b>[0-9]{1,2})/(?P<y>[0-9]{4})")

PRODUCT_FORMS: Final[Mapping[str, str]] = {
    "hardback": "BB", "hardcover": "BB", "paperback": "BC", "softcover": "BC", "mass market paperback": "BC",
    "board book": "BH", "spiral bound": "BE", "book": "BA", "ebook": "EA", "e-book": "EA",
    "audiobook": "AA", "audio cd": "AC",
}  # fmt: skip
AVAILABILITIES: Final[Mapping[str, str]] = {
    "available": "20", "in stock": "21", "to order": "22", "not yet available": "10", "forthcoming": "10",
    "out of stock": "31", "reprinting": "32", "not available": "40", "out of print": "51",
}  # fmt: skip


def read_text(cell: str) -> str:
    """One line of text, without control characters, surplus spaces and what a spreadsheet wrapped around it."""
    formula = FORMULA.fullmatch(cell)
    return one_line(formula[1] if formula else restored(cell))


def read_paragraphs(cell: str) -> str:
    """A text of several lines: the lines stay, more than one empty line between them doesn't."""
    lines = "\n".join(one_line(line) for line in restored(cell).splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def read_isbn(thirteen: Sequence[str], ten: Sequence[str]) -> str:
    """The first valid ISBN of a record; lost leading zeros are restored, what a spreadsheet rounded isn't believed."""
    in_13, in_10 = _numbers(thirteen), _numbers(ten)
    whole = [number for number in in_13 + in_10 if not ROUNDED.fullmatch(number)]
    restored = [number.zfill(10) for number in in_10 if EATEN.fullmatch(number)]
    for number in whole + restored:
        if found := search_isbn(number):
            return found
    raise Refused(_why_no_isbn(in_13 + in_10, restored or whole))


def read_price(cell: str, stated_currency: str, currency: str) -> Money | None:
    """The price in the shop's currency; none if the cell has none, is zero, or is in another currency.

    Refused if it can't be read with certainty: "1,234" is 1234 to some and 1.234 to others.
    """
    text = read_text(cell).lstrip("'")
    if text.casefold() in NO_PRICE:
        return None
    written = WRITTEN_PRICE.fullmatch(text.upper())
    if written is None:
        raise Refused(f"the price “{text[:40]}” is no amount; write it like 12.99")
    stated = (read_text(stated_currency).upper(), written["letters"], written["sign"], written["after"] or "")
    if not all(_agrees(mark, currency) for mark in stated):
        return None
    price = _exact_price(_decimal(written["number"]), currency)
    # senders who know no price yet write 0.00: a book must not be given away by that
    return price if price.amount else None


def read_date(cell: str) -> date | None:
    """A full date; none for a bare year, for "03/04/2020", which has two meanings, and for what is no date."""
    text = read_text(cell)
    for form in DATES:
        if match := form.fullmatch(text):
            return _calendar_date(match["y"], _month(match["m"]), int(match["d"]))
    slashed = SLASHED.fullmatch(text)
    if slashed is None:
        return None
    day, month = sorted((int(slashed["a"]), int(slashed["b"])), reverse=True)
    return _calendar_date(slashed["y"], month, day) if day > 12 or day == month else None


def read_copies(cell: str) -> int | None:
    """A whole number of copies."""
    text = read_text(cell)
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise Refused(f"the opening stock “{text[:40]}” is no whole number of copies")
    return int(text)


def read_product_form(cell: str) -> str:
    """The code of ONIX List 150, from the code or a usual word; none if it is neither."""
    text = read_text(cell)
    return text.upper() if re.fullmatch(r"[A-Za-z]{2}", text) else PRODUCT_FORMS.get(text.casefold(), "")


def read_availability(cell: str) -> str:
    """The code of ONIX List 65, from the code or a usual phrase; none if it is neither."""
    text = read_text(cell)
    return text if re.fullmatch(r"[0-9]{2}", text) else AVAILABILITIES.get(text.casefold(), "")


def is_withdrawn(cell: str) -> bool:
    return read_text(cell).casefold() in {"withdrawn", "true", "yes", "1"}


def _numbers(cells: Sequence[str]) -> list[str]:
    texts = (read_text(cell).lstrip("'").removesuffix(".0") for cell in cells)
    return [text for text in texts if text]


def _why_no_isbn(written: Sequence[str], readable: Sequence[str]) -> str:
    if not written:
        return "it has no ISBN"
    if not readable:
        return "its ISBN was rounded by a spreadsheet: format the column as text and export it again"
    try:
        normalise_isbn(readable[0])
    except InvalidIsbn as invalid:
        return f"its ISBN is not valid: {invalid}"
    raise AssertionError("a valid ISBN was taken before")


def _agrees(mark: str, currency: str) -> bool:
    """Whether a sign, a code or the beginning of one, as in US$, may stand for the shop's currency."""
    return currency in SIGNS[mark] if mark in SIGNS else currency.startswith(mark)


def _decimal(number: str) -> Decimal:
    """An amount with points or commas, whichever its writer uses for the decimals."""
    if TWO_WAYS.fullmatch(number):
        raise Refused(f"the price “{number[:40]}” can be read in two ways; write it with two decimals, like 12.99")
    written = PLAIN.fullmatch(number) or GROUPED.fullmatch(number)
    if written is None:
        raise Refused(f"the price “{number[:40]}” is no amount; write it like 12.99")
    whole = re.sub("[.,' ]", "", written["whole"])
    return Decimal(f"{whole or 0}.{(written['decimals'] or '').rstrip('0')}")


def _exact_price(amount: Decimal, currency: str) -> Money:
    try:
        price = Money(amount, currency)
    except InvalidMoney as invalid:
        raise Refused(f"its price is not valid: {invalid}") from None
    if price.amount > MAX_PRICE:
        raise Refused(f"its price is not valid: a book costs at most {MAX_PRICE:,}")
    return price


def _month(written: str) -> int:
    if written.isdigit():
        return int(written)
    name = written[:3].casefold()
    return MONTHS.index(name) + 1 if name in MONTHS else 0


def _calendar_date(year: str, month: int, day: int) -> date | None:
    try:
        return date(int(year), month, day)
    except ValueError:
        return None
