"""The admin's lists when they are long: no page of them costs more for a million rows than for a thousand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import FieldDoesNotExist
from django.core.paginator import Page, Paginator
from django.db import connections
from django.db.models import F, Model, QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext as _

COUNTED: Final = 1_000
"""So many rows are counted and can be paged through; who wants to see others says which, by a search or a filter."""

SEARCHED: Final = 200
"""Of what a search finds: of a word that many rows have no index knows these in the list's order, they are read."""

OFFERED: Final = 40
"""Of so many rows one is chosen in a field that completes itself; who wants another types on."""


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic to the checker only
    """Counts to 1,000 and no further, for to count all rows is to read all of them."""

    @property
    def most(self) -> int:
        return COUNTED

    @cached_property
    def counted(self) -> Any:
        """The rows, in the order in which they are counted."""
        return self.object_list

    @cached_property
    def seen(self) -> int:
        rows = self.counted
        return int(rows[: self.most + 1].count()) if isinstance(rows, QuerySet) else len(rows)

    @property
    def is_cut(self) -> bool:
        """There are more rows than pages lead to."""
        return self.seen > self.most

    @cached_property
    def count(self) -> int:
        return min(self.seen, self.most)

    @cached_property
    def in_words(self) -> str:
        """How many rows there are: exactly if they are few, else about, where the database has an idea of it."""
        if not self.is_cut:
            return number_format(self.count, force_grouping=True)
        if guess := self._guess():
            return _("about %(count)s") % {"count": number_format(guess, force_grouping=True)}
        return _("more than %(count)s") % {"count": number_format(self.most, force_grouping=True)}

    def _guess(self) -> int | None:
        """What PostgreSQL's statistics say of the whole table; of a part of it nobody asks."""
        rows: Any = self.object_list
        connection = connections[rows.db]
        if connection.vendor != "postgresql" or rows.query.where:
            return None
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [_quoted(rows.model, connection)])
            found = int(cursor.fetchone()[0])
        rounded = round(found, -max(len(str(found)) - 2, 0))
        return rounded if rounded > self.most else None


class SearchPaginator(BoundedPaginator):
    """For lists in which something is looked for; who finds too much types on."""

    @property
    def most(self) -> int:
        return SEARCHED


class OfferingPaginator(Paginator):  # type: ignore[type-arg]  # generic to the checker only
    """For fields that complete what is typed: nobody pages far in those, and no number is shown, so none is counted."""

    @property
    def count(self) -> int:
        return OFFERED

    def page(self, number: int | str) -> OfferedPage:
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        # a row more, if it is there, is on another page
        rows = list(self.object_list[first : min(first + self.per_page + 1, OFFERED)])
        return OfferedPage(rows, number, self)


class OfferedPage(Page):  # type: ignore[type-arg]  # generic to the checker only
    """A page that knows by itself whether another follows."""

    def __init__(self, rows: list[Any], number: int, paginator: OfferingPaginator) -> None:
        super().__init__(rows[: paginator.per_page], number, paginator)
        self.is_followed = len(rows) > paginator.per_page

    def has_next(self) -> bool:
        return self.is_followed


def _quoted(model: type[Model], connection: Any) -> str:
    return str(connection.ops.quote_name(model._meta.db_table))


def bounded(model: type[Model], admin_class: type[admin.ModelAdmin[Any]]) -> dict[str, Any]:
    """What makes the list of a model a bounded one: options for `AdminSite.register`."""
    return {
        "get_paginator": _paginator,
        "show_full_result_count": False,
        "show_facets": admin.ShowFacets.NEVER,
        "sortable_by": [name for name in admin_class.list_display if _is_indexed(model, admin_class, name)],
    }


def _paginator(
    admin_class: admin.ModelAdmin[Any], request: HttpRequest, rows: Any, per_page: int, *more: Any, **options: Any
) -> BoundedPaginator:
    kind = SearchPaginator if request.GET.get(SEARCH_VAR, "").strip() else BoundedPaginator
    paginator = kind(rows, per_page, *more, **options)
    if not _is_latest_first(admin_class.get_ordering(request)):
        paginator.counted = rows.order_by()
    return paginator


def _is_latest_first(ordering: Sequence[Any]) -> bool:
    """What is asked of such a list is mostly of late; in any other order the database would begin with the oldest."""
    return bool(ordering) and str(ordering[0]).startswith("-")


def _is_indexed(model: type[Model], admin_class: type[admin.ModelAdmin[Any]], column: Any) -> bool:
    """Whether the rows can be read in the column's order; by any other, all of them would be sorted for a page."""
    shown: Any = column if callable(column) else getattr(admin_class, column, None)
    order = column if shown is None else getattr(shown, "admin_order_field", None)
    if not isinstance(order, str):
        return False
    try:
        path = get_fields_from_path(model, order.removeprefix("-"))
    except FieldDoesNotExist:
        return False
    return len(path) == 1 and _has_index(path[0])


def _has_index(field: Any) -> bool:
    # of a column with few different values each has too many rows to be put in order
    if field.choices:
        return False
    leading = [index.fields[0] for index in field.model._meta.indexes if index.fields and not index.condition]
    return field.unique or field.db_index or bool({field.name, f"-{field.name}"} & set(leading))


class KeyOf(F):
    """The key of the row that a foreign key leads to, as that row's own table and the indexes there have it.

    Django would take the foreign key for it, and SQLite then sort all rows of a title before it shows the first.
    """

    def resolve_expression(self, query: Any = None, *args: Any, **kwargs: Any) -> Any:
        joined = query.setup_joins([self.name, "pk"], query.get_meta(), query.get_initial_alias())
        return joined.targets[0].get_col(joined.joins[-1])
