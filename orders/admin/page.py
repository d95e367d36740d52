"""What the page of an order shows beside its fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import prefetch_related_objects
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bookshelf_site.events.erasure import ERASED
from bookshelf_site.events.models import Event
from orders import services
from orders.events import CopiesPutBack, LineCancelled, NoteAdded, OrderReturned, OrderSplit, OrderSplitOff
from orders.models import Order, OrderLine
from orders.services import Shelf

HAPPENINGS = {
    "orders.order_placed": gettext_lazy("Placed"),
    "orders.copies_awaited": gettext_lazy("Waits for copies"),
    "orders.order_confirmed": gettext_lazy("Confirmed"),
    "orders.order_shipped": gettext_lazy("Shipped"),
    "orders.order_cancelled": gettext_lazy("Cancelled"),
    "orders.order_split": gettext_lazy("Split: what waits is an order of its own"),
    "orders.order_split_off": gettext_lazy("Split off from another order"),
    "orders.line_cancelled": gettext_lazy("Line cancelled"),
    "orders.order_returned": gettext_lazy("Copies came back"),
    "orders.copies_put_back": gettext_lazy("Copies put back to waiting"),
    "orders.contact_corrected": gettext_lazy("Customer’s data corrected"),
    "orders.link_rotated": gettext_lazy("Customer’s link replaced"),
    "orders.note_added": gettext_lazy("Note"),
    "orders.customer_erased": gettext_lazy("Customer erased"),
}
"""How staff read the events of an order's timeline; one that isn't here is shown under its own name."""


@dataclass(frozen=True, kw_only=True)
class Happening:
    """A line of the timeline as staff read it."""

    label: str
    at: datetime
    actor: str
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class ShownLine:
    """A line, what is set aside for it, and how the book's copies stand, if whoever looks may know."""

    line: OrderLine
    allocated: int
    missing: int
    shelf: Shelf | None


@dataclass(frozen=True, kw_only=True)
class LineQuestion:
    """What may be done to a line once somebody has said yes: what it means, and what is said when it is done."""

    title: str
    meaning: str
    ask: Callable[[str], object]
    done: str


def shown_lines(order: Order, user: AbstractBaseUser | AnonymousUser) -> list[ShownLine]:
    """The lines as staff read them."""
    prefetch_related_objects([order], "lines__book")
    may_look: bool = user.has_perm("inventory.view_stockitem")  # type: ignore[union-attr]  # whoever is signed in may be asked
    shelves = services.shelves_of(order) if may_look else {}
    return [
        ShownLine(line=one.line, allocated=one.allocated, missing=one.missing, shelf=shelves.get(one.line.book_id))
        for one in services.promised_lines(order)
    ]


def happening(event: Event) -> Happening:
    """Who did what when; `user:anna` is anna, nobody is the shop itself."""
    own_name = event.name.rpartition(".")[2].replace("_", " ")
    return Happening(
        label=str(HAPPENINGS.get(event.name, capfirst(own_name))),
        at=event.occurred_at,
        actor=event.actor.removeprefix("user:") or _("the shop itself"),
        said=_said(event),
    )


def _said(event: Event) -> str:
    """What somebody wrote, or what it was about; a note whose customer was erased says so."""
    match event.name:
        case NoteAdded.name:
            return str((event.personal or {}).get("text", ERASED))
        case LineCancelled.name | CopiesPutBack.name | OrderReturned.name:
            reason = (event.personal or {}).get("reason")
            return f"{event.data['quantity']} × {event.data['title']}" + (f": {reason}" if reason else "")
        case OrderSplit.name:
            return str(event.data["split_into_number"])
        case OrderSplitOff.name:
            return str(event.data["split_from_number"])
    return ""
