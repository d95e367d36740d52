"""The catalogue's door for staff."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AdminDateWidget, AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from bookshelf_site.admin import ServiceAdmin, ServiceForm
from bookshelf_site.errors import DomainError
from bookshelf_site.money import Money
from catalog import services
from catalog.errors import DuplicateIsbn
from catalog.isbn import InvalidIsbn, normalise_isbn
from catalog.models import (
    AUTHOR_LENGTH,
    DESCRIPTION_LENGTH,
    MAX_PRICE,
    PUBLISHER_LENGTH,
    TITLE_LENGTH,
    Book,
    BookDetails,
    BookQuerySet,
)

LATEST_MOVEMENTS = 20


class BookForm(ServiceForm):
    """Every field is declared: the columns are bound by the domain's rules, not by Django's."""

    title = forms.CharField(max_length=TITLE_LENGTH, widget=AdminTextInputWidget)
    author = forms.CharField(max_length=AUTHOR_LENGTH, required=False, widget=AdminTextInputWidget)
    isbn = forms.CharField(
        label=gettext_lazy("ISBN"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("ten or thirteen digits, with or without hyphens; or scan the barcode"),
    )
    price = forms.DecimalField(
        min_value=0,
        max_value=MAX_PRICE,
        decimal_places=2,
        required=False,
        help_text=gettext_lazy("empty: not for sale"),
    )
    publisher = forms.CharField(max_length=PUBLISHER_LENGTH, required=False, widget=AdminTextInputWidget)
    published_on = forms.DateField(required=False, widget=AdminDateWidget)
    description = forms.CharField(max_length=DESCRIPTION_LENGTH, required=False, widget=AdminTextareaWidget)

    def clean_isbn(self) -> str | None:
        text: str = self.cleaned_data["isbn"]
        try:
            return normalise_isbn(text) if text else None
        except InvalidIsbn as error:
            raise ValidationError(capfirst(str(error)), code="invalid") from error

    def refuse(self, refused: DomainError) -> None:
        if not isinstance(refused, DuplicateIsbn):
            super().refuse(refused)
            return
        twin = reverse("admin:catalog_book_change", args=[refused.existing_id])
        text = _("This book is already in the catalogue:")
        self.add_error("isbn", ValidationError(format_html('{} <a href="{}">{}</a>', text, twin, refused.isbn)))

    def details(self, before: BookDetails) -> BookDetails:
        """What the form says over what was known before."""
        names = ["title", "author", "isbn", "publisher", "published_on", "description"]
        return replace(before, **{name: self.cleaned_data[name] for name in names})

    def asked_price(self) -> Money | None:
        amount = self.cleaned_data["price"]
        return None if amount is None else Money(amount, settings.SHOP_CURRENCY)


class NewBookForm(BookForm):
    opening_stock = forms.IntegerField(
        min_value=0, max_value=1_000_000, help_text=gettext_lazy("copies on the shelf from the first day")
    )


class BookChangeForm(BookForm):
    seen_version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        book: Book = self.instance
        self.initial = vars(book.details) | {"price": book.price_amount, "seen_version": book.version}


class AvailabilityFilter(admin.SimpleListFilter):
    title = gettext_lazy("stock")
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("in", gettext_lazy("In stock")), ("out", gettext_lazy("Out of stock"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> BookQuerySet:
        books: BookQuerySet = queryset
        choices = {"in": books.in_stock, "out": books.out_of_stock}
        return choices[self.value() or ""]() if self.value() in choices else books


@admin.register(Book)
class BookAdmin(ServiceAdmin):
    list_display = ("title", "author", "isbn", "listed_price", "on_hand", "available", "listed_status")
    list_filter = ("status", AvailabilityFilter)
    list_per_page = 50
    search_fields = ("title", "author", "isbn")
    search_help_text = gettext_lazy("Title, author or ISBN")
    ordering = ("title", "id")
    actions = ("withdraw", "restore")
    change_form_template = "admin/catalog/book/change_form.html"

    def get_queryset(self, request: HttpRequest) -> BookQuerySet:
        books = cast("BookQuerySet", super().get_queryset(request))
        return books.with_stock()

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[BookQuerySet, bool]:
        books: BookQuerySet = queryset.search(search_term)
        orders_a_book = request.GET.get("model_name") == "orderline"
        return books.active() if orders_a_book else books, False

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
            (None, {"fields": ["title", "author", ("isbn", "price"), *last]}),
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
        stock = getattr(book, "stock", None)
        if stock and request.user.has_perm("inventory.view_stockitem"):
            context |= {"stock": stock, "movements": stock.movements.latest_first()[:LATEST_MOVEMENTS]}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description=gettext_lazy("Withdraw the selected books"), permissions=["change"])
    def withdraw(self, request: HttpRequest, queryset: BookQuerySet) -> None:
        self.attempt(request, queryset, lambda book: services.withdraw(book_id=book.pk), _("withdrawn"))

    @admin.action(description=gettext_lazy("Restore the selected books"), permissions=["change"])
    def restore(self, request: HttpRequest, queryset: BookQuerySet) -> None:
        self.attempt(request, queryset, lambda book: services.restore(book_id=book.pk), _("restored"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:book_id>/withdraw/", view(self.withdraw_view), name="catalog_book_withdraw"),
            path("<uuid:book_id>/restore/", view(self.restore_view), name="catalog_book_restore"),
            *super().get_urls(),
        ]

    @method_decorator(require_POST)
    def withdraw_view(self, request: HttpRequest, book_id: UUID) -> HttpResponse:
        return self._one(request, book_id, self.withdraw)

    @method_decorator(require_POST)
    def restore_view(self, request: HttpRequest, book_id: UUID) -> HttpResponse:
        return self._one(request, book_id, self.restore)

    def _one(self, request: HttpRequest, book_id: UUID, action: Any) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        action(request, Book.objects.filter(pk=book_id))
        return HttpResponseRedirect(reverse("admin:catalog_book_change", args=[book_id]))
