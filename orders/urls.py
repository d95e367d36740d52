"""The customers' addresses."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from orders.views import cancelling, finding, status

urlpatterns: list[URLPattern] = [
    path("o/<str:token>/", status.order_status, name="order-status"),
    path("o/<str:token>/cancel/", cancelling.cancel_order, name="order-cancel"),
    # No token looks like these, so they open nothing; and they are told so as any other that opens nothing.
    re_path(r"^o/(?P<token>/?|[^/]*/(?!cancel\Z)[\s\S]+)\Z", status.order_status),
    path("orders/find/", finding.find_order, name="order-find"),
    path("orders/find/sent/", finding.link_sent, name="order-link-sent"),
]
