"""Books, counting and imports as staff use them: with a scanner and no mouse, and with long files."""

import re

import pytest
from playwright.sync_api import expect

from catalog import imports
from catalog.imports import working
from catalog.models import Book
from inventory.models import Scan
from tests.given import a_book, stock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
EMMA, PERSUASION = "9780141439587", "9780141439686"
STOCKTAKE = "/admin/inventory/stockitem/stocktake/"


def scan(page, text):
    # what is typed before the page has put the focus where it belongs is lost
    page.wait_for_function("document.activeElement.matches('input')")
    page.keyboard.type(text)
    page.keyboard.press("Enter")


# Books


def test_an_isbn_fills_and_checks_itself(bea):
    a_book("Emma", isbn=EMMA)

    bea.goto("/admin/catalog/book/add/")
    isbn = bea.get_by_label("ISBN")
    isbn.press_sequentially("0-14-143958-0")
    expect(bea.get_by_role("link", name="Already in the catalogue: Emma")).to_be_visible()
    expect(isbn).to_have_value(EMMA)
    isbn.fill("")
    isbn.press_sequentially("9780141439687")
    expect(bea.get_by_text("Its check digit does not fit")).to_be_visible()
    bea.set_viewport_size({"width": 1100, "height": 900})
    assert bea.locator(".field-isbn").evaluate("(row) => row.scrollWidth <= row.clientWidth")
    isbn.fill("")
    scan(bea, f"{PERSUASION}51299")

    expect(isbn).to_have_value(PERSUASION)
    expect(bea.locator("#id_isbn_verdict")).to_have_text("✓")
    expect(bea.get_by_label("Title")).to_be_focused()
    assert Book.objects.count() == 1


# Counting


def test_shelves_are_counted_with_a_scanner_alone_and_go_on_after_the_browser_was_closed(bea):
    emma, persuasion = a_book("Emma", isbn=EMMA, copies=5), a_book("Persuasion", isbn=PERSUASION, copies=1)
    verdict = bea.locator("#verdict")

    bea.goto(STOCKTAKE)
    scan(bea, EMMA)
    expect(verdict).to_have_text("Emma: 1 copy")
    scan(bea, f"{EMMA}51299")
    scan(bea, "3")
    expect(verdict).to_have_text("Emma: 4 copies")
    scan(bea, "9780743273565")
    expect(verdict).to_have_text("9780743273565 is not in the catalogue.")
    expect(verdict).to_have_class(re.compile("is-unknown"))
    scan(bea, "9780141439686")
    expect(verdict).to_have_text("Persuasion: 1 copy")
    expect(bea.get_by_label("Scan or type an ISBN")).to_be_focused()

    again = bea.context.new_page()
    bea.close()
    again.goto(STOCKTAKE)
    expect(again.get_by_label("Scan or type an ISBN")).to_be_focused()
    expect(again.locator("#counted")).to_contain_text("Persuasion")
    press_until_focused(again, "Show the differences")
    again.keyboard.press("Enter")
    again.get_by_role("textbox", name="Reason").press("Enter")

    expect(again.get_by_text("2 books counted, 1 of them put right")).to_be_visible()
    assert (stock(emma), stock(persuasion)) == ((4, 0), (1, 0))


def press_until_focused(page, name):
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            return
    raise AssertionError(name)


def test_what_is_scanned_while_the_server_is_away_is_saved_once_when_it_is_back(bea):
    a_book("Emma", isbn=EMMA, copies=5)
    address = re.compile("stocktake/scan/$")

    def lose_the_answer(route):
        route.fetch()  # the server has it, and the browser never hears of it
        route.fulfill(status=204, body="")

    bea.goto(STOCKTAKE)
    bea.route(address, lose_the_answer)
    for _ in range(3):
        scan(bea, EMMA)
    expect(bea.locator("#verdict")).to_have_class(re.compile("is-lost"))
    bea.unroute(address)

    expect(bea.locator("#verdict")).to_have_text("Emma: 3 copies", timeout=60_000)
    assert Scan.objects.count() == 3


# Imports


def test_a_long_feed_shows_its_progress_until_it_is_done(bea, tmp_path, monkeypatch):
    from catalog.feeds import importing
    from tests.catalog.test_imports import a_long_feed, stop_after

    monkeypatch.setattr(working, "SHORT_BYTES", 10)
    monkeypatch.setattr(importing, "CHUNK", 10)
    feed = tmp_path / "feed.csv"
    feed.write_bytes(a_long_feed(40))

    bea.goto("/admin/catalog/feedimport/add/")
    bea.get_by_label("File:", exact=True).set_input_files(feed)
    bea.get_by_role("button", name="Look at what it would do").click()
    expect(bea.get_by_role("heading", name="The file is being looked through")).to_be_visible()
    imports.work_on(lambda: False)
    bea.get_by_role("button", name="Import these books").click(timeout=60_000)
    expect(bea.get_by_role("progressbar")).to_have_attribute("value", "0")
    imports.work_on(stop_after(2))
    expect(bea.get_by_role("progressbar")).to_have_attribute("value", "50", timeout=60_000)
    imports.work_on(lambda: False)

    expect(bea.get_by_role("heading", name="Done")).to_be_visible(timeout=60_000)
    expect(bea.get_by_role("progressbar")).to_have_count(0)
    assert Book.objects.count() == 40
