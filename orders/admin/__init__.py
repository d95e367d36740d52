"""The orders' door for staff: place, confirm, ship, cancel, and put the customer's data right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bookshelf_site.admin import short_time
from bookshelf_site.exports import ExportAdmin
from orders import services
from orders.admin.buttons import ButtonsAdmin
from orders.admin.export import OrderResource
from orders.admin.forms import ContactForm, NewLineInline, NoteForm
from orders.admin.page import ShownLine, happening, shown_lines
from orders.admin.papers import PapersAdmin
from orders.models import Order, OrderQuerySet, Status


class WaitingFilter(admin.SimpleListFilter):
    title = gettext_lazy("copies")
    parameter_name = "copies"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", gettext_lazy("Waiting for copies")), ("here", gettext_lazy("All here"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> OrderQuerySet:
        orders: OrderQuerySet = queryset
        match self.value():
            case "waiting":
                return services.waiting(orders)
            case "here":
                return services.not_waiting(orders)
        return orders


@admin.register(Order)
class OrderAdmin(ExportAdmin, ButtonsAdmin, PapersAdmin):
    form = ContactForm
    list_display = ("number", "customer_name", "listed_status", "total", "line_count", "placed")
    list_filter = ("status", WaitingFilter, "placed_at", "fulfilment")
    list_per_page = 50
    search_fields = ("number",)
    search_help_text = gettext_lazy("Number, customer, e-mail, or a book's title or ISBN")
    ordering = ("-placed_at", "-id")
    resource_classes = (OrderResource,)
    actions = ("confirm", "ship", "cancel", "print_slips", "print_picks", "print_receipts")
    fieldsets = [
        (gettext_lazy("Customer"), {"fields": ["customer_name", "customer_email", ("phone", "language"), "note"]}),
        (
            gettext_lazy("Where the books go"),
            {"fields": ["fulfilment", "street", ("postal_code", "city"), "country"]},
        ),
    ]
    change_form_template = "admin/orders/order/change_form.html"

    def get_queryset(self, request: HttpRequest) -> OrderQuerySet:
        orders = cast("OrderQuerySet", super().get_queryset(request))
        return services.with_waits(orders.with_line_count())

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[OrderQuerySet, bool]:
        return services.search_orders(queryset, search_term) if search_term.strip() else queryset, False

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def listed_status(self, order: Any) -> str:
        status = format_html('<span class="badge badge-{}">{}</span>', order.status.lower(), order.get_status_display())
        return (
            format_html('{} <span class="badge badge-waiting">{}</span>', status, _("waits")) if order.waits else status
        )

    @admin.display(description=gettext_lazy("total"), ordering="total_amount")
    def total(self, order: Order) -> str:
        return str(order.total)

    @admin.display(description=gettext_lazy("lines"))
    def line_count(self, order: Any) -> int:
        count: int = order.line_count
        return count

    @admin.display(description=gettext_lazy("placed"), ordering="placed_at")
    def placed(self, order: Order) -> str:
        return short_time(order.placed_at)

    def has_change_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        """A closed order is shown without fields; a form that was open when it closed is refused by the service."""
        if request.method == "GET" and obj is not None and not obj.allowed:
            return False
        return super().has_change_permission(request, obj)

    # Place, and correct

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [] if obj else [NewLineInline]

    def save_model(self, request: HttpRequest, obj: Order, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        if change:
            services.correct_contact(order_id=obj.pk, contact=form.contact())
            obj.refresh_from_db()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        """An order is placed here and not in save_model, for only here are its lines at hand."""
        if change:
            return
        [lines] = formsets
        order = services.place_order(form.contact(), lines.requests())
        form.instance.pk = order.pk
        form.instance.refresh_from_db()

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:  # noqa: FBT001, FBT002  # Django's signature
        # The formset of a new order's lines saves nothing, so Django can't ask it what it saved.
        return super().construct_change_message(request, form, [], add)

    def response_add(self, request: HttpRequest, obj: Order, post_url_continue: str | None = None) -> Any:
        """Go to the new order's page, where its next step is."""
        if "_addanother" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        self.message_user(request, _("Order %(number)s is placed.") % {"number": obj.number}, messages.SUCCESS)
        return self._to(obj.pk)

    # The order's page

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        order: Order | None = kwargs.get("obj")
        if order:
            lines = shown_lines(order, request.user)
            context |= {
                "order": order,
                "lines": lines,
                "shows_shelf": any(line.shelf for line in lines),
                "waits": any(line.missing for line in lines),
                "moved": services.movements_of(order),
                "splits": order.splits.order_by("placed_at", "id"),
                "timeline": [happening(event) for event in order.timeline],
                "can": self._what_may_be_done(request, order, lines),
                "note_form": NoteForm(auto_id="id_note_%s"),
                "show_save_and_add_another": False,
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def _what_may_be_done(self, request: HttpRequest, order: Order, lines: Sequence[ShownLine]) -> dict[str, bool]:
        waits = any(line.missing for line in lines)
        return {
            "confirm": "CONFIRMED" in order.allowed and not waits and self.has_confirm_permission(request),
            "ship": "SHIPPED" in order.allowed and self.has_ship_permission(request),
            "cancel": "CANCELLED" in order.allowed and self.has_cancel_permission(request),
            "cancel_line": order.status == Status.PENDING and self.has_cancel_permission(request),
            "put_back": order.status == Status.PENDING and super().has_change_permission(request, order),
            "take_back": order.status == Status.SHIPPED and request.user.has_perm("inventory.receive_copies"),
            "share": super().has_change_permission(request, order) and not order.is_erased,
            "note": super().has_change_permission(request, order),
            "erase": not order.allowed and not order.is_erased and request.user.has_perm("orders.erase_customer"),
        }
