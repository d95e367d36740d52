"""What the page of a book shows beside its fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
from catalog.events import BookAdded, BookRepriced
from catalog.models import Book

SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class PriceChange:
    """Who set which price when; None is no price."""

    at: datetime
    actor: str
    old: Money | None
    new: Money | None
    is_first: bool


def price_history(book: Book) -> Sequence[PriceChange]:
    """The last prices of the book, the newest first, as the event log has them."""
    return [_price_change(event) for event in book.price_events.order_by("-id")[:SHOWN]]


def _price_change(event: Event) -> PriceChange:
    told = event.decoded
    if isinstance(told, BookRepriced):
        old, new = told.old_price, told.new_price
    else:
        old, new = None, told.price if isinstance(told, BookAdded) else None
    return PriceChange(
        at=event.occurred_at,
        actor=event.actor.removeprefix("user:"),
        old=old,
        new=new,
        is_first=isinstance(told, BookAdded),
    )
