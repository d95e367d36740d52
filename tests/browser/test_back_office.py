"""The start page, the search box, the orders' list and the papers, as staff use them: with a scanner, and no mouse."""

import pytest
from playwright.sync_api import expect

from tests.given import a_book, an_order, stock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/admin/orders/order/"
PRIDE = "9780141439518"


def test_a_scan_opens_the_book_from_wherever_one_is(bea):
    a_book("Pride and Prejudice", isbn=PRIDE, copies=5)

    bea.goto(LIST)
    bea.keyboard.press("/")
    bea.keyboard.type(f"{PRIDE}51299")
    bea.keyboard.press("Enter")

    expect(bea.get_by_role("heading", level=1)).to_contain_text("Pride and Prejudice")


def test_on_the_start_page_a_scan_needs_no_key_before_it(bea):
    order = an_order((a_book(copies=5), 1))

    bea.goto("/admin/")
    bea.keyboard.type(order.number.lower())
    bea.keyboard.press("Enter")

    expect(bea.get_by_role("heading", level=1)).to_contain_text(f"Order {order.number}")


def test_a_scan_takes_the_place_of_the_one_before(bea):
    a_book("Pride and Prejudice", isbn=PRIDE, copies=5)

    bea.goto("/admin/search/?q=9780141439587")
    bea.keyboard.press("/")
    bea.keyboard.type(PRIDE)
    bea.keyboard.press("Enter")

    expect(bea.get_by_role("heading", level=1)).to_contain_text("Pride and Prejudice")


def test_the_key_writes_itself_where_something_is_written_and_can_be_switched_off(bea):
    bea.goto("/admin/search/?q=")
    bea.get_by_label("The key / leads to the search box").uncheck()
    bea.goto(f"{LIST}add/")
    bea.get_by_label("Customer name").focus()
    bea.keyboard.type("A/B")
    assert bea.get_by_label("Customer name").input_value() == "A/B"
    bea.locator("h1").click()
    bea.keyboard.press("/")

    expect(bea.get_by_role("searchbox", name="Search books and orders, or scan")).not_to_be_focused()
    bea.goto("/admin/search/?q=")
    bea.get_by_label("The key / leads to the search box").check()
    bea.goto(LIST)
    bea.keyboard.press("/")
    expect(bea.get_by_role("searchbox", name="Search books and orders, or scan")).to_be_focused()


def test_an_unknown_book_is_added_from_its_scan(bea):
    bea.goto("/admin/")
    bea.keyboard.type("978-0-14-143951-8")
    bea.keyboard.press("Enter")
    bea.get_by_role("link", name="Add a book with this ISBN").click()

    expect(bea.get_by_label("ISBN")).to_have_value(PRIDE)


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
