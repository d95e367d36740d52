"""The desk's papers: what stands on them, in which order, and whether a scanner can read it."""

import re

import pytest
from django.utils.html import escape

from orders import services
from orders.admin import papers
from orders.admin.barcode import Barcode
from orders.admin.printing import pick_list
from orders.models import Contact, Order
from tests.given import a_book, a_waiting_order, an_order, books, lines

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]

LIST = "/admin/orders/order/"
BEN = Contact(
    customer_name="Ben Okafor",
    customer_email="ben@example.com",
    fulfilment="ship",
    street="1 Elm Road",
    city="York",
    postal_code="YO1 7HH",
    country="UK",
    note="Ring twice,\nplease",
)
PRIDE, EMMA = "9780141439518", "9780141439587"

# An EAN-13 reader that knows nothing of the one that drew it: GS1 General Specifications, 5.2.1

LEFT_ODD = [
    "0001101",
    "0011001",
    "0010011",
    "0111101",
    "0100011",
    "0110001",
    "0101111",
    "0111011",
    "0110111",
    "0001011",
]
RIGHT = ["".join("10"[int(module)] for module in digit) for digit in LEFT_ODD]
LEFT_EVEN = [digit[::-1] for digit in RIGHT]
FIRST_DIGIT = ["OOOOOO", "OOEOEE", "OOEEOE", "OOEEEO", "OEOOEE", "OEEOOE", "OEEEOO", "OEOEOE", "OEOEEO", "OEEOEO"]


def modules_of(path, width):
    """The drawing as a scanner sees it: one character for each module, quiet zones and all."""
    seen = [0] * width
    for x, bar, back in re.findall(r"M(\d+) 0h(\d+)v\d+h-(\d+)z", path):
        assert bar == back
        for module in range(int(x), int(x) + int(bar)):
            seen[module] = 1
    return "".join(map(str, seen))


def decoded(modules):
    assert modules.startswith("0" * 11), "no quiet zone before the bars"
    assert modules.endswith("0" * 7), "no quiet zone behind the bars"
    bars = modules.strip("0")
    assert (len(bars), bars[:3], bars[45:50], bars[-3:]) == (95, "101", "01010", "101")
    left = [bars[3 + 7 * place : 10 + 7 * place] for place in range(6)]
    right = [bars[50 + 7 * place : 57 + 7 * place] for place in range(6)]
    parity = "".join("O" if digit in LEFT_ODD else "E" for digit in left)
    read = [(LEFT_ODD if kind == "O" else LEFT_EVEN).index(digit) for digit, kind in zip(left, parity, strict=True)]
    digits = [FIRST_DIGIT.index(parity), *read, *map(RIGHT.index, right)]
    assert sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0
    return "".join(map(str, digits))


def scanned(html):
    """What a scanner reads of all ISBNs on the page, from the bars alone."""
    drawings = re.findall(r'viewBox="0 0 (\d+) \d+" role="img" aria-label="ISBN \d+"><path d="([^"]+)"', html)
    return [decoded(modules_of(path, int(width))) for width, path in drawings]


def printed(desk, order, paper):
    return desk.open(f"{LIST}{order.pk}/print/{paper}/")


def chosen(desk, action, *orders):
    response = desk.post(LIST, {"action": action, "_selected_action": [str(order.pk) for order in orders]})
    assert response.status_code == 200
    return response


def sheets(page):
    return re.findall(r"<article class=.*?</article>", page, re.DOTALL)


@pytest.mark.parametrize("isbn", [PRIDE, EMMA, "9780743273565", "9791034501144", "9783161484100", "9788175257665"])
def test_a_scanner_reads_the_isbn_from_its_bars(isbn):
    barcode = Barcode.of_isbn(isbn)

    assert decoded(modules_of(barcode.path, barcode.width)) == isbn
    assert "".join(caption.text for caption in barcode.captions) == isbn


def test_a_wrong_bar_would_be_noticed():
    barcode = Barcode.of_isbn(PRIDE)
    modules = modules_of(barcode.path, barcode.width)

    with pytest.raises((AssertionError, ValueError)):
        decoded(modules[:40] + ("0" if modules[40] == "1" else "1") + modules[41:])


@pytest.mark.parametrize("paper", ["slips", "picks", "receipts"])
def test_each_book_has_its_barcode(desk, paper):
    order = an_order((a_book("Pride", isbn=PRIDE, copies=5), 1), (a_book("No number", copies=5), 1))

    assert scanned(printed(desk, order, paper).html) == [PRIDE]


def test_a_packing_slip_says_what_is_packed_for_whom(desk):
    order = an_order((a_book("Pride", isbn=PRIDE, copies=5), 2), contact=BEN)

    page = printed(desk, order, "slips")

    assert "Ben Okafor 1 Elm Road YO1 7HH York UK" in page.text
    assert "2 Pride Jane Austen" in page.text
    assert f"Packing slip {order.number}" in page.text
    assert "Ring twice, please" in page.text
    assert "12.99" not in page.text


def test_what_waits_is_not_packed_and_what_was_cancelled_is_not_there(desk):
    emma, gone = a_book("Emma", copies=1), a_book("Gone", copies=1)
    order = services.place_order_or_wait(BEN, lines((emma, 3), (gone, 1)))
    services.cancel_line(order_id=order.pk, line_id=order.lines.get(book=gone).pk)

    page = printed(desk, order, "slips")

    assert "1 Emma Jane Austen 2 more copies follow later" in page.text
    assert "1 Copies altogether" in page.text
    assert "Gone" not in page.text


def test_a_receipt_adds_up(desk, settings):
    settings.SHOP_NAME, settings.SHOP_CONTACT = "The Corner Shelf", "12 High Street"
    order = an_order(
        (a_book("Emma", isbn=EMMA, copies=5), 2), (a_book("Pride", price="7.50", copies=5), 1), contact=BEN
    )
    services.ship_order(order_id=services.confirm_order(order_id=order.pk).pk)

    text = printed(desk, order, "receipts").text

    assert "The Corner Shelf 12 High Street" in text
    assert f"Receipt {order.number}" in text
    assert "2 Emma Jane Austen 9 780141 439587 $12.99 $25.98" in text
    assert "1 Pride Jane Austen $7.50 $7.50 Total $33.48" in text
    assert all(word in text for word in ("Placed", "Confirmed", "Shipped"))
    assert "tax" not in text.lower()


def test_a_cancelled_order_has_no_receipt_that_asks_for_anything(desk):
    order = services.cancel_order(order_id=an_order((a_book(copies=5), 1)).pk, reason="customer")

    assert "This order was cancelled; nothing is owed." in printed(desk, order, "receipts").text


def test_the_pick_list_goes_along_the_shelf(desk):
    orders = []
    for author, title in [("Woolf", "Orlando"), ("Austen", "Persuasion"), ("austen", "emma"), ("Woolf", "Flush")]:
        book = a_book(title, copies=9)
        type(book)._base_manager.filter(pk=book.pk).update(author=author)
        orders.append(an_order((book, 1)))

    found = pick_list(Order.objects.all())

    assert [pick.title for pick in found.picks] == ["emma", "Persuasion", "Flush", "Orlando"]


def test_the_pick_list_adds_the_copies_of_a_book_up_and_says_for_whom(desk):
    emma, pride = a_book("Emma", isbn=EMMA, copies=9), a_book("Pride", copies=9)
    first, second = an_order((emma, 2), (pride, 1)), an_order((emma, 3))

    page = chosen(desk, "print_picks", first, second).content.decode()

    [row] = [row for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if "<strong>Emma</strong>" in row]
    assert '<td class="number copies">5</td>' in row
    assert {f"{order.number}</span> × {copies}" for order, copies in [(first, 2), (second, 3)]} <= set(
        re.findall(r"[0-9A-Z]{9}</span> × \d+", row)
    )
    assert "6 copies to fetch" in page


def test_only_what_is_promised_is_fetched(desk):
    emma = a_book("Emma", copies=3)
    waits = a_waiting_order((emma, 5))
    sent = an_order((a_book("Pride", copies=1), 1))
    services.ship_order(order_id=services.confirm_order(order_id=sent.pk).pk)
    off = services.cancel_order(order_id=an_order((a_book("Sanditon", copies=1), 1)).pk, reason="customer")

    found = pick_list(Order.objects.all())

    assert [(pick.title, pick.copies) for pick in found.picks] == [("Emma", 3)]
    assert found.picks[0].orders == [(waits, 3)]
    assert {order.number for order in found.without} == {sent.number, off.number}


@pytest.mark.parametrize("action", ["print_slips", "print_receipts"])
def test_a_selection_has_a_sheet_for_each_order(desk, action):
    emma = a_book("Emma", copies=9)
    orders = [an_order((emma, 1)) for _ in range(3)]
    an_order((emma, 1))

    found = sheets(chosen(desk, action, *orders).content.decode())

    assert sorted(re.findall(r"[0-9A-Z]{9}", sheet)[0] for sheet in found) == sorted(order.number for order in orders)


def test_the_customers_link_is_on_no_paper(desk):
    order = an_order((a_book(copies=5), 1), contact=BEN)
    services.add_note(order_id=order.pk, text="a difficult person")

    papers_of_it = [printed(desk, order, paper).html for paper in ("slips", "picks", "receipts")]

    assert [order.token in html or "/o/" in html or "difficult" in html for html in papers_of_it] == [False] * 3


def test_a_paper_is_in_the_language_of_the_customer(desk):
    order = an_order((a_book(copies=5), 1), contact=Contact(customer_name="Dieter", language="de"))

    slip, receipt = printed(desk, order, "slips"), printed(desk, order, "receipts")
    assert '<article class="sheet" lang="de"' in slip.html
    assert f"Lieferschein {order.number} Wird im Laden abgeholt" in slip.text
    assert f"Beleg {order.number}" in receipt.text
    assert "12,99\N{NO-BREAK SPACE}$" in receipt.html


@pytest.mark.parametrize("paper", ["slips", "picks", "receipts"])
def test_no_style_and_no_script_stands_in_a_paper(desk, paper):
    order = an_order((a_book('<b>"Emma"</b>', isbn=EMMA, copies=5), 1))

    html = printed(desk, order, paper).html

    assert " style=" not in html
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert escape('<b>"Emma"</b>') in html


@pytest.mark.parametrize("group", ["Bookseller", "Manager", "Integration", "Read-only"])
def test_whoever_may_look_at_orders_may_print_them(staff_of, group):
    order = an_order((a_book(copies=5), 1))

    assert printed(staff_of(group), order, "slips").text


def test_who_may_not_look_at_orders_prints_none(django_user_model, client):
    client.force_login(django_user_model.objects.create_user("clerk", is_staff=True))
    order = an_order((a_book(copies=5), 1))

    answers = [client.get(f"{LIST}{order.pk}/print/{paper}/").status_code for paper in papers.PAPERS]

    assert answers == [403] * 3


@pytest.mark.parametrize("path", ["0198c0de-0000-7000-8000-000000000000/print/slips/", "{}/print/posters/"])
def test_what_is_not_there_is_not_printed(desk, path):
    order = an_order((a_book(copies=5), 1))

    assert desk.get(LIST + path.format(order.pk)).status_code == 404


def test_too_many_are_not_printed_at_once(desk, monkeypatch):
    monkeypatch.setattr(papers, "MOST_AT_ONCE", 2)
    emma = a_book(copies=9)
    orders = [str(an_order((emma, 1)).pk) for _ in range(3)]

    response = desk.post(LIST, {"action": "print_slips", "_selected_action": orders}, follow=True)

    assert [str(message) for message in response.context["messages"]] == ["Print at most 2 orders at once."]


@pytest.mark.parametrize("action", ["print_slips", "print_picks", "print_receipts"])
def test_papers_cost_the_same_for_many(desk, action, django_assert_max_num_queries):
    volumes = books(4, copies=30)
    orders = [an_order(*[(book, 1) for book in volumes]) for _ in range(8)]

    with django_assert_max_num_queries(11):
        chosen(desk, action, *orders)


def test_the_page_of_an_order_offers_its_papers(desk):
    order = an_order((a_book(copies=5), 1))

    links = desk.open(f"{LIST}{order.pk}/change/").links

    assert {f"{LIST}{order.pk}/print/{paper}/" for paper in papers.PAPERS} <= set(links)
