"""What the orders announce."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from bookshelf_site.events import DomainEvent, personal
from bookshelf_site.money import Money


@dataclass(frozen=True, kw_only=True)
class PlacedLine:
    """What was asked for, at the price that the catalogue had then."""

    line_id: UUID
    book_id: UUID
    title: str
    isbn: str | None
    quantity: int
    unit_price: Money


class OrderPlaced(DomainEvent, name="orders.order_placed", version=1):
    """A customer asks for books; the copies that are here are kept for them."""

    order_id: UUID
    number: str
    customer_name: str = personal()
    has_email: bool = True
    lines: tuple[PlacedLine, ...]
    total: Money


class CopiesAwaited(DomainEvent, name="orders.copies_awaited", version=1):
    """The order was placed though copies are missing; `quantity` of them, in all its lines, are waited for."""

    order_id: UUID
    number: str
    customer_name: str = personal()
    has_email: bool = True
    quantity: int


class OrderConfirmed(DomainEvent, name="orders.order_confirmed", version=1):
    """The shop has promised the copies."""

    order_id: UUID
    number: str
    customer_name: str = personal()
    has_email: bool = True


class OrderShipped(DomainEvent, name="orders.order_shipped", version=1):
    """The copies have left the shop, or were handed over."""

    order_id: UUID
    number: str
    customer_name: str = personal()
    has_email: bool = True
    tracking: str


class OrderSplit(DomainEvent, name="orders.order_split", version=1):
    """What the order waited for is an order of its own now; what was here can move on."""

    order_id: UUID
    number: str
    split_into_id: UUID
    split_into_number: str
    moved: tuple[PlacedLine, ...]
    total: Money


class OrderSplitOff(DomainEvent, name="orders.order_split_off", version=1):
    """A new order of what another one waited for: to whom follows orders, as good as placed."""

    order_id: UUID
    number: str
    split_from_id: UUID
    split_from_number: str
    customer_name: str = personal()
    has_email: bool = True
    lines: tuple[PlacedLine, ...]
    total: Money


class LineCancelled(DomainEvent, name="orders.line_cancelled", version=1):
    """One of the order's lines is off; its copies are free again."""

    order_id: UUID
    number: str
    customer_name: str = personal()
    has_email: bool = True
    line_id: UUID
    book_id: UUID
    title: str
    quantity: int
    total: Money
    reason: str = personal()


class CopiesPutBack(DomainEvent, name="orders.copies_put_back", version=1):
    """Copies that were kept for a line are free for somebody else; the line waits again."""

    order_id: UUID
    number: str
    line_id: UUID
    book_id: UUID
    title: str
    quantity: int
    reason: str = personal()


class OrderReturned(DomainEvent, name="orders.order_returned", version=1):
    """Copies of the order came back, damaged or to be sold again."""

    order_id: UUID
    number: str
    line_id: UUID
    book_id: UUID
    title: str
    quantity: int
    is_damaged: bool


class OrderCancelled(DomainEvent, name="orders.order_cancelled", version=1):
    """The order is off; its copies are free again."""

    order_id: UUID
    number: str
    customer_name: str = personal()
    has_email: bool = True
    reason: str


class ContactCorrected(DomainEvent, name="orders.contact_corrected", version=1):
    """The customer's data was put right; `changed` names the fields, what stands in them is with the order."""

    order_id: UUID
    number: str
    changed: tuple[str, ...]


class LinkRotated(DomainEvent, name="orders.link_rotated", version=1):
    """The customer's link was replaced; the old one opens nothing any more."""

    order_id: UUID
    number: str


class LinkRequested(DomainEvent, name="orders.link_requested", version=1):
    """The customer has lost the link, and named the order's number and their address: it is to be sent again."""

    order_id: UUID
    number: str


class NoteAdded(DomainEvent, name="orders.note_added", version=1):
    """Staff wrote down something about the order, for each other."""

    order_id: UUID
    number: str
    text: str = personal()


class StaffDigestComposed(DomainEvent, name="orders.staff_digest_composed", version=1):
    """What the staff was not told yet is to go out in one mail."""

    digest_id: UUID
    notices: int


class CustomerErased(DomainEvent, name="orders.customer_erased", version=1):
    """The shop has forgotten who the customer was; `fields` were filled before, and `events` held personal data."""

    order_id: UUID
    number: str
    fields: tuple[str, ...]
    events: int
