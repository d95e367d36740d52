"""The start page of the back office: what to do, and how trade goes, as far as the user may look at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from bookshelf_site.desk import figures
from bookshelf_site.desk.charts import Chart, Figure, bar_chart, line_chart, row_chart
from bookshelf_site.desk.figures import BestSeller, Day, StockValue
from bookshelf_site.desk.tasks import User, may, tasks_of
from bookshelf_site.money import Money

SHORTCUTS: Final = (
    ("orders.add_order", "admin:orders_order_add", gettext_lazy("Place an order")),
    ("catalog.add_book", "admin:catalog_book_add", gettext_lazy("Add a book")),
    ("inventory.adjust_stock", "admin:inventory_stockitem_stocktake", gettext_lazy("Stocktake")),
)
"""What staff begin most often."""

DAYS_BETWEEN_LABELS: Final = 7


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A chart with what is said above it, and when its figures were true."""

    chart: Chart
    at: datetime
    headline: str = ""


def desk_of(user: User) -> dict[str, Any]:
    """What the start page shows to this member of staff."""
    context: dict[str, Any] = {
        "title": _("Today"),
        "subtitle": _today(),
        "tasks": list(tasks_of(user)),
        "shortcuts": [(reverse(name), label) for permission, name, label in SHORTCUTS if may(user, permission)],
        "panels": [],
        "searches_first": True,
    }
    if may(user, "orders.view_order"):
        context["panels"] += [*trade_panels(), best_sellers_panel(links=may(user, "catalog.view_book"))]
    if may(user, "inventory.view_stockitem") and may(user, "catalog.view_book"):
        stock = figures.kept_if_slow("stock_value", figures.stock_value)
        context["panels"].append(
            Panel(chart=stock_chart(stock.figures), headline=str(stock.figures.total), at=stock.at)
        )
        context["stock"] = stock.figures
    return context


def trade_panels() -> list[Panel]:
    trade = figures.kept_if_slow("trade", figures.trade_by_day)
    sales = sum((day.sales for day in trade.figures), Money.zero(settings.SHOP_CURRENCY))
    count = sum(day.orders for day in trade.figures)
    orders = ngettext("%(count)d order", "%(count)d orders", count) % {"count": count}
    return [
        Panel(chart=sales_chart(trade.figures, total=sales), headline=str(sales), at=trade.at),
        Panel(chart=orders_chart(trade.figures, total=count), headline=orders, at=trade.at),
    ]


def best_sellers_panel(*, links: bool) -> Panel:
    best = figures.kept_if_slow("best_sellers", figures.best_sellers)
    return Panel(chart=best_sellers_chart(best.figures, links=links), at=best.at)


def sales_chart(days: Sequence[Day], *, total: Money) -> Chart:
    return bar_chart(
        _by_day(days, lambda day: day.sales.amount, lambda day: str(day.sales)),
        name="sales",
        title=_("Sales"),
        description=_("By day, in %(currency)s, of the last %(days)d days: orders that were placed and not cancelled.")
        % {"currency": settings.SHOP_CURRENCY, "days": len(days)},
        columns=(_("Day"), _("Sales")),
        total=str(total),
    )


def orders_chart(days: Sequence[Day], *, total: int) -> Chart:
    return line_chart(
        _by_day(days, lambda day: Decimal(day.orders), lambda day: str(day.orders)),
        name="orders",
        title=_("Orders"),
        description=_("By day, of the last %(days)d days: orders that were placed and not cancelled.")
        % {"days": len(days)},
        columns=(_("Day"), _("Orders")),
        total=str(total),
    )


def best_sellers_chart(best: Sequence[BestSeller], *, links: bool) -> Chart:
    return row_chart(
        [
            Figure(
                label=" · ".join(filter(None, [one.title, one.author])),
                value=Decimal(one.copies),
                text=str(one.copies),
                url=reverse("admin:catalog_book_change", args=[one.book_id]) if links else "",
            )
            for one in best
        ],
        name="best-sellers",
        title=_("Best sellers"),
        description=_("The books of which most copies were ordered in the last %(days)d days.")
        % {"days": figures.DAYS},
        columns=(_("Book"), _("Copies")),
    )


def stock_chart(stock: StockValue) -> Chart:
    parts = [(_("Free to sell"), stock.free), (_("Promised to orders"), stock.promised)]
    return row_chart(
        [Figure(label=label, value=value.amount, text=str(value)) for label, value in parts],
        name="stock-value",
        title=_("Stock value"),
        description=_("The copies on hand at today’s prices, in %(currency)s.") % {"currency": settings.SHOP_CURRENCY},
        columns=(_("Copies"), _("Value")),
        total=str(stock.total),
    )


def _today() -> str:
    today = timezone.localdate()
    return f"{date_format(today, 'l')}, {date_format(today, 'DATE_FORMAT')}"


def _by_day(days: Sequence[Day], value: Callable[[Day], Decimal], text: Callable[[Day], str]) -> list[Figure]:
    """A figure for each day; counted from today back, each seventh is named on the axis."""
    last = len(days) - 1
    return [
        Figure(
            label=date_format(day.on, "D j N Y"),
            value=value(day),
            text=text(day),
            short=date_format(day.on, "j M") if (last - place) % DAYS_BETWEEN_LABELS == 0 else "",
            url=_placed_on(day.on),
        )
        for place, day in enumerate(days)
    ]


def _placed_on(day: date) -> str:
    """The list of the orders of a day, in the words of Django's own filter."""
    begin, end = figures.bounds_of(day)
    bounds = {"placed_at__gte": begin.isoformat(" "), "placed_at__lt": end.isoformat(" ")}
    return f"{reverse('admin:orders_order_changelist')}?{urlencode(bounds)}"
