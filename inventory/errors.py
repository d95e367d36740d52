"""What the stock refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from bookshelf_site.errors import DomainError, FieldError, RefusedToStaff


@dataclass(frozen=True, kw_only=True)
class Shortage:
    """A line that asks for more copies than are left for it; `line` counts from 0, in the order of the request."""

    line: int
    book_id: UUID
    title: str
    requested: int
    available: int

    def __str__(self) -> str:
        return f"line {self.line + 1}, {self.title!r}: {self.requested} requested, {self.available} available"


class InsufficientStock(DomainError):
    """There are not enough copies: {summary}."""

    code = "insufficient_stock"

    def __init__(self, shortages: Sequence[Shortage]) -> None:
        super().__init__(shortages)
        self.shortages = sorted(shortages, key=lambda shortage: shortage.line)
        self.summary = "; ".join(map(str, self.shortages))

    @property
    def errors(self) -> list[FieldError]:
        return [
            FieldError(field=f"lines/{shortage.line}/quantity", code=self.code, detail=str(shortage))
            for shortage in self.shortages
        ]

    @property
    def extra(self) -> dict[str, object]:
        return {"shortages": [vars(s) | {"book_id": str(s.book_id)} for s in self.shortages]}


class CopiesAllocated(DomainError):
    """{allocated} copies of this book are promised to customers (orders {orders}): the shelf can't hold fewer."""

    code = "copies_allocated"

    def __init__(self, *, book_id: UUID, allocated: int, order_numbers: Sequence[str]) -> None:
        super().__init__(book_id, allocated, order_numbers)
        self.book_id = book_id
        self.allocated = allocated
        self.order_numbers = list(order_numbers)
        self.orders = ", ".join(order_numbers)

    @property
    def extra(self) -> dict[str, object]:
        return {"allocated": self.allocated, "orders": self.order_numbers}


class NeverShipped(DomainError):
    """Of this book the order was sent {shipped} copies and {returned} came back: {quantity} more can't."""

    code = "more_than_shipped"

    def __init__(self, *, quantity: int, shipped: int, returned: int) -> None:
        super().__init__(quantity, shipped, returned)
        self.quantity = quantity
        self.shipped = shipped
        self.returned = returned

    @property
    def errors(self) -> list[FieldError]:
        return [FieldError(field="quantity", code=self.code, detail=str(self))]

    @property
    def extra(self) -> dict[str, object]:
        return {"shipped": self.shipped, "returned": self.returned}


class NeverOrdered(DomainError):
    """This book is on no line of that order."""

    code = "not_found"
    status = 404


class StockMoved(RefusedToStaff):
    """Copies came or went since the differences were shown: {titles}. Look at them again."""

    code = "stock_moved"

    def __init__(self, titles: Sequence[str]) -> None:
        super().__init__(titles)
        self.titles = ", ".join(sorted(titles))


class UnknownIsbn(DomainError):
    """{isbn} is not in the catalogue."""

    code = "not_found"
    status = 404

    def __init__(self, isbn: str) -> None:
        super().__init__(isbn)
        self.isbn = isbn


class NotAnIsbn(DomainError):
    """{reason}"""

    code = "validation_failed"
    status = 422

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason[:1].upper() + reason[1:]


class NothingScanned(DomainError):
    """A number says how many copies of the last scan there are, and nothing was scanned yet."""

    code = "validation_failed"
    status = 422


class TooManyCounted(DomainError):
    """At most {most:,} copies of a book are counted."""

    code = "validation_failed"
    status = 422

    def __init__(self, *, most: int) -> None:
        super().__init__(most)
        self.most = most


@dataclass(frozen=True, kw_only=True)
class UnreadableLine:
    """A line of a stocktake's list that counts nothing, and why; lines count from 1, 0 is the list as a whole."""

    line: int
    reason: str
    text: str = ""

    def __str__(self) -> str:
        return f"line {self.line}, “{self.text[:40]}”: {self.reason}" if self.line else self.reason


class UnreadableCounts(DomainError):
    """The list can't be read: {summary}."""

    code = "validation_failed"
    status = 422

    def __init__(self, lines: Sequence[UnreadableLine]) -> None:
        super().__init__(lines)
        self.lines = list(lines)
        self.summary = "; ".join(map(str, lines))

    @property
    def errors(self) -> list[FieldError]:
        return [FieldError(field="scans", code="invalid", detail=str(line)) for line in self.lines]


class UnknownBook(DomainError):
    """There is no such book."""

    code = "not_found"
    status = 404


class NotYetTried(RefusedToStaff):
    """Its mail is still on its way, and is tried by itself until it is sent or refused."""

    code = "not_yet_tried"
