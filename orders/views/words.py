"""What a customer is told of an order: one sentence that says where the books are, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orders.models import CancelReason, Fulfilment, Order, Status
from orders.services import PromisedLine


@dataclass(frozen=True, kw_only=True)
class Told:
    """In this order: where the books are, what there is to say about it, and what happens next."""

    sentence: str
    detail: str
    next: str = ""

    @property
    def news(self) -> str:
        """What is read out to who can't see that the page has changed."""
        return " ".join(filter(None, [self.sentence, self.detail]))


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the order's way; `at` is None while it is still to come, goes on, or where nobody noted when."""

    label: str
    at: datetime | None
    is_current: bool = False
    is_over: bool = False

    @property
    def look(self) -> str:
        if self.at or self.is_over:
            return "is-done"
        return "is-now" if self.is_current else "is-ahead"


@dataclass(frozen=True, kw_only=True)
class ToldLine:
    """A line of the order, how many of its copies are waited for, and how many came back."""

    promised: PromisedLine
    returned: int

    @property
    def is_cancelled(self) -> bool:
        return self.promised.line.cancelled_at is not None


def told(order: Order, lines: Sequence[ToldLine]) -> Told:
    match order.status:
        case Status.PENDING:
            return _pending(lines)
        case Status.CONFIRMED:
            return _confirmed(order)
        case Status.SHIPPED if any(line.returned for line in lines):
            return _returned(order, lines)
        case Status.SHIPPED:
            return _shipped(order)
    return Told(sentence=_("Your order is cancelled."), detail=_why_cancelled(order.cancel_reason))


def _pending(lines: Sequence[ToldLine]) -> Told:
    open_lines = [line.promised for line in lines if not line.is_cancelled]
    wanted = sum(one.line.quantity for one in open_lines)
    missing = sum(one.missing for one in open_lines)
    if not missing:
        return Told(
            sentence=_("We have your order."),
            detail=_("All your copies are kept for you."),
            next=_("Next, we check the order and confirm it."),
        )
    following = _("We keep each copy for you as it arrives. When the last one is here, we confirm your order.")
    if missing == wanted:
        sentence = _("We have your order and are waiting for your books.")
        return Told(sentence=sentence, detail=_("They are not in the shop yet."), next=following)
    here = wanted - missing
    return Told(
        sentence=_("Some of your books are here; we are waiting for the rest."),
        detail=ngettext(
            "%(here)d of %(wanted)d copies is kept for you.", "%(here)d of %(wanted)d copies are kept for you.", here
        )
        % {"here": here, "wanted": wanted},
        next=following,
    )


def _confirmed(order: Order) -> Told:
    if order.fulfilment == Fulfilment.COLLECT:
        return Told(
            sentence=_("Your books are ready for you to collect."),
            detail=_("Come by when it suits you, and tell us the order’s number."),
        )
    return Told(
        sentence=_("Your books are set aside and will be packed."),
        detail=_("All your copies are kept for you."),
        next=_("Next, we pack the books and hand them to the carrier."),
    )


def _shipped(order: Order) -> Told:
    if order.fulfilment == Fulfilment.COLLECT:
        return Told(sentence=_("Your books have been handed over."), detail=_("We hope that you enjoy them."))
    if order.tracking:
        detail = _("The carrier’s tracking number is %(tracking)s.") % {"tracking": order.tracking}
    else:
        detail = _("The carrier has them; they should reach you in the next days.")
    return Told(sentence=_("Your books are packed and on their way."), detail=detail)


def _returned(order: Order, lines: Sequence[ToldLine]) -> Told:
    if _are_all_back(lines):
        return Told(sentence=_("Your books have come back to us."), detail=_("We have all of them again."))
    sent, returned = _sent(lines), sum(line.returned for line in lines)
    came_back = ngettext(
        "%(returned)d of %(sent)d copies has come back to us.",
        "%(returned)d of %(sent)d copies have come back to us.",
        returned,
    )
    is_collected = order.fulfilment == Fulfilment.COLLECT
    sentence = _("Your books have been handed over.") if is_collected else _("Your books have been sent to you.")
    return Told(sentence=sentence, detail=came_back % {"returned": returned, "sent": sent})


def _sent(lines: Sequence[ToldLine]) -> int:
    return sum(line.promised.line.quantity for line in lines if not line.is_cancelled)


def _are_all_back(lines: Sequence[ToldLine]) -> bool:
    return sum(line.returned for line in lines) == _sent(lines)


def _why_cancelled(reason: str) -> str:
    match reason:
        case CancelReason.CUSTOMER:
            return _("We cancelled it as you wished.")
        case CancelReason.OUT_OF_STOCK:
            return _("We are sorry: a book that you ordered can’t be had.")
        case CancelReason.EXPIRED:
            return _("It was not confirmed in time, so the copies are free again. You are welcome to order once more.")
        case CancelReason.DUPLICATE:
            return _("It had been placed twice; your other order stands.")
    return _("If this surprises you, please get in touch.")


def steps(order: Order, lines: Sequence[ToldLine]) -> list[Step]:
    """The way that the order has gone, and unless it is off, what is still to come."""
    if order.status == Status.CANCELLED:
        gone = [Step(label=_("Ordered"), at=order.placed_at), Step(label=_("Confirmed"), at=order.confirmed_at)]
        off = Step(label=_("Cancelled"), at=order.cancelled_at, is_current=True)
        return [*(step for step in gone if step.at), off]
    is_back = order.status == Status.SHIPPED and _are_all_back(lines)
    is_waiting = any(line.promised.missing for line in lines)
    waiting = [Step(label=_("Waiting for copies"), at=None, is_current=True)] if is_waiting else []
    is_pending = order.status == Status.PENDING and not is_waiting
    return [
        Step(label=_("Ordered"), at=order.placed_at, is_current=is_pending),
        *waiting,
        Step(label=_("Confirmed"), at=order.confirmed_at, is_current=order.status == Status.CONFIRMED),
        Step(label=_last_step(order), at=order.shipped_at, is_current=order.status == Status.SHIPPED and not is_back),
        *([Step(label=_("Returned"), at=None, is_current=True, is_over=True)] if is_back else []),
    ]


def _last_step(order: Order) -> str:
    if order.fulfilment == Fulfilment.COLLECT:
        return _("Handed over")
    return _("On its way")
