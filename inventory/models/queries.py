"""Which books' stock: locked, always in the same order, or looked for."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, Min, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from bookshelf_site.events.aggregate import AggregateQuerySet
from bookshelf_site.events.compiled import Compiled
from bookshelf_site.events.statements import insert_missing
from inventory.models.allocation import Allocation, AllocationQuerySet

if TYPE_CHECKING:
    from inventory.models.stock import StockItem


class StockItemQuerySet(AggregateQuerySet["StockItem"]):
    def locked_for(self, book_ids: Collection[UUID]) -> dict[UUID, StockItem]:
        """The stock of these books by book, locked in one query by ascending key; made where there is none.

        Everybody locks in this order, so that two orders of the same books can't wait for each other. If one is missing
        none is locked before it is made: who holds one row and makes another may have to wait for it.
        """
        wanted = set(book_ids)
        items = _locking_if_all_there(self.model)(wanted)
        if len(items) < len(wanted):
            insert_missing([self.model(book_id=book_id) for book_id in sorted(wanted)])
            items = self.model.lock_all(wanted)
        return {item.pk: item for item in items}

    def if_all_there(self, book_ids: Collection[UUID]) -> Self:
        """The stock of these books, or none if one of them has no row."""
        there = self.model.objects.filter(pk__in=book_ids).order_by().annotate(one=Value(1)).values("one")
        counted = there.annotate(count=Count("*")).values("count")
        return self.filter(pk__in=book_ids).alias(there=Subquery(counted)).filter(there=len(book_ids))

    def locked_of(self, lines: AllocationQuerySet) -> Self:
        """The stock of the books that these lines are about, locked by ascending key."""
        return self.filter(pk__in=lines.order_by().values("item")).locked().order_by("pk")

    def locked_by_key(self) -> dict[UUID, StockItem]:
        return {item.pk: item for item in self.locked().order_by("pk")}

    def locked_one(self, book_id: UUID) -> StockItem:
        return self.locked_for([book_id])[book_id]

    def with_book(self) -> Self:
        return self.select_related("book")

    def of_book(self, book_id: UUID) -> StockItem:
        """The stock of a book; zeros, not saved, where there is no row. An unknown book raises its DoesNotExist."""
        item = self.with_book().filter(pk=book_id).first()
        return item or self.model(book=self.model.book.get_queryset().get(pk=book_id))

    def of_books(self, book_ids: Collection[UUID]) -> list[StockItem]:
        """The stock of these books, with them; zeros, not saved, where there is no row."""
        items = list(self.with_book().filter(pk__in=book_ids))
        missing = set(book_ids) - {item.pk for item in items}
        books = self.model.book.get_queryset().filter(pk__in=missing) if missing else []
        return items + [self.model(book=book) for book in books]

    def books_named(self, *, book_ids: Collection[UUID], isbns: Collection[str]) -> dict[UUID | str | None, UUID]:
        """The ids of the books that there are, by id and by ISBN."""
        books = self.model.book.get_queryset().filter(Q(pk__in=book_ids) | Q(isbn__in=isbns))
        found = list(books.values_list("pk", "isbn"))
        return {pk: pk for pk, _ in found} | {isbn: pk for pk, isbn in found if isbn}

    def available(self) -> Self:
        return self.filter(on_hand__gt=F("allocated"))

    def waited_for(self) -> Self:
        """Of books for which an order line waits."""
        return self.filter(pk__in=Allocation.objects.waiting().order_by().values("item"))

    def by_waiting(self) -> Self:
        """Books for which lines wait, the longest waited for first; with how many lines and how many copies."""
        waits = Q(allocations__waiting_since__isnull=False)
        missing = F("allocations__wanted") - F("allocations__allocated") - F("allocations__shipped")
        return (
            self.with_book()
            .filter(waits)
            .annotate(
                since=Min("allocations__waiting_since", filter=waits),
                lines=Count("allocations", filter=waits),
                missing=Sum(missing, filter=waits),
            )
            .order_by("since", "pk")
        )

    def low(self) -> Self:
        """At or below the threshold, of books that were ever on the shelf or have a threshold of their own."""
        threshold = Coalesce("low_stock_threshold", settings.LOW_STOCK_THRESHOLD)
        return self.filter(Q(was_on_hand=True) | Q(low_stock_threshold__isnull=False)).filter(
            on_hand__lte=threshold + F("allocated")
        )

    def not_low(self) -> Self:
        return self.exclude(pk__in=self.model.objects.low())


@cache
def _locking_if_all_there(model: type[StockItem]) -> Compiled[StockItem]:
    return Compiled(lambda book_ids: model.objects.if_all_there(book_ids).locked().order_by("pk"))
