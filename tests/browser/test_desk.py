"""A bookseller's day in Chromium; the fixture `page` fails on any console error, so on any breach of the CSP too."""

import re

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import expect

from orders.models import Order
from tests.given import a_book, an_order, stock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "a long one for bea"


@pytest.fixture
def bea(page):
    """The page of a bookseller who has signed in."""
    bookseller = User.objects.create_user("bea", password=PASSWORD, is_staff=True)
    bookseller.groups.add(Group.objects.get(name="Bookseller"))
    page.goto("/admin/")
    page.get_by_label("Username").fill("bea")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_book_is_added_ordered_confirmed_and_shipped(bea):
    bea.goto("/admin/catalog/book/add/")
    bea.get_by_label("Title").fill("The Great Gatsby")
    bea.get_by_label("ISBN").fill("0-7432-7356-7")
    bea.get_by_label("Price").fill("12.99")
    bea.locator("#calendarlink0").click()
    bea.locator("#calendarin0").get_by_role("link", name="10", exact=True).click()
    bea.get_by_role("button", name="Save", exact=True).click()
    expect(bea.get_by_text("was added successfully")).to_be_visible()

    bea.goto("/admin/orders/order/add/")
    bea.get_by_label("Customer name").fill("Alice Johnson")
    bea.locator("#lines-0 .select2-selection").click()
    bea.locator(".select2-search__field").fill("gatsby")
    bea.get_by_role("option", name=re.compile("The Great Gatsby .* 10 available")).click()
    bea.locator("#id_lines-0-quantity").fill("2")
    bea.get_by_text("Add another Line").click()
    bea.get_by_role("button", name="Save", exact=True).click()
    expect(bea.get_by_role("heading", name=re.compile("Order .* Pending"))).to_be_visible()

    bea.get_by_role("button", name="Confirm").click()
    expect(bea.get_by_role("heading", name=re.compile("Order .* Confirmed"))).to_be_visible()
    link = bea.get_by_role("textbox", name="The customer’s link").input_value()
    bea.get_by_placeholder("Tracking number").fill("1Z999")
    bea.get_by_role("button", name="Ship").click()
    expect(bea.get_by_role("heading", name=re.compile("Order .* Shipped"))).to_be_visible()

    bea.goto(re.sub("^https?://[^/]+", "", link))
    expect(bea.get_by_role("heading", level=1)).to_have_text("Your books have been handed over.")
    assert stock(Order.objects.get().lines.get().book) == (8, 0)


def test_several_orders_are_cancelled_after_a_question(bea):
    emma = a_book(copies=5)
    for _ in range(3):
        an_order((emma, 1))

    bea.goto("/admin/orders/order/")
    bea.get_by_label("Select all objects on this page for an action").check()
    bea.locator("select[name=action]").select_option("cancel")
    bea.locator("button[name=index]").click()
    bea.get_by_label("Reason").select_option("other")
    bea.get_by_role("button", name="Cancel orders").click()

    expect(bea.get_by_text("3 cancelled")).to_be_visible()
    assert stock(emma) == (5, 0)


def test_copies_are_received_by_keyboard_alone(bea):
    emma = a_book(copies=1)

    bea.goto(f"/admin/inventory/stockitem/{emma.pk}/receive/")
    bea.get_by_label("Quantity").focus()
    bea.keyboard.type("4")
    bea.keyboard.press("Enter")

    expect(bea.get_by_role("heading", level=1)).to_have_text("Emma")
    assert stock(emma) == (5, 0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_telephone(bea, scheme):
    book = a_book("A title that is longer than most, and then has a subtitle besides, which nobody reads", copies=5)
    order = an_order((book, 2))
    bea.emulate_media(color_scheme=scheme)
    bea.set_viewport_size({"width": 320, "height": 640})

    for path in (
        "/",
        order.status_path,
        "/admin/",
        "/admin/catalog/book/",
        f"/admin/catalog/book/{book.pk}/change/",
        "/admin/orders/order/",
        "/admin/orders/order/add/",
        f"/admin/orders/order/{order.pk}/change/",
        f"/admin/orders/order/{order.pk}/cancel/",
        "/admin/inventory/stockitem/",
        f"/admin/inventory/stockitem/{book.pk}/change/",
        f"/admin/inventory/stockitem/{book.pk}/adjust/",
        "/admin/inventory/stockitem/stocktake/",
        "/admin/inventory/stockmovement/",
        "/admin/inventory/notification/",
    ):
        bea.goto(path)
        assert fits(bea), path
