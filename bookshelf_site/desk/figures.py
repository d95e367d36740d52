"""How trade goes: orders and sales by day, what sells best, what the stock is worth."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from typing import Final, Generic, TypeVar
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db.models import Case, Count, DecimalField, F, Q, QuerySet, Sum, UUIDField, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from bookshelf_site.money import CENT, Money
from catalog.models import Book
from inventory.models import StockItem
from orders.models import Order, OrderLine, Status

DAYS: Final = 30
BEST_SELLERS: Final = 10
UNPRICED_NAMED: Final = 10
KEPT_SECONDS: Final = 60
SLOW_SECONDS: Final = 0.25
"""What takes longer is kept for a minute; a small shop always sees what is."""

T = TypeVar("T")


@dataclass(frozen=True)
class Computed(Generic[T]):
    """Figures, and when they were what the database said."""

    figures: T
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Day:
    """The orders that were placed on a day of the shop's own time and not called off since, and their total."""

    on: date
    orders: int
    sales: Money


@dataclass(frozen=True, kw_only=True)
class BestSeller:
    book_id: UUID
    title: str
    author: str
    copies: int


@dataclass(frozen=True, kw_only=True)
class UnpricedBook:
    book_id: UUID
    title: str
    copies: int


@dataclass(frozen=True, kw_only=True)
class StockValue:
    """The copies on hand at today's prices; those of books without a price have none and are named."""

    copies: int
    free: Money
    promised: Money
    unpriced_books: int
    unpriced_copies: int
    unpriced: tuple[UnpricedBook, ...]

    @property
    def total(self) -> Money:
        return self.free + self.promised


def kept_if_slow(name: str, compute: Callable[[], T]) -> Computed[T]:
    """What `compute` says now; or up to a minute ago, if that took so long that nobody should wait for it twice."""
    key = f"desk.{name}"
    kept: Computed[T] | None = cache.get(key)
    if kept is not None:
        return kept
    started = time.perf_counter()
    computed = Computed(compute(), timezone.now())
    if time.perf_counter() - started > SLOW_SECONDS:
        cache.set(key, computed, KEPT_SECONDS)
    return computed


def bounds_of(day: date) -> tuple[datetime, datetime]:
    """When the day begins in the shop's own time, and when the next one does: 23 to 25 hours later."""
    midnights = [datetime.combine(on, time_of_day.min) for on in (day, day + timedelta(days=1))]
    begin, end = (timezone.make_aware(midnight) for midnight in midnights)
    return begin, end


def first_day() -> date:
    """The first of the last thirty days in the shop's own time; today is the last of them."""
    return timezone.localdate() - timedelta(days=DAYS - 1)


def first_moment() -> datetime:
    return bounds_of(first_day())[0]


def trade_by_day() -> list[Day]:
    """The last thirty days, each of them, the quiet ones too; sales in the shop's currency."""
    in_currency = Q(currency=settings.SHOP_CURRENCY)
    days = [first_day() + timedelta(days=number) for number in range(DAYS)]
    rows = (
        _placed_lately()
        .values(on=_number_of_day(days))
        .annotate(orders=Count("pk"), sales=Sum("total_amount", filter=in_currency))
        .order_by()
    )
    by_day = {row["on"]: row for row in rows}
    return [_day(on, by_day.get(number, {"orders": 0, "sales": None})) for number, on in enumerate(days)]


def best_sellers() -> list[BestSeller]:
    """The books of which most copies were ordered in the last thirty days, and not called off since."""
    # From the orders to their lines: a plain column to group by would tempt SQLite to read all lines book by book.
    book = Coalesce("book_id", "book_id", output_field=UUIDField())
    sold = (
        OrderLine.objects.filter(order__in=_placed_lately().values("pk"), cancelled_at__isnull=True)
        .order_by()
        .values(of=book)
        .annotate(copies=Sum("quantity"))
        .order_by("-copies", "of")
    )
    rows = list(sold[:BEST_SELLERS])
    books = Book.objects.in_bulk([row["of"] for row in rows])
    found = [(books[row["of"]], row["copies"]) for row in rows]
    return [BestSeller(book_id=one.pk, title=one.title, author=one.author, copies=copies) for one, copies in found]


def stock_value() -> StockValue:
    """What stands on the shelf at the prices of today."""
    money: DecimalField[Decimal, Decimal] = DecimalField(max_digits=20, decimal_places=2)
    price = F("book__price_amount")
    unpriced = Q(book__price_amount__isnull=True)
    on_hand = StockItem.objects.filter(on_hand__gt=0)
    sums = on_hand.aggregate(
        copies=Sum("on_hand", default=0),
        value=Sum(F("on_hand") * price, output_field=money),
        promised=Sum(F("allocated") * price, output_field=money),
        unpriced_books=Count("pk", filter=unpriced),
        unpriced_copies=Sum("on_hand", filter=unpriced, default=0),
    )
    named = on_hand.filter(unpriced).order_by("book__title", "pk") if sums["unpriced_books"] else on_hand.none()
    value, promised = _cents(sums["value"]), _cents(sums["promised"])
    return StockValue(
        copies=sums["copies"],
        free=_money(value - promised),
        promised=_money(promised),
        unpriced_books=sums["unpriced_books"],
        unpriced_copies=sums["unpriced_copies"],
        unpriced=tuple(
            UnpricedBook(book_id=item.pk, title=item.book.title, copies=item.on_hand)
            for item in named.select_related("book")[:UNPRICED_NAMED]
        ),
    )


def _placed_lately() -> QuerySet[Order]:
    return Order.objects.filter(placed_at__gte=first_moment()).exclude(status=Status.CANCELLED)


def _number_of_day(days: Sequence[date]) -> Case:
    """Which of these days it was, by comparing moments: SQLite would ask Python for the date of each row."""
    begun = [When(placed_at__gte=bounds_of(on)[0], then=Value(number)) for number, on in enumerate(days)]
    return Case(*reversed(begun))


def _day(on: date, row: dict[str, object]) -> Day:
    orders, sales = row["orders"], row["sales"]
    return Day(on=on, orders=int(str(orders)), sales=_money(_cents(sales)))


def _cents(amount: object) -> Decimal:
    """SQLite adds amounts up as floats, which are exact to the cent up to ten thousand milliards."""
    return Decimal(str(amount or 0)).quantize(CENT)


def _money(amount: Decimal) -> Money:
    return Money(amount, settings.SHOP_CURRENCY)
