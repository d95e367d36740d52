"""The actions of the list: confirming, shipping and cancelling the orders that were ticked."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bookshelf_site.admin import ServiceAdmin
from orders import services
from orders.admin.forms import CancelForm
from orders.errors import LinesWaiting
from orders.models import Order, OrderQuerySet, Status


def ship_or_say_why(order: Order, *, tracking: str = "") -> None:
    """An order that waits for copies is refused for that, not for what it has to become before."""
    if order.status == Status.PENDING:
        waiting = [one.line for one in services.promised_lines(order) if one.missing]
        if waiting:
            raise LinesWaiting(lines=[(line.pk, line.title) for line in waiting])
    services.ship_order(order_id=order.pk, tracking=tracking)


class ActionsAdmin(ServiceAdmin):
    def has_confirm_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.confirm_order")

    def has_ship_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.ship_order")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.cancel_order")

    @admin.action(description=gettext_lazy("Confirm the selected orders"), permissions=["confirm"])
    def confirm(self, request: HttpRequest, queryset: OrderQuerySet) -> None:
        self.attempt(request, queryset, lambda order: services.confirm_order(order_id=order.pk), _("confirmed"))

    @admin.action(description=gettext_lazy("Ship the selected orders"), permissions=["ship"])
    def ship(self, request: HttpRequest, queryset: OrderQuerySet) -> None:
        self.attempt(request, queryset, ship_or_say_why, _("shipped"))

    @admin.action(description=gettext_lazy("Cancel the selected orders…"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: OrderQuerySet) -> HttpResponse | None:
        """Ask for the reason first, then cancel."""
        form = CancelForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            self.attempt(
                request,
                queryset,
                lambda order: services.cancel_order(order_id=order.pk, **form.cleaned_data),
                _("cancelled"),
            )
            return None
        return self._ask_for_reason(request, form, queryset)

    def _ask_for_reason(self, request: HttpRequest, form: CancelForm, orders: OrderQuerySet) -> HttpResponse:
        return self.show_page(
            request,
            "admin/orders/order/cancel.html",
            _("Cancel orders") if len(orders) > 1 else _("Cancel the order"),
            form=form,
            orders=orders,
            action_checkbox_name=ACTION_CHECKBOX_NAME,
        )
