"""What can be asked of the stock. Every change is made under the stock row's lock, and leaves a movement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Sum
from django.utils import timezone

from bookshelf_site.errors import DomainError, InvalidValue
from bookshelf_site.events import DomainEvent, unit_of_work
from bookshelf_site.events.models import Event
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.statements import Compiled, insert, insert_missing, update
from bookshelf_site.rows import Outcome, Outcomes
from inventory.errors import CopiesAllocated, InsufficientStock, NeverOrdered, Shortage, UnknownBook
from inventory.models import (
    MAX_COPIES,
    Allocation,
    AllocationQuerySet,
    Notification,
    StockItem,
    StockMovement,
    checked_reason,
)


@dataclass(frozen=True, kw_only=True)
class WantedCopies:
    """What one order line asks for; `line` counts from 0, for whoever has to be told that it is too much."""

    line_id: UUID
    line: int
    book_id: UUID
    title: str
    quantity: int


@dataclass(frozen=True, kw_only=True)
class MovedCopies:
    """A movement of copies for an order, as those read it who know nothing of the ledger."""

    at: datetime
    what: str
    book_id: UUID
    title: str
    copies: int
    reason: str
    actor: str


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """How a book's copies stand: here, promised to orders, and how many more all lines together wait for."""

    on_hand: int = 0
    allocated: int = 0
    waiting: int = 0

    @property
    def available(self) -> int:
        return self.on_hand - self.allocated


@dataclass(frozen=True, kw_only=True)
class StockRow:
    """Copies of a book that were delivered, or counted: one of both numbers is given."""

    book_id: UUID | None = None
    isbn: str | None = None
    received: int | None = None
    counted: int | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class OpeningStock:
    """The copies with which a book came into the catalogue, and the event that said so."""

    book_id: UUID
    quantity: int
    event_uid: UUID


@unit_of_work
def open_stock(openings: Sequence[OpeningStock]) -> None:
    """Put the opening copies of new books on the shelf, once per event; lines that wait for them are filled."""
    items = StockItem.objects.locked_for([opening.book_id for opening in openings])
    opened = StockMovement.objects.opened_by([opening.event_uid for opening in openings])
    movements = [
        items[opening.book_id].open_with(opening.quantity, event_uid=opening.event_uid)
        for opening in openings
        if opening.quantity and opening.event_uid not in opened
    ]
    _save(items.values(), movements + _fill_waiting(items))


@unit_of_work
def allocate_copies(*, order_id: UUID, order_number: str, wanted: Sequence[WantedCopies]) -> None:
    """Promise copies to all lines of an order, or to none. Raises InsufficientStock, naming the lines."""
    allocations = [_allocation(order_id, order_number, line, allocated=line.quantity) for line in wanted]
    # before the lock, for everybody who wants the book waits behind it; nobody sees them if one is refused
    insert(allocations)
    items = StockItem.objects.locked_for([line.book_id for line in wanted])
    if shortages := _shortages(items, wanted):
        raise InsufficientStock(shortages)
    _save(items.values(), [items[line.item_id].allocate_whole(line) for line in allocations])


@unit_of_work
def allocate_or_wait(*, order_id: UUID, order_number: str, wanted: Sequence[WantedCopies]) -> int:
    """Promise what is there; the rest of each line waits for copies, in the order in which lines began to wait.

    How many copies the lines wait for in all.
    """
    items = StockItem.objects.locked_for([line.book_id for line in wanted])
    allocations, movements = [], []
    for line in wanted:
        item, allocation = items[line.book_id], _allocation(order_id, order_number, line)
        here = min(item.available, line.quantity)
        if here:
            movements.append(item.allocate(allocation, here))
        if allocation.missing:
            allocation.wait()
        allocations.append(allocation)
    insert(allocations)
    _save(items.values(), movements)
    return sum(allocation.missing for allocation in allocations)


@unit_of_work
def release_copies(*, order_id: UUID) -> None:
    """Free what was promised to an order; its waiting lines wait no longer."""
    _release(*_open_lines_of(order_id))


@unit_of_work
def release_line(*, order_id: UUID, line_id: UUID) -> None:
    """Free what was promised to one line of an order; it waits no longer."""
    _release(*_open_lines(Allocation.objects.of_line(order_id, line_id)))


@unit_of_work
def put_back(*, order_id: UUID, line_id: UUID) -> int:
    """Let a line wait again, as the last, and its copies be had by others; how many it gave back.

    Who waits for the book gets them now; what is left after that is free for whoever comes, and goes to the line that
    gave it back only when the shelf moves again. The caller holds the order's lock, so that nobody confirms meanwhile.
    """
    lines, items = _open_lines(Allocation.objects.of_line(order_id, line_id))
    movements = [items[line.item_id].put_back(line) for line in lines if line.allocated]
    if not movements:
        return 0
    _save_lines(lines, WAITED)
    given_back = -sum(movement.allocated_change for movement in movements)
    _save(items.values(), movements + _fill_waiting(items, besides=[line.pk for line in lines]))
    return given_back


@unit_of_work
def missing_by_line(order_id: UUID) -> dict[UUID, int]:
    """How many copies each open line of the order still misses. Nothing fills them until the transaction ends."""
    lines, _ = _open_lines_of(order_id)
    return {line.line_id: line.missing for line in lines}


@unit_of_work
def move_waiting(*, order_id: UUID, to_order_id: UUID, to_order_number: str, lines: Mapping[UUID, UUID]) -> None:
    """What an order waits for is another order's: each of these lines, or what is missing of it, under its new id.

    It keeps its place among those who wait. The first order waits for nothing any more.
    """
    for_other, here = [], []
    for line in _open_lines_of(order_id)[0]:
        new_id = lines.get(line.line_id)
        if new_id == line.line_id:
            line.move_to(order_id=to_order_id, order_number=to_order_number)
        elif new_id:
            for_other.append(line.split_off(line_id=new_id, order_id=to_order_id, order_number=to_order_number))
        else:
            line.waited_until = timezone.now()
        here.append(line)
    _save_lines(here, ("order_id", "order_number", "wanted", *WAITED))
    Allocation.objects.bulk_create(for_other)


@unit_of_work
def ship_copies(*, order_id: UUID) -> None:
    """What was promised to an order leaves the shelf."""
    lines, items = _open_lines_of(order_id)
    movements = [items[line.item_id].ship(line) for line in lines if line.allocated]
    _save_lines(lines, ("allocated", "shipped"))
    _save(items.values(), movements)


@unit_of_work
def return_copies(*, book_id: UUID, order_id: UUID, quantity: int, reason: str = "") -> StockMovement:
    """Put copies that a customer brought back on the shelf. Raises NeverShipped for more than the order was sent."""
    item, line = _returning(book_id, order_id)
    [returned] = item.take_back(line, quantity, reason=reason)
    _save_lines([line], ("returned",))
    _save([item], [returned, *_fill_waiting({book_id: item})])
    return returned


@unit_of_work
def return_damaged_copies(*, book_id: UUID, order_id: UUID, quantity: int, reason: str = "") -> StockMovement:
    """Write off copies that a customer brought back damaged. Raises NeverShipped for more than the order was sent."""
    item, line = _returning(book_id, order_id)
    returned, written_off = item.take_back_damaged(line, quantity, reason=reason)
    _save_lines([line], ("returned",))
    _save([item], [returned, written_off])
    return returned


@unit_of_work
def set_low_stock_threshold(*, book_id: UUID, threshold: int | None, reason: str = "") -> StockItem:
    """From how many copies on the stock of a book is low; None: the shop's own number."""
    item = StockItem.objects.locked_one(book_id)
    item.set_threshold(threshold, reason=reason)
    item.save(update_fields=["low_stock_threshold", "is_watched", "updated_at"])
    return item


@unit_of_work
def receive_copies(*, book_id: UUID, quantity: int, reason: str = "") -> StockMovement:
    """Put delivered copies on the shelf; lines that wait for them are filled, oldest first."""
    item = StockItem.objects.locked_one(book_id)
    received = item.receive(quantity, reason=reason)
    _save([item], [received, *_fill_waiting({book_id: item})])
    return received


@unit_of_work
def count_copies(*, book_id: UUID, counted: int, reason: str) -> StockMovement | None:
    """Set the shelf to what was counted; None if it was right. Raises CopiesAllocated below what is promised."""
    item = StockItem.objects.locked_one(book_id)
    adjusted = _count(item, counted, reason)
    if adjusted:
        _save([item], [adjusted, *_fill_waiting({book_id: item})])
    return adjusted


@unit_of_work
def move_copies(rows: Mapping[int, StockRow]) -> Outcomes:
    """Receive or count the copies of many books, in few statements however many.

    A row that can't be taken over is answered with why, and spoils none of the others.
    """
    books = StockItem.objects.books_named(
        book_ids=[row.book_id for row in rows.values() if row.book_id],
        isbns=[row.isbn for row in rows.values() if row.isbn],
    )
    items = StockItem.objects.locked_for(list(books.values()))
    moved: dict[int, StockMovement | None] = {}
    outcomes: Outcomes = {}
    for place, row in rows.items():
        try:
            moved[place] = _move(items, books.get(row.book_id or row.isbn), row)
        except DomainError as refusal:
            outcomes[place] = refusal
    movements = [movement for movement in moved.values() if movement]
    filled = _fill_waiting({movement.item_id: items[movement.item_id] for movement in movements})
    _save(items.values(), movements + filled)
    for place, movement in moved.items():
        outcomes[place] = Outcome(status="updated", id=movement.pk) if movement else Outcome(status="unchanged")
    return outcomes


def _move(items: Mapping[UUID, StockItem], book_id: UUID | None, row: StockRow) -> StockMovement | None:
    if book_id is None:
        raise UnknownBook
    item = items[book_id]
    if row.received is not None:
        return item.receive(row.received, reason=row.reason)
    return _count(item, row.counted or 0, row.reason)


ADJUSTMENTS = (StockMovement.Kind.DAMAGED, StockMovement.Kind.LOST, StockMovement.Kind.CORRECTED)


@unit_of_work
def adjust_stock(*, book_id: UUID, change: int, kind: StockMovement.Kind, reason: str) -> StockMovement:
    """Write off damaged or lost copies, or correct the shelf. Raises CopiesAllocated below what is promised."""
    if kind not in ADJUSTMENTS:
        raise InvalidValue("kind", "one of damaged, lost, correction")
    if not 1 <= abs(change) <= MAX_COPIES:
        raise InvalidValue("change", f"between 1 and {MAX_COPIES:,} copies, up or down")
    if kind != StockMovement.Kind.CORRECTED and change > 0:
        raise InvalidValue("change", f"copies that are {kind} leave the shelf: give a negative number")
    item = StockItem.objects.locked_one(book_id)
    adjusted = _adjust(item, change, kind, reason)
    _save([item], [adjusted, *_fill_waiting({book_id: item})])
    return adjusted


def allocated_by_line(order_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many copies are promised to each line of these orders."""
    return {line.line_id: line.allocated for line in _LINES_OF_ORDERS(order_ids)}


def returned_by_line(order_id: UUID) -> dict[UUID, int]:
    """How many copies of each line of the order have come back, of those of which any have."""
    lines = Allocation.objects.of_order(order_id).filter(returned__gt=0)
    return dict(lines.values_list("line_id", "returned"))


def settled_copies(order_id: OuterRef) -> QuerySet[Allocation, int]:
    """How many copies of an order are allocated or came back; it is a part of whatever query asks for it.

    While the order's own row stays as it is, this only grows: it differs whenever one of the two does.
    """
    lines = Allocation.objects.filter(order_id=order_id).order_by().values("order_id")
    return lines.annotate(settled=Sum(F("allocated") + F("returned"))).values_list("settled", flat=True)


def waiting_lines(order_id: UUID) -> list[UUID]:
    """The lines of the order that still wait for copies."""
    return [line.line_id for line in _WAITING_LINES_OF_ORDERS([order_id])]


def waiting_orders() -> QuerySet[Allocation, UUID]:
    """The orders that have a line that waits, as their ids; it is a part of whatever query asks for it."""
    return Allocation.objects.waiting().order_by().values_list("order_id", flat=True)


def shelves(book_ids: Collection[UUID]) -> dict[UUID, Shelf]:
    """How the copies of these books stand, each of them; what was never stocked reads as zeros."""
    missing = F("wanted") - F("allocated") - F("shipped")
    lines = Allocation.objects.filter(item_id__in=book_ids).waiting().order_by().values_list("item_id")
    waiting = dict(lines.annotate(waiting=Sum(missing)))
    items = StockItem.objects.filter(pk__in=book_ids).values_list("pk", "on_hand", "allocated")
    found = {
        pk: Shelf(on_hand=on_hand, allocated=allocated, waiting=waiting.get(pk, 0)) for pk, on_hand, allocated in items
    }
    return {book_id: found.get(book_id, Shelf()) for book_id in book_ids}


def moved_copies(order_id: UUID) -> list[MovedCopies]:
    """What moved for the lines of an order, oldest first."""
    movements = StockMovement.objects.of_order(order_id).select_related("item__book").order_by("id")
    return [
        MovedCopies(
            at=movement.created_at,
            what=movement.get_kind_display(),
            book_id=movement.item_id,
            title=movement.item.book.title,
            copies=abs(movement.on_hand_change or movement.allocated_change),
            reason=movement.reason,
            actor=movement.actor,
        )
        for movement in movements
    ]


def orders_that_waited_after(moment: datetime, order_ids: Collection[UUID]) -> set[UUID]:
    """Which of these orders have a line that waits for copies still, or did until after this moment."""
    lines = Allocation.objects.filter(order_id__in=order_ids).waited_after(moment)
    return set(lines.values_list("order_id", flat=True))


@unit_of_work
def record_low_stock(*, event_uid: UUID, book_id: UUID, available: int) -> None:
    """Note that the staff is to be told of a book that runs out."""
    title = StockItem.objects.of_book(book_id).book.title
    left = "1 copy is" if available == 1 else f"{available or 'no'} copies are"
    record_notification(
        event_uid=event_uid,
        kind=Notification.Kind.STOCK_RAN_LOW,
        audience=Notification.Audience.STAFF,
        message=f"{title}: {left} left",
        book_id=book_id,
    )


@unit_of_work
def record_notification(
    *,
    event_uid: UUID,
    kind: Notification.Kind,
    audience: Notification.Audience,
    message: str,
    order_id: UUID | None = None,
    book_id: UUID | None = None,
) -> None:
    """Note what somebody is to be told of an event, once."""
    notification = Notification(
        event_uid=event_uid, kind=kind, audience=audience, message=message, order_id=order_id, book_id=book_id
    )
    record_notifications([notification])


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A line of an order has all the copies that it waited for, and the event that said so."""

    event_uid: UUID
    order_id: UUID
    order_number: str
    book_id: UUID


@unit_of_work
def record_arrivals(arrivals: Sequence[Arrival]) -> None:
    """Note that customers are to be told that what they waited for has come in, and whether that was all.

    Of two books that come in at once, whoever is second sees both: that all is here is said at least once.
    """
    titles = {item.pk: item.book.title for item in StockItem.objects.of_books([one.book_id for one in arrivals])}
    still_waiting = set(waiting_orders().filter(order_id__in=[one.order_id for one in arrivals]))
    record_notifications(
        [
            Notification(
                event_uid=one.event_uid,
                kind=Notification.Kind.COPIES_ARRIVED,
                audience=Notification.Audience.CUSTOMER,
                message=f"Order {one.order_number}: {titles[one.book_id]} has come in"
                + ("" if one.order_id in still_waiting else "; the order is complete"),
                order_id=one.order_id,
                book_id=one.book_id,
            )
            for one in arrivals
        ]
    )


@unit_of_work
def record_notifications(notifications: Sequence[Notification]) -> None:
    """Note what people are to be told; the unique key keeps it at one per event, kind and audience."""
    emit(*(notification.recorded() for notification in insert_missing(notifications)))


@unit_of_work
def reword_notifications(*, order_id: UUID, words: Callable[[DomainEvent], str]) -> None:
    """Say once more what was said about an order and its customer, in the words for its events as they read now."""
    told = {notification.event_uid: notification for notification in Notification.objects.of_order(order_id)}
    events = [event.decoded for event in Event.objects.filter(uid__in=told)]
    about_a_person = [event for event in events if event.empties]
    for event in about_a_person:
        told[event.uid].message = words(event)
    Notification.objects.bulk_update([told[event.uid] for event in about_a_person], ["message"])


def _shortages(items: dict[UUID, StockItem], wanted: Sequence[WantedCopies]) -> list[Shortage]:
    """Lines that ask for more than is left; what lines of the same book ask for before them is gone."""
    taken: Counter[UUID] = Counter()
    shortages = []
    for line in wanted:
        left = items[line.book_id].available - taken[line.book_id]
        taken[line.book_id] += line.quantity
        if line.quantity > left:
            shortages.append(
                Shortage(
                    line=line.line,
                    book_id=line.book_id,
                    title=line.title,
                    requested=line.quantity,
                    available=max(left, 0),
                )
            )
    return shortages


def _allocation(order_id: UUID, order_number: str, line: WantedCopies, *, allocated: int = 0) -> Allocation:
    return Allocation(
        line_id=line.line_id,
        order_id=order_id,
        order_number=order_number,
        item_id=line.book_id,
        wanted=line.quantity,
        allocated=allocated,
    )


WAITED = ("allocated", "waiting_since", "waited_until")


def _open_lines(lines: AllocationQuerySet) -> tuple[list[Allocation], dict[UUID, StockItem]]:
    """Those of these lines that are open, read under the lock of their books' stock rows, and these."""
    items = {item.pk: item for item in StockItem.objects.locked_of(lines.open())}
    return list(lines.open().order_by("item_id", "id")), items


def _open_lines_of(order_id: UUID) -> tuple[list[Allocation], dict[UUID, StockItem]]:
    """All open lines of an order."""
    items = _LOCKED_STOCK_OF_ORDERS([order_id])
    return _OPEN_LINES_OF_ORDERS([order_id]), {item.pk: item for item in items}


_LOCKED_STOCK_OF_ORDERS = Compiled(
    lambda order_ids: StockItem.objects.locked_of(Allocation.objects.of_orders(order_ids).open())
)
_LINES_OF_ORDERS = Compiled(Allocation.objects.of_orders)
_OPEN_LINES_OF_ORDERS = Compiled(
    lambda order_ids: Allocation.objects.of_orders(order_ids).open().order_by("item_id", "id")
)
_WAITING_LINES_OF_ORDERS = Compiled(lambda order_ids: Allocation.objects.of_orders(order_ids).waiting())


def _release(lines: Sequence[Allocation], items: Mapping[UUID, StockItem]) -> None:
    movements = [items[line.item_id].release(line) for line in lines if line.allocated]
    for line in lines:
        line.wait_no_longer()
    _save_lines(lines, WAITED)
    _save(items.values(), movements + _fill_waiting(items))


def _returning(book_id: UUID, order_id: UUID) -> tuple[StockItem, Allocation]:
    """The stock of the book, locked, and the order's line of it. Raises NeverOrdered if there is none."""
    item = StockItem.objects.locked_one(book_id)
    line = Allocation.objects.of_order(order_id).of_book(book_id).first()
    if line is None:
        raise NeverOrdered
    return item, line


def _fill_waiting(items: Mapping[UUID, StockItem], *, besides: Collection[UUID] = ()) -> list[StockMovement]:
    """Give what is available to the lines that wait for it, oldest first, partly if need be."""
    books = [book_id for book_id, item in items.items() if item.available]
    filled: list[Allocation] = []
    movements: list[StockMovement] = []
    if not books:
        return movements
    for line in Allocation.objects.filter(item_id__in=books).exclude(pk__in=besides).waiting():
        item = items[line.item_id]
        if quantity := min(item.available, line.missing):
            movements.append(item.fill(line, quantity))
            filled.append(line)
    _save_lines(filled, WAITED)
    return movements


def _count(item: StockItem, counted: int, reason: str) -> StockMovement | None:
    if not 0 <= counted <= MAX_COPIES:
        raise InvalidValue("counted", f"a count is between 0 and {MAX_COPIES:,} copies")
    checked_reason(reason)
    if counted == item.on_hand:
        return None
    return _adjust(item, counted - item.on_hand, StockMovement.Kind.COUNTED, reason)


def _adjust(item: StockItem, change: int, kind: StockMovement.Kind, reason: str) -> StockMovement:
    if not item.allocated and item.on_hand + change < 0:
        raise InvalidValue("change", f"only {item.on_hand:,} copies are on the shelf")
    if item.on_hand + change < item.allocated:
        numbers = Allocation.objects.filter(item=item).order_numbers()
        raise CopiesAllocated(book_id=item.pk, allocated=item.allocated, order_numbers=numbers)
    return item.adjust(change, kind=kind, reason=reason)


def _save_lines(lines: Sequence[Allocation], fields: Sequence[str]) -> None:
    update(lines, fields)


COUNTERS = ("on_hand", "allocated", "was_on_hand", "is_watched", "updated_at")


def _save(items: Collection[StockItem], movements: Sequence[StockMovement]) -> None:
    """Write the counters that moved and the ledger, two statements however many."""
    moved = {movement.item_id for movement in movements}
    changed = [item for item in items if item.pk in moved]
    now = timezone.now()
    for item in changed:
        item.watch()
        item.updated_at = now
    if len(changed) == 1:
        changed[0].save(update_fields=COUNTERS)
    else:
        StockItem.objects.bulk_update(changed, COUNTERS)
    insert(movements)
