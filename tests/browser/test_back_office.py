"""The start page, the search box, the orders' list and the papers, as staff use them: with a scanner, and no mouse."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Group, User
from django.test import Client
from playwright.sync_api import expect

from orders import services
from orders.models import Contact, Order
from tests.given import a_book, a_waiting_order, an_order, stock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/admin/orders/order/"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
COLOURS = ["color-contrast", "link-in-text-block"]
PRIDE = "9780141439518"
BEN = Contact(
    customer_name="Ben Okafor",
    customer_email="ben@example.com",
    phone="555 0100",
    fulfilment="ship",
    street="1 Elm Road",
    city="York",
    postal_code="YO1 7HH",
    country="UK",
    note="Ring twice",
)


@pytest.fixture
def bea(page):
    """The page of a bookseller who is signed in."""
    bookseller = User.objects.create_user("bea", is_staff=True)
    bookseller.groups.add(Group.objects.get(name="Bookseller"))
    client = Client()
    client.force_login(bookseller, backend="django.contrib.auth.backends.ModelBackend")
    home = page.context.pages[0]
    home.goto("/robots.txt")
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": home.url}])
    return page


def confirmed(order):
    return services.confirm_order(order_id=order.pk)


def violations(page, rules):
    found = Axe().run(page, options={"runOnly": rules}).response["violations"]
    return [(one["id"], node["html"][:200], node["failureSummary"]) for one in found for node in one["nodes"]]


@pytest.fixture
def lenient(bea):
    """Her page without the CSP, under which axe can't do all that it does to a page."""
    here = bea.context
    context = here.browser.new_context(
        base_url=bea.url.removesuffix("/robots.txt"), storage_state=here.storage_state(), bypass_csp=True
    )
    yield context.new_page()
    context.close()


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_nobody_is_shut_out_in_the_light_or_the_dark_and_every_page_fits_a_telephone(lenient):
    pride = a_book("Pride and Prejudice, which has a subtitle that is much longer than it", isbn=PRIDE, copies=5)
    waits, sent = a_waiting_order((pride, 9)), an_order((a_book("Emma", copies=3), 1), contact=BEN)
    services.add_note(order_id=sent.pk, text="rang")
    services.ship_order(order_id=confirmed(sent).pk, tracking="1Z")
    shut_out, too_wide = [], []

    pages = [
        "/admin/",
        f"{LIST}{waits.pk}/change/",
        "/admin/search/?q=emma",
        "/admin/search/?q=9780141439587",
        LIST,
        f"{LIST}add/",
        f"{LIST}{sent.pk}/change/",
        f"{LIST}{waits.pk}/cancel/",
        f"{LIST}{sent.pk}/print/slips/",
        f"{LIST}{waits.pk}/print/picks/",
        f"{LIST}{sent.pk}/print/receipts/",
    ]
    for scheme, rules, paths in (("light", WCAG, pages), ("dark", COLOURS, pages[:3])):
        lenient.emulate_media(color_scheme=scheme)
        for path in paths:
            lenient.set_viewport_size({"width": 1280, "height": 900})
            lenient.goto(path)
            lenient.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            shut_out += [(path, *one) for one in violations(lenient, rules)]
            lenient.set_viewport_size({"width": 320, "height": 640})
            too_wide += [] if fits(lenient) else [path]

    assert (shut_out, too_wide) == ([], [])


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


def test_a_count_leads_to_its_list_and_eight_orders_are_shipped_with_one_refused(bea):
    emma = a_book("Emma", copies=20)
    for _ in range(7):
        confirmed(an_order((emma, 1)))
    waits = a_waiting_order((a_book("Persuasion"), 1))

    bea.goto("/admin/")
    bea.get_by_role("link", name="7 Orders to pack and hand over").click()
    expect(bea.get_by_text("0 of 7 selected")).to_be_visible()
    bea.goto(LIST)
    bea.get_by_label("Select all objects on this page for an action").check()
    bea.locator("select[name=action]").select_option("ship")
    bea.locator("button[name=index]").click()

    expect(bea.get_by_text(f"7 shipped, 1 refused: {waits.number}: The order still waits")).to_be_visible()
    assert Order.objects.filter(status="SHIPPED").count() == 7
    assert stock(emma) == (13, 0)


def test_a_selection_is_printed_with_a_page_for_each_order(bea):
    emma = a_book("Emma", isbn="9780141439587", copies=20)
    for _ in range(3):
        an_order((emma, 2), contact=BEN)

    pages = {}
    for action in ("print_slips", "print_receipts", "print_picks"):
        bea.goto(LIST)
        bea.get_by_label("Select all objects on this page for an action").check()
        bea.locator("select[name=action]").select_option(action)
        bea.locator("button[name=index]").click()
        expect(bea.get_by_role("button", name="Print")).to_be_visible()
        pages[action] = len(re.findall(rb"/Type\s*/Page\b", bea.pdf(format="A4")))

    assert pages == {"print_slips": 3, "print_receipts": 3, "print_picks": 1}


def test_an_order_goes_its_way_by_keyboard_alone(bea):
    order = an_order((a_book(copies=5), 1))

    for button, status in (("Confirm", "Confirmed"), ("Ship", "Shipped")):
        bea.goto(f"{LIST}{order.pk}/change/")
        for _ in range(60):
            bea.keyboard.press("Tab")
            if bea.evaluate("document.activeElement.textContent.trim()") == button:
                break
        bea.keyboard.press("Enter")
        expect(bea.get_by_role("heading", level=1)).to_contain_text(status)
