"""What any feed comes down to, whatever its format: books to take over, and records that were refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from bookshelf_site.errors import RefusedToStaff
from bookshelf_site.money import Money

# the limits of catalog.models, which a reader of files doesn't need; a test holds them together
TITLE_LENGTH: Final = 200
AUTHOR_LENGTH: Final = 150
PUBLISHER_LENGTH: Final = 200
DESCRIPTION_LENGTH: Final = 10_000
MAX_PRICE: Final = Decimal("99999.99")


@dataclass(frozen=True, kw_only=True, slots=True)
class BookRecord:
    """What a feed says of one book; what it leaves empty, it doesn't say, so that what the shop knows stays.

    `record` is the place that a sender finds again: the number of the record in a CSV, from 1 and without the header,
    or its record reference. `isbn` has 13 valid digits. Only what updates or withdraws a book may be without a title.
    `product_form` is a code of ONIX List 150, `availability` of List 65.
    """

    record: str
    isbn: str
    title: str
    line: int | None = None
    author: str = ""
    publisher: str = ""
    description: str = ""
    published_on: date | None = None
    price: Money | None = None
    product_form: str = ""
    availability: str = ""
    opening_stock: int | None = None
    withdrawn: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """A record that the shop can't take over, where it stands, and why."""

    record: str
    reason: str
    line: int | None = None


class UnreadableFeed(RefusedToStaff):
    """{problem}"""

    code = "unreadable_feed"
    status = 422

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Refused(ValueError):
    """The reason why a record of a feed is not taken over."""


def checked_title(title: str) -> str:
    """The title, if the catalogue can hold it: a feed must not change one unseen. Raises Refused."""
    if not title:
        raise Refused("it has no title")
    if len(title) > TITLE_LENGTH:
        raise Refused(f"its title has {len(title)} characters; the catalogue holds {TITLE_LENGTH}")
    return title
