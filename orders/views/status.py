"""The page of an order: where the books are. It keeps itself up to date by asking for itself again."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from orders import services
from orders.models import Order, Status
from orders.views.opening import opened_by_token
from orders.views.words import ToldLine, steps, told

SHOWN_BY: Final = (
    "templates/page.html",
    "templates/orders/status.html",
    "orders/views/*.py",
    "locale/*/*/*.po",
    "static/bookshelf.css",
    "static/status.js",
)


@require_safe
@opened_by_token
def order_status(request: HttpRequest, order: Order) -> HttpResponse:
    """Where the books are. Who has seen it as it is gets no more than that, for one query."""
    # Taken before the lines are read: it may be older than what is shown, never newer, and the next answer is right.
    etag = seen_as(order)
    unchanged = get_conditional_response(request, etag=etag)
    response = unchanged or render(request, "orders/status.html", {**what_is_told(order), "etag": etag})
    response.headers["ETag"] = etag
    return response


def what_is_told(order: Order) -> dict[str, object]:
    returned = services.returned_by_line(order) if order.status == Status.SHIPPED else {}
    promised = services.promised_lines(order)
    lines = [ToldLine(promised=one, returned=returned.get(one.line.pk, 0)) for one in promised]
    return {
        "order": order,
        "first_name": order.customer_name.partition(" ")[0],
        "told": told(order, lines),
        "steps": steps(order, lines),
        "splits": order.splits.all(),
        "lines": lines,
        "is_pending": order.status == Status.PENDING,
        "is_followed": bool(order.allowed),
    }


def seen_as(order: Order) -> str:
    """Another one for whatever would be shown otherwise: the order, its copies, the shop, the page itself."""
    of_order = (order.pk, order.version, order.updated_at, order.settled, order.language)  # type: ignore[attr-defined]  # annotated
    of_shop = (settings.SHOP_NAME, settings.SHOP_CONTACT, settings.TIME_ZONE)
    return quote_etag(hashlib.sha256(repr((*of_order, *of_shop, _edition())).encode()).hexdigest()[:32])


@cache
def _edition() -> str:
    """What the page is made of: a new release shows it anew."""
    made_of = [path for pattern in SHOWN_BY for path in sorted(settings.BASE_DIR.glob(pattern)) if path.is_file()]
    return hashlib.sha256(b"".join(path.read_bytes() for path in made_of)).hexdigest()
