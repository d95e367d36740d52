"""Money: an exact amount in a named currency, never a float."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Self

CENT: Final = Decimal("0.01")
WRITTEN: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
CURRENCY: Final = re.compile("[A-Z]{3}")


class InvalidMoney(ValueError):
    """What was given is no amount of money; the message says why and what would be right."""


@dataclass(frozen=True)
class Money:
    """A non-negative amount with two decimals and its ISO 4217 code; JSON: {"amount": "12.99", "currency": "USD"}."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "amount", _exact(self.amount))
        if not CURRENCY.fullmatch(self.currency):
            raise InvalidMoney(f"{self.currency!r} is no ISO 4217 currency code, such as USD")

    @classmethod
    def parse(cls, text: str, currency: str) -> Self:
        """Read an amount as people and programs write it: "12.99"; not as Python also would: "1_0", "1e3"."""
        if not WRITTEN.fullmatch(text.strip()):
            raise InvalidMoney(f"{text[:40]!r} is no amount; write it like 12.99")
        return cls(Decimal(text.strip()), currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        return cls(Decimal(0), currency)

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError(f"{other.currency} can't be added to {self.currency}")
        return Money(self.amount + other.amount, self.currency)

    def __mul__(self, times: int) -> Money:
        return Money(self.amount * times, self.currency)

    def __str__(self) -> str:
        return f"{self.amount:,} {self.currency}"

    def as_json(self) -> dict[str, str]:
        return {"amount": str(self.amount), "currency": self.currency}


def _exact(amount: Decimal) -> Decimal:
    """The amount with exactly two decimals; refuses what would have to be rounded or isn't a number."""
    if not isinstance(amount, Decimal):
        raise InvalidMoney(f"an amount is a Decimal, not a {type(amount).__name__}")
    if not amount.is_finite():
        raise InvalidMoney("an amount must be a finite number, such as 12.99")
    if amount < 0:
        raise InvalidMoney("an amount can't be negative")
    if amount >= Decimal(10) ** 12:
        raise InvalidMoney("an amount has at most twelve digits before the point")
    if amount != amount.quantize(CENT):
        raise InvalidMoney("an amount has at most two decimals, such as 12.99")
    return abs(amount.quantize(CENT))
