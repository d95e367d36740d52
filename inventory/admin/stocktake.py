"""The stocktake's pages: scan, look at the differences, apply them as one act; without mouse or script."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from bookshelf_site.admin import ReadOnlyAdmin
from bookshelf_site.errors import DomainError
from bookshelf_site.events import unit_of_work
from inventory import counting
from inventory.admin.forms import ApplyForm, ListForm, ScanForm
from inventory.counting import Heard
from inventory.errors import NothingScanned, UnknownIsbn
from inventory.models import Stocktake
from inventory.stocktake import differences

SHOWN_SCANS = 12


class StocktakeAdmin(ReadOnlyAdmin):
    def get_urls(self) -> list[URLPattern]:
        views: dict[str, Callable[..., HttpResponse]] = {
            "stocktake/": self.stocktake_view,
            "stocktake/scan/": self.scan_view,
            "stocktake/list/": self.list_view,
            "stocktake/take_back/": self.take_back_view,
            "stocktake/leave_out/<uuid:book_id>/": self.leave_out_view,
            "stocktake/throw_away/": self.throw_away_view,
            "stocktake/differences/": self.differences_view,
        }
        return [
            path(address, self._for_counters(view), name=f"inventory_stockitem_{name_of(address)}")
            for address, view in views.items()
        ] + super().get_urls()

    def _for_counters(self, view: Callable[..., HttpResponse]) -> Any:
        def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            if not self._may_count(request):
                raise PermissionDenied
            return view(request, **kwargs)

        return self.admin_site.admin_view(guarded)

    def _may_count(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inventory.adjust_stock") and self.has_view_permission(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        more = {"may_count": self._may_count(request)}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    # Count

    def stocktake_view(self, request: HttpRequest) -> HttpResponse:
        """Where one scans: what was heard last is said at once, and kept at once."""
        return self._page(request, ScanForm(initial={"token": uuid4()}), ListForm())

    @method_decorator(require_POST)
    def scan_view(self, request: HttpRequest) -> HttpResponse:
        """One scan. A script gets the answer as JSON, with the part of the page that changes."""
        is_script = request.accepts("application/json") and not request.accepts("text/html")
        form = ScanForm(request.POST)
        if not form.is_valid():
            verdict = {"kind": "wrong", "said": _("Scan or type an ISBN.")}
        else:
            try:
                verdict = {"kind": "heard", "said": said_of(counting.scan(**form.cleaned_data))}
            except DomainError as refused:
                verdict = {"kind": kind_of(refused), "said": str(refused)}
        if is_script:
            counted = render_to_string("admin/inventory/stockitem/counted.html", self._counted(), request)
            return JsonResponse({**verdict, "counted": counted})
        return self._page(request, ScanForm(initial={"token": uuid4()}), ListForm(), verdict=verdict)

    @method_decorator(require_POST)
    def list_view(self, request: HttpRequest) -> HttpResponse:
        """A list, typed or as a file: what can be read of it is counted, the rest named line by line."""
        form, heard = ListForm(request.POST, request.FILES), None
        if form.is_valid():
            try:
                heard = counting.add_list(form.listed)
            except DomainError as refused:
                form.refuse(refused)
        if heard:
            text = ngettext(
                "%(books)d book added, %(copies)d copies.", "%(books)d books added, %(copies)d copies.", heard.books
            )
            self.message_user(request, text % {"books": heard.books, "copies": heard.copies}, messages.SUCCESS)
            if not heard.wrong:
                return self._to("stocktake")
            form = ListForm(initial={"scans": "\n".join(line.text for line in heard.wrong)})
        return self._page(request, ScanForm(initial={"token": uuid4()}), form, wrong=heard.wrong if heard else ())

    @method_decorator(require_POST)
    def take_back_view(self, request: HttpRequest) -> HttpResponse:
        counting.undo_last_scan()
        return self._to("stocktake")

    @method_decorator(require_POST)
    def leave_out_view(self, request: HttpRequest, book_id: UUID) -> HttpResponse:
        counting.leave_out(book_id=book_id)
        return self._to("stocktake_differences")

    def throw_away_view(self, request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            counting.throw_away()
            self.message_user(request, _("The count was thrown away; the stock is as it was."), messages.SUCCESS)
            return self._to("changelist")
        title = _("Throw the count away")
        return self.show_page(request, "admin/inventory/stockitem/throw_away.html", title, stocktake=counting.mine())

    # Apply

    def differences_view(self, request: HttpRequest) -> HttpResponse:
        """How what was counted differs from the stock, and the stock put right by it."""
        stocktake = counting.mine()
        if stocktake is None or not stocktake.books:
            self.message_user(request, _("Nothing is counted yet."), messages.WARNING)
            return self._to("stocktake")
        form = ApplyForm(request.POST or None, initial={"reason": _("Stocktake")})
        if request.method == "POST" and form.is_valid() and self._apply(request, form):
            return self._to("changelist")
        found = differences(stocktake.counted())
        also = counting.also_counted([difference.item.pk for difference in found])
        return self.show_page(
            request,
            "admin/inventory/stockitem/differences.html",
            _("Differences"),
            form=form,
            found=found,
            changed=[(one, ", ".join(also.get(one.item.pk, []))) for one in found if one.change],
            is_refused=any(difference.refusal for difference in found),
        )

    def _apply(self, request: HttpRequest, form: ApplyForm) -> bool:
        """Apply what was looked at; what the stock said then comes back with the form. False: it was refused."""
        seen = re.findall(
            r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})=([0-9]{1,10})", request.POST.get("on_hand", "")
        )
        try:
            with unit_of_work:
                books, movements = counting.apply_count(
                    seen={UUID(book_id): int(on_hand) for book_id, on_hand in seen}, reason=form.cleaned_data["reason"]
                )
                for movement in movements:
                    self.log_change(request, movement.item, capfirst(str(movement)))
        except DomainError as refused:
            self.message_user(request, _("Nothing was changed. %(why)s") % {"why": refused}, messages.ERROR)
            return False
        text = ngettext(
            "Stocktake applied: %(counted)d book counted, %(changed)d put right.",
            "Stocktake applied: %(counted)d books counted, %(changed)d of them put right.",
            books,
        )
        self.message_user(request, text % {"counted": books, "changed": len(movements)}, messages.SUCCESS)
        return True

    # Pages

    def _page(self, request: HttpRequest, form: ScanForm, list_form: ListForm, **more: Any) -> HttpResponse:
        return self.show_page(
            request,
            "admin/inventory/stockitem/stocktake.html",
            _("Stocktake"),
            form=form,
            list_form=list_form,
            others=counting.of_others(),
            **self._counted(),
            **more,
        )

    def _counted(self) -> dict[str, Any]:
        stocktake: Stocktake | None = counting.mine()
        latest = stocktake.latest(SHOWN_SCANS) if stocktake else []
        return {"stocktake": stocktake, "latest": latest}

    def _to(self, name: str) -> HttpResponse:
        return HttpResponseRedirect(reverse(f"admin:inventory_stockitem_{name}"))


def name_of(address: str) -> str:
    """`stocktake/scan/` is stocktake_scan."""
    return "_".join(part for part in address.split("/") if part and not part.startswith("<"))


def said_of(heard: Heard) -> str:
    text = ngettext("%(title)s: %(count)d copy", "%(title)s: %(count)d copies", heard.counted)
    return text % {"title": heard.title, "count": heard.counted}


def kind_of(refused: DomainError) -> str:
    """A book that the shop doesn't have looks and sounds otherwise than digits that are no ISBN."""
    if isinstance(refused, UnknownIsbn):
        return "unknown"
    return "nothing" if isinstance(refused, NothingScanned) else "wrong"
