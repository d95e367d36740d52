"""The stocktake's page: scan or type, look at the differences, apply them as one act; without mouse or script."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from bookshelf_site.admin import ReadOnlyAdmin
from bookshelf_site.errors import DomainError
from bookshelf_site.events import unit_of_work
from inventory.admin.forms import StocktakeForm
from inventory.stocktake import Count, count_shelf, differences

UNFINISHED = "inventory.stocktake"
"""Where a session keeps a stocktake that was looked at and not yet applied."""


class StocktakeAdmin(ReadOnlyAdmin):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.stocktake_view)
        return [path("stocktake/", view, name="inventory_stockitem_stocktake"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        may_count = {"may_count": request.user.has_perm("inventory.adjust_stock")}
        return super().changelist_view(request, {**may_count, **(extra_context or {})})

    def stocktake_view(self, request: HttpRequest) -> HttpResponse:
        """A list of what is on the shelves, then how it differs from the stock, then the stock put right by it."""
        if not (request.user.has_perm("inventory.adjust_stock") and self.has_view_permission(request)):
            raise PermissionDenied
        kept = request.session.get(UNFINISHED, {"reason": _("Stocktake")})
        form = StocktakeForm(request.POST or None, initial=kept)
        found = None
        if request.method == "POST":
            request.session[UNFINISHED] = {name: request.POST.get(name, "") for name in form.fields}
            if form.is_valid():
                if "on_hand" in request.POST and self._is_applied(request, form):
                    del request.session[UNFINISHED]
                    return HttpResponseRedirect(reverse("admin:inventory_stockitem_changelist"))
                found = differences(form.counted)
        else:
            form.fields["scans"].widget.attrs["autofocus"] = True
        context = {
            **self.admin_site.each_context(request),
            "title": _("Stocktake"),
            "opts": self.opts,
            "form": form,
            "found": found,
            "changed": [difference for difference in found or () if difference.change],
            "is_refused": any(difference.refusal for difference in found or ()),
        }
        return TemplateResponse(request, "admin/inventory/stockitem/stocktake.html", context)

    def _is_applied(self, request: HttpRequest, form: StocktakeForm) -> bool:
        """Apply what was looked at; what the stock said then comes back with the form."""
        seen = dict(re.findall(r"([0-9a-f-]{36})=([0-9]{1,10})", request.POST["on_hand"]))
        counts = [
            Count(book_id=book_id, on_hand=int(seen.get(str(book_id), "-1")), counted=counted)
            for book_id, counted in form.counted.items()
        ]
        try:
            with unit_of_work:
                movements = count_shelf(counts, reason=form.cleaned_data["reason"])
                for movement in movements:
                    self.log_change(request, movement.item, capfirst(str(movement)))
        except DomainError as refused:
            self.message_user(request, _("Nothing was changed. %(why)s") % {"why": refused}, messages.ERROR)
            return False
        books = {"counted": len(counts), "changed": len(movements)}
        text = _("Stocktake applied: %(counted)d books counted, %(changed)d of them put right.") % books
        self.message_user(request, text, messages.SUCCESS)
        return True
