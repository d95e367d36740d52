"""What the orders refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from bookshelf_site.errors import DomainError, FieldError, RefusedToStaff
from bookshelf_site.money import Money


class InvalidTransition(DomainError):
    """An order that is {current} can't become {wanted}; allowed from here: {choices}."""

    code = "invalid_transition"

    def __init__(self, *, current: str, wanted: str, allowed: Sequence[str]) -> None:
        super().__init__(current, wanted, allowed)
        self.current = current
        self.wanted = wanted
        self.allowed = list(allowed)
        self.choices = ", ".join(allowed) or "nothing"

    @property
    def extra(self) -> dict[str, object]:
        return {"allowed": self.allowed}


class NoLongerEditable(DomainError):
    """An order that is {current} can't be changed any more."""

    code = "invalid_transition"

    def __init__(self, *, current: str) -> None:
        super().__init__(current)
        self.current = current

    @property
    def extra(self) -> dict[str, object]:
        return {"allowed": []}


class OrdersStillOpen(RefusedToStaff):
    """Who still waits for books can't be erased: ship or cancel {orders} first."""

    code = "orders_still_open"

    def __init__(self, numbers: Sequence[str]) -> None:
        super().__init__(numbers)
        self.numbers = list(numbers)
        self.orders = ", ".join(numbers)

    @property
    def extra(self) -> dict[str, object]:
        return {"orders": self.numbers}


class NotAllExpired(RefusedToStaff):
    """{count} overdue orders could not be expired, the log says why; all others were."""

    code = "not_all_expired"

    def __init__(self, *, expired: Sequence[str], failed: Sequence[UUID]) -> None:
        super().__init__(expired, failed)
        self.expired = list(expired)
        self.failed = list(failed)
        self.count = len(failed)


class UnknownOrder(DomainError):
    """No order has this number."""

    code = "not_found"
    status = 404


class TooManyRequests(DomainError):
    """Links were asked for too often from here: wait {retry_after} seconds."""

    code = "rate_limited"
    status = 429
    retry_after: int

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class NotPending(DomainError):
    """Only the lines of an order that is PENDING can be changed, and this one is {current}."""

    code = "invalid_transition"

    def __init__(self, *, current: str, allowed: Sequence[str]) -> None:
        super().__init__(current, allowed)
        self.current = current
        self.allowed = list(allowed)

    @property
    def extra(self) -> dict[str, object]:
        return {"allowed": self.allowed}


class LastLine(DomainError):
    """This is the last line of the order: cancel the order."""

    code = "last_line"


class NothingToSplit(DomainError):
    """An order is split when some of its copies are here and others are waited for; here {what}."""

    code = "nothing_to_split"

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class LinesWaiting(DomainError):
    """The order still waits for copies of {summary}: receive them, or split the order."""

    code = "lines_waiting"

    def __init__(self, *, lines: Sequence[tuple[UUID, str]]) -> None:
        super().__init__(lines)
        self.lines = list(lines)
        self.summary = ", ".join(title for _, title in lines)

    @property
    def extra(self) -> dict[str, object]:
        return {"lines": [str(line_id) for line_id, _ in self.lines]}


@dataclass(frozen=True, kw_only=True)
class UnsaleableLine:
    """A line of the request whose book can't be bought now, and why."""

    line: int
    title: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line + 1}, {self.title!r}, {self.reason}"


class NotForSale(DomainError):
    """Not for sale: {summary}."""

    code = "not_for_sale"

    def __init__(self, lines: Sequence[UnsaleableLine]) -> None:
        super().__init__(lines)
        self.lines = list(lines)
        self.summary = "; ".join(map(str, lines))

    @property
    def errors(self) -> list[FieldError]:
        return [FieldError(field=f"lines/{line.line}", code=self.code, detail=str(line)) for line in self.lines]


@dataclass(frozen=True, kw_only=True)
class StalePrice:
    """A line of the request that expected another price than the catalogue's."""

    line: int
    title: str
    expected: Money
    current: Money

    def __str__(self) -> str:
        return f"line {self.line + 1}, {self.title!r}, costs {self.current}, not {self.expected}"


class PriceChanged(DomainError):
    """The price has changed: {summary}."""

    code = "price_changed"

    def __init__(self, lines: Sequence[StalePrice]) -> None:
        super().__init__(lines)
        self.lines = list(lines)
        self.summary = "; ".join(map(str, lines))

    @property
    def errors(self) -> list[FieldError]:
        return [
            FieldError(field=f"lines/{line.line}/expected_unit_price", code=self.code, detail=str(line))
            for line in self.lines
        ]


class DuplicateReference(DomainError):
    """The reference {reference} is taken by your order {existing_id}."""

    code = "duplicate"

    def __init__(self, *, reference: str, existing_id: UUID) -> None:
        super().__init__(reference, existing_id)
        self.reference = reference
        self.existing_id = existing_id

    @property
    def errors(self) -> list[FieldError]:
        return [FieldError(field="external_reference", code=self.code, detail=str(self))]

    @property
    def extra(self) -> dict[str, object]:
        return {"existing_id": str(self.existing_id)}
