"""The buttons of an order's page: each a view that does one thing to the order, after a question if it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from orders import services
from orders.admin.actions import ActionsAdmin, ship_or_say_why
from orders.admin.forms import ReasonForm
from orders.admin.page import LineQuestion
from orders.erasure import erase_customer_of
from orders.models import Order, OrderLine, OrderQuerySet


class ButtonsAdmin(ActionsAdmin):
    def get_urls(self) -> list[URLPattern]:
        views = {
            "confirm": self.confirm_view,
            "ship": self.ship_view,
            "cancel": self.cancel_view,
            "rotate_link": self.rotate_link_view,
            "add_note": self.add_note_view,
            "split": self.split_view,
            "erase": self.erase_view,
        }
        on_lines = {"put_back": self.put_back_view, "cancel": self.cancel_line_view}
        return [
            *(
                path(f"<uuid:order_id>/{name}/", self.admin_site.admin_view(view), name=f"orders_order_{name}")
                for name, view in views.items()
            ),
            *(
                path(
                    f"<uuid:order_id>/lines/<uuid:line_id>/{name}/",
                    self.admin_site.admin_view(view),
                    name=f"orders_order_line_{name}",
                )
                for name, view in on_lines.items()
            ),
            *super().get_urls(),
        ]

    @method_decorator(require_POST)
    def confirm_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        return self._on_order(request, order_id, "orders.confirm_order", self.confirm)

    @method_decorator(require_POST)
    def ship_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        tracking = request.POST.get("tracking", "")

        def ship(request: HttpRequest, orders: OrderQuerySet) -> None:
            self.attempt(
                request,
                orders,
                lambda order: ship_or_say_why(order, tracking=tracking),
                _("shipped"),
            )

        return self._on_order(request, order_id, "orders.ship_order", ship)

    def cancel_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        return self._on_order(request, order_id, "orders.cancel_order", self.cancel)

    @method_decorator(require_POST)
    def rotate_link_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        return self._on_order(request, order_id, "orders.change_order", self._rotate_link)

    def _rotate_link(self, request: HttpRequest, queryset: OrderQuerySet) -> None:
        self.attempt(
            request,
            queryset,
            lambda order: services.rotate_link(order_id=order.pk),
            _("link replaced; the old one opens nothing any more"),
        )

    @method_decorator(require_POST)
    def add_note_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        # browsers count a line's end as one character and send two
        text = request.POST.get("text", "").replace("\r\n", "\n")

        def add_note(request: HttpRequest, orders: OrderQuerySet) -> None:
            self.attempt(
                request, orders, lambda order: services.add_note(order_id=order.pk, text=text), _("note added")
            )

        return self._on_order(request, order_id, "orders.change_order", add_note)

    @method_decorator(require_POST)
    def split_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        def split(request: HttpRequest, orders: OrderQuerySet) -> None:
            self.attempt(
                request,
                orders,
                lambda order: services.split_order(order_id=order.pk),
                _("split; what waits is an order of its own"),
            )

        return self._on_order(request, order_id, "orders.change_order", split)

    def erase_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        def erase(request: HttpRequest, orders: OrderQuerySet) -> HttpResponse | None:
            if request.method == "POST":
                self.attempt(
                    request,
                    orders,
                    lambda order: erase_customer_of(order_number=order.number),
                    _("the customer’s data is erased"),
                )
                return None
            order = orders.get()
            return self.show_page(
                request,
                "admin/orders/order/erase.html",
                _("Erase the customer’s data"),
                form=Form(),
                order=order,
                concerned=Order.objects.split_with(order).order_by("placed_at", "pk"),
            )

        return self._on_order(request, order_id, "orders.erase_customer", erase)

    # What is done to one line, after a question

    def put_back_view(self, request: HttpRequest, order_id: UUID, line_id: UUID) -> HttpResponse:
        question = LineQuestion(
            title=_("Put its copies back"),
            meaning=_(
                "The line waits again, as the last; its copies are for whoever waits for the book, or comes first."
            ),
            ask=lambda reason: services.put_back_line(order_id=order_id, line_id=line_id, reason=reason),
            done=_("copies put back to waiting"),
        )
        return self._on_line(request, order_id, line_id, "orders.change_order", question)

    def cancel_line_view(self, request: HttpRequest, order_id: UUID, line_id: UUID) -> HttpResponse:
        question = LineQuestion(
            title=_("Cancel the line"),
            meaning=_("The line is called off and its copies are free again. It can’t be undone."),
            ask=lambda reason: services.cancel_line(order_id=order_id, line_id=line_id, reason=reason),
            done=_("line cancelled"),
        )
        return self._on_line(request, order_id, line_id, "orders.cancel_order", question)

    def _on_line(
        self, request: HttpRequest, order_id: UUID, line_id: UUID, permission: str, question: LineQuestion
    ) -> HttpResponse:
        def ask(request: HttpRequest, orders: OrderQuerySet) -> HttpResponse | None:
            line = get_object_or_404(OrderLine, pk=line_id, order=order_id)
            form = ReasonForm(request.POST if request.method == "POST" else None)
            if form.is_valid():
                self.attempt(request, orders, lambda order: question.ask(form.cleaned_data["reason"]), question.done)
                return None
            return self.show_page(
                request,
                "admin/orders/order/line.html",
                question.title,
                form=form,
                order=orders.get(),
                line=line,
                question=question,
            )

        return self._on_order(request, order_id, permission, ask)

    def _on_order(
        self, request: HttpRequest, order_id: UUID, permission: str, act: Callable[[HttpRequest, Any], Any]
    ) -> HttpResponse:
        """Do to one order what the list does to several; back to its page, unless there is a question first."""
        if not request.user.has_perm(permission):
            raise PermissionDenied
        orders = Order.objects.filter(pk=order_id)
        if not orders.exists():
            raise Http404
        question: HttpResponse | None = act(request, orders)
        return question or self._to(order_id)

    def _to(self, order_id: UUID) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:orders_order_change", args=[order_id]))
