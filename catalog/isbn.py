"""ISBN: every usual way of writing one, brought to the 13 digits under which the shop keeps a book (ISO 2108)."""

from __future__ import annotations

import re
import unicodedata

from stdnum import isbn
from stdnum.exceptions import ValidationError

FORM = re.compile(
    r"(?:(?:URN:)?ISBN(?:10(?=:?.{10}$)|13(?=:?97[89]))?:?|EAN(?:13)?:?)?"
    r"(?:(?P<thirteen>[0-9]{13})(?:[0-9]{2}|[0-9]{5})?|(?P<ten>[0-9]{9}[0-9X]))"  # with the add-on of a scan
)
AS_KEPT = re.compile(r"97(?:8[0-9]|9[1-9])[0-9]{9}")
PREFIX = re.compile(r"(?:URN:)?(?:ISBN|EAN):?")
SEPARATORS = frozenset({"Pd", "Zs", "Cc", "Cf"})  # dashes, spaces, line ends of scanners, soft hyphens
MINUS = "\u2212"


class InvalidIsbn(ValueError):
    """What was given is no ISBN; the message says what is wrong with it and never repeats it."""


def normalise_isbn(text: str) -> str:
    """The 13 digits of an ISBN-10, an ISBN-13 or a scan with its price add-on, however it is written.

    Raises InvalidIsbn; an ISBN that is returned has a Bookland prefix and the right check digit.
    """
    if AS_KEPT.fullmatch(text) and _is_checked(text):
        return text  # most are, and a feed has many
    compact = _compact(text)
    written = FORM.fullmatch(compact)
    if written is None:
        raise InvalidIsbn(_what_is_wrong(compact))
    return _checked(written["thirteen"] or written["ten"])


def search_isbn(text: str) -> str | None:
    """The ISBN that somebody typed or scanned into a search box, if it is one."""
    try:
        return normalise_isbn(text)
    except InvalidIsbn:
        return None


def _compact(text: str) -> str:
    """Without the dashes and spaces that people, printers and scanners put in."""
    letters = unicodedata.normalize("NFKC", text).upper()
    return "".join(c for c in letters if c != MINUS and unicodedata.category(c) not in SEPARATORS)


def _checked(number: str) -> str:
    if len(number) == 13 and number.startswith("9790"):
        raise InvalidIsbn("979-0 numbers printed music (ISMN); an ISBN begins with 978 or 979-1 to 979-9")
    if len(number) == 13 and not number.startswith(("978", "979")):
        raise InvalidIsbn("an ISBN of 13 digits begins with 978 or 979")
    try:
        return isbn.validate(number, convert=True)
    except ValidationError:
        raise InvalidIsbn("its check digit does not fit: one of the digits is wrong, or two are swapped") from None


def _is_checked(number: str) -> bool:
    return (sum(map(int, number[::2])) + 3 * sum(map(int, number[1::2]))) % 10 == 0


def _what_is_wrong(compact: str) -> str:
    number = PREFIX.sub("", compact)
    if not number:
        return "it is empty; an ISBN has 10 or 13 digits"
    if not re.fullmatch(r"[0-9]+X?", number):
        return "an ISBN has only digits and hyphens, and at the end of ten an X"
    return f"an ISBN has 10 or 13 digits, not {len(number)}"
