"""Imports: hand a feed in, look at what it would do, say yes; and the reports of those before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from bookshelf_site.admin import ReadOnlyAdmin, RefusableForm, short_time
from bookshelf_site.errors import DomainError
from bookshelf_site.money import Money
from bookshelf_site.spreadsheets import csv_stream
from bookshelf_site.uploads import MEGABYTE
from catalog import imports
from catalog.feeds import unpacked_pieces
from catalog.models import MAX_OPENING_STOCK, MAX_PRICE, FeedImport

SHOWN_REJECTIONS = 50
LARGEST_FEED = 200 * MEGABYTE


class FeedForm(RefusableForm, forms.Form):
    feed = forms.FileField(
        label=gettext_lazy("File"),
        allow_empty_file=True,
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.tsv,.xml,.onix,.onx,.xlsx,.gz,.zip"}),
        help_text=gettext_lazy(
            "CSV, Excel (.xlsx) or ONIX for Books 2.1, 3.0 or 3.1, packed (.gz, .zip) too; at most 200 MB unpacked"
        ),
    )
    opening_stock = forms.IntegerField(
        label=gettext_lazy("Opening stock"),
        min_value=0,
        max_value=MAX_OPENING_STOCK,
        initial=0,
        help_text=gettext_lazy("copies of each new book that brings no number of its own"),
    )
    price = forms.DecimalField(
        label=gettext_lazy("Price"),
        min_value=0,
        max_value=MAX_PRICE,
        decimal_places=2,
        required=False,
        help_text=gettext_lazy("for books that have none, neither in the file nor here; empty: they aren’t for sale"),
    )
    is_partial = forms.BooleanField(
        label=gettext_lazy("Broken file"),
        required=False,
        help_text=gettext_lazy("import what stands before the place where it breaks off, instead of nothing"),
    )

    def wishes(self) -> imports.Wishes:
        amount = self.cleaned_data["price"]
        return imports.Wishes(
            opening_stock=self.cleaned_data["opening_stock"],
            price=None if amount is None else Money(amount, settings.SHOP_CURRENCY),
            is_partial=self.cleaned_data["is_partial"],
        )


@admin.register(FeedImport)
class FeedImportAdmin(ReadOnlyAdmin):
    list_display = ("file_name", "listed_status", "when", "by", "read", "added", "updated", "unchanged", "rejected")
    list_filter = ("status", "created_at")
    list_per_page = 50
    ordering = ("-created_at", "-id")
    change_list_template = "admin/catalog/feedimport/change_list.html"

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def listed_status(self, feed: FeedImport) -> str:
        return format_html('<span class="badge badge-{}">{}</span>', feed.status, feed.get_status_display())

    @admin.display(description=gettext_lazy("when"), ordering="created_at")
    def when(self, feed: FeedImport) -> str:
        return short_time(feed.created_at)

    @admin.display(description=gettext_lazy("by"), ordering="actor")
    def by(self, feed: FeedImport) -> str:
        return feed.actor.removeprefix("user:")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A right of its own: who adds and changes books one by one may do less harm than a file of a thousand."""
        return request.user.has_perm("catalog.import_books")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:feed_id>/apply/", view(self.apply_view), name="catalog_feedimport_apply"),
            path("<uuid:feed_id>/cancel/", view(self.cancel_view), name="catalog_feedimport_cancel"),
            path("<uuid:feed_id>/rejected.csv", view(self.rejected_view), name="catalog_feedimport_rejected"),
            *super().get_urls(),
        ]

    # Hand in

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = FeedForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                return self._handed_in(request, form)
            except DomainError as refused:
                form.refuse(refused)
        return self.show_page(request, "admin/catalog/feedimport/add_form.html", _("Import books"), form=form)

    def _handed_in(self, request: HttpRequest, form: FeedForm) -> HttpResponse:
        file = form.cleaned_data["feed"]
        pieces = unpacked_pieces(file.file, most=LARGEST_FEED)
        feed = imports.hand_in(pieces, file_name=file.name, wishes=form.wishes())
        self.log_addition(request, feed, _("Handed in"))
        imports.work_shortly(feed)
        return self._to(feed.pk)

    # The page: what is going on, what would be done, what was done

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        feed = self.get_object(request, object_id)
        if feed is None:
            raise Http404
        if not self.has_view_permission(request, feed):
            raise PermissionDenied
        return self.show_page(
            request,
            "admin/catalog/feedimport/change_form.html",
            feed.file_name,
            feed=feed,
            by=self.by(feed),
            rejections=feed.rejections.order_by("id")[:SHOWN_REJECTIONS],
            may_act=self.has_add_permission(request),
        )

    @method_decorator(require_POST)
    def apply_view(self, request: HttpRequest, feed_id: UUID) -> HttpResponse:
        return self._act(request, feed_id, imports.apply, _("Applied"))

    @method_decorator(require_POST)
    def cancel_view(self, request: HttpRequest, feed_id: UUID) -> HttpResponse:
        return self._act(request, feed_id, imports.cancel, _("Cancelled"))

    def _act(self, request: HttpRequest, feed_id: UUID, ask: Callable[..., FeedImport], done: str) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        try:
            feed = ask(feed_id=feed_id)
        except FeedImport.DoesNotExist:
            raise Http404 from None
        except DomainError as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return self._to(feed_id)
        self.log_change(request, feed, done)
        imports.work_shortly(feed)
        return self._to(feed_id)

    def rejected_view(self, request: HttpRequest, feed_id: UUID) -> HttpResponseBase:
        feed = self.get_object(request, str(feed_id))
        if feed is None:
            raise Http404
        if not self.has_view_permission(request, feed):
            raise PermissionDenied
        lines = csv_stream(["line", "record", "reason"], feed.rejected_rows())
        response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="rejected-{feed.pk}.csv"'
        return response

    def _to(self, feed_id: UUID) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:catalog_feedimport_change", args=[feed_id]))
