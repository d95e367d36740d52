"""The figures against SQL that was written without them."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bookshelf_site.desk import figures
from catalog.services import reprice
from orders import services
from orders.models import Order
from tests.given import a_book, a_waiting_order, an_order, usd

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch):
    cache.clear()
    monkeypatch.setattr(figures, "SLOW_SECONDS", float("inf"))


def rows(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def placed_at(order, moment):
    """The order as if it had been placed then; the rest of its day is of no interest here."""
    Order._base_manager.filter(pk=order.pk).update(placed_at=moment)


def days_ago(days, hour=12):
    day = timezone.localdate() - timedelta(days=days)
    return timezone.make_aware(datetime.combine(day, datetime.min.time())) + timedelta(hours=hour)


@pytest.fixture
def trade():
    emma, persuasion = a_book("Emma", copies=90), a_book("Persuasion", price="7.35", copies=90)
    for days, copies in ((0, 1), (0, 2), (3, 5), (29, 4), (30, 7), (400, 9)):
        placed_at(an_order((emma, copies), (persuasion, 1)), days_ago(days))
    called_off = an_order((emma, 50))
    services.cancel_order(order_id=called_off.pk, reason="customer")
    in_part = an_order((emma, 3), (persuasion, 6))
    services.cancel_line(order_id=in_part.pk, line_id=in_part.lines.get(book=persuasion).pk)
    return emma, persuasion


def test_sales_and_orders_by_day_are_what_sql_says(trade):
    days = figures.trade_by_day()

    day = {"sqlite": "date(placed_at)", "postgresql": "(placed_at AT TIME ZONE 'UTC')::date"}[connection.vendor]
    found = rows(
        f"SELECT {day}, COUNT(*), SUM(total_amount) FROM orders_order WHERE status <> 'CANCELLED' GROUP BY 1 ORDER BY 1"
    )
    since = str(timezone.localdate() - timedelta(days=29))
    told = [(str(day.on), day.orders, day.sales.amount) for day in days if day.orders]
    assert told == [
        (str(on), count, Decimal(str(total)).quantize(Decimal("0.01")))
        for on, count, total in found
        if str(on) >= since
    ]
    assert [(day.on, day.orders) for day in days if day.on == days_ago(30).date()] == []
    assert len(days) == 30
    assert (days[-1].on, days[-1].orders) == (timezone.localdate(), 3)


def test_a_day_is_a_day_of_the_shops_own_time(settings, trade):
    placed_at(Order.objects.earliest("placed_at"), datetime(2026, 3, 10, 23, 30, tzinfo=ZoneInfo("UTC")))

    with timezone.override("Europe/Berlin"):
        moment = Order.objects.earliest("placed_at").placed_at
        begin, end = figures.bounds_of(moment.astimezone(ZoneInfo("Europe/Berlin")).date())

    assert (begin.isoformat(), end.isoformat()) == ("2026-03-11T00:00:00+01:00", "2026-03-12T00:00:00+01:00")


@pytest.mark.parametrize(("zone", "day"), [("Pacific/Auckland", 0), ("Pacific/Honolulu", 1)])
def test_an_order_counts_on_the_day_that_it_was_for_the_shop(time_machine, zone, day):
    time_machine.move_to(datetime(2026, 7, 15, 3, tzinfo=ZoneInfo("UTC")), tick=False)
    an_order((a_book(copies=5), 1))
    time_machine.move_to(datetime(2026, 7, 15, 11, tzinfo=ZoneInfo("UTC")), tick=False)

    with timezone.override(zone):
        days = figures.trade_by_day()

    assert [day.orders for day in reversed(days)][: day + 1] == [0] * day + [1]


def test_the_day_on_which_the_clocks_change_has_its_own_length():
    with timezone.override("Europe/Berlin"):
        begin, end = figures.bounds_of(datetime(2026, 3, 29).date())  # noqa: DTZ001  # a day, no moment

    assert end.astimezone(ZoneInfo("UTC")) - begin.astimezone(ZoneInfo("UTC")) == timedelta(hours=23)


def test_amounts_of_another_currency_are_no_sales_of_the_shop(trade):
    before = figures.trade_by_day()[-1]
    Order._base_manager.filter(pk=an_order((trade[0], 1)).pk).update(currency="EUR")

    today = figures.trade_by_day()[-1]

    assert (today.orders, today.sales) == (before.orders + 1, before.sales)


def test_best_sellers_are_what_sql_says(trade):
    found = figures.best_sellers()

    told = rows(
        "SELECT b.title, SUM(l.quantity) AS copies FROM orders_orderline l"
        " JOIN orders_order o ON o.id = l.order_id JOIN catalog_book b ON b.id = l.book_id"
        " WHERE o.status <> 'CANCELLED' AND l.cancelled_at IS NULL AND o.placed_at >= %s"
        " GROUP BY b.id, b.title ORDER BY copies DESC, b.id",
        connection.ops.adapt_datetimefield_value(days_ago(29, hour=0)),
    )
    assert [(one.title, one.copies) for one in found] == told
    assert told == [("Emma", 15), ("Persuasion", 4)]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's planner knows the numbers of rows")
@pytest.mark.parametrize("compute", [figures.trade_by_day, figures.best_sellers])
def test_only_the_orders_of_these_days_are_read(trade, compute):
    with CaptureQueriesContext(connection) as asked:
        compute()

    plan = str(rows(f"EXPLAIN QUERY PLAN {asked.captured_queries[0]['sql']}".replace("%", "%%")))
    assert "order_placed" in plan
    assert "SCAN orders_orderline" not in plan


def test_of_many_best_sellers_ten_are_named():
    books = [a_book(f"Volume {number}", copies=20) for number in range(12)]
    an_order(*[(book, number + 1) for number, book in enumerate(books)])

    assert [one.title for one in figures.best_sellers()] == [f"Volume {number}" for number in range(11, 1, -1)]


def test_the_stock_is_worth_what_sql_says(trade):
    a_waiting_order((a_book("Unpriced soon", copies=2), 3))

    stock = figures.stock_value()

    [(copies, value, promised)] = rows(
        "SELECT SUM(s.on_hand), SUM(s.on_hand * b.price_amount), SUM(s.allocated * b.price_amount)"
        " FROM inventory_stockitem s JOIN catalog_book b ON b.id = s.book_id"
    )
    cents = Decimal("0.01")
    assert stock.copies == copies
    assert stock.total.amount == Decimal(str(value)).quantize(cents)
    assert stock.promised.amount == Decimal(str(promised)).quantize(cents)
    assert (stock.unpriced_books, stock.unpriced) == (0, ())


def test_books_without_a_price_are_named_and_worth_nothing():
    a_book("Emma", copies=2)
    free = a_book("A gift", copies=3)
    a_book("Not here", price=None)
    reprice(book_id=free.pk, price=None)

    stock = figures.stock_value()

    assert (stock.copies, stock.total) == (5, usd("25.98"))
    assert (stock.unpriced_books, stock.unpriced_copies) == (1, 3)
    assert [(book.title, book.copies) for book in stock.unpriced] == [("A gift", 3)]


def test_an_empty_shop_has_figures_too():
    assert [day.orders for day in figures.trade_by_day()] == [0] * 30
    assert figures.best_sellers() == []
    assert (figures.stock_value().copies, figures.stock_value().total) == (0, usd("0.00"))


def test_what_was_quick_is_asked_again():
    answers = iter(["first", "second"])

    told = [figures.kept_if_slow("x", lambda: next(answers)).figures for _ in range(2)]

    assert told == ["first", "second"]


def test_what_was_slow_is_kept_for_a_minute_and_says_when_it_was_true(monkeypatch, time_machine):
    monkeypatch.setattr(figures, "SLOW_SECONDS", -1.0)
    answers = iter(["first", "second"])
    moment = timezone.now().replace(microsecond=0)

    told = []
    for seconds in (0, 59, 61):
        time_machine.move_to(moment + timedelta(seconds=seconds), tick=False)
        told.append(figures.kept_if_slow("x", lambda: next(answers)))

    assert [one.figures for one in told] == ["first", "first", "second"]
    assert [one.at for one in told] == [moment, moment, moment + timedelta(seconds=61)]
