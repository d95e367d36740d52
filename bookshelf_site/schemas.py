"""What requests and answers of the API are made of; input is read strictly: nothing in it is guessed or passed over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Self

from django.conf import settings
from django.db.models import TextChoices
from django.http import HttpRequest
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from bookshelf_site.errors import DomainError, FieldError
from bookshelf_site.money import Money

AMOUNT: Final = r"^[0-9]{1,12}(\.[0-9]{1,2})?$"
NUMBER: Final = re.compile("-?[0-9]{1,30}", re.ASCII)
DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})",
    re.IGNORECASE,  # RFC 3339 §5.6: T and Z may be small
)


class UnknownParameters(DomainError):
    """Unknown parameters: {summary}."""

    code = "validation_failed"
    status = 422

    def __init__(self, names: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(names, known)
        self.names = names
        self.known = ", ".join(known)
        self.summary = ", ".join(name[:40] for name in names)

    @property
    def errors(self) -> list[FieldError]:
        detail = f"is no parameter here; there are {self.known}"
        return [FieldError(field=f"query/{name[:40]}", code="unknown_parameter", detail=detail) for name in self.names]


class Input(BaseModel):
    """A body, or an object in it; a field that it doesn't know is a mistake, not a wish to be passed over."""

    model_config = ConfigDict(extra="forbid")


class Nothing(Input):
    """The body of a request that needs none."""


class Parameters(Input):
    """The query parameters of a list; a misspelt filter would silently list everything."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, given: Any, info: ValidationInfo) -> Any:
        request: HttpRequest | None = (info.context or {}).get("request")
        unknown = sorted(request.GET.keys() - cls.model_fields.keys()) if request else []
        if unknown:
            raise UnknownParameters(unknown, sorted(cls.model_fields))
        return given


Line = Annotated[
    str, Strict(), StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")
]
"""Text in one line, without control characters and without the spaces around it, as `checked_line` has it."""

Text = Annotated[
    str,
    Strict(),
    StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]*$"),
]
"""Text of any number of lines, as `checked_text` has it."""

Count = Annotated[int, Strict()]
"""A whole number that is written as one: 2, not 2.0, "2" or true."""


def _number(given: object) -> object:
    if isinstance(given, str) and not NUMBER.fullmatch(given):
        raise ValueError("must be a whole number, such as 50")
    return given


def _day(given: object) -> date:
    if isinstance(given, str) and DATE.fullmatch(given):
        return date.fromisoformat(given)
    raise ValueError('must be a date, such as "2004-09-30"')


def _moment(given: object) -> datetime:
    if not (isinstance(given, str) and MOMENT.fullmatch(given)):
        raise ValueError("must be a time of RFC 3339, such as 2026-01-31T12:00:00Z (in an address + is written %2B)")
    try:
        return datetime.fromisoformat(given.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time that a calendar has") from None


def inline(choices: type[TextChoices]) -> WithJsonSchema:
    """Write the choices where they are used: components share one namespace, and more than one app has a Status."""
    return WithJsonSchema({"type": "string", "enum": choices.values})


def growing(choices: type[TextChoices]) -> WithJsonSchema:
    """As `inline`, of an answer: there may be more one day, and a generated client must not stumble over them."""
    return WithJsonSchema({"type": "string", "x-extensible-enum": choices.values})


Number = Annotated[int, BeforeValidator(_number)]
"""A whole number in an address: 50, not 50.0 or 5_0."""
Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date)]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment, json_schema_input_type=AwareDatetime)]


def _amount(given: object) -> str:
    if not isinstance(given, str):
        raise ValueError('must be a string, such as "12.99": as a number it might lose cents')  # noqa: TRY004  # pydantic reports this one
    Money.parse(given, settings.SHOP_CURRENCY)
    if not re.fullmatch(AMOUNT, given):
        raise ValueError('must be written like "12.99"')
    return given


def _currency(given: object) -> str:
    if given != settings.SHOP_CURRENCY:
        raise ValueError(f'must be "{settings.SHOP_CURRENCY}", the shop\'s currency')
    return str(given)


class MoneyIn(Input):
    """An exact amount; the currency is the shop's."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": "12.99", "currency": "USD"}]}, title="MoneyIn")

    amount: Annotated[str, BeforeValidator(_amount), WithJsonSchema({"type": "string", "pattern": AMOUNT})]
    currency: Annotated[
        str, BeforeValidator(_currency), WithJsonSchema({"type": "string", "pattern": f"^{settings.SHOP_CURRENCY}$"})
    ]

    @property
    def money(self) -> Money:
        return Money(Decimal(self.amount), self.currency)


class MoneyOut(BaseModel):
    """An exact amount with two decimals, and its ISO 4217 currency."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": "12.99", "currency": "USD"}]})

    amount: str = Field(json_schema_extra={"pattern": r"^[0-9]+\.[0-9]{2}$"})
    currency: str = Field(json_schema_extra={"pattern": "^[A-Z]{3}$"})

    @classmethod
    def of(cls, money: Money) -> Self:
        return cls(**money.as_json())

    @classmethod
    def of_any(cls, money: Money | None) -> Self | None:
        return None if money is None else cls.of(money)
