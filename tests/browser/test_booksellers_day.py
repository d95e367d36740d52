"""A bookseller's day on the real pages, with a scanner in one hand; the fixture `page` fails on any error in the
console, so on any breach of the CSP too, and on any request to another host."""

import csv
import re

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import expect

from catalog.models import Book
from orders import services
from orders.models import Order
from tests.given import a_book, a_waiting_order, an_order, stock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "a long one for bea"
PRIDE, EMMA, PERSUASION, GATSBY = "9780141439518", "9780141439587", "9780141439686", "9780743273565"
ORDERS, BOOKS = "/admin/orders/order/", "/admin/catalog/book/"


def heading(page):
    return page.get_by_role("heading", level=1)


def scan(page, text):
    # what is typed before the page has put the focus where it belongs is lost
    page.wait_for_function("document.activeElement.matches('input')")
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def tab_to(page, name):
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            return
    raise AssertionError(name)


def do_with_all(page, action):
    """With all orders of the list."""
    page.goto(ORDERS)
    page.get_by_label("Select all objects on this page for an action").check()
    page.locator("select[name=action]").select_option(action)
    page.locator("button[name=index]").click()


def test_a_booksellers_day(page, tmp_path):
    User.objects.create_user("bea", password=PASSWORD, is_staff=True).groups.add(Group.objects.get(name="Bookseller"))
    pride, emma = a_book("Pride and Prejudice", isbn=PRIDE, copies=9), a_book("Emma", isbn=EMMA, copies=1)
    waits = [an_order((pride, 1)) for _ in range(7)] and a_waiting_order((emma, 3))

    logs_in(page)
    scans_a_book(page)
    adds_a_book(page)
    confirms_and_ships_eight_orders_at_once(page, waits)
    takes_an_order_on_the_telephone(page)
    receives_what_one_waits_for(page, waits)
    prints_the_papers(page)
    counts_a_shelf(page)
    imports_a_feed_with_errors(page, tmp_path)
    exports_the_books(page)

    assert stock(pride) == (3, 0)
    assert stock(emma) == (5, 3)
    assert services.waiting(Order.objects.all()).count() == 0


def logs_in(page):
    page.goto("/admin/")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type("bea")
    page.keyboard.press("Tab")
    scan(page, PASSWORD)
    expect(heading(page)).to_have_text("Today")
    page.get_by_role("link", name="7 Orders to confirm").click()
    expect(page.get_by_text("0 of 7 selected")).to_be_visible()
    page.goto("/admin/")
    expect(heading(page)).to_have_text("Today")


def scans_a_book(page):
    scan(page, f"{PRIDE}51299")
    expect(heading(page)).to_contain_text("Pride and Prejudice")


def adds_a_book(page):
    """One that the shop doesn't know when it is scanned."""
    page.wait_for_load_state()
    page.keyboard.press("/")
    scan(page, GATSBY)
    page.get_by_role("link", name="Add a book with this ISBN").click()
    expect(page.locator("#id_isbn_verdict")).to_have_text("✓")
    page.get_by_label("ISBN").fill("0-7432-7356-8")
    page.get_by_label("ISBN").press("Enter")
    expect(page.get_by_text("Its check digit does not fit")).to_be_visible()
    page.get_by_label("ISBN").fill("0-7432-7356-7")
    page.get_by_label("ISBN").press("Enter")
    expect(page.get_by_label("ISBN")).to_have_value(GATSBY)
    expect(page.get_by_label("Title")).to_be_focused()
    page.keyboard.type("The Great Gatsby")
    page.get_by_label("Price").fill("12.99")
    page.locator("#calendarlink0").click()
    page.locator("#calendarin0").get_by_role("link", name="10", exact=True).click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()


def takes_an_order_on_the_telephone(page):
    page.goto(f"{ORDERS}add/")
    page.get_by_label("Customer name").fill("Clara Martin")
    page.locator("#lines-0 .select2-selection").click()
    page.locator(".select2-search__field").fill("gatsby")
    page.get_by_role("option", name=re.compile("The Great Gatsby .* 10 available")).click()
    page.locator("#id_lines-0-quantity").fill("2")
    page.get_by_text("Add another Line").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(heading(page)).to_contain_text("Pending")
    for button, status in (("Confirm", "Confirmed"), ("Ship", "Shipped")):
        tab_to(page, button)
        page.keyboard.press("Enter")
        expect(heading(page)).to_contain_text(status)
    link = page.get_by_role("textbox", name="The customer’s link").input_value()
    page.goto(re.sub("^https?://[^/]+", "", link))
    expect(heading(page)).to_have_text("Your books have been handed over.")


def confirms_and_ships_eight_orders_at_once(page, waits):
    """Seven of them; the eighth is refused, and why is said."""
    for action, done in (("confirm", "confirmed"), ("ship", "shipped")):
        do_with_all(page, action)
        expect(page.locator(".messagelist")).to_contain_text(f"7 {done}, ")
        expect(page.locator(".messagelist")).to_contain_text(f"{waits.number}: The order still waits")
    assert Order.objects.filter(status="SHIPPED").count() == 7


def receives_what_one_waits_for(page, waits):
    """By keyboard alone, from the order to its book's stock."""
    page.goto("/admin/")
    scan(page, waits.number.lower())
    expect(heading(page)).to_contain_text(f"Order {waits.number}")
    tab_to(page, "Emma")
    page.keyboard.press("Enter")
    expect(heading(page)).to_contain_text("Emma")
    tab_to(page, "Receive copies")
    page.keyboard.press("Enter")
    expect(heading(page)).to_have_text("Receive copies")
    page.get_by_label("Quantity").focus()
    scan(page, "4")
    expect(heading(page)).to_have_text("Emma")


def scan_in_the_box(page, text):
    page.wait_for_load_state()
    page.keyboard.press("/")
    scan(page, text)


def prints_the_papers(page):
    """Each book with its barcode where it is looked for on the shelf."""
    pages = {}
    for action, barcode in (("print_slips", PRIDE), ("print_receipts", ""), ("print_picks", EMMA)):
        do_with_all(page, action)
        expect(page.get_by_role("button", name="Print")).to_be_focused()
        expect(page.get_by_role("img", name=barcode).first).to_be_visible()
        pages[action] = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))
    assert pages == {"print_slips": 9, "print_receipts": 9, "print_picks": 1}


def counts_a_shelf(page):
    page.goto("/admin/inventory/stockitem/stocktake/")
    scan(page, PRIDE)
    expect(page.locator("#verdict")).to_have_text("Pride and Prejudice: 1 copy")
    scan(page, "3")
    expect(page.locator("#verdict")).to_have_text("Pride and Prejudice: 3 copies")
    tab_to(page, "Show the differences")
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="Reason").press("Enter")
    expect(page.get_by_text("1 book counted")).to_be_visible()


def imports_a_feed_with_errors(page, tmp_path):
    feed = tmp_path / "feed.csv"
    feed.write_text(f"isbn,title,price\n{EMMA},Emma,9.99\n{PERSUASION},Persuasion,8.99\n123,Nothing,1\n")
    page.goto(BOOKS)
    page.get_by_role("link", name="Import", exact=True).click()
    page.get_by_label("File:", exact=True).set_input_files(feed)
    page.get_by_role("button", name="Look at what it would do").click()
    expect(page.get_by_role("heading", name="This is what would be done")).to_be_visible()
    expect(page.get_by_role("group", name="Rejected")).to_contain_text("Its ISBN is not valid")
    assert Book.objects.count() == 3
    page.get_by_role("button", name="Import these books").click()
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    assert "Its ISBN is not valid" in page.get_by_role("group", name="Rejected").inner_text()
    with page.expect_download() as report:
        page.get_by_role("link", name="All of them as CSV").click()
    assert "its ISBN is not valid" in report.value.path().read_text()


def exports_the_books(page):
    page.goto(BOOKS)
    page.get_by_role("link", name="Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        rows = {row["isbn"]: (row["title"], row["price"], row["on_hand"]) for row in csv.DictReader(file)}
    assert rows == {
        GATSBY: ("The Great Gatsby", "12.99", "8"),
        PRIDE: ("Pride and Prejudice", "12.99", "3"),
        EMMA: ("Emma", "9.99", "5"),
        PERSUASION: ("Persuasion", "8.99", "0"),
    }
