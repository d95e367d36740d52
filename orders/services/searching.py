"""How an order is found by what somebody types."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F, OuterRef, Q, Subquery

from bookshelf_site.words import Among, wanted, words_asked
from catalog.isbn import search_isbn
from catalog.models import Book
from orders.models import Order, OrderLine, OrderQuerySet


def search_orders(orders: OrderQuerySet, text: str) -> OrderQuerySet:
    """By number, ISBN or whole e-mail, each by its index; else by words of the customer, or of a book on them.

    Asks the latest orders at once how the words are best looked for.
    """
    if isbn := search_isbn(text):
        return orders.with_books(Book.objects.with_isbns([isbn]))
    for found in (orders.with_number(text), orders.with_email(text.strip())):
        if found.exists():
            return found
    if words := words_asked(text):
        return orders.filter(_with_words(words))
    return orders.none()


def _with_words(words: Sequence[str]) -> Q:
    """That the customer has these words, or one book has them; where few do, each is found by its own index."""
    named = Order.objects.wanted(words)
    latest = OrderLine.objects.order_by("-order_id").annotate(words=F("book__words"))
    titled = wanted(words, latest)
    lines = OrderLine.objects.order_by().filter(titled.condition("book__"))
    if not (named.are_common or titled.are_common):
        return named.condition() | Q(Among("pk", lines.values("order")))
    by_name = Q(pk__in=Order.objects.filter(named.condition()).values("pk"))
    # not EXISTS, for PostgreSQL would rather find all such lines than look at those of the orders that it reads
    line = lines.filter(order=OuterRef("pk")).values("order")[:1]
    return (named.condition() if named.are_common else by_name) | (
        Q(pk=Subquery(line)) if titled.are_common else Q(pk__in=lines.values("order"))
    )
