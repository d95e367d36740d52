"""Contact: who the customer is, and where the books go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypedDict

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models

from bookshelf_site.errors import InvalidValue, checked_line, checked_text
from bookshelf_site.events.erasure import ERASED

NOTE_LENGTH = 2_000
CONTACT_LENGTHS: Final = {
    "customer_name": 150,
    "customer_email": 254,
    "phone": 40,
    "street": 200,
    "city": 100,
    "postal_code": 20,
    "country": 60,
}
"""How many characters a line of the contact has, wherever it is typed, sent and kept."""
ADDRESS: Final = ("street", "city", "postal_code", "country")


def languages() -> list[tuple[str, str]]:
    """In which a customer can be spoken to; asked for as a function, for another one is no migration."""
    return list(settings.LANGUAGES)


class Fulfilment(models.TextChoices):
    COLLECT = "collect", "collected in the shop"
    SHIP = "ship", "sent to an address"


@dataclass(frozen=True, kw_only=True)
class Contact:
    """Who the customer is and where the books go. Raises InvalidValue, naming the field."""

    customer_name: str
    customer_email: str = ""
    phone: str = ""
    language: str = "en"
    fulfilment: str = Fulfilment.COLLECT
    street: str = ""
    city: str = ""
    postal_code: str = ""
    country: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for field, longest in CONTACT_LENGTHS.items():
            object.__setattr__(self, field, checked_line(_path(field), getattr(self, field), longest=longest))
        object.__setattr__(self, "note", checked_text("note", self.note, longest=NOTE_LENGTH))
        if not self.customer_name:
            raise InvalidValue("customer_name", "an order names its customer")
        if self.customer_name == ERASED:
            raise InvalidValue("customer_name", "stands for a customer who was erased")
        if self.customer_email:
            _check_email(self.customer_email)
        if self.language not in dict(settings.LANGUAGES):
            raise InvalidValue("language", f"one of {', '.join(dict(settings.LANGUAGES))}")
        if self.fulfilment not in Fulfilment.values:
            raise InvalidValue("fulfilment", f"one of {', '.join(Fulfilment.values)}")
        if self.fulfilment == Fulfilment.SHIP:
            self._check_address()

    def _check_address(self) -> None:
        missing = [_path(part) for part in ADDRESS if not getattr(self, part)]
        if missing:
            raise InvalidValue("address" if len(missing) == len(ADDRESS) else missing[0], "is needed to ship the order")


class ContactChanges(TypedDict, total=False):
    """What of the contact data is to change; what isn't named stays as it is."""

    customer_name: str
    customer_email: str
    phone: str
    language: str
    fulfilment: str
    street: str
    city: str
    postal_code: str
    country: str
    note: str


def _path(field: str) -> str:
    return f"address/{field}" if field in ADDRESS else field


def _check_email(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidValue("customer_email", "is no e-mail address, such as alice@example.com") from None
