"""The orders' door for staff: place, confirm, ship, cancel, and put the customer's data right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from bookshelf_site.admin import short_time
from bookshelf_site.exports import ExportAdmin
from orders import services
from orders.admin.export import OrderResource
from orders.admin.forms import CancelForm, ContactForm, NewLineInline, NoteForm, ReasonForm
from orders.admin.page import LineQuestion, ShownLine, happening, shown_lines
from orders.admin.papers import PapersAdmin
from orders.erasure import erase_customer_of
from orders.errors import LinesWaiting
from orders.models import Order, OrderLine, OrderQuerySet, Status


def ship_or_say_why(order: Order, *, tracking: str = "") -> None:
    """An order that waits for copies is refused for that, not for what it has to become before."""
    if order.status == Status.PENDING:
        waiting = [one.line for one in services.promised_lines(order) if one.missing]
        if waiting:
            raise LinesWaiting(lines=[(line.pk, line.title) for line in waiting])
    services.ship_order(order_id=order.pk, tracking=tracking)


class WaitingFilter(admin.SimpleListFilter):
    title = gettext_lazy("copies")
    parameter_name = "copies"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", gettext_lazy("Waiting for copies")), ("here", gettext_lazy("All here"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> OrderQuerySet:
        orders: OrderQuerySet = queryset
        choices = {"waiting": services.waiting, "here": services.not_waiting}
        return choices[self.value() or ""](orders) if self.value() in choices else orders


@admin.register(Order)
class OrderAdmin(ExportAdmin, PapersAdmin):
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

    # Who may do what

    def has_change_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        """A closed order is shown without fields; a form that was open when it closed is refused by the service."""
        if request.method == "GET" and obj is not None and not obj.allowed:
            return False
        return super().has_change_permission(request, obj)

    def has_confirm_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.confirm_order")

    def has_ship_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.ship_order")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.cancel_order")

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

    # Transitions: the actions of the list

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
        context = {
            **self.admin_site.each_context(request),
            "title": _("Cancel orders") if len(orders) > 1 else _("Cancel the order"),
            "opts": self.opts,
            "form": form,
            "orders": orders,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/orders/order/cancel.html", context)

    # Transitions: the buttons of the page

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
        return self._one(request, order_id, "orders.confirm_order", self.confirm)

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

        return self._one(request, order_id, "orders.ship_order", ship)

    def cancel_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        return self._one(request, order_id, "orders.cancel_order", self.cancel)

    @method_decorator(require_POST)
    def rotate_link_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        return self._one(request, order_id, "orders.change_order", self._rotate_link)

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

        return self._one(request, order_id, "orders.change_order", add_note)

    @method_decorator(require_POST)
    def split_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        def split(request: HttpRequest, orders: OrderQuerySet) -> None:
            self.attempt(
                request,
                orders,
                lambda order: services.split_order(order_id=order.pk),
                _("split; what waits is an order of its own"),
            )

        return self._one(request, order_id, "orders.change_order", split)

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
            context = {
                **self.admin_site.each_context(request),
                "title": _("Erase the customer’s data"),
                "opts": self.opts,
                "form": Form(),
                "order": order,
                "concerned": Order.objects.split_with(order).order_by("placed_at", "pk"),
            }
            return TemplateResponse(request, "admin/orders/order/erase.html", context)

        return self._one(request, order_id, "orders.erase_customer", erase)

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
            context = {
                **self.admin_site.each_context(request),
                "title": question.title,
                "opts": self.opts,
                "form": form,
                "order": orders.get(),
                "line": line,
                "question": question,
            }
            return TemplateResponse(request, "admin/orders/order/line.html", context)

        return self._one(request, order_id, permission, ask)

    def _one(
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
