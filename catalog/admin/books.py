"""Books: looked for, added, changed, withdrawn and restored; what moved, who waits and what they cost beside them."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bookshelf_site.admin import ServiceAdmin
from bookshelf_site.exports import ExportAdmin
from catalog import services
from catalog.admin.exports import BookResource, StockedBookResource
from catalog.admin.forms import BookChangeForm, NewBookForm
from catalog.admin.page import SHOWN, price_history
from catalog.isbn import InvalidIsbn, normalise_isbn
from catalog.models import Book, BookDetails, BookQuerySet


class AvailabilityFilter(admin.SimpleListFilter):
    title = gettext_lazy("stock")
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("in", gettext_lazy("In stock")), ("out", gettext_lazy("Out of stock"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> BookQuerySet:
        books: BookQuerySet = queryset
        match self.value():
            case "in":
                return books.in_stock()
            case "out":
                return books.out_of_stock()
        return books


@admin.register(Book)
class BookAdmin(ExportAdmin, ServiceAdmin):
    list_display = ("title", "author", "isbn", "listed_price", "on_hand", "available", "listed_status")
    list_filter = ("status", AvailabilityFilter)
    list_per_page = 50
    search_fields = ("title", "author", "isbn")
    search_help_text = gettext_lazy("Title, author or ISBN")
    ordering = ("title", "id")
    actions = ("withdraw", "restore")
    change_form_template = "admin/catalog/book/change_form.html"
    change_list_template = "admin/catalog/book/change_list.html"

    def get_queryset(self, request: HttpRequest) -> BookQuerySet:
        books = cast("BookQuerySet", super().get_queryset(request))
        return books.with_stock()

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[BookQuerySet, bool]:
        books: BookQuerySet = queryset.search(search_term)
        orders_a_book = request.GET.get("model_name") == "orderline"
        # who orders one of many wants a new one rather than the first of the alphabet
        return books.active().order_by("-created_at", "-id") if orders_a_book else books, False

    def autocomplete_label(self, book: Book) -> str:
        parts = [book.title, book.author, book.isbn, str(book.price or _("no price"))]
        return " · ".join([*filter(None, parts), _("%(count)d available") % {"count": book.available}])

    @admin.display(description=gettext_lazy("price"), ordering="price_amount")
    def listed_price(self, book: Book) -> str:
        return str(book.price or "–")

    @admin.display(description=gettext_lazy("on hand"), ordering="stock__on_hand")
    def on_hand(self, book: Book) -> int:
        stock = getattr(book, "stock", None)
        return stock.on_hand if stock else 0

    @admin.display(description=gettext_lazy("available"))
    def available(self, book: Book) -> int:
        return book.available

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def listed_status(self, book: Book) -> str:
        return format_html('<span class="badge badge-{}">{}</span>', book.status, book.get_status_display())

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  # Django's signature
        kwargs["form"] = BookChangeForm if change else NewBookForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            last = ["opening_stock"]
        else:
            last = ["seen_version"] if self.has_change_permission(request, obj) else []
        return [
            (None, {"fields": ["isbn", "title", "author", "price", *last]}),
            (gettext_lazy("Details"), {"fields": ["publisher", "published_on", "description"]}),
        ]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"opening_stock": settings.OPENING_STOCK, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Book, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        if change:
            services.edit(
                book_id=obj.pk,
                details=form.details(obj.details),
                price=form.asked_price(),
                expected_version=form.cleaned_data["seen_version"],
            )
        else:
            book = services.add_to_catalog(
                form.details(BookDetails(title=form.cleaned_data["title"])),
                price=form.asked_price(),
                opening_stock=form.cleaned_data["opening_stock"],
            )
            obj.pk = book.pk
        obj.refresh_from_db()

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        book: Book | None = kwargs.get("obj")
        if book:
            context |= {"prices": price_history(book)}
            if request.user.has_perm("inventory.view_stockitem"):
                context |= self._stock_of(book)
        return super().render_change_form(request, context, *args, **kwargs)

    def _stock_of(self, book: Book) -> dict[str, Any]:
        stock = getattr(book, "stock", None)
        if stock is None:
            return {}
        return {
            "stock": stock,
            "movements": stock.movements.latest_first()[:SHOWN],
            "open_lines": stock.allocations.open().order_by("-id")[:SHOWN],
            "shown": SHOWN,
        }

    def get_export_resource_classes(self, request: HttpRequest) -> list[type[Any]]:
        """With the copies for who may see them."""
        return [StockedBookResource if request.user.has_perm("inventory.view_stockitem") else BookResource]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        may_import = {"may_import": request.user.has_perm("catalog.import_books")}
        return super().changelist_view(request, {**may_import, **(extra_context or {})})

    @admin.action(description=gettext_lazy("Withdraw the selected books"), permissions=["change"])
    def withdraw(self, request: HttpRequest, queryset: BookQuerySet) -> None:
        self.attempt(request, queryset, lambda book: services.withdraw(book_id=book.pk), _("withdrawn"))

    @admin.action(description=gettext_lazy("Restore the selected books"), permissions=["change"])
    def restore(self, request: HttpRequest, queryset: BookQuerySet) -> None:
        self.attempt(request, queryset, lambda book: services.restore(book_id=book.pk), _("restored"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("isbn/", view(self.isbn_view), name="catalog_book_isbn"),
            path("<uuid:book_id>/withdraw/", view(self.withdraw_view), name="catalog_book_withdraw"),
            path("<uuid:book_id>/restore/", view(self.restore_view), name="catalog_book_restore"),
            *super().get_urls(),
        ]

    def isbn_view(self, request: HttpRequest) -> JsonResponse:
        """What the form says of an ISBN before it is sent: its 13 digits or what is wrong, and whose it is already."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            isbn = normalise_isbn(request.GET.get("isbn", "")[:60])
        except InvalidIsbn as error:
            return JsonResponse({"error": capfirst(str(error))})
        twin = Book.objects.by_isbn([isbn]).get(isbn)
        if twin is None or str(twin.pk) == request.GET.get("book"):
            return JsonResponse({"isbn": isbn})
        text = _("Already in the catalogue: %(title)s") % {"title": twin.title}
        return JsonResponse({"isbn": isbn, "twin": text, "page": reverse("admin:catalog_book_change", args=[twin.pk])})

    def withdraw_view(self, request: HttpRequest, book_id: UUID) -> HttpResponse:
        meaning = _("Nobody can order it any more; orders that have it go on. It can be restored at any time.")
        return self._asked(request, book_id, self.withdraw, _("Withdraw the book"), meaning)

    def restore_view(self, request: HttpRequest, book_id: UUID) -> HttpResponse:
        return self._asked(request, book_id, self.restore, _("Restore the book"), _("It can be ordered again."))

    def _asked(self, request: HttpRequest, book_id: UUID, action: Any, title: str, meaning: str) -> HttpResponse:
        """Do it if somebody has said yes, else ask."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        book = Book.objects.filter(pk=book_id).first()
        if book is None:
            raise Http404
        if request.method == "POST":
            action(request, Book.objects.filter(pk=book_id))
            return HttpResponseRedirect(reverse("admin:catalog_book_change", args=[book_id]))
        return self.show_page(
            request,
            "admin/catalog/book/question.html",
            title,
            subtitle=str(book),
            form=forms.Form(),
            original=book,
            meaning=meaning,
        )
