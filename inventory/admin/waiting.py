"""The waiting list: which books customers wait for, and who is next."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from bookshelf_site.admin import ReadOnlyAdmin
from inventory.models import Allocation, StockItem

BOOKS_PER_PAGE = 25
SHOWN_LINES = 25


class WaitingAdmin(ReadOnlyAdmin):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.waiting_view)
        return [path("waiting/", view, name="inventory_stockitem_waiting"), *super().get_urls()]

    def waiting_view(self, request: HttpRequest) -> HttpResponse:
        """By book, the one that somebody waits for longest first; of each the lines in the order of their turn."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        page = Paginator(StockItem.objects.by_waiting(), BOOKS_PER_PAGE).get_page(request.GET.get("page"))
        lines = waiting_lines(page)
        return self.show_page(
            request,
            "admin/inventory/stockitem/waiting.html",
            _("Waiting list"),
            page=page,
            books=[(item, lines[item.pk]) for item in page],
            may_receive=request.user.has_perm("inventory.receive_copies"),
        )


def waiting_lines(items: Any) -> dict[UUID, list[Allocation]]:
    """The first lines in the queue of each book, in one query."""
    lines: defaultdict[UUID, list[Allocation]] = defaultdict(list)
    for line in Allocation.objects.next_in_line([item.pk for item in items], each=SHOWN_LINES):
        lines[line.item_id].append(line)
    return lines
