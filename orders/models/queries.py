"""Which orders: each question that a door or a service asks of the table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery, Value
from django.db.models.functions import Upper

from bookshelf_site.events.aggregate import AggregateQuerySet
from bookshelf_site.events.erasure import ERASED
from bookshelf_site.words import Wanted, wanted, words_asked
from orders.models.line import OrderLine
from orders.models.status import Status
from orders.numbers import normalise_number

if TYPE_CHECKING:
    from orders.models.order import Order


class OrderQuerySet(AggregateQuerySet["Order"]):
    def with_lines(self) -> Self:
        return self.prefetch_related("lines")

    def with_splits(self) -> Self:
        return self.prefetch_related("splits")

    def with_token(self, token: str) -> Self:
        """The order that this link opens; of a customer who was erased nobody sees anything."""
        return self.filter(token=token).exclude(customer_name=ERASED)

    def with_email(self, email: str) -> Self:
        """Of whoever has this address, in capitals or not: in the words of the index."""
        return self.alias(folded_email=Upper("customer_email")).filter(folded_email=Upper(Value(email)))

    def split_with(self, order: Order) -> Self:
        """The order, what it was split from, what was split from it, and so on: all that was once placed as one."""
        family = {order.pk}
        while new := set(self._next_to(family)) - family:
            family |= new
        return self.filter(pk__in=family)

    def _next_to(self, family: set[UUID]) -> models.QuerySet[Order, UUID]:
        return self.filter(Q(split_from__in=family) | Q(splits__in=family)).values_list("pk", flat=True)

    def pending(self) -> Self:
        return self.filter(status=Status.PENDING)

    def confirmed(self) -> Self:
        return self.filter(status=Status.CONFIRMED)

    def placed_until(self, moment: datetime) -> Self:
        return self.filter(placed_at__lte=moment)

    def placed_as(self, *, placed_by: str, reference: str) -> Self:
        return self.filter(placed_by=placed_by, external_reference=reference)

    def of_customer(self, text: str) -> Self:
        """Whose name or e-mail has a word that begins so, for every word typed; neither case nor accents count.

        Asks the latest orders at once how the search is best done.
        """
        words = words_asked(text)
        return self.filter(self.wanted(words).condition()) if words else self.none()

    def wanted(self, words: Sequence[str]) -> Wanted:
        """How customers with these words are best looked for, as the latest orders tell."""
        return wanted(words, self.model.objects.using(self.db).order_by("-placed_at", "-id"))

    def with_number(self, text: str) -> Self:
        """The order whose number this is, however it is written."""
        number = normalise_number(text)
        return self.filter(number=number) if number else self.none()

    def with_books(self, books: models.QuerySet[Any]) -> Self:
        """With a line of one of these books; each order once."""
        return self.filter(pk__in=OrderLine.objects.filter(book__in=books.order_by().values("pk")).values("order"))

    def with_line_count(self) -> Self:
        """Counted by a subquery, which costs the rows of a page and not those of the table."""
        lines = OrderLine.objects.filter(order=OuterRef("pk")).order_by().values("order")
        return self.annotate(line_count=Subquery(lines.annotate(count=Count("pk")).values("count")))
