"""The admin's site as staff meet it: the start page, and the search box that stands on every page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext as _

from bookshelf_site.admin import BookshelfAdminSite
from bookshelf_site.desk.page import desk_of
from bookshelf_site.desk.search import answer_to
from bookshelf_site.desk.tasks import may


class DeskSite(BookshelfAdminSite):
    index_template = "admin/desk/index.html"

    def get_urls(self) -> list[Any]:
        return [path("search/", self.admin_view(self.search_view), name="search"), *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**desk_of(request.user), **(extra_context or {})})

    def search_view(self, request: HttpRequest) -> HttpResponse:
        """Open what was scanned, or show what was found."""
        answer = answer_to(request.GET.get("q", ""), request.user)
        if answer.page:
            return HttpResponseRedirect(answer.page)
        context = {
            **self.each_context(request),
            "title": _("Search"),
            "answer": answer,
            "searches_first": True,
            "may_add_book": may(request.user, "catalog.add_book"),
        }
        return TemplateResponse(request, "admin/desk/search.html", context)
