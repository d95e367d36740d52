"""The proof of the stock: counters = ledger = what is promised to open lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, OuterRef, Q, Subquery, Sum, Window
from django.db.models.functions import Coalesce, Lag

from inventory.models import Allocation, StockItem, StockMovement


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A counter that isn't what the rows behind it add up to."""

    book_id: UUID
    what: str
    counter: int
    proof: int

    def __str__(self) -> str:
        return f"book {self.book_id}: {self.what} is {self.counter}, the rows behind it say {self.proof}"


@contextmanager
def one_snapshot() -> Iterator[None]:
    """All reads in this block see the same moment (SQLite's transactions do so by themselves)."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def differences() -> Iterator[Difference]:
    """Everything that doesn't add up, by book; nothing, if the stock is sound."""
    yield from _counters_against_their_proofs()
    yield from _lines_against_the_ledger()
    yield from _balances_against_the_ledger()


def _counters_against_their_proofs() -> Iterator[Difference]:
    proofs = (
        ("on_hand", "on hand", _total(StockMovement, "on_hand_change")),
        ("allocated", "allocated by the ledger", _total(StockMovement, "allocated_change")),
        ("allocated", "allocated to open lines", _total(Allocation, "allocated")),
    )
    for counter, what, proof in proofs:
        wrong = StockItem.objects.annotate(proof=proof).exclude(**{counter: F("proof")}).order_by("pk")
        for book_id, value, total in wrong.values_list("pk", counter, "proof"):
            yield Difference(book_id=book_id, what=what, counter=value, proof=total)


def _total(model: type[StockMovement] | type[Allocation], field: str) -> Coalesce:
    rows = model.objects.filter(item=OuterRef("pk")).order_by().values("item")
    return Coalesce(Subquery(rows.annotate(total=Sum(field)).values("total")), 0)


def _lines_against_the_ledger() -> Iterator[Difference]:
    """What each line was promised, was sent and gave back is what the movements in its name add up to."""
    of_line = (
        StockMovement.objects.filter(order_id=OuterRef("order_id"), line_id=OuterRef("line_id"))
        .order_by()
        .values("line_id")
    )
    shipped = Sum("on_hand_change", filter=Q(kind=StockMovement.Kind.SHIPPED), default=0) * -1
    returned = Sum("on_hand_change", filter=Q(kind=StockMovement.Kind.RETURNED), default=0)
    for counter, total in (("allocated", Sum("allocated_change")), ("shipped", shipped), ("returned", returned)):
        proof = Coalesce(Subquery(of_line.annotate(total=total).values("total")), 0)
        wrong = Allocation.objects.annotate(proof=proof).exclude(**{counter: F("proof")}).order_by("id")
        for line_id, book_id, value, due in wrong.values_list("line_id", "item_id", counter, "proof"):
            yield Difference(book_id=book_id, what=f"{counter} of line {line_id}", counter=value, proof=due)


def _balances_against_the_ledger() -> Iterator[Difference]:
    """Each movement's balance is the one before it and its own change."""
    earlier = {
        name: Window(Lag(name, default=0), partition_by=F("item"), order_by=F("id").asc())
        for name in ("on_hand", "allocated")
    }
    movements = StockMovement.objects.annotate(
        on_hand_due=earlier["on_hand"] + F("on_hand_change"),
        allocated_due=earlier["allocated"] + F("allocated_change"),
    )
    for counter in ("on_hand", "allocated"):
        wrong = movements.exclude(**{counter: F(f"{counter}_due")}).order_by("id")
        for movement_id, book_id, value, due in wrong.values_list("id", "item_id", counter, f"{counter}_due"):
            what = f"{counter} after movement {movement_id}"
            yield Difference(book_id=book_id, what=what, counter=value, proof=due)
