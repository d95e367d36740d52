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


class ThresholdSet(DomainEvent, name="inventory.threshold_set", version=1):
    """From how many available copies on the stock of a book is low was decided; null: the shop's own number again."""

    book_id: UUID
    threshold: int | None
    reason: str


class WaitingFilled(DomainEvent, name="inventory.waiting_filled", version=1):
    """A line of an order has all the copies that it waited for; others of the order may wait still."""

    book_id: UUID
    order_id: UUID
    order_number: str
    line_id: UUID
    quantity: int


class WaitingPartlyFilled(DomainEvent, name="inventory.waiting_partly_filled", version=1):
    """A line of an order has `quantity` more of the copies that it waits for; it still waits for those `missing`."""

    book_id: UUID
    order_id: UUID
    order_number: str
    line_id: UUID
    quantity: int
    missing: int


class NotificationRecorded(DomainEvent, name="inventory.notification_recorded", version=1):
    """Somebody is to be told something; what is said stands in the notification, and nothing about a person here.

    All that is to be told about one order is one stream, so that it can be told in its order. No mail is owed of what
    is for the staff, who read digests, or for a customer who is known to have no address.
    """

    notification_id: UUID
    kind: str
    audience: str
    order_id: UUID | None
    book_id: UUID | None
    by_mail: bool = True


class ResendRequested(DomainEvent, name="inventory.resend_requested", version=1):
    """Staff want the mail of a notification sent once more, in its turn among what is told about the same order."""

    notification_id: UUID
    order_id: UUID | None


class StockAdjusted(DomainEvent, name="inventory.stock_adjusted", version=1):
    """The shelf was put right by hand: a count, damage, loss or a correction; `change` may be negative."""

    book_id: UUID
    kind: str
    change: int
    on_hand: int
    reason: str
