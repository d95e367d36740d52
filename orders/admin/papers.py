"""The desk's papers as pages to print: of one order by a button, of several by an action of the list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bookshelf_site.admin import ServiceAdmin
from orders.admin.printing import pick_list, sheets_of
from orders.models import Order, OrderQuerySet

MOST_AT_ONCE: Final = 500
"""Orders on one page to print; more are printed in several goes."""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """Something that is printed for orders."""

    name: str
    title: Any
    template: str
    content: Callable[[OrderQuerySet], object]


PAPERS: Final = {
    paper.name: paper
    for paper in (
        Paper(
            name="slips",
            title=gettext_lazy("Packing slips"),
            template="admin/orders/print/slips.html",
            content=sheets_of,
        ),
        Paper(
            name="picks", title=gettext_lazy("Pick list"), template="admin/orders/print/picks.html", content=pick_list
        ),
        Paper(
            name="receipts",
            title=gettext_lazy("Receipts"),
            template="admin/orders/print/receipts.html",
            content=sheets_of,
        ),
    )
}


class PapersAdmin(ServiceAdmin):
    """Whoever may look at an order may print it; the customer's link is on no paper."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.print_view)
        return [path("<uuid:order_id>/print/<slug:name>/", view, name="orders_order_print"), *super().get_urls()]

    def print_view(self, request: HttpRequest, order_id: UUID, name: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        orders = Order.objects.filter(pk=order_id)
        if name not in PAPERS or not orders.exists():
            raise Http404
        back = reverse("admin:orders_order_change", args=[order_id])
        return self._printed(request, orders, PAPERS[name], back)

    @admin.action(description=gettext_lazy("Print packing slips"), permissions=["view"])
    def print_slips(self, request: HttpRequest, queryset: OrderQuerySet) -> HttpResponse | None:
        return self._of_several(request, queryset, PAPERS["slips"])

    @admin.action(description=gettext_lazy("Print a pick list"), permissions=["view"])
    def print_picks(self, request: HttpRequest, queryset: OrderQuerySet) -> HttpResponse | None:
        return self._of_several(request, queryset, PAPERS["picks"])

    @admin.action(description=gettext_lazy("Print receipts"), permissions=["view"])
    def print_receipts(self, request: HttpRequest, queryset: OrderQuerySet) -> HttpResponse | None:
        return self._of_several(request, queryset, PAPERS["receipts"])

    def _of_several(self, request: HttpRequest, orders: OrderQuerySet, paper: Paper) -> HttpResponse | None:
        if orders[MOST_AT_ONCE:].exists():
            too_many = _("Print at most %(most)d orders at once.") % {"most": MOST_AT_ONCE}
            self.message_user(request, too_many, messages.ERROR)
            return None
        return self._printed(request, orders, paper, reverse("admin:orders_order_changelist"))

    def _printed(self, request: HttpRequest, orders: OrderQuerySet, paper: Paper, back: str) -> HttpResponse:
        context = {"title": paper.title, "content": paper.content(orders), "back": back}
        return TemplateResponse(request, paper.template, context)
