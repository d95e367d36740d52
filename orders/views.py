"""The customer's page. Its link is its key: no cache keeps it, no referrer passes it on, no search finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from orders import services
from orders.models import Fulfilment, Order, Status

PRIVATE = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the order's way; `at` is None while it is still to come."""

    label: str
    at: datetime | None
    is_current: bool = False


def _private(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def private_view(request: HttpRequest, token: str) -> HttpResponse:
        response = view(request, token)
        for name, value in PRIVATE.items():
            response.headers[name] = value
        return response

    return private_view


@require_safe
@_private
def order_status(request: HttpRequest, token: str) -> HttpResponse:
    """Where the books are. Every token that opens nothing gets the same answer for the same work."""
    # PostgreSQL takes no NUL; what stands in for it is in no token.
    order = Order.objects.with_token(token.replace("\0", "?")).with_lines().first()
    if order is None:
        return render(request, "404.html", status=404)
    lines = [promised for promised in services.promised_lines(order) if not promised.line.cancelled_at]
    context = {
        "order": order,
        "first_name": order.customer_name.partition(" ")[0],
        "is_collected": order.fulfilment == Fulfilment.COLLECT,
        "waits": any(line.missing for line in lines),
        "steps": steps(order),
        "lines": lines,
    }
    return render(request, "orders/status.html", context)


def steps(order: Order) -> list[Step]:
    """The way that the order has gone, and unless it is off, what is still to come."""
    done = _("Handed over") if order.fulfilment == Fulfilment.COLLECT else _("On its way")
    way = [
        Step(label=_("Ordered"), at=order.placed_at, is_current=order.status == Status.PENDING),
        Step(label=_("Confirmed"), at=order.confirmed_at, is_current=order.status == Status.CONFIRMED),
        Step(label=done, at=order.shipped_at, is_current=order.status == Status.SHIPPED),
    ]
    if order.status != Status.CANCELLED:
        return way
    return [*(step for step in way if step.at), Step(label=_("Cancelled"), at=order.cancelled_at, is_current=True)]
