"""Whatever a shop does in whatever order: the shelves are as a simple model of them, and the ledger proves it."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.conf import settings as django_settings
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events.delivery import deliver
from bookshelf_site.events.models import Delivery, Event
from catalog.events import BookAdded
from catalog.models import Book
from inventory import services as inventory
from inventory.audit import differences
from inventory.errors import CopiesAllocated, InsufficientStock, NeverShipped
from inventory.models import Allocation, Notification, StockItem, StockMovement
from orders import services
from orders.errors import InvalidTransition, LastLine, LinesWaiting, NothingToSplit, NotPending
from orders.models import TRANSITIONS, Order
from tests.effort import IS_THOROUGH
from tests.given import ALICE, books, lines

# 500 in CI, in several transactions: what one rolls back slows PostgreSQL down until the end of it
ROUNDS, EXAMPLES, STEPS = (10, 50, 20) if IS_THOROUGH else (1, 25, 20)
ONCE = [f"orders.order_{what}" for what in ("placed", "split_off", "confirmed", "shipped", "cancelled")]
TOLD = [*ONCE, "orders.copies_awaited", "orders.line_cancelled", "inventory.waiting_filled", "inventory.stock_ran_low"]
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
        self.books: list[Book] = list(Book.objects.order_by("title"))
        self.shelves = [ModelShelf() for _ in self.books]
        self.placed: list[tuple[Order, ModelOrder]] = []
        self.read: dict[tuple[UUID, datetime], object] = {}
        self.months = 0
        django_settings.EVENTS_ENGINE = "inline"

    def teardown(self) -> None:
        try:
            self.whatever_was_owed_has_taken_effect_once()
            self.who_follows_the_orders_has_them_as_they_are()
            assert list(differences()) == []
        finally:
            django_settings.EVENTS_ENGINE = "inline"
            transaction.set_rollback(True)
            self.example.__exit__(None, None, None)

    def whatever_was_owed_has_taken_effect_once(self) -> None:
        deliver(self.owed())
        assert self.owed() == []
        told = Event.objects.filter(name__in=TOLD).values_list("uid", flat=True)
        assert Counter(Notification.objects.values_list("event_uid", flat=True)) == Counter(told)

    def who_follows_the_orders_has_them_as_they_are(self) -> None:
        """What was read under the `updated_at` that an order has still is what it shows: else nobody reads it again."""
        allocated = dict(Allocation.objects.values_list("line_id", "allocated"))
        for order in Order.objects.with_lines():
            shown = self.shown(order, allocated)
            assert self.read.get((order.pk, order.updated_at), shown) == shown

    @staticmethod
    def shown(order: Order, allocated: dict[UUID, int]) -> object:
        lines = [(line.pk, line.quantity, line.cancelled_at, allocated[line.pk]) for line in order.lines.all()]
        return order.status, order.total_amount, sorted(lines)

    def owed(self) -> list[Delivery]:
        """What the process that commits runs itself, or a relay in its place."""
        pending = Delivery.objects.pending().select_related("event").order_by("pk")
        return [delivery for delivery in pending if delivery.durable.runs_inline]

    @rule(engine=st.sampled_from(["inline", "relay"]))
    def change_who_delivers(self, engine: str) -> None:
        """From now on events take effect at once, or when somebody comes by."""
        django_settings.EVENTS_ENGINE = engine

    @rule(random=st.randoms(use_true_random=False))
    def deliver_what_is_owed(self, random: Random) -> None:
        """In whatever order, and all of it by two who don't know of each other."""
        owed = self.owed()
        random.shuffle(owed)
        deliver(owed)
        deliver(owed)

    @rule(title=titles, copies=st.integers(1, 4), times=st.integers(1, 2))
    def open_shelf(self, title: int, copies: int, times: int) -> None:
        """The news of a book comes when orders wait for it already, and may come twice."""
        book, shelf = self.books[title], self.shelves[title]
        added = BookAdded(
            book_id=book.pk, title=book.title, author=book.author, isbn=None, price=None, opening_stock=copies
        )
        for _ in range(times):
            added.signal.send(sender=Book, event=added)
        shelf.on_hand += copies
        shelf.fill()

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
        # what is done already moves no shelf, and gives no line that was put back its copies again
        if model.status != "CANCELLED":
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
        if counted != shelf.on_hand:
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
    def everything_is_as_the_model_has_it_and_the_ledger_proves_it(self) -> None:
        """In five queries, whose rows all checks share: this is run after each step."""
        titles = {book.pk: title for title, book in enumerate(self.books)}
        items = StockItem.objects.values_list("book_id", "on_hand", "allocated")
        shelves = {titles[book_id]: counters for book_id, *counters in items}
        allocations = list(Allocation.objects.order_by("item__book__title", "waiting_since", "id").select_related(None))
        self.check_shelves(shelves)
        self.check_orders(allocations)
        self.check_queues(allocations, titles)
        self.check_ledger(shelves, allocations, titles)
        self.check_totals(allocations)

    def check_shelves(self, shelves: dict[int, list[int]]) -> None:
        found = [shelves.get(title, [0, 0]) for title in range(len(self.books))]
        assert found == [[shelf.on_hand, shelf.allocated] for shelf in self.shelves]

    def check_orders(self, allocations: list[Allocation]) -> None:
        allocated: dict[Any, list[int]] = defaultdict(list)
        for allocation in allocations:
            allocated[allocation.order_id].append(allocation.allocated)
        assert allocated == {order.pk: [line.allocated for line in model.lines] for order, model in self.placed}

    def check_queues(self, allocations: list[Allocation], titles: dict[UUID, int]) -> None:
        """Whatever misses a copy is in line for it, and the line is as the model has it."""
        queues: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for line in allocations:
            if line.waiting_since:
                queues[titles[line.item_id]].append((line.wanted, line.allocated))
        for title, shelf in enumerate(self.shelves):
            assert queues[title] == [(line.wanted, line.allocated) for line in shelf.queue]

    def check_ledger(
        self, shelves: dict[int, list[int]], allocations: list[Allocation], titles: dict[UUID, int]
    ) -> None:
        """Each movement's balance follows from the one before, the last is the counter; and the same for each line."""
        balances: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        by_line: Counter[UUID | None] = Counter()
        for item_id, on_hand_change, allocated_change, on_hand, allocated, line_id in movements():
            balance = balances[titles[item_id]]
            balances[titles[item_id]] = [balance[0] + on_hand_change, balance[1] + allocated_change]
            assert balances[titles[item_id]] == [on_hand, allocated]
            by_line[line_id] += allocated_change
        assert {title: shelves[title] for title in balances} == balances
        assert {line.line_id: line.allocated for line in allocations} == {
            line.line_id: by_line[line.line_id] for line in allocations
        }

    def check_totals(self, allocations: list[Allocation]) -> None:
        wanted = {allocation.line_id: allocation.wanted for allocation in allocations}
        allocated = {allocation.line_id: allocation.allocated for allocation in allocations}
        found = list(Order.objects.with_lines())
        assert {order.pk: order.status for order in found} == {order.pk: model.status for order, model in self.placed}
        for order in found:
            open_lines = [line for line in order.lines.all() if not line.cancelled_at]
            assert order.total_amount == sum(line.line_total_amount for line in open_lines)
            assert [wanted[line.pk] for line in open_lines] == [line.quantity for line in open_lines]
            self.read.setdefault((order.pk, order.updated_at), self.shown(order, allocated))

    @invariant()
    def nothing_happened_twice(self) -> None:
        happened = Event.objects.filter(name__in=ONCE).values_list("stream", "name")
        assert len(happened) == len(set(happened))


def movements() -> Any:
    return StockMovement.objects.order_by("id").values_list(
        "item_id", "on_hand_change", "allocated_change", "on_hand", "allocated", "line_id"
    )


@pytest.mark.django_db
@pytest.mark.parametrize("number", range(ROUNDS))
def test_whatever_a_shop_does_its_shelves_and_ledger_agree(number: int) -> None:
    books(2, copies=0)
    machine = type("Shop", (Shop,), {})
    run_state_machine_as_test(
        seed(number)(machine) if ROUNDS > 1 else machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
