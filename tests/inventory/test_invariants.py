"""Whatever a shop does in whatever order: the shelves are as a simple model of them, and the ledger proves it."""

from __future__ import annotations

from collections import defaultdict
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.signals import RECEIVERS
from catalog.models import Book
from inventory import services as inventory
from inventory.audit import differences
from inventory.errors import CopiesAllocated, InsufficientStock, NeverShipped
from inventory.models import Allocation, StockItem, StockMovement
from orders import services
from orders.errors import InvalidTransition, LastLine, LinesWaiting, NothingToSplit, NotPending
from orders.models import TRANSITIONS, Order
from tests.given import ALICE, books, lines

EXAMPLES, STEPS = 25, 20
BY_RELAY = [uid for uid, durable in RECEIVERS.items() if not durable.runs_inline]
ONCE = [f"orders.order_{what}" for what in ("placed", "split_off", "confirmed", "shipped", "cancelled")]
Kind = StockMovement.Kind
titles = st.integers(0, 1)
basket = st.lists(st.tuples(titles, st.integers(1, 4)), min_size=1, max_size=5)


@dataclass(eq=False)
class ModelLine:
    title: int
    wanted: int
    allocated: int = 0
    shipped: int = 0
    returned: int = 0
    is_cancelled: bool = False

    @property
    def missing(self) -> int:
        return self.wanted - self.allocated


@dataclass(eq=False)
class ModelOrder:
    lines: list[ModelLine]
    status: str = "PENDING"

    @property
    def waits(self) -> bool:
        return any(line.missing for line in self.lines)

    @property
    def open_lines(self) -> list[ModelLine]:
        return [line for line in self.lines if not line.is_cancelled]


@dataclass
class ModelShelf:
    on_hand: int = 0
    allocated: int = 0
    queue: list[ModelLine] = field(default_factory=list)

    @property
    def available(self) -> int:
        return self.on_hand - self.allocated

    def give(self, line: ModelLine) -> None:
        quantity = min(self.available, line.missing)
        line.allocated += quantity
        self.allocated += quantity

    def fill(self, *, besides: ModelLine | None = None) -> None:
        for line in self.queue:
            if line is not besides:
                self.give(line)
        self.queue = [line for line in self.queue if line.missing]

    def free(self, line: ModelLine) -> None:
        self.allocated -= line.allocated
        line.wanted = line.allocated = 0
        self.queue = [other for other in self.queue if other is not line]
        self.fill()


class Shop(RuleBasedStateMachine):
    orders: Bundle[tuple[Order, ModelOrder]] = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        # each example in a savepoint of the test's own transaction, in which services commit as in production
        self.example = transaction.atomic()
        self.example._from_testcase = True  # type: ignore[attr-defined]
        self.example.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.example.__exit__(None, None, None)

    @initialize(copies=st.integers(0, 4))
    def open(self, copies: int) -> None:
        self.books: list[Book] = books(2, copies=copies)
        self.shelves = [ModelShelf(on_hand=copies) for _ in self.books]
        self.placed: list[tuple[Order, ModelOrder]] = []
        self.months = 0

    def model_of(self, wanted: list[tuple[int, int]]) -> ModelOrder:
        quantities: dict[int, int] = defaultdict(int)
        for title, quantity in wanted:
            quantities[title] += quantity
        return ModelOrder([ModelLine(title, quantity) for title, quantity in sorted(quantities.items())])

    def requests(self, wanted: list[tuple[int, int]]) -> list[services.LineRequest]:
        return lines(*((self.books[title], quantity) for title, quantity in wanted))

    def keep(self, order: Order, model: ModelOrder) -> tuple[Order, ModelOrder]:
        for line in model.lines:
            shelf = self.shelves[line.title]
            shelf.give(line)
            if line.missing:
                shelf.queue.append(line)
        self.placed.append((order, model))
        return order, model

    @rule(target=orders, wanted=basket)
    def place(self, wanted: list[tuple[int, int]]) -> Any:
        model = self.model_of(wanted)
        short = [line.title for line in model.lines if line.wanted > self.shelves[line.title].available]
        if not short:
            return self.keep(services.place_order(ALICE, self.requests(wanted)), model)
        with pytest.raises(InsufficientStock) as refusal:
            services.place_order(ALICE, self.requests(wanted))
        assert {shortage.book_id for shortage in refusal.value.shortages} == {self.books[title].pk for title in short}
        return multiple()

    @rule(target=orders, wanted=basket)
    def place_or_wait(self, wanted: list[tuple[int, int]]) -> tuple[Order, ModelOrder]:
        return self.keep(services.place_order_or_wait(ALICE, self.requests(wanted)), self.model_of(wanted))

    @rule(placed=orders)
    def confirm(self, placed: tuple[Order, ModelOrder]) -> None:
        order, model = placed
        if "CONFIRMED" in TRANSITIONS[model.status] and model.waits:
            with pytest.raises(LinesWaiting):
                services.confirm_order(order_id=order.pk)
            return
        if model.status != "CONFIRMED" and "CONFIRMED" not in TRANSITIONS[model.status]:
            with pytest.raises(InvalidTransition):
                services.confirm_order(order_id=order.pk)
            return
        services.confirm_order(order_id=order.pk)
        model.status = "CONFIRMED"

    @rule(placed=orders)
    def ship(self, placed: tuple[Order, ModelOrder]) -> None:
        order, model = placed
        if model.status not in {"CONFIRMED", "SHIPPED"}:
            with pytest.raises(InvalidTransition):
                services.ship_order(order_id=order.pk)
            return
        services.ship_order(order_id=order.pk)
        for line in model.lines:
            shelf = self.shelves[line.title]
            shelf.on_hand -= line.allocated
            shelf.allocated -= line.allocated
            line.shipped = line.allocated
            line.wanted = line.allocated = 0
        model.status = "SHIPPED"

    @rule(placed=orders)
    def cancel(self, placed: tuple[Order, ModelOrder]) -> None:
        order, model = placed
        if model.status == "SHIPPED":
            with pytest.raises(InvalidTransition):
                services.cancel_order(order_id=order.pk, reason="customer")
            return
        services.cancel_order(order_id=order.pk, reason="customer")
        self.call_off(model)

    def call_off(self, model: ModelOrder) -> None:
        for line in model.lines:
            self.shelves[line.title].free(line)
        model.status = "CANCELLED"

    @rule(placed=orders, nth=st.integers(0, 1))
    def cancel_line(self, placed: tuple[Order, ModelOrder], nth: int) -> None:
        order, model = placed
        line = model.lines[nth % len(model.lines)]
        refusal = (
            None
            if line.is_cancelled
            else NotPending
            if model.status != "PENDING"
            else LastLine
            if model.open_lines == [line]
            else None
        )
        with pytest.raises(refusal) if refusal else nullcontext():
            services.cancel_line(order_id=order.pk, line_id=self.line_id(order, line))
        if not refusal and not line.is_cancelled:
            self.shelves[line.title].free(line)
            line.is_cancelled = True

    @rule(placed=orders, nth=st.integers(0, 1))
    def put_back(self, placed: tuple[Order, ModelOrder], nth: int) -> None:
        order, model = placed
        line = model.lines[nth % len(model.lines)]
        with nullcontext() if model.status == "PENDING" else pytest.raises(NotPending):
            services.put_back_line(order_id=order.pk, line_id=self.line_id(order, line))
        if model.status == "PENDING" and line.allocated:
            shelf = self.shelves[line.title]
            shelf.allocated -= line.allocated
            line.allocated = 0
            shelf.queue = [*(other for other in shelf.queue if other is not line), line]
            shelf.fill(besides=line)

    @rule(target=orders, placed=orders)
    def split(self, placed: tuple[Order, ModelOrder]) -> Any:
        order, model = placed
        if not model.waits or not any(line.allocated for line in model.lines):
            with pytest.raises(NothingToSplit):
                services.split_order(order_id=order.pk)
            return multiple()
        services.split_order(order_id=order.pk)
        rest = ModelOrder([])
        for line in [line for line in model.lines if line.missing]:
            rest.lines.append(self.split_off(model, line))
        self.placed.append((Order.objects.filter(split_from=order).latest("pk"), rest))
        return self.placed[-1]

    def split_off(self, model: ModelOrder, line: ModelLine) -> ModelLine:
        if not line.allocated:
            model.lines.remove(line)
            return line
        rest = ModelLine(line.title, line.missing)
        line.wanted = line.allocated
        shelf = self.shelves[line.title]
        shelf.queue = [rest if other is line else other for other in shelf.queue]
        return rest

    @rule()
    def expire(self) -> None:
        # later each time: what an expiry frees may fill a line, whose order's clock starts at that moment
        self.months += 1
        with time_machine.travel(timezone.now() + timedelta(days=30 * self.months)):
            expired = services.expire_orders()
        overdue = [model for _, model in self.placed if model.status == "PENDING" and not model.waits]
        assert len(expired) == len(overdue)
        models = {order.pk: model for order, model in self.placed}
        for order in expired:
            self.call_off(models[order.pk])

    @rule(placed=orders, nth=st.integers(0, 1), quantity=st.integers(1, 2), is_damaged=st.booleans())
    def take_back(self, placed: tuple[Order, ModelOrder], nth: int, quantity: int, is_damaged: bool) -> None:
        order, model = placed
        line = model.lines[nth % len(model.lines)]
        come_back = inventory.return_damaged_copies if is_damaged else inventory.return_copies
        comes_back = line.returned + quantity <= line.shipped
        with nullcontext() if comes_back else pytest.raises(NeverShipped):
            come_back(book_id=self.books[line.title].pk, order_id=order.pk, quantity=quantity)
        if comes_back:
            line.returned += quantity
        if comes_back and not is_damaged:
            self.shelves[line.title].on_hand += quantity
            self.shelves[line.title].fill()

    def line_id(self, order: Order, line: ModelLine) -> UUID:
        return order.lines.get(book=self.books[line.title]).pk

    @rule(title=titles, quantity=st.integers(1, 5))
    def receive(self, title: int, quantity: int) -> None:
        inventory.receive_copies(book_id=self.books[title].pk, quantity=quantity)
        self.shelves[title].on_hand += quantity
        self.shelves[title].fill()

    @rule(title=titles, counted=st.integers(0, 12))
    def count(self, title: int, counted: int) -> None:
        book, shelf = self.books[title], self.shelves[title]
        if counted < shelf.allocated:
            with pytest.raises(CopiesAllocated):
                inventory.count_copies(book_id=book.pk, counted=counted, reason="Stocktake")
            return
        inventory.count_copies(book_id=book.pk, counted=counted, reason="Stocktake")
        shelf.on_hand = counted
        shelf.fill()

    @rule(title=titles, change=st.integers(-4, 4).filter(bool))
    def adjust(self, title: int, change: int) -> None:
        book, shelf = self.books[title], self.shelves[title]
        kind = Kind.LOST if change < 0 else Kind.CORRECTED
        if shelf.on_hand + change < shelf.allocated:
            with pytest.raises(CopiesAllocated if shelf.allocated else InvalidValue):
                inventory.adjust_stock(book_id=book.pk, change=change, kind=kind, reason="Flood")
            return
        inventory.adjust_stock(book_id=book.pk, change=change, kind=kind, reason="Flood")
        shelf.on_hand += change
        shelf.fill()

    @invariant()
    def the_shelves_are_as_the_model_has_them(self) -> None:
        found = {item.pk: (item.on_hand, item.allocated) for item in StockItem.objects.all()}
        assert [found[book.pk] for book in self.books] == [(shelf.on_hand, shelf.allocated) for shelf in self.shelves]

    @invariant()
    def every_order_has_what_the_model_gives_it(self) -> None:
        allocated: dict[Any, list[int]] = defaultdict(list)
        for order_id, copies in Allocation.objects.order_by("item__book__title").values_list("order_id", "allocated"):
            allocated[order_id].append(copies)
        statuses = dict(Order.objects.values_list("id", "status"))
        assert statuses == {order.pk: model.status for order, model in self.placed}
        assert allocated == {order.pk: [line.allocated for line in model.lines] for order, model in self.placed}

    @invariant()
    def the_ledger_proves_it(self) -> None:
        assert list(differences()) == []

    @invariant()
    def the_totals_are_right(self) -> None:
        wanted = dict(Allocation.objects.values_list("line_id", "wanted"))
        for order in Order.objects.with_lines():
            open_lines = [line for line in order.lines.all() if not line.cancelled_at]
            assert order.total_amount == sum(line.line_total_amount for line in open_lines)
            assert [wanted[line.pk] for line in open_lines] == [line.quantity for line in open_lines]

    @invariant()
    def every_line_that_misses_a_copy_is_in_line_for_it(self) -> None:
        waiting = Allocation.objects.waiting().values_list("item_id", "wanted", "allocated")
        queues = {book.pk: self.shelves[title].queue for title, book in enumerate(self.books)}
        for book_id, queue in queues.items():
            found = [(wanted, allocated) for item_id, wanted, allocated in waiting if item_id == book_id]
            assert found == [(line.wanted, line.allocated) for line in queue]

    @invariant()
    def nothing_is_owed_and_nothing_was_told_twice(self) -> None:
        # what talks to the outside waits for a relay
        assert not Delivery.objects.exclude(status="done").exclude(receiver__in=BY_RELAY).exists()
        told = Event.objects.filter(name__in=ONCE).values_list("stream", "name")
        assert len(told) == len(set(told))


@pytest.mark.django_db
def test_whatever_a_shop_does_its_shelves_and_ledger_agree() -> None:
    run_state_machine_as_test(
        Shop,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
