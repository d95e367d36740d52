import re
from collections.abc import Callable
from decimal import Decimal
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from pytest_django import Settings

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import acting
from bookshelf_site.money import Money
from orders.errors import InvalidTransition, NoLongerEditable
from orders.events import (
    ContactCorrected,
    LinkRotated,
    NoteAdded,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderShipped,
    PlacedLine,
)
from orders.models import MAX_LINES, MAX_QUANTITY, TRANSITIONS, Contact, Order, OrderLine, Status
from tests.given import ALICE, usd

EMMA, PERSUASION = uuid4(), uuid4()
ADDRESS = {"street": "12 Library Lane", "city": "Springfield", "postal_code": "12345", "country": "US"}


def a_line(book_id: UUID = EMMA, *, quantity: int = 2, price: str = "12.99") -> OrderLine:
    return OrderLine.of(book_id=book_id, title="Emma", isbn="9780141439587", quantity=quantity, unit_price=usd(price))


@pytest.fixture
def order() -> Order:
    order = Order.placed(ALICE, [a_line()])
    order.take_raised()
    return order


def in_status(order: Order, status: str) -> Order:
    """The order as it would be in that status."""
    order.status = status
    now = timezone.now()
    order.confirmed_at = now if status in {"CONFIRMED", "SHIPPED"} else None
    order.shipped_at = now if status == "SHIPPED" else None
    order.cancelled_at = now if status == "CANCELLED" else None
    return order


def moved(order: Order, to: str) -> bool:
    moves: dict[str, Callable[[], bool]] = {
        "CONFIRMED": order.confirm,
        "SHIPPED": order.ship,
        "CANCELLED": lambda: order.cancel(reason="customer"),
    }
    return moves[to]()


def test_contact_data_is_kept_trimmed() -> None:
    contact = Contact(customer_name=" Alice Johnson ", customer_email=" alice@example.com ", note=" Ring\ntwice. ")

    assert (contact.customer_name, contact.customer_email, contact.note) == (
        "Alice Johnson",
        "alice@example.com",
        "Ring\ntwice.",
    )


@pytest.mark.parametrize(
    ("said", "field", "reason"),
    [
        ({"customer_name": ""}, "customer_name", "an order names its customer"),
        ({"customer_name": " \u200b "}, "customer_name", "an order names its customer"),
        ({"customer_name": "x" * 151}, "customer_name", "has 151 characters, at most 150 are kept"),
        ({"customer_name": "Alice\nBcc: eve@example.com"}, "customer_name", "must be one line, without tabs"),
        ({"customer_name": "a\x00"}, "customer_name", "must not contain U+0000, which is no character to be read"),
        ({"customer_name": "a\udc80"}, "customer_name", "must not contain U+DC80, which is no character to be read"),
        ({"customer_email": "banana"}, "customer_email", "is no e-mail address, such as alice@example.com"),
        ({"customer_email": "a@b.example, c@d.example"}, "customer_email",
         "is no e-mail address, such as alice@example.com"),
        ({"customer_email": "x" * 250 + "@a.eu"}, "customer_email", "has 255 characters, at most 254 are kept"),
        ({"phone": "0" * 41}, "phone", "has 41 characters, at most 40 are kept"),
        ({"language": "tlh"}, "language", "one of en, de, fr"),
        ({"language": ""}, "language", "one of en, de, fr"),
        ({"fulfilment": "teleport"}, "fulfilment", "one of collect, ship"),
        ({"note": "x" * 2_001}, "note", "has 2,001 characters, at most 2,000 are kept"),
        ({"street": "x" * 201}, "address/street", "has 201 characters, at most 200 are kept"),
        ({"fulfilment": "ship"}, "address", "is needed to ship the order"),
        ({"fulfilment": "ship"} | ADDRESS | {"country": " "}, "address/country", "is needed to ship the order"),
    ],
)  # fmt: skip
def test_contact_data_that_helps_nobody_is_refused(said: dict[str, str], field: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        Contact(**({"customer_name": "Alice"} | said))

    assert (refusal.value.field, refusal.value.reason) == (field, reason)


def test_an_order_that_is_shipped_needs_an_address_and_no_more() -> None:
    assert Contact(customer_name="Alice", fulfilment="ship", **ADDRESS).city == "Springfield"


def test_a_new_order_tells_all_about_itself_but_its_link() -> None:
    lines = [a_line(), a_line(PERSUASION, quantity=1, price="8.50")]

    with acting(actor="key:till"):
        order = Order.placed(ALICE, lines, external_reference=" till-1 ")

    assert order.raised_events == (
        OrderPlaced(
            order_id=order.id,
            number=order.number,
            customer_name="Alice Johnson",
            has_email=False,
            lines=(
                PlacedLine(
                    line_id=lines[0].id,
                    book_id=EMMA,
                    title="Emma",
                    isbn="9780141439587",
                    quantity=2,
                    unit_price=usd("12.99"),
                ),
                PlacedLine(
                    line_id=lines[1].id,
                    book_id=PERSUASION,
                    title="Emma",
                    isbn="9780141439587",
                    quantity=1,
                    unit_price=usd("8.50"),
                ),
            ),
            total=usd("34.48"),
        ),
    )
    assert (order.status, order.total, order.version) == ("PENDING", usd("34.48"), 1)
    assert (order.placed_by, order.external_reference) == ("key:till", "till-1")
    assert order.token not in repr(order.raised_events)


def test_the_largest_order_that_can_be_asked_for_fits() -> None:
    lines = [a_line(uuid4(), quantity=MAX_QUANTITY, price="99999.99") for _ in range(MAX_LINES)]

    order = Order.placed(ALICE, lines)

    assert order.total_amount == Decimal("199999980000.00")
    assert len(order.total_amount.as_tuple().digits) <= 14


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("x" * 101, "has 101 characters, at most 100 are kept"),
        ("till\x00", "must not contain U+0000, which is no character to be read"),
        ("till\n1", "must be one line, without tabs"),
    ],
)
def test_a_reference_is_a_short_line(reference: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        Order.placed(ALICE, [a_line()], external_reference=reference)

    assert (refusal.value.field, refusal.value.reason) == ("external_reference", reason)


def test_the_three_identities_of_an_order_never_mix(order: Order, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://shop.example.com"

    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{9}", order.number)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", order.token)
    assert order.status_url == f"https://shop.example.com/o/{order.token}/"
    assert str(order) == order.number


def alices(order: Order) -> dict[str, Any]:
    """What every event of hers tells of the order."""
    return {"order_id": order.id, "number": order.number, "customer_name": "Alice Johnson", "has_email": False}


def test_an_order_that_is_confirmed_says_so(order: Order) -> None:
    assert order.confirm() is True

    assert order.raised_events == (OrderConfirmed(**alices(order)),)
    assert (order.status, order.version) == ("CONFIRMED", 2)
    assert order.confirmed_at is not None


def test_an_order_that_is_shipped_says_how(order: Order) -> None:
    in_status(order, "CONFIRMED")

    assert order.ship(tracking=" RR123456785US ") is True

    assert order.raised_events == (OrderShipped(**alices(order), tracking="RR123456785US"),)
    assert (order.status, order.tracking) == ("SHIPPED", "RR123456785US")
    assert order.shipped_at is not None


@pytest.mark.parametrize("status", ["PENDING", "CONFIRMED"])
def test_an_order_that_is_cancelled_says_why_but_not_what_was_noted(order: Order, status: str) -> None:
    in_status(order, status)

    assert order.cancel(reason="customer", note="Found it at a friend's") is True

    assert order.raised_events == (OrderCancelled(**alices(order), reason="customer"),)
    assert (order.status, order.cancel_reason, order.cancel_note) == (
        "CANCELLED",
        "customer",
        "Found it at a friend's",
    )
    assert order.cancelled_at is not None


@pytest.mark.parametrize(
    ("current", "wanted"),
    [(a, b) for a, b in permutations(Status.values, 2) if b != "PENDING" and b not in TRANSITIONS[a]],
)
def test_no_other_way_leads_from_one_status_to_another(order: Order, current: str, wanted: str) -> None:
    in_status(order, current)
    before = dict(vars(order))

    with pytest.raises(InvalidTransition) as refusal:
        moved(order, wanted)

    assert (refusal.value.current, refusal.value.wanted) == (current, wanted)
    assert refusal.value.allowed == list(TRANSITIONS[current])
    assert dict(vars(order)) == before


def test_the_ways_are_these() -> None:
    assert TRANSITIONS == {
        "PENDING": ("CONFIRMED", "CANCELLED"),
        "CONFIRMED": ("SHIPPED", "CANCELLED"),
        "SHIPPED": (),
        "CANCELLED": (),
    }


@pytest.mark.parametrize("status", ["CONFIRMED", "SHIPPED", "CANCELLED"])
def test_what_is_done_already_changes_nothing(order: Order, status: str) -> None:
    in_status(order, status)
    before = dict(vars(order))

    assert moved(order, status) is False

    assert dict(vars(order)) == before


@pytest.mark.parametrize(
    ("reason", "note", "field"),
    [("", "", "reason"), ("boredom", "", "reason"), ("other", "x" * 501, "note"), ("other", "a\x00", "note")],
)
def test_an_order_is_cancelled_for_a_reason_that_the_shop_knows(
    order: Order, reason: str, note: str, field: str
) -> None:
    with pytest.raises(InvalidValue) as refusal:
        order.cancel(reason=reason, note=note)

    assert refusal.value.field == field
    assert (order.status, order.raised_events) == ("PENDING", ())


@pytest.mark.parametrize("tracking", ["x" * 101, "RR\x00", "RR\nUS"])
def test_a_tracking_number_is_a_short_line(order: Order, tracking: str) -> None:
    in_status(order, "CONFIRMED")

    with pytest.raises(InvalidValue) as refusal:
        order.ship(tracking=tracking)

    assert refusal.value.field == "tracking"
    assert (order.status, order.raised_events) == ("CONFIRMED", ())


@pytest.mark.parametrize("status", ["PENDING", "CONFIRMED"])
def test_contact_data_is_put_right_and_only_the_names_of_its_fields_are_told(order: Order, status: str) -> None:
    in_status(order, status)

    order.correct_contact(Contact(customer_name="Alice Jones", phone="555 0100"))

    assert order.contact == Contact(customer_name="Alice Jones", phone="555 0100")
    assert order.raised_events == (
        ContactCorrected(order_id=order.id, number=order.number, changed=("customer_name", "phone")),
    )
    assert order.version == 2
    assert "Jones" not in repr(order.raised_events)


def test_contact_data_that_was_right_is_not_put_right(order: Order) -> None:
    order.correct_contact(order.contact)

    assert (order.version, order.raised_events) == (1, ())


@pytest.mark.parametrize("status", ["SHIPPED", "CANCELLED"])
def test_contact_data_is_not_changed_any_more_once_it_is_over(order: Order, status: str) -> None:
    in_status(order, status)

    with pytest.raises(NoLongerEditable):
        order.correct_contact(Contact(customer_name="Alice Jones"))

    assert (order.customer_name, order.raised_events) == ("Alice Johnson", ())


def test_a_link_that_leaked_is_replaced_and_neither_is_told(order: Order) -> None:
    leaked = order.token

    order.rotate_token()

    assert order.token != leaked
    assert order.raised_events == (LinkRotated(order_id=order.id, number=order.number),)
    assert leaked not in repr(order.raised_events)
    assert order.token not in repr(order.raised_events)


def test_a_note_is_raised_as_it_was_written(order: Order) -> None:
    order.add_note("  rang twice,\nrings again on Monday ")

    [event] = order.raised_events
    assert event == NoteAdded(order_id=order.id, number=order.number, text="rang twice,\nrings again on Monday")
    assert event.encoded()[1] == {"text": "rang twice,\nrings again on Monday"}
    assert (order.note, order.version) == ("", 1)


@pytest.mark.parametrize("text", ["", "  \n", "\u200b", "a\0b", "x" * 2_001])
def test_a_note_that_says_nothing_or_too_much_is_refused(order: Order, text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        order.add_note(text)

    assert (refused.value.field, order.raised_events) == ("text", ())


def test_a_line_keeps_what_the_book_was_and_cost() -> None:
    line = a_line(quantity=3)

    assert (line.title, line.isbn, line.quantity) == ("Emma", "9780141439587", 3)
    assert (line.unit_price, line.line_total) == (usd("12.99"), usd("38.97"))
    assert str(line) == "3 × Emma"


def test_an_order_keeps_the_currency_in_which_it_was_placed(settings: Settings) -> None:
    order = Order.placed(ALICE, [a_line()])

    settings.SHOP_CURRENCY = "EUR"

    assert order.total == Money(Decimal("25.98"), "USD")
