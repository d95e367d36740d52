"""What the stock announces."""

from __future__ import annotations

from uuid import UUID

from bookshelf_site.events import DomainEvent


class CopiesReceived(DomainEvent, name="inventory.copies_received", version=1):
    """Copies came in from a supplier and are on the shelf."""

    book_id: UUID
    quantity: int
    on_hand: int


class CopiesReturned(DomainEvent, name="inventory.copies_returned", version=1):
    """A customer brought copies back; damaged ones did not go back on the shelf."""

    book_id: UUID
    order_id: UUID
    line_id: UUID
    quantity: int
    is_damaged: bool
    on_hand: int


class StockRanLow(DomainEvent, name="inventory.stock_ran_low", version=1):
    """What can be had of a book fell to its threshold; told once, until it has risen above it again."""

    book_id: UUID
    available: int
    threshold: int


class StockAdjusted(DomainEvent, name="inventory.stock_adjusted", version=1):
    """The shelf was put right by hand: a count, damage, loss or a correction; `change` may be negative."""

    book_id: UUID
    kind: str
    change: int
    on_hand: int
    reason: str
