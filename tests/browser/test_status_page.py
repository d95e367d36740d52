"""The customer's page in Chromium. Where its own clock runs ahead, a minute of waiting takes no time."""

import re
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import expect

from inventory.services import receive_copies
from orders import services
from orders.models import Order
from tests import states
from tests.effort import IS_THOROUGH

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PATIENCE = 60_000
SAMPLE = states.STATES if IS_THOROUGH else ["part-waiting", "on-its-way", "split", "cancelled-expired"]
WATCH_SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((entry) => entry.value)))
    .observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture
def visit(_browser, live_server):
    """Opens a page in a context of its own, in which the server may be away."""
    contexts = []

    def visit(path, **options):
        context = _browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900}, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield visit
    for context in contexts:
        context.close()


def heading(page):
    return page.get_by_role("heading", level=1)


def news(page):
    return page.locator("#news")


def after(page, seconds):
    """So much later by the clock of the page."""
    page.clock.fast_forward(int(seconds * 1000))


def questions(page):
    """The path of whatever the page's scripts ask for."""
    found = []
    page.on("request", lambda asked: found.append(urlsplit(asked.url).path) if asked.resource_type == "fetch" else None)
    return found


def asked_nothing(page, asked):
    """What it would have asked is asked before this."""
    page.evaluate("fetch('/livez')")
    return asked == ["/livez"]


@pytest.fixture
def watched(page):
    """Looks at the page of an order; its clock is the test's."""

    def watched(order):
        page.set_default_timeout(PATIENCE)
        page.clock.install()
        page.goto(order.status_path)
        return page

    return watched


def ship_in_the_admin(visit, order, client):
    from django.contrib.auth.models import User

    client.force_login(User.objects.create_superuser("bea"))
    desk = visit("/")
    desk.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": client.session.session_key, "url": desk.url}]
    )
    desk.goto(f"/admin/orders/order/{order.pk}/change/")
    desk.get_by_role("button", name="Ship").click()
    expect(desk.get_by_role("heading", name=re.compile("Shipped"))).to_be_visible(timeout=PATIENCE)


def test_what_is_done_in_the_admin_is_on_the_page_within_ten_seconds(watched, visit, client):
    order = states.confirmed()
    page = watched(order)
    page.evaluate("window.stayed = true")
    expect(heading(page)).to_have_text("Your books are ready for you to collect.")
    assert news(page).inner_text() == ""

    ship_in_the_admin(visit, order, client)
    after(page, 10)

    expect(heading(page)).to_have_text("Your books have been handed over.", timeout=PATIENCE)
    expect(page.locator("[aria-current=step]")).to_contain_text("Handed over")
    expect(news(page)).to_have_text("Your books have been handed over. We hope that you enjoy them.")
    assert page.get_by_role("status").count() == 1
    assert page.evaluate("window.stayed")


def test_it_is_said_once_and_only_what_is_new(watched):
    order = states.part_waiting()
    page = watched(order)
    page.evaluate(
        """() => {
          window.said = [];
          new MutationObserver(() => window.said.push(document.getElementById("news").textContent))
            .observe(document.getElementById("news"), { childList: true, characterData: true, subtree: true });
        }"""
    )

    with page.expect_response(lambda response: response.status == 304):
        after(page, 6)
    services.add_note(order_id=order.pk, text="The page looks no other for it")
    with page.expect_response(lambda response: response.status == 200):
        after(page, 6)
    receive_copies(book_id=order.lines.get(title="The Great Gatsby").book_id, quantity=1)
    after(page, 6)
    expect(heading(page)).to_have_text("We have your order.", timeout=PATIENCE)
    with page.expect_response(lambda response: response.status == 304):
        after(page, 6)

    assert page.evaluate("window.said") == ["We have your order. All your copies are kept for you."]


def test_it_stops_asking_at_the_end(watched):
    order = states.confirmed()
    page = watched(order)
    services.ship_order(order_id=order.pk)
    after(page, 6)
    expect(heading(page)).to_have_text("Your books have been handed over.", timeout=PATIENCE)

    asked = questions(page)
    for _ in range(5):
        after(page, 3600)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    assert asked_nothing(page, asked)


def hide(page, hidden):
    page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_it_asks_nothing_while_nobody_looks_and_at_once_when_somebody_does(watched):
    order = states.confirmed()
    page = watched(order)
    asked = questions(page)

    hide(page, hidden=True)
    for _ in range(5):
        after(page, 600)
    assert asked_nothing(page, asked)
    services.ship_order(order_id=order.pk)
    hide(page, hidden=False)

    expect(heading(page)).to_have_text("Your books have been handed over.", timeout=PATIENCE)


def test_what_is_opened_behind_other_pages_asks_nothing(page):
    order = states.confirmed()
    page.clock.install()
    page.add_init_script("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    asked = questions(page)
    page.goto(order.status_path)

    for _ in range(5):
        after(page, 600)
    assert asked_nothing(page, asked)
    services.ship_order(order_id=order.pk)
    hide(page, hidden=False)

    expect(heading(page)).to_have_text("Your books have been handed over.", timeout=PATIENCE)


def test_it_asks_less_often_the_longer_nothing_happens(watched):
    page = watched(states.confirmed())
    page.evaluate("window.waits = []")
    page.evaluate(
        """() => {
          const plain = window.setTimeout;
          window.setTimeout = (act, wait) => {
            if (act.name === "ask") window.waits.push(wait);
            return plain(act, wait);
          };
        }"""
    )
    for seconds in (6, 3600, 3 * 3600):
        with page.expect_response(lambda response: response.status == 304):
            after(page, seconds)
    page.wait_for_function("window.waits.length >= 3")

    young, older, old = page.evaluate("window.waits.slice(0, 3)")
    assert 4_500 <= young <= 5_500
    assert 27_000 <= older <= 34_000
    assert 54_000 <= old <= 66_000


def test_who_is_offline_is_told_so_gently_and_catches_up(visit):
    order = states.confirmed()
    page = visit(order.status_path)
    away = page.get_by_text("The shop can’t be reached just now.")
    expect(away).to_be_hidden()

    page.context.set_offline(True)
    expect(away).to_be_visible()
    services.ship_order(order_id=order.pk)
    page.context.set_offline(False)

    expect(heading(page)).to_have_text("Your books have been handed over.")


def test_a_server_that_is_away_is_told_so_gently_and_recovers(visit):
    order = states.confirmed()
    page = visit("/")
    page.clock.install()
    page.goto(order.status_path)
    away = page.get_by_text("The shop can’t be reached just now.")

    page.route("**/o/*/", lambda route: route.fulfill(status=503))
    for _ in range(2):
        with page.expect_response(lambda response: response.status == 503):
            after(page, 6)
    expect(away).to_be_visible()
    assert news(page).inner_text() == ""
    page.unroute("**/o/*/")
    after(page, 6)

    expect(away).to_be_hidden()
    expect(page.get_by_text("This page follows your order by itself.")).to_be_visible()


def test_who_looks_while_the_link_is_replaced_is_told_where_to_get_the_new_one(visit):
    order = states.confirmed()
    page = visit("/")
    page.clock.install()
    page.goto(order.status_path)

    services.rotate_link(order_id=order.pk)
    after(page, 6)

    expect(page.get_by_role("link", name="Send me my link")).to_be_visible()


def test_nothing_moves_while_it_asks(visit):
    page = visit("/")
    page.context.add_init_script(WATCH_SHIFTS)
    page.clock.install()
    page.goto(states.part_waiting().status_path)

    for _ in range(3):
        with page.expect_response(lambda response: response.status == 304):
            after(page, 6)
    page.context.set_offline(True)
    expect(page.get_by_text("The shop can’t be reached just now.")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("This page follows your order by itself.")).to_be_visible()

    assert page.evaluate("window.shifts") == []


def test_no_script_keeps_the_page_from_showing(page):
    page.goto(states.placed().status_path)

    scripts = page.evaluate("[...document.scripts].map((script) => [script.type, script.text])")
    assert scripts == [["module", ""]]
    assert (
        page.evaluate(
            "performance.getEntriesByType('resource').filter((r) => r.renderBlockingStatus === 'blocking').length"
        )
        == 1
    )


def test_who_stands_on_the_link_stays_there_when_the_page_changes(watched):
    order = states.part_waiting()
    page = watched(order)
    page.get_by_role("link", name="Cancel the order").focus()

    receive_copies(book_id=order.lines.get(title="The Great Gatsby").book_id, quantity=1)
    after(page, 6)
    expect(heading(page)).to_have_text("We have your order.", timeout=PATIENCE)
    expect(page.get_by_role("link", name="Cancel the order")).to_be_focused()
    services.confirm_order(order_id=order.pk)
    after(page, 6)
    expect(heading(page)).to_have_text("Your books are ready for you to collect.", timeout=PATIENCE)

    expect(page.locator("main")).to_be_focused()


def test_the_order_is_called_off_by_keyboard_alone(page):
    order = states.placed()
    page.goto(order.status_path)

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Cancel the order")).to_be_focused()
    page.keyboard.press("Enter")
    expect(heading(page)).to_have_text("Cancel this order?", timeout=PATIENCE)
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Yes, cancel the order")).to_be_focused()
    page.keyboard.press("Enter")

    expect(heading(page)).to_have_text("Your order is cancelled.", timeout=PATIENCE)
    assert Order.objects.get().cancel_reason == "customer"


def test_without_a_script_everything_is_there(visit):
    order = states.placed()
    page = visit(order.status_path, java_script_enabled=False)
    expect(heading(page)).to_have_text("We have your order.")
    expect(page.get_by_text("This page follows your order by itself.")).to_be_hidden()

    services.amend_contact(order_id=order.pk, changes={"customer_name": "Zoe"})
    page.get_by_role("link", name="Load this page again").click()
    expect(page.get_by_text("Hello Zoe.")).to_be_visible()
    page.get_by_role("link", name="Cancel the order").click()
    page.get_by_role("button", name="Yes, cancel the order").click()
    expect(heading(page)).to_have_text("Your order is cancelled.")

    page.goto("/orders/find/")
    page.get_by_label("Order number").fill(order.number)
    page.get_by_label("E-mail address").fill("alice@example.com")
    page.get_by_role("button", name="Send me my link").click()
    expect(heading(page)).to_have_text("Look into your mail")


def other_pages(order):
    return ["/", "/orders/find/", "/orders/find/sent/", f"{order.status_path}cancel/"]


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_form_that_is_filled_in_wrongly_is_accessible(visit):
    page = visit("/orders/find/")
    page.get_by_label("Order number").fill("00000000A")
    page.get_by_label("E-mail address").fill("alice@example.com")
    with page.expect_navigation():
        page.evaluate("document.querySelector('form').submit()")

    expect(page.get_by_role("textbox", name="Order number")).to_have_accessible_description(
        re.compile("This is no order number")
    )
    assert Axe().run(page).response["violations"] == []


def test_every_state_fits_a_telephone_and_twice_the_size_of_letters(page):
    long_title = states.placed()
    too_wide = []
    for path in [states.STATES[state]().status_path for state in SAMPLE] + other_pages(long_title):
        page.set_viewport_size({"width": 320, "height": 640})
        page.goto(path)
        too_wide += [] if fits(page) else [path]
        page.set_viewport_size({"width": 640, "height": 450})
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        too_wide += [] if fits(page) else [f"{path} zoomed"]

    assert too_wide == []


def test_a_page_from_right_to_left_is_mirrored(page, settings):
    settings.LANGUAGES = [*settings.LANGUAGES, ("ar", "العربيّة")]
    order = states.part_waiting()
    services.amend_contact(order_id=order.pk, changes={"language": "ar"})
    page.set_viewport_size({"width": 320, "height": 640})

    page.goto(order.status_path)

    assert page.evaluate("document.documentElement.dir") == "rtl"
    assert fits(page)
    for first, second in ((".brand svg", ".brand span"), (".lines thead th:first-child", ".lines thead th:last-child")):
        assert page.locator(first).bounding_box()["x"] > page.locator(second).bounding_box()["x"]


def test_on_paper_there_is_what_paper_can_use(page):
    page.goto(states.part_waiting().status_path)

    page.emulate_media(media="print")
    expect(page.get_by_role("heading", name="Your books", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Cancel the order")).to_be_hidden()
    expect(page.get_by_text("This page follows your order by itself.")).to_be_hidden()
    paper = page.pdf(format="A4")

    assert paper.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1


def test_targets_are_large_enough_to_hit(page):
    page.set_viewport_size({"width": 320, "height": 640})

    page.goto(states.placed().status_path)

    for target in (page.locator(".brand"), page.get_by_role("link", name="Cancel the order")):
        box = target.bounding_box()
        assert min(box["width"], box["height"]) >= 24
