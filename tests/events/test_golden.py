"""What was stored once is read for ever: a payload of every version of every event, and what it means today.

A new version gets a file of its own in golden/, and the old ones stay. `data` and `personal` are columns of the log.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from django.conf import settings

from bookshelf_site.events.domain_event import EVENTS, DomainEvent, decode
from bookshelf_site.events.events import DeliveryRetried, DeliverySkipped, EventReplayed, ReceiverReplayed
from bookshelf_site.events.schemas import file_name
from bookshelf_site.money import Money
from bookshelf_site.webhooks.events import (
    Pinged,
    SecretRotated,
    WebhookAdded,
    WebhookChanged,
    WebhookDisabled,
    WebhookEnabled,
    WebhookRemoved,
)
from catalog.events import BookAdded, BookEdited, BookRepriced, BookRestored, BookWithdrawn
from inventory.events import (
    CopiesReceived,
    CopiesReturned,
    NotificationRecorded,
    ResendRequested,
    StockAdjusted,
    StockRanLow,
    ThresholdSet,
    WaitingFilled,
    WaitingPartlyFilled,
)
from orders.events import (
    ContactCorrected,
    CopiesAwaited,
    CopiesPutBack,
    CustomerErased,
    LineCancelled,
    LinkRequested,
    LinkRotated,
    NoteAdded,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderReturned,
    OrderShipped,
    OrderSplit,
    OrderSplitOff,
    PlacedLine,
    StaffDigestComposed,
)
from tests.conftest import ROOT

GOLDEN = ROOT / "tests" / "events" / "golden"
BOOK, ORDER, LINE, EVENT = (UUID(f"0191d0c5-0000-7000-8000-00000000000{number}") for number in range(1, 5))
PRICE, TOTAL = Money(Decimal("12.99"), "USD"), Money(Decimal("25.98"), "USD")
OTHER_ORDER, OTHER_NUMBER = UUID("0191d0c5-0000-7000-8000-000000000005"), "4T9P-6Q2B"
NUMBER, ALICE = "7K3M-2Z8K", "Alice Johnson"
GATSBY = PlacedLine(
    line_id=LINE, book_id=BOOK, title="The Great Gatsby", isbn="9780743273565", quantity=2, unit_price=PRICE
)
WEBHOOK, HOST = UUID("0191d0c5-0000-7000-8000-000000000006"), "hooks.example.com"

MEANING: dict[tuple[str, int], DomainEvent] = {
    ("bookshelf.ping", 1): Pinged(webhook_id=WEBHOOK),
    ("catalog.book_added", 1): BookAdded(
        book_id=BOOK,
        title="The Great Gatsby",
        author="F. Scott Fitzgerald",
        isbn="9780743273565",
        price=PRICE,
        opening_stock=10,
    ),
    ("catalog.book_edited", 1): BookEdited(
        book_id=BOOK, title="The Great Gatsby", isbn=None, changed=("isbn", "description")
    ),
    ("catalog.book_repriced", 1): BookRepriced(book_id=BOOK, old_price=PRICE, new_price=None),
    ("catalog.book_restored", 1): BookRestored(book_id=BOOK, title="The Great Gatsby"),
    ("catalog.book_withdrawn", 1): BookWithdrawn(book_id=BOOK, title="The Great Gatsby"),
    ("events.delivery_retried", 1): DeliveryRetried(
        event_uid=EVENT, receiver="inventory.stock_copies", target="", attempts=12
    ),
    ("events.delivery_skipped", 1): DeliverySkipped(
        event_uid=EVENT, receiver="inventory.stock_copies", target="", attempts=12, reason="told by phone"
    ),
    ("events.event_replayed", 1): EventReplayed(event_uid=EVENT, receiver="inventory.stock_copies"),
    ("events.receiver_replayed", 1): ReceiverReplayed(
        receiver="inventory.stock_copies", since=datetime(2026, 11, 23, 9, 30, tzinfo=UTC), made=3, reopened=0
    ),
    ("inventory.copies_received", 1): CopiesReceived(book_id=BOOK, quantity=5, on_hand=15),
    ("inventory.copies_returned", 1): CopiesReturned(
        book_id=BOOK, order_id=ORDER, line_id=LINE, quantity=1, is_damaged=True, on_hand=9
    ),
    ("inventory.notification_recorded", 1): NotificationRecorded(
        notification_id=EVENT, kind="order_placed", audience="customer", order_id=ORDER, book_id=None
    ),
    ("inventory.resend_requested", 1): ResendRequested(notification_id=EVENT, order_id=ORDER),
    ("inventory.stock_adjusted", 1): StockAdjusted(
        book_id=BOOK, kind="damaged", change=-1, on_hand=9, reason="fell into the bath"
    ),
    ("inventory.stock_ran_low", 1): StockRanLow(book_id=BOOK, available=3, threshold=3),
    ("inventory.threshold_set", 1): ThresholdSet(book_id=BOOK, threshold=5, reason="sells fast before Christmas"),
    ("inventory.waiting_filled", 1): WaitingFilled(
        book_id=BOOK, order_id=ORDER, order_number=NUMBER, line_id=LINE, quantity=2
    ),
    ("inventory.waiting_partly_filled", 1): WaitingPartlyFilled(
        book_id=BOOK, order_id=ORDER, order_number=NUMBER, line_id=LINE, quantity=2, missing=1
    ),
    ("orders.copies_awaited", 1): CopiesAwaited(order_id=ORDER, number=NUMBER, customer_name=ALICE, quantity=2),
    ("orders.copies_put_back", 1): CopiesPutBack(
        order_id=ORDER,
        number=NUMBER,
        line_id=LINE,
        book_id=BOOK,
        title="The Great Gatsby",
        quantity=2,
        reason="reads it elsewhere",
    ),
    ("orders.customer_erased", 1): CustomerErased(
        order_id=ORDER, number=NUMBER, fields=("customer_name", "note"), events=3
    ),
    ("orders.line_cancelled", 1): LineCancelled(
        order_id=ORDER,
        number=NUMBER,
        customer_name=ALICE,
        line_id=LINE,
        book_id=BOOK,
        title="The Great Gatsby",
        quantity=2,
        total=PRICE,
        reason="reads it elsewhere",
    ),
    ("orders.contact_corrected", 1): ContactCorrected(order_id=ORDER, number=NUMBER, changed=("phone",)),
    ("orders.link_requested", 1): LinkRequested(order_id=ORDER, number=NUMBER),
    ("orders.link_rotated", 1): LinkRotated(order_id=ORDER, number=NUMBER),
    ("orders.note_added", 1): NoteAdded(order_id=ORDER, number=NUMBER, text="calls back on Monday"),
    ("orders.order_cancelled", 1): OrderCancelled(
        order_id=ORDER, number=NUMBER, customer_name=ALICE, reason="customer"
    ),
    ("orders.order_confirmed", 1): OrderConfirmed(order_id=ORDER, number=NUMBER, customer_name=ALICE),
    ("orders.order_placed", 1): OrderPlaced(
        order_id=ORDER, number=NUMBER, customer_name=ALICE, lines=(GATSBY,), total=TOTAL
    ),
    ("orders.order_returned", 1): OrderReturned(
        order_id=ORDER,
        number=NUMBER,
        line_id=LINE,
        book_id=BOOK,
        title="The Great Gatsby",
        quantity=1,
        is_damaged=True,
    ),
    ("orders.order_shipped", 1): OrderShipped(order_id=ORDER, number=NUMBER, customer_name=ALICE, tracking="1Z999"),
    ("orders.staff_digest_composed", 1): StaffDigestComposed(digest_id=EVENT, notices=3),
    ("orders.order_split", 1): OrderSplit(
        order_id=ORDER,
        number=NUMBER,
        split_into_id=OTHER_ORDER,
        split_into_number=OTHER_NUMBER,
        moved=(GATSBY,),
        total=PRICE,
    ),
    ("orders.order_split_off", 1): OrderSplitOff(
        order_id=OTHER_ORDER,
        number=OTHER_NUMBER,
        split_from_id=ORDER,
        split_from_number=NUMBER,
        customer_name=ALICE,
        lines=(GATSBY,),
        total=TOTAL,
    ),
    ("webhooks.secret_rotated", 1): SecretRotated(webhook_id=WEBHOOK, host=HOST),
    ("webhooks.webhook_added", 1): WebhookAdded(webhook_id=WEBHOOK, host=HOST, event_types=("orders.*",)),
    ("webhooks.webhook_changed", 1): WebhookChanged(webhook_id=WEBHOOK, host=HOST, event_types=("orders.*",)),
    ("webhooks.webhook_disabled", 1): WebhookDisabled(webhook_id=WEBHOOK, host=HOST, reason="gone"),
    ("webhooks.webhook_enabled", 1): WebhookEnabled(webhook_id=WEBHOOK, host=HOST),
    ("webhooks.webhook_removed", 1): WebhookRemoved(webhook_id=WEBHOOK, host=HOST),
}
VERSIONS = [pytest.param(*key, id=f"{key[0]} v{key[1]}") for key in MEANING]


def stored(name, version):
    return json.loads((GOLDEN / file_name(name, version)).read_text())


def test_every_version_that_was_published_has_a_payload_here():
    published = {path.name for path in (settings.BASE_DIR / "docs" / "events").glob("*.json")}

    assert {path.name for path in GOLDEN.glob("*.json")} == published
    assert {file_name(*key) for key in MEANING} == published


@pytest.mark.parametrize(("name", "version"), VERSIONS)
def test_a_stored_payload_means_what_it_meant(name, version):
    row = stored(name, version)

    assert decode(name=name, version=version, values=row["data"] | (row["personal"] or {})) == MEANING[name, version]


@pytest.mark.parametrize(("name", "version"), VERSIONS)
def test_it_can_be_read_when_what_is_personal_was_erased(name, version):
    event = decode(name=name, version=version, values=stored(name, version)["data"])

    assert type(event) is type(MEANING[name, version])


@pytest.mark.parametrize(("name", "version"), [key for key in MEANING if EVENTS[key[0]].version == key[1]])
def test_it_is_stored_like_this(name, version):
    data, personal = MEANING[name, version].encoded()

    assert {"data": data, "personal": personal} == stored(name, version)
