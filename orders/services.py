"""What can be asked of the orders. Lock order: the order's row first, then stock rows by ascending key."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.utils import timezone

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import unit_of_work
from bookshelf_site.events.statements import Compiled, insert
from bookshelf_site.money import Money
from bookshelf_site.words import Among, wanted, words_asked
from catalog.isbn import search_isbn
from catalog.models import Book
from inventory import services as inventory
from inventory.services import MovedCopies, WantedCopies
from inventory.services import Shelf as Shelf  # doors may name it
from orders.errors import (
    DuplicateReference,
    LinesWaiting,
    NotAllExpired,
    NotForSale,
    PriceChanged,
    StalePrice,
    UnsaleableLine,
)
from orders.models import (
    MAX_LINES,
    MAX_QUANTITY,
    CancelReason,
    Contact,
    ContactChanges,
    Order,
    OrderLine,
    OrderQuerySet,
    Status,
    new_token,
)

log = structlog.get_logger(__name__)

MOVED = (
    "status",
    "confirmed_at",
    "shipped_at",
    "cancelled_at",
    "tracking",
    "cancel_reason",
    "cancel_note",
    "version",
    "updated_at",
)
"""What of an order's row changes when it goes on its way."""


@dataclass(frozen=True, kw_only=True)
class LineRequest:
    """So many copies of a book, named by its id or its ISBN; `expected_unit_price` is what the customer was shown."""

    quantity: int
    book_id: UUID | None = None
    isbn: str | None = None
    expected_unit_price: Money | None = None


@unit_of_work
def place_order(contact: Contact, lines: Sequence[LineRequest], *, external_reference: str = "") -> Order:
    """Place an order and promise it all its copies, or refuse it.

    Raises InvalidValue, NotForSale, PriceChanged, InsufficientStock (each naming the lines) and DuplicateReference.
    """
    order, wanted = _placed(contact, lines, external_reference)
    inventory.allocate_copies(order_id=order.id, order_number=order.number, wanted=wanted)
    return order


@unit_of_work
def place_order_or_wait(contact: Contact, lines: Sequence[LineRequest], *, external_reference: str = "") -> Order:
    """Place an order whatever is there: what is missing waits for copies, and the order stays PENDING."""
    order, wanted = _placed(contact, lines, external_reference)
    missing = inventory.allocate_or_wait(order_id=order.id, order_number=order.number, wanted=wanted)
    if missing:
        order.await_copies(missing)
        order.save(update_fields=["updated_at"])
    return order


@unit_of_work
def confirm_order(*, order_id: UUID) -> Order:
    """Promise the copies to the customer. Raises LinesWaiting while a line waits for copies."""
    order = Order.lock(order_id)
    if order.confirm():
        _refuse_waiting_lines(order)
        order.save(update_fields=MOVED)
    return order


@unit_of_work
def ship_order(*, order_id: UUID, tracking: str = "") -> Order:
    """The copies leave the shop."""
    order = Order.lock(order_id)
    if order.ship(tracking=tracking):
        order.save(update_fields=MOVED)
        inventory.ship_copies(order_id=order.id)
    return order


@unit_of_work
def cancel_order(*, order_id: UUID, reason: str, note: str = "") -> Order:
    """Call the order off; its copies are free again."""
    order = Order.lock(order_id)
    if order.cancel(reason=reason, note=note):
        order.save(update_fields=MOVED)
        inventory.release_copies(order_id=order.id)
    return order


@unit_of_work
def cancel_as_customer(*, order_id: UUID) -> Order:
    """The customer calls the order off by themselves. Raises NotPending once the shop has confirmed it."""
    order = Order.objects.locked().get(pk=order_id)
    if order.status != Status.CANCELLED:
        order.refuse_unless_pending()
        return cancel_order(order_id=order_id, reason=CancelReason.CUSTOMER)
    return order


@unit_of_work
def correct_contact(*, order_id: UUID, contact: Contact) -> Order:
    """Put the customer's data right, until the order is shipped."""
    order = Order.lock(order_id)
    order.correct_contact(contact)
    _save_changed(order)
    return order


@unit_of_work
def amend_contact(*, order_id: UUID, changes: ContactChanges) -> Order:
    """Put right only what is named: of two who correct different things at once, neither undoes the other's."""
    order = Order.lock(order_id)
    order.refuse_closed()
    order.correct_contact(replace(order.contact, **changes))
    _save_changed(order)
    return order


@unit_of_work
def rotate_link(*, order_id: UUID) -> Order:
    """Give the customer another link; the old one opens nothing any more."""
    order = Order.lock(order_id)
    order.rotate_token()
    order.save()
    return order


@unit_of_work
def add_note(*, order_id: UUID, text: str) -> Order:
    """Note on an order, for the staff only, what they should know; it may be closed already."""
    order = Order.lock(order_id)
    order.add_note(text)
    order.save()
    return order


@unit_of_work
def cancel_line(*, order_id: UUID, line_id: UUID, reason: str = "") -> Order:
    """Call one line of an order off that nobody has confirmed yet; its copies are free again."""
    order, line, others = _locked_with_line(order_id, line_id)
    if order.cancel_line(line, others, reason=reason):
        line.save(update_fields=["cancelled_at"])
        order.save()
        inventory.release_line(order_id=order.id, line_id=line.id)
    return order


@unit_of_work
def put_back_line(*, order_id: UUID, line_id: UUID, reason: str = "") -> Order:
    """Let a line wait again, as the last; its copies are for whoever waits for the book, or comes first."""
    order, line, _ = _locked_with_line(order_id, line_id)
    order.refuse_unless_pending()
    if given_back := inventory.put_back(order_id=order.id, line_id=line.id):
        order.put_back(line, given_back, reason=reason)
        order.save()
    return order


@unit_of_work
def split_order(*, order_id: UUID) -> Order:
    """Give what waits to a new order, so that what is here can move on. Raises NothingToSplit."""
    order = Order.lock(order_id)
    lines = list(order.lines.all())
    split = order.split(lines, inventory.missing_by_line(order.id))
    split.order.save()
    changed = [line for line in lines if line.pk in split.moved]
    OrderLine.objects.bulk_update(changed, ["order", "quantity", "line_total_amount"])
    OrderLine.objects.bulk_create([line for line in split.moved.values() if line.pk not in split.moved])
    order.save()
    inventory.move_waiting(
        order_id=order.id,
        to_order_id=split.order.id,
        to_order_number=split.order.number,
        lines={from_id: line.id for from_id, line in split.moved.items()},
    )
    return order


@unit_of_work
def note_return(*, order_id: UUID, line_id: UUID, quantity: int, is_damaged: bool) -> Order:
    """Say in the order's timeline what came back to the shelf, or was written off."""
    order, line, _ = _locked_with_line(order_id, line_id)
    order.note_return(line, quantity, is_damaged=is_damaged)
    order.save(update_fields=["updated_at"])
    return order


def expire_orders() -> list[Order]:
    """Cancel the orders that nobody has confirmed in time, each in a transaction of its own.

    An order with a line that waits never expires; its time begins when the last one was filled. One that can't be
    cancelled keeps no other from it: it is logged, and NotAllExpired raised at the end.
    """
    if not settings.PENDING_ORDER_HOURS:
        return []
    moment = timezone.now() - timedelta(hours=settings.PENDING_ORDER_HOURS)
    overdue = list(Order.objects.pending().placed_until(moment).order_by("placed_at").values_list("pk", flat=True))
    expired: list[Order] = []
    failed: list[UUID] = []
    for start in range(0, len(overdue), EXPIRED_AT_ONCE):
        some = overdue[start : start + EXPIRED_AT_ONCE]
        still_in_time = inventory.orders_that_waited_after(moment, some)
        for order_id in some:
            if order_id in still_in_time:
                continue
            try:
                expired += _expire(order_id, moment)
            except Exception:
                log.exception("an order could not be expired", order_id=str(order_id))
                failed.append(order_id)
    if failed:
        raise NotAllExpired(expired=[order.number for order in expired], failed=failed)
    return expired


EXPIRED_AT_ONCE = 500


@unit_of_work
def _expire(order_id: UUID, moment: datetime) -> list[Order]:
    """The order, expired; nothing if it was confirmed meanwhile, or has a line that waits after all."""
    order = Order.lock(order_id)
    if inventory.orders_that_waited_after(moment, [order_id]) or not order.expire():
        return []
    order.save(update_fields=MOVED)
    inventory.release_copies(order_id=order.id)
    return [order]


def allocated_by_line(orders: Iterable[Order]) -> dict[UUID, int]:
    """How many copies are promised to each line; doors ask here, for of the orders only this module knows the stock."""
    return inventory.allocated_by_line([order.pk for order in orders])


@dataclass(frozen=True, kw_only=True)
class ReadOrder:
    """An order as it is shown: its lines, the copies that are promised to each, and what was split from it."""

    order: Order
    lines: Sequence[OrderLine]
    allocated: Mapping[UUID, int]
    split_into: Sequence[UUID]


def read_order(*, order_id: UUID) -> ReadOrder:
    """The order as it is now. Raises DoesNotExist."""
    for order in Order.by_key([order_id]).values():
        return ReadOrder(
            order=order,
            lines=_LINES([order_id]),
            allocated=allocated_by_line([order]),
            # whatever is split is no longer as it was placed
            split_into=sorted(order.splits.values_list("pk", flat=True)) if order.version > 1 else [],
        )
    raise Order.DoesNotExist


def read_orders(orders: Collection[Order]) -> list[ReadOrder]:
    """Orders that were read `with_lines()` and `with_splits()`."""
    allocated = allocated_by_line(orders)
    return [
        ReadOrder(
            order=order,
            lines=list(order.lines.all()),
            allocated=allocated,
            split_into=sorted(split.pk for split in order.splits.all()),
        )
        for order in orders
    ]


_LINES = Compiled(lambda order_ids: OrderLine.objects.filter(order_id__in=order_ids))


@dataclass(frozen=True, kw_only=True)
class PromisedLine:
    """A line and the copies that are set aside for it; `missing` ones are still waited for."""

    line: OrderLine
    allocated: int
    missing: int


def promised_lines(order: Order) -> list[PromisedLine]:
    """The lines of an order as the shelf sees them; of what is closed or cancelled nothing is missing any more."""
    return promised_by_order([order])[order.pk]


def promised_by_order(orders: Collection[Order]) -> dict[UUID, list[PromisedLine]]:
    """The lines of these orders as the shelf sees them, by order."""
    allocated = allocated_by_line(orders)
    return {order.pk: [_promised(order, line, allocated) for line in order.lines.all()] for order in orders}


def returned_by_line(order: Order) -> dict[UUID, int]:
    """How many copies of each line the customer brought back, of those of which any were."""
    return inventory.returned_by_line(order.pk)


def with_settled_copies(orders: OrderQuerySet) -> OrderQuerySet:
    """Each with `settled`, which tells by itself, without its lines, whether its copies stand as they stood."""
    return orders.annotate(settled=Subquery(inventory.settled_copies(OuterRef("pk"))))


_OPENED = Compiled(lambda tokens: with_settled_copies(Order.objects.with_token(tokens[0])), stand_in=new_token)


def opened_by(token: str) -> Order | None:
    """The order that this link opens, with `settled`, for one query; open pages ask for it again and again."""
    return next(iter(_OPENED([token])), None)


def shelves_of(order: Order) -> dict[UUID, Shelf]:
    """How the copies of its books stand, by book."""
    return inventory.shelves([line.book_id for line in order.lines.all()])


def waiting(orders: OrderQuerySet) -> OrderQuerySet:
    """Those that have a line that waits for copies."""
    return orders.filter(pk__in=inventory.waiting_orders())


def not_waiting(orders: OrderQuerySet) -> OrderQuerySet:
    return orders.exclude(pk__in=inventory.waiting_orders())


def with_waits(orders: OrderQuerySet) -> OrderQuerySet:
    """Each with `waits`: whether a line of it waits for copies."""
    return orders.annotate(waits=Exists(inventory.waiting_orders().filter(order_id=OuterRef("pk"))))


def movements_of(order: Order) -> list[MovedCopies]:
    """The copies that moved for the order, oldest first."""
    return inventory.moved_copies(order.pk)


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


def _promised(order: Order, line: OrderLine, allocated: Mapping[UUID, int]) -> PromisedLine:
    here = allocated.get(line.pk, 0)
    is_open = bool(order.allowed) and not line.cancelled_at
    return PromisedLine(line=line, allocated=here, missing=line.quantity - here if is_open else 0)


def _placed(
    contact: Contact, requests: Sequence[LineRequest], external_reference: str
) -> tuple[Order, list[WantedCopies]]:
    """The order and its lines, saved; and what they want from the shelf."""
    merged = _merged(requests, _books_by_line(requests))
    lines = [line for line, _ in merged]
    order = Order.placed(contact, lines, external_reference=external_reference)
    _save_with_unique_reference(order)
    insert(lines)
    wanted = [
        WantedCopies(line_id=line.id, line=index, book_id=line.book_id, title=line.title, quantity=line.quantity)
        for line, index in merged
    ]
    return order, wanted


def _books_by_line(requests: Sequence[LineRequest]) -> list[Book]:
    """The book of each line, checked: known, for sale, at the price that was expected."""
    _check_lines(requests)
    isbns = [search_isbn(request.isbn or "") for request in requests]
    by_id: Mapping[UUID, Book] = Book.by_key(r.book_id for r in requests if r.book_id is not None)
    by_isbn = Book.objects.by_isbn([isbn for isbn in isbns if isbn])
    books = [
        _known(index, by_id.get(request.book_id) if request.book_id else by_isbn.get(isbn or ""), request)
        for index, (request, isbn) in enumerate(zip(requests, isbns, strict=True))
    ]
    _refuse_unsaleable(books)
    _refuse_stale_prices(requests, books)
    return books


def _check_lines(requests: Sequence[LineRequest]) -> None:
    if not 1 <= len(requests) <= MAX_LINES:
        raise InvalidValue("lines", f"an order has 1 to {MAX_LINES} lines, not {len(requests)}")
    for index, request in enumerate(requests):
        if not 1 <= request.quantity <= MAX_QUANTITY:
            raise InvalidValue(f"lines/{index}/quantity", f"order between 1 and {MAX_QUANTITY:,} copies")
        if (request.book_id is None) == (not request.isbn):
            raise InvalidValue(f"lines/{index}", "name the book by book_id or by isbn, one of them")


def _known(index: int, book: Book | None, request: LineRequest) -> Book:
    if book is None:
        field = "book_id" if request.book_id else "isbn"
        raise InvalidValue(f"lines/{index}/{field}", "no such book is in the catalogue")
    return book


def _refuse_unsaleable(books: Sequence[Book]) -> None:
    unsaleable = [
        UnsaleableLine(line=index, title=book.title, reason="has no price" if book.price is None else "is withdrawn")
        for index, book in enumerate(books)
        if not book.is_for_sale
    ]
    if unsaleable:
        raise NotForSale(unsaleable)


def _refuse_stale_prices(requests: Sequence[LineRequest], books: Sequence[Book]) -> None:
    stale = [
        StalePrice(line=index, title=book.title, expected=request.expected_unit_price, current=book.price)
        for index, (request, book) in enumerate(zip(requests, books, strict=True))
        if request.expected_unit_price is not None
        and book.price is not None
        and request.expected_unit_price != book.price
    ]
    if stale:
        raise PriceChanged(stale)


def _merged(requests: Sequence[LineRequest], books: Sequence[Book]) -> list[tuple[OrderLine, int]]:
    """One line per book, by ascending book, and where in the request the book was first asked for."""
    first: dict[UUID, int] = {}
    quantities: dict[UUID, int] = {}
    for index, (request, book) in enumerate(zip(requests, books, strict=True)):
        first.setdefault(book.pk, index)
        quantities[book.pk] = quantities.get(book.pk, 0) + request.quantity
        if quantities[book.pk] > MAX_QUANTITY:
            raise InvalidValue(f"lines/{index}/quantity", f"order at most {MAX_QUANTITY:,} copies of a book")
    return [(_line(books[first[book_id]], quantities[book_id]), first[book_id]) for book_id in sorted(first)]


def _line(book: Book, quantity: int) -> OrderLine:
    if book.price is None:
        raise AssertionError("a book without a price was refused before")
    return OrderLine.of(book_id=book.pk, title=book.title, isbn=book.isbn, quantity=quantity, unit_price=book.price)


def _locked_with_line(order_id: UUID, line_id: UUID) -> tuple[Order, OrderLine, list[OrderLine]]:
    """The order, locked, the line of it, and its other lines."""
    order = Order.lock(order_id)
    line = order.lines.get(pk=line_id)
    return order, line, [other for other in order.lines.all() if other != line]


def _save_changed(order: Order) -> None:
    """Nobody who asks what was updated since hears of an order that wasn't."""
    if order.raised_events:
        order.save()


def _save_with_unique_reference(order: Order) -> None:
    """Save; the unique index decides, for a till may send its order twice at once."""
    if not order.external_reference:
        order.save()
        return
    try:
        with transaction.atomic():
            order.save()
    except IntegrityError as error:
        reference = order.external_reference
        twin = Order.objects.placed_as(placed_by=order.placed_by, reference=reference).first()
        if twin is None:
            raise
        raise DuplicateReference(reference=reference, existing_id=twin.pk) from error


def _refuse_waiting_lines(order: Order) -> None:
    waiting = set(inventory.waiting_lines(order.id))
    if waiting:
        raise LinesWaiting(lines=[(line.id, line.title) for line in order.lines.all() if line.id in waiting])
