"""The stock's door for staff: counters and ledger are looked at; what changes them is a form with a reason."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bookshelf_site.admin import ReadOnlyAdmin, short_time
from bookshelf_site.errors import DomainError
from bookshelf_site.events import unit_of_work
from bookshelf_site.exports import ExportAdmin
from bookshelf_site.lists import KeyOf
from inventory.admin.exports import StockResource
from inventory.admin.notifications import NotificationAdmin  # noqa: F401  # its import registers it
from inventory.admin.stocktake import StocktakeAdmin
from inventory.admin.tasks import TASKS, StockTask
from inventory.admin.waiting import WaitingAdmin
from inventory.models import StockItem, StockItemQuerySet, StockMovement

MOVEMENTS_PER_PAGE = 50
THRESHOLDS_SHOWN = 10


def found_by_book(queryset: QuerySet[Any], lookup: str, text: str) -> QuerySet[Any]:
    """Rows of the books that the catalogue finds, so that a scan names the same book everywhere."""
    books: Any = StockItem._meta.get_field("book").related_model
    return queryset.filter(books.objects.found_by(text, f"{lookup}__"))


class LevelFilter(admin.SimpleListFilter):
    title = gettext_lazy("level")
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("low", gettext_lazy("Low")),
            ("available", gettext_lazy("Available")),
            ("waited", gettext_lazy("Waited for")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> StockItemQuerySet:
        items: StockItemQuerySet = queryset
        match self.value():
            case "low":
                return items.low()
            case "available":
                return items.available()
            case "waited":
                return items.waited_for()
        return items


@admin.register(StockItem)
class StockItemAdmin(ExportAdmin, WaitingAdmin, StocktakeAdmin):
    list_display = ("book", "isbn", "on_hand", "allocated", "available", "low")
    list_filter = (LevelFilter,)
    list_select_related = ("book",)
    list_per_page = 50
    search_fields = ("book__title", "book__author", "book__isbn")
    search_help_text = gettext_lazy("Title, author or ISBN")
    ordering = ("book__title", KeyOf("book"))  # type: ignore[assignment]  # Django takes expressions too
    row_name, row_names = gettext_lazy("book"), gettext_lazy("books")  # nobody says "121 stock"
    fields = ("book", "on_hand", "allocated", "available", "threshold")
    change_form_template = "admin/inventory/stockitem/change_form.html"
    change_list_template = "admin/inventory/stockitem/change_list.html"
    resource_classes = (StockResource,)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return found_by_book(queryset, "book", search_term) if search_term.strip() else queryset, False

    @admin.display(description=gettext_lazy("ISBN"), ordering="book__isbn")
    def isbn(self, item: StockItem) -> str:
        return item.book.isbn or "–"

    @admin.display(description=gettext_lazy("available"), ordering=F("on_hand") - F("allocated"))
    def available(self, item: StockItem) -> int:
        return item.available

    @admin.display(description=gettext_lazy("low"))
    def low(self, item: StockItem) -> str:
        return format_html('<span class="badge badge-low">{}</span>', _("low")) if item.is_low else ""

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                f"<uuid:book_id>/{task.name}/",
                self.admin_site.admin_view(self.task_view),
                {"task": task},
                name=f"inventory_stockitem_{task.name}",
            )
            for task in TASKS
        ] + super().get_urls()

    def task_view(self, request: HttpRequest, book_id: UUID, task: StockTask) -> HttpResponse:
        """Ask for what the task needs, do it, and show the stock as it is then."""
        item = self.get_object(request, str(book_id))
        if not (request.user.has_perm(task.permission) and self.has_view_permission(request, item)):
            raise PermissionDenied
        if item is None:
            raise Http404
        known = {"order_number": request.GET.get("order", ""), "low_stock_threshold": item.low_stock_threshold}
        form = task.form(request.POST or None, initial=known)
        if request.method == "POST" and form.is_valid() and self._carry_out(request, item, task, form):
            return HttpResponseRedirect(reverse("admin:inventory_stockitem_change", args=[item.pk]))
        return self.show_page(
            request,
            "admin/inventory/stockitem/task.html",
            task.title,
            subtitle=str(item.book),
            original=item,
            form=form,
            task=task,
        )

    def _carry_out(self, request: HttpRequest, item: StockItem, task: StockTask, form: Any) -> bool:
        """False: it was refused, and the form says why."""
        try:
            with unit_of_work:
                done = task.service(book_id=item.pk, **form.cleaned_data)
                self.log_change(request, item, capfirst(str(done)))
        except DomainError as refused:
            form.refuse(refused)
            return False
        text = _("Done: %(what)s.") % {"what": done}
        self.message_user(request, text, messages.SUCCESS)
        return True

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        item: StockItem = kwargs["obj"]
        movements = Paginator(item.movements.latest_first(), MOVEMENTS_PER_PAGE)
        context |= {
            "stock": item,
            "tasks": [task for task in TASKS if request.user.has_perm(task.permission)],
            "promised": item.allocations.promised().order_by("id"),
            "waiting": item.allocations.waiting(),
            "movements": movements.get_page(request.GET.get("page")),
            "thresholds": item.thresholds[:THRESHOLDS_SHOWN],
        }
        return super().render_change_form(request, context, *args, **kwargs)


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyAdmin):
    list_display = ("when", "title", "kind", "on_hand_moved", "allocated_moved", "reason", "who")
    list_filter = ("kind", "created_at")
    list_select_related = ("item__book",)
    list_per_page = 50
    search_fields = ("item__book__title",)
    search_help_text = gettext_lazy("Title, author or ISBN")
    ordering = ("-id",)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return found_by_book(queryset, "item__book", search_term) if search_term.strip() else queryset, False

    @admin.display(description=gettext_lazy("when"), ordering="id")
    def when(self, movement: StockMovement) -> str:
        return short_time(movement.created_at)

    @admin.display(description=gettext_lazy("book"), ordering="item__book__title")
    def title(self, movement: StockMovement) -> str:
        return str(movement.item.book)

    @admin.display(description=gettext_lazy("on hand"))
    def on_hand_moved(self, movement: StockMovement) -> str:
        return moved(movement.on_hand, movement.on_hand_change)

    @admin.display(description=gettext_lazy("allocated"))
    def allocated_moved(self, movement: StockMovement) -> str:
        return moved(movement.allocated, movement.allocated_change)

    @admin.display(description=gettext_lazy("who"))
    def who(self, movement: StockMovement) -> str:
        return movement.actor.removeprefix("user:")


def moved(balance: int, change: int) -> str:
    """Before and after, or the balance where nothing has moved."""
    return f"{balance - change} → {balance}" if change else str(balance)
