"""Books, counting and imports as staff use them: with a scanner and no mouse, and with long files."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Group, User
from django.test import Client
from playwright.sync_api import expect

from bookshelf_site.events import acting
from catalog import imports
from catalog.models import Book, FeedImport
from catalog.services import reprice
from inventory.tally import Scan
from tests.given import a_book, a_waiting_order, an_order, stock, usd

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
EMMA, PERSUASION = "9780141439587", "9780141439686"
STOCKTAKE = "/admin/inventory/stockitem/stocktake/"


@pytest.fixture
def bea(page):
    """The page of a bookseller who is signed in."""
    bookseller = User.objects.create_user("bea", is_staff=True)
    bookseller.groups.add(Group.objects.get(name="Bookseller"))
    client = Client()
    client.force_login(bookseller, backend="django.contrib.auth.backends.ModelBackend")
    page.goto("/robots.txt")
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": page.url}])
    return page


def scan(page, text):
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


def test_a_feed_with_errors_is_looked_at_and_taken_over(bea, tmp_path):
    a_book("Emma", isbn=EMMA, price="7.99")
    feed = tmp_path / "feed.csv"
    feed.write_text(f"isbn,title,price\n{EMMA},Emma,9.99\n{PERSUASION},Persuasion,8.99\n123,Nothing,1\n")

    bea.goto("/admin/catalog/book/")
    bea.get_by_role("link", name="Import", exact=True).click()
    bea.get_by_label("File:", exact=True).set_input_files(feed)
    bea.get_by_role("button", name="Look at what it would do").click()
    expect(bea.get_by_role("heading", name="This is what would be done")).to_be_visible()
    expect(bea.get_by_role("group", name="Rejected")).to_contain_text("Its ISBN is not valid")
    assert Book.objects.count() == 1
    bea.get_by_role("button", name="Import these books").click()

    expect(bea.get_by_role("heading", name="Done")).to_be_visible()
    with bea.expect_download() as download:
        bea.get_by_role("link", name="All of them as CSV").click()
    assert "its ISBN is not valid" in download.value.path().read_text()
    assert Book.objects.count() == 2


def test_a_long_feed_shows_its_progress_until_it_is_done(bea, tmp_path, monkeypatch):
    from catalog.feeds import importing
    from tests.catalog.test_imports import a_long_feed, stop_after

    monkeypatch.setattr(imports, "SHORT_BYTES", 10)
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


# For everybody


@pytest.fixture
def lenient(bea):
    """Her page without the CSP, under which axe can't do all that it does to a page."""
    here = bea.context
    context = here.browser.new_context(
        base_url=bea.url.removesuffix("/robots.txt"), storage_state=here.storage_state(), bypass_csp=True
    )
    yield context.new_page()
    context.close()


def violations(page, rules):
    found = Axe().run(page, options={"runOnly": rules}).response["violations"]
    return [(one["id"], node["html"][:200], node["failureSummary"]) for one in found for node in one["nodes"]]


def feeds():
    """An import that is looked at, one that waits to be, and one that is broken."""
    for content in (f"isbn,title\n{PERSUASION},Persuasion\n1,x\n".encode(), b"nonsense"):
        with acting(actor="user:bea"):
            yield imports.hand_in([content], file_name="a-name-without-a-break" * 4, wishes=imports.Wishes())
    imports.work_on(lambda: False)
    yield imports.hand_in([b"x"], file_name="feed.csv", wishes=imports.Wishes())


def test_nobody_is_shut_out_in_the_light_or_the_dark_and_every_page_fits_a_telephone(lenient):
    emma = a_book("Emma, which has a subtitle that is much longer than the title is", isbn=EMMA, copies=5)
    reprice(book_id=emma.pk, price=usd("9.99"))
    an_order((emma, 2)), a_waiting_order((emma, 9))
    ready, broken, waiting = [feed.pk for feed in feeds()]
    shut_out, too_wide = [], []
    lenient.goto(STOCKTAKE)
    scan(lenient, EMMA)
    expect(lenient.locator("#counted")).to_contain_text("Emma")

    pages = [
        f"/admin/catalog/book/{emma.pk}/change/",
        f"/admin/catalog/feedimport/{ready}/change/",
        STOCKTAKE,
        f"/admin/catalog/feedimport/{waiting}/change/",
        f"/admin/catalog/feedimport/{broken}/change/",
        "/admin/catalog/book/add/",
        f"/admin/catalog/book/{emma.pk}/withdraw/",
        "/admin/catalog/book/export/",
        "/admin/catalog/feedimport/add/",
        "/admin/catalog/feedimport/",
        "/admin/inventory/stockitem/",
        f"{STOCKTAKE}differences/",
        "/admin/inventory/stockitem/waiting/",
    ]
    for scheme, rules, paths in (("light", WCAG, pages), ("dark", ["color-contrast"], pages[:3])):
        lenient.emulate_media(color_scheme=scheme)
        for path in paths:
            lenient.set_viewport_size({"width": 1280, "height": 900})
            lenient.goto(path)
            lenient.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            if path == STOCKTAKE:
                scan(lenient, "9780743273565")
                expect(lenient.locator("#verdict")).to_have_class(re.compile("is-unknown"))
            shut_out += [(scheme, path, *one) for one in violations(lenient, rules)]
            lenient.set_viewport_size({"width": 320, "height": 640})
            if not lenient.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"):
                too_wide.append(path)

    assert FeedImport.objects.count() == 3
    assert (shut_out, too_wide) == ([], [])
