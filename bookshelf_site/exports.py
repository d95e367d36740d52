"""Exports of the admin's lists as CSV or XLSX, as django-import-export knows them, but streamed: of any length."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib.admin.options import IncorrectLookupParameters
from django.http import FileResponse, HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.admin import ExportMixin
from import_export.formats.base_formats import CSV, XLSX
from import_export.forms import ExportForm
from import_export.resources import ModelResource
from import_export.widgets import Widget

from bookshelf_site.admin import BaseAdmin
from bookshelf_site.spreadsheets import csv_stream, write_workbook

ROWS_AT_ONCE = 2_000

if TYPE_CHECKING:
    StreamedAdmin = BaseAdmin
else:
    StreamedAdmin = ExportMixin


class Exact(Widget):  # type: ignore[misc]  # import_export has no types
    """A value as programs read it, in no language; a moment is in the shop's own time, which spreadsheets compute."""

    def __init__(self, **kwargs: object) -> None:
        """Whatever else a column of this kind would be told is for reading it."""
        super().__init__()

    def render(self, value: object, obj: object = None, *, force_native_type: bool = False, **kwargs: Any) -> object:
        if value is None:
            return ""
        if isinstance(value, datetime):
            value = timezone.localtime(value).replace(tzinfo=None, microsecond=0)
        return value if force_native_type else str(value)


class ExactResource(ModelResource):  # type: ignore[misc]  # import_export has no types
    """Columns of a model, each value exactly."""

    @classmethod
    def widget_from_django_field(cls, f: object, default: object = Exact) -> type[Exact]:
        return Exact


class FormatForm(ExportForm):  # type: ignore[misc]  # import_export has no types
    """Which kind of file."""

    def __init__(self, formats: Any, resources: Any, **kwargs: Any) -> None:
        super().__init__(formats, resources, **kwargs)
        choices = [("0", gettext_lazy("CSV, for programs")), ("1", gettext_lazy("XLSX, for Excel and LibreOffice"))]
        radios = forms.RadioSelect(attrs={"class": "radiolist"})
        self.fields = {
            "format": forms.ChoiceField(label=gettext_lazy("File"), choices=choices, initial="0", widget=radios)
        }


class ExportAdmin(StreamedAdmin):
    """A list that can be exported as it is filtered, by whoever may see it."""

    export_formats: ClassVar[list[type[Any]]] = [CSV, XLSX]
    export_form_class: type[Any] = FormatForm
    export_template_name = "admin/export.html"
    change_list_template = "admin/export_list.html"
    import_export_change_list_template = None

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def export_action(self, request: HttpRequest) -> HttpResponseBase:
        try:
            response: HttpResponseBase = super().export_action(request)  # type: ignore[misc]  # ExportMixin's
        except IncorrectLookupParameters:
            return HttpResponseRedirect(
                f"{reverse(f'admin:{self.opts.app_label}_{self.opts.model_name}_changelist')}?e=1"
            )
        return response

    def get_export_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {"what": self.opts.verbose_name_plural, "submit": _("Export")}

    def get_export_filename(self, request: HttpRequest, queryset: Any, file_format: Any) -> str:
        day = timezone.localdate().isoformat()
        return f"{self.opts.verbose_name_plural}-{day}.{file_format.get_extension()}".lower().replace(" ", "-")

    def _do_file_export(
        self, file_format: Any, request: HttpRequest, queryset: Any, export_form: Any = None
    ) -> HttpResponseBase:
        resource: ModelResource = self.choose_export_resource_class(export_form, request)(  # type: ignore[attr-defined]  # ExportMixin's
            **self.get_export_resource_kwargs(request)  # type: ignore[attr-defined]  # ExportMixin's
        )
        name, header = self.get_export_filename(request, queryset, file_format), resource.get_export_headers()
        if isinstance(file_format, CSV):
            lines = csv_stream(header, exported(resource, queryset))
            response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
            response["Content-Disposition"] = f'attachment; filename="{name}"'
            return response
        book = write_workbook(header, exported(resource, queryset, force_native_type=True))
        return FileResponse(book, as_attachment=True, filename=name, content_type=XLSX.CONTENT_TYPE)


def exported(resource: ModelResource, queryset: Any, **kwargs: Any) -> Iterator[list[object]]:
    """The cells of each row, read from the database as they are asked for."""
    for row in queryset.iterator(chunk_size=ROWS_AT_ONCE):
        yield resource.export_resource(row, **kwargs)
