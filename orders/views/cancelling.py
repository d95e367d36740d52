"""The customer calls an order off, as long as the shop has not confirmed it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from bookshelf_site.events import acting
from orders import services
from orders.errors import NotPending
from orders.models import Order, Status
from orders.views.opening import opened_by_token


@require_http_methods(["GET", "HEAD", "POST"])
@opened_by_token
def cancel_order(request: HttpRequest, order: Order) -> HttpResponse:
    """Asks first; a link that somebody follows, or a program that looks what is behind it, calls nothing off."""
    if request.method == "POST":
        return _cancel(request, order)
    if order.status == Status.CANCELLED:
        return _back_to(order)
    return _ask(request, order, status=200)


def _cancel(request: HttpRequest, order: Order) -> HttpResponse:
    try:
        with acting(actor="customer"):
            services.cancel_as_customer(order_id=order.pk)
    except NotPending:
        order.refresh_from_db(fields=["status"])
        return _ask(request, order, status=409)
    return _back_to(order)


def _ask(request: HttpRequest, order: Order, *, status: int) -> HttpResponse:
    context = {"order": order, "is_pending": order.status == Status.PENDING, "is_sent": order.status == Status.SHIPPED}
    response = render(request, "orders/cancel.html", context, status=status)
    # With no-referrer a browser says of a form that it comes from nowhere, and Django refuses it. No path, no token.
    response.headers["Referrer-Policy"] = "strict-origin"
    return response


def _back_to(order: Order) -> HttpResponse:
    back = HttpResponseRedirect(order.status_path)
    back.status_code = 303
    return back
