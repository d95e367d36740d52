import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from bookshelf_site.events.duties import SECONDS, Rounds
from bookshelf_site.events.models import Event
from catalog.models import Book
from inventory.audit import differences
from inventory.models import Notification
from inventory.services import receive_copies
from orders.errors import NotAllExpired
from orders.models import Order
from orders.services import (
    cancel_line,
    cancel_order,
    confirm_order,
    expire_orders,
    put_back_line,
    ship_order,
    split_order,
)
from tests.given import a_book, a_waiting_order, an_order, raised, stock

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def book() -> Book:
    return a_book("Emma", copies=10)


@pytest.fixture(autouse=True)
def three_days(settings: Settings) -> None:
    settings.PENDING_ORDER_HOURS = 72


def expired_after(hours: float) -> list[str]:
    """The numbers of the orders that expire so long after NOW."""
    with time_machine.travel(NOW + timedelta(hours=hours), tick=False):
        return [order.number for order in expire_orders()]


@pytest.fixture
def order(book: Book) -> Order:
    with time_machine.travel(NOW, tick=False):
        return an_order((book, 2))


def test_an_order_expires_when_its_time_is_over(order: Order, book: Book) -> None:
    in_time, over = expired_after(71.99), expired_after(72)

    order.refresh_from_db()
    assert (in_time, over) == ([], [order.number])
    assert (order.status, order.cancel_reason) == ("CANCELLED", "expired")
    assert stock(book) == (10, 0)
    assert list(differences()) == []


def test_an_order_expires_once_and_the_customer_is_told(order: Order) -> None:
    with time_machine.travel(NOW + timedelta(hours=100)):
        first, again = expire_orders(), expire_orders()

    assert ([o.number for o in first], again) == ([order.number], [])
    told = Notification.objects.get(kind="order_cancelled")
    assert told.message == f"Order {order.number} expired and was cancelled for Alice Johnson"
    event = Event.objects.get(name="orders.order_cancelled")
    assert (event.data["reason"], event.actor) == ("expired", "")


def test_what_an_expired_order_frees_goes_to_who_waits(order: Order, book: Book) -> None:
    waiting = a_waiting_order((book, 10))

    expired_after(72)

    assert stock(book) == (10, 10)
    assert confirm_order(order_id=waiting.pk).status == "CONFIRMED"


def test_only_pending_orders_expire(book: Book) -> None:
    with time_machine.travel(NOW, tick=False):
        confirmed, shipped, cancelled = (an_order((book, 1)) for _ in range(3))
        for order in (confirmed, shipped):
            confirm_order(order_id=order.pk)
        ship_order(order_id=shipped.pk)
        cancel_order(order_id=cancelled.pk, reason="customer")

    assert expired_after(1_000) == []
    assert raised("orders.order_cancelled") == 1


def test_with_no_hours_no_order_expires(order: Order, settings: Settings) -> None:
    settings.PENDING_ORDER_HOURS = 0

    assert expired_after(10_000) == []


@pytest.fixture
def waiting(book: Book) -> Order:
    with time_machine.travel(NOW, tick=False):
        return a_waiting_order((book, 12), (a_book("Persuasion", copies=1), 1))


def test_an_order_that_waits_never_expires(waiting: Order) -> None:
    assert expired_after(10_000) == []


def test_the_time_begins_when_the_last_waiting_line_was_filled(waiting: Order, book: Book) -> None:
    for hours in (100, 200):
        with time_machine.travel(NOW + timedelta(hours=hours), tick=False):
            receive_copies(book_id=book.pk, quantity=1)

    assert expired_after(271.99) == []
    assert expired_after(272) == [waiting.number]


def test_the_time_of_a_split_order_begins_at_the_split(waiting: Order, book: Book) -> None:
    with time_machine.travel(NOW + timedelta(hours=100), tick=False):
        split_order(order_id=waiting.pk)

    assert expired_after(171.99) == []
    assert expired_after(172) == [waiting.number]


def test_what_an_expired_order_frees_fills_what_was_split_off(waiting: Order, book: Book) -> None:
    with time_machine.travel(NOW, tick=False):
        split_order(order_id=waiting.pk)
    rest = Order.objects.get(split_from=waiting)

    assert [expired_after(hours) for hours in (72, 143.99, 144)] == [[waiting.number], [], [rest.number]]
    assert list(differences()) == []


def test_the_time_begins_when_the_waiting_line_was_cancelled(waiting: Order) -> None:
    with time_machine.travel(NOW + timedelta(hours=100), tick=False):
        cancel_line(order_id=waiting.pk, line_id=waiting.lines.get(title="Emma").pk)

    assert expired_after(171.99) == []
    assert expired_after(172) == [waiting.number]


def test_an_order_whose_copies_were_put_back_waits(order: Order) -> None:
    put_back_line(order_id=order.pk, line_id=order.lines.get().pk)

    assert expired_after(10_000) == []


def test_the_command_says_what_has_expired(
    order: Order, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    with time_machine.travel(NOW + timedelta(hours=100)):
        call_command("expire_orders", "--json")
        call_command("expire_orders")

    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first) == {"expired": [order.number], "failed": []}
    assert second == "0 orders expired"


@pytest.fixture
def broken(book: Book) -> Order:
    """An order that can't be called off: somebody has taken from the counter what was promised to it."""
    with time_machine.travel(NOW - timedelta(hours=1), tick=False):
        broken = an_order((a_book("Persuasion", copies=1), 1))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_stockitem SET allocated = 0 WHERE allocated = 1")
    return broken


def test_an_order_that_can_not_be_expired_keeps_no_other_from_it(broken: Order, order: Order) -> None:
    with pytest.raises(NotAllExpired) as refusal:
        expired_after(100)

    assert (refusal.value.expired, refusal.value.failed) == ([order.number], [broken.pk])
    assert dict(Order.objects.values_list("pk", "status")) == {order.pk: "CANCELLED", broken.pk: "PENDING"}
    assert raised("orders.order_cancelled") == 1


def test_the_command_fails_for_an_order_that_can_not_be_expired(
    broken: Order, order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    with time_machine.travel(NOW + timedelta(hours=100)), pytest.raises(CommandError, match="1 orders") as failure:
        call_command("expire_orders", "--json")

    assert failure.value.returncode == 1
    assert json.loads(capsys.readouterr().out) == {"expired": [order.number], "failed": [str(broken.pk)]}


def test_a_relay_expires_orders_about_once_a_minute(order: Order) -> None:
    rounds = Rounds()

    rounds.make()
    too_early = raised("orders.order_cancelled")
    with time_machine.travel(timezone.now() + timedelta(days=100)):
        rounds.next -= SECONDS
        rounds.make()

    assert (too_early, raised("orders.order_cancelled")) == (0, 1)
