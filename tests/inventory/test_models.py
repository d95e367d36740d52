from collections.abc import Callable
from uuid import uuid4

import pytest
from pytest_django import Settings

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import acting, uuid7
from bookshelf_site.events.testing import assert_raised, raised
from inventory.events import CopiesReceived, StockAdjusted, WaitingFilled, WaitingPartlyFilled
from inventory.models import MAX_COPIES, MAX_ON_HAND, Allocation, StockItem, StockMovement

Kind = StockMovement.Kind


def an_item(*, on_hand: int = 10, allocated: int = 0) -> StockItem:
    return StockItem(book_id=uuid4(), on_hand=on_hand, allocated=allocated, was_on_hand=on_hand > 0)


def an_allocation(item: StockItem, *, wanted: int = 3, allocated: int = 0) -> Allocation:
    return Allocation(
        item=item, line_id=uuid4(), order_id=uuid4(), order_number="X", wanted=wanted, allocated=allocated
    )


def counters(item: StockItem) -> tuple[int, int, int]:
    return item.on_hand, item.allocated, item.available


def changes(movement: StockMovement) -> tuple[str, int, int, int, int]:
    """Its kind, what it changed, and the balance after it."""
    return (
        movement.kind,
        movement.on_hand_change,
        movement.allocated_change,
        movement.on_hand,
        movement.allocated,
    )


def test_a_book_opens_with_copies_and_the_event_that_said_so() -> None:
    item, uid = an_item(on_hand=0), uuid7()

    movement = item.open_with(10, event_uid=uid)

    assert (counters(item), item.was_on_hand) == ((10, 0, 10), True)
    assert (changes(movement), movement.event_uid) == (("opening", 10, 0, 10, 0), uid)


def test_allocated_copies_stay_on_the_shelf_and_can_not_be_had() -> None:
    item = an_item()
    line = an_allocation(item)

    movement = item.allocate(line, 2)

    assert (counters(item), line.allocated, line.missing) == ((10, 2, 8), 2, 1)
    assert changes(movement) == ("allocated", 0, 2, 10, 2)
    assert (movement.line_id, movement.order_id) == (line.line_id, line.order_id)


def test_a_line_that_gets_a_part_of_what_it_waits_for_waits_on() -> None:
    item = an_item()
    line = an_allocation(item, wanted=5)
    line.wait()

    item.fill(line, 2)
    item.fill(line, 1)

    assert (line.allocated, line.waiting_since is not None) == (3, True)
    assert [(event.quantity, event.missing) for event in raised(WaitingPartlyFilled, item)] == [(2, 3), (1, 2)]
    assert not raised(WaitingFilled, item)


def test_a_line_that_gets_the_rest_waits_no_longer() -> None:
    item = an_item()
    line = an_allocation(item, wanted=5, allocated=2)
    line.wait()

    item.fill(line, 3)

    assert (line.allocated, line.waiting_since) == (5, None)
    assert_raised(WaitingFilled, item, order_id=line.order_id, line_id=line.line_id, quantity=5)
    assert not raised(WaitingPartlyFilled, item)


def test_released_copies_can_be_had_again() -> None:
    item = an_item(allocated=5)
    line = an_allocation(item, allocated=3)

    movement = item.release(line)

    assert (counters(item), line.allocated) == ((10, 2, 8), 0)
    assert changes(movement) == ("released", 0, -3, 10, 2)


def test_shipped_copies_leave_the_shelf() -> None:
    item = an_item(allocated=5)
    line = an_allocation(item, allocated=3)

    movement = item.ship(line)

    assert (counters(item), line.allocated, line.shipped, line.missing) == ((7, 2, 5), 0, 3, 0)
    assert changes(movement) == ("shipped", -3, -3, 7, 2)


def test_received_copies_are_on_the_shelf_and_told() -> None:
    item = an_item(on_hand=0)

    with acting(actor="user:bea"):
        movement = item.receive(5, reason=" Weekly delivery ")

    assert (counters(item), item.was_on_hand) == ((5, 0, 5), True)
    assert (changes(movement), movement.reason, movement.actor) == (
        ("received", 5, 0, 5, 0),
        "Weekly delivery",
        "user:bea",
    )
    assert item.raised_events == (CopiesReceived(book_id=item.pk, quantity=5, on_hand=5),)


def test_an_adjustment_is_told_with_its_reason() -> None:
    item = an_item()

    movement = item.adjust(-1, kind=Kind.DAMAGED, reason=" Coffee on the cover ")

    assert (counters(item), changes(movement)) == ((9, 0, 9), ("damaged", -1, 0, 9, 0))
    assert item.raised_events == (
        StockAdjusted(book_id=item.pk, kind="damaged", change=-1, on_hand=9, reason="Coffee on the cover"),
    )


@pytest.mark.parametrize("quantity", [0, -1, MAX_COPIES + 1, 2**63])
def test_a_delivery_has_copies_but_not_too_many(quantity: int) -> None:
    item = an_item()

    with pytest.raises(InvalidValue) as refusal:
        item.receive(quantity)

    assert str(refusal.value) == "quantity: receive between 1 and 1,000,000 copies"
    assert (counters(item), item.raised_events) == ((10, 0, 10), ())


@pytest.mark.parametrize(
    ("act", "field"),
    [
        (lambda item: item.receive(1), "quantity"),
        (lambda item: item.adjust(1, kind=Kind.CORRECTED, reason="Found"), "change"),
    ],
)
def test_a_shelf_that_is_full_takes_no_more(act: Callable[[StockItem], object], field: str) -> None:
    item = an_item(on_hand=MAX_ON_HAND)

    with pytest.raises(InvalidValue) as refusal:
        act(item)

    assert str(refusal.value) == f"{field}: the shelf holds 1,000,000,000 copies, and at most 1,000,000,000"
    assert (item.on_hand, item.raised_events) == (MAX_ON_HAND, ())


@pytest.mark.parametrize(
    ("reason", "refused"),
    [
        ("", "say why, for whoever reads the ledger"),
        (" \u200b ", "say why, for whoever reads the ledger"),
        ("x" * 201, "has 201 characters, at most 200 are kept"),
        ("a\x00", "must not contain U+0000, which is no character to be read"),
        ("one\ntwo", "must be one line, without tabs"),
    ],
)
def test_an_adjustment_has_a_reason_that_the_ledger_can_keep(reason: str, refused: str) -> None:
    item = an_item()

    with pytest.raises(InvalidValue) as refusal:
        item.adjust(-1, kind=Kind.LOST, reason=reason)

    assert (refusal.value.field, refusal.value.reason) == ("reason", refused)
    assert (counters(item), item.raised_events) == ((10, 0, 10), ())


@pytest.mark.parametrize(
    ("on_hand", "allocated", "was_on_hand", "own_threshold", "is_low"),
    [
        (4, 0, True, None, False),
        (3, 0, True, None, True),
        (10, 7, True, None, True),
        (10, 6, True, None, False),
        (0, 0, True, None, True),
        (0, 0, False, None, False),
        (0, 0, False, 0, True),
        (5, 0, True, 5, True),
        (1, 0, True, 0, False),
    ],
)
def test_stock_is_low_at_its_threshold_if_it_ever_was_on_hand_or_has_its_own(
    settings: Settings, on_hand: int, allocated: int, was_on_hand: bool, own_threshold: int | None, is_low: bool
) -> None:
    settings.LOW_STOCK_THRESHOLD = 3
    item = StockItem(
        book_id=uuid4(),
        on_hand=on_hand,
        allocated=allocated,
        was_on_hand=was_on_hand,
        low_stock_threshold=own_threshold,
    )

    assert item.is_low is is_low


def test_rows_are_read_by_people() -> None:
    item = an_item(allocated=2)

    assert str(item) == "10 on hand, 2 allocated"
    assert str(an_allocation(item, allocated=2)) == "2 of 3 for X"
    assert str(item.receive(5)) == "received +5 on hand, +0 allocated"
