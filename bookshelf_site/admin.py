"""The admin: Django's own site as the shop's back office, and how its doors show what a service refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bookshelf_site.errors import DomainError, FieldError
from bookshelf_site.events import unit_of_work
from bookshelf_site.lists import OfferingPaginator, bounded

if TYPE_CHECKING:
    BaseAdmin = admin.ModelAdmin[Any]
    BaseModelForm = forms.ModelForm[Any]
    BaseForm = forms.BaseForm
else:
    BaseAdmin, BaseModelForm, BaseForm = admin.ModelAdmin, forms.ModelForm, object

FIRST_APPS = ["orders", "inventory", "catalog"]
"""What staff need all day stands above what they need once a year."""

REFUSED = "bookshelf.refused"


def short_time(at: datetime | None) -> str:
    """A moment in the shop's own time, short enough for a list."""
    return date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT") if at else "–"


class BookshelfAdminConfig(AdminConfig):
    default_site = "bookshelf_site.desk.site.DeskSite"


class BookshelfAutocomplete(AutocompleteJsonView):
    """Names a row as its admin wishes, so that two editions can be told apart."""

    def serialize_result(self, obj: Model, to_field_name: str) -> dict[str, str]:
        label: Callable[[Any], object] = getattr(self.model_admin, "autocomplete_label", str)
        return {"id": str(getattr(obj, to_field_name)), "text": str(label(obj))}

    def get_paginator(self, *args: Any, **kwargs: Any) -> OfferingPaginator:
        return OfferingPaginator(*args, **kwargs)


class BookshelfAdminSite(admin.AdminSite):
    site_header = settings.SHOP_NAME
    site_title = settings.SHOP_NAME
    index_title = gettext_lazy("Back office")

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """No list of the site may cost more the longer it grows, whoever has written it."""
        several = model_or_iterable if isinstance(model_or_iterable, Iterable) else [model_or_iterable]
        for model in several:
            admin_class = admin_class or admin.ModelAdmin
            super().register(model, admin_class, **bounded(model, admin_class), **options)

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        return cast("HttpResponse", BookshelfAutocomplete.as_view(admin_site=self)(request))

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = super().get_app_list(request, app_label)
        return sorted(apps, key=lambda app: [*FIRST_APPS, app["app_label"]].index(app["app_label"]))


class RefusableForm(BaseForm):
    """A form that shows what a service refuses at the field that is to blame."""

    required_css_class = "required"  # as Django's own forms mark what must be said

    def refuse(self, refused: DomainError) -> None:
        for error in refused.errors:
            self.add_error(self._field_of(error), capfirst(error.detail))
        if not refused.errors:
            self.add_error(None, capfirst(str(refused)))

    def _field_of(self, error: FieldError) -> str | None:
        field = error.field.rpartition("/")[2]
        return field if field in self.fields else None


class ServiceForm(RefusableForm, BaseModelForm):
    """A form whose rules are the service's; it leaves the instance alone, which the service loads under its lock."""

    refused: ClassVar[DomainError | None] = None

    def _post_clean(self) -> None:
        if self.refused:
            self.refuse(self.refused)


class DeskAdmin(BaseAdmin):
    """What all lists of the shop have in common."""

    show_full_result_count = False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, {**title, **(extra_context or {})})

    def show_page(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        """A page of the shop's own, with what stands around every page of the back office."""
        around = self.admin_site.each_context(request)
        return TemplateResponse(request, template, {**around, "title": title, "opts": self.opts, **context})


class ServiceAdmin(DeskAdmin):
    """Writes through services only. What one refuses rolls the request back and is shown in the form again."""

    form = ServiceForm

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as refused:
            request.META[REFUSED] = refused
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  # Django's signature
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"refused": request.META.get(REFUSED)})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        raise NotImplementedError("call a service")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def attempt(self, request: HttpRequest, rows: Iterable[Model], ask: Callable[[Any], object], done: str) -> None:
        """Ask it of each row in a transaction of its own, and tell the user how many were done and which refused."""
        succeeded, refusals = [], []
        for row in rows:
            try:
                with unit_of_work:
                    ask(row)
                    self.log_change(request, row, capfirst(done))
                succeeded.append(str(row))
            except DomainError as refused:
                refusals.append(f"{row}: {refused}")
        self.message_user(request, *result_of(succeeded, done, refusals))


def result_of(succeeded: list[str], done: str, refusals: list[str]) -> tuple[str, int]:
    """What is said of one row, or of several: "7 shipped, 1 refused: 2Z8K…: why"."""
    level = messages.SUCCESS if not refusals else messages.WARNING if succeeded else messages.ERROR
    if len(succeeded) + len(refusals) == 1:
        return "".join(refusals) or f"{succeeded[0]}: {done}", level
    parts = [_("%(count)d %(done)s") % {"count": len(succeeded), "done": done}]
    if refusals:
        why = "; ".join([*(one.removesuffix(".") for one in refusals[:-1]), refusals[-1]])
        parts.append(_("%(count)d refused: %(why)s") % {"count": len(refusals), "why": why})
    return ", ".join(parts), level


class ReadOnlyAdmin(DeskAdmin):
    """Rows that the shop's own parts write; people look at them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
