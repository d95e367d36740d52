"""A link is its own key: it opens one order, no cache keeps it, no referrer passes it on, no search finds it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from orders import services
from orders.models import Order, languages

PRIVATE = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}

View = Callable[[HttpRequest, Order], HttpResponse]


def opened_by_token(view: View) -> Callable[[HttpRequest, str], HttpResponse]:
    """The view of an order, in its language; every token that opens none gets the same answer for the same work."""

    @wraps(view)
    def opened(request: HttpRequest, token: str) -> HttpResponse:
        order = _opened(token)
        response = (
            render(request, "orders/no_order.html", status=404) if order is None else _answer(view, request, order)
        )
        for name, value in PRIVATE.items():
            response.headers.setdefault(name, value)
        return response

    return opened


def _opened(token: str) -> Order | None:
    # PostgreSQL takes no NUL; what stands in for it is in no token.
    return services.opened_by(token.replace("\0", "?"))


def _answer(view: View, request: HttpRequest, order: Order) -> HttpResponse:
    # Somebody may have taken its catalogue away.
    language = order.language if order.language in dict(languages()) else settings.LANGUAGE_CODE
    with translation.override(language):
        response = view(request, order)
    response.headers["Content-Language"] = language
    return response
