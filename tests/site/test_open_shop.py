import re
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from pytest_django import Settings

from bookshelf_site.events.models import Delivery, Event
from catalog.models import Book
from inventory.audit import differences
from inventory.models import Allocation, Notification, StockItem
from orders.models import Order
from tests.given import a_book

pytestmark = pytest.mark.django_db


def open_shop() -> str:
    out = StringIO()
    call_command("open_shop", stdout=out)
    return out.getvalue()


def password_in(told: str) -> str:
    found = re.search(r"^Sign in as admin with the password (\S+) \(it is shown this once\)\.$", told, re.MULTILINE)
    assert found
    return found[1]


def test_an_empty_shop_gets_something_to_look_at(settings: Settings) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8000"

    told = open_shop()

    assert told.splitlines() == [
        "The shop is empty: filling it with some books and orders to look at …",
        f"Sign in as admin with the password {password_in(told)} (it is shown this once).",
        "The shop is at http://127.0.0.1:8000, its back office at http://127.0.0.1:8000/admin/.",
    ]
    assert 55 <= Book.objects.count() <= 75
    assert set(Order.objects.values_list("status", flat=True)) == {"PENDING", "CONFIRMED", "SHIPPED", "CANCELLED"}


def test_every_page_has_something_to_show() -> None:
    open_shop()

    assert Allocation.objects.waiting().exists()
    assert StockItem.objects.low().exists()
    assert Book.objects.in_stock().exists()
    assert Book.objects.out_of_stock().exists()
    assert Order.objects.exclude(tracking="").exists()
    assert set(Order.objects.values_list("fulfilment", flat=True)) == {"collect", "ship"}
    assert set(Notification.objects.values_list("kind", flat=True)) == {
        "order_placed", "copies_waiting", "order_confirmed", "order_shipped", "order_cancelled", "stock_ran_low",
    }  # fmt: skip


@pytest.mark.parametrize("engine", ["inline", "relay"])
def test_the_demo_shop_is_sound_under_every_engine(settings: Settings, engine: str) -> None:
    settings.EVENTS_ENGINE = engine

    open_shop()

    assert list(differences()) == []
    assert not Delivery.objects.dead().exists()
    assert set(Event.objects.values_list("actor", flat=True)) == {"demo shop"}


def test_the_member_of_staff_can_sign_in_with_the_password_that_was_shown() -> None:
    password = password_in(open_shop())

    admin = User.objects.get()
    assert (admin.username, admin.is_staff, admin.is_superuser) == ("admin", True, True)
    assert admin.check_password(password)
    assert len(password) >= 16


def test_a_shop_that_is_open_is_left_alone() -> None:
    open_shop()
    before = Event.objects.count(), User.objects.get().password

    told = open_shop()

    assert told.startswith("The shop is at ")
    assert (Event.objects.count(), User.objects.get().password) == before


def test_a_shop_that_has_its_own_books_gets_no_others() -> None:
    book = a_book("Emma", copies=1)

    told = open_shop()

    assert Book.objects.get() == book
    assert password_in(told)


def test_a_shop_that_has_its_own_staff_gets_no_other() -> None:
    User.objects.create_user("bea", is_staff=True)

    told = open_shop()

    assert "password" not in told
    assert User.objects.get().username == "bea"


def test_prices_are_in_the_currency_of_the_shop(settings: Settings) -> None:
    settings.SHOP_CURRENCY = "EUR"

    open_shop()

    assert set(Order.objects.values_list("currency", flat=True)) == {"EUR"}
