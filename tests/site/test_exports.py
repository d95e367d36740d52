import csv
import io
import tracemalloc
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db.models.signals import post_init
from openpyxl import load_workbook

from bookshelf_site.money import Money
from catalog.feeds import read_feed
from catalog.feeds.importing import ImportReport, Terms, import_records, preview_records
from catalog.models import Book, BookDetails
from catalog.services import add_to_catalog, edit, withdraw
from inventory.models import StockItem
from orders.models import Contact, Order
from orders.services import cancel_order, confirm_order
from tests.effort import IS_THOROUGH
from tests.given import a_book, an_order, books

pytestmark = pytest.mark.django_db

EXPORTS = ["catalog/book", "inventory/stockitem", "orders/order"]
MANY = 2_500 if IS_THOROUGH else 400
EMMA = "9780141439587"


def exported(client, what, kind="0", query=""):
    response = client.post(f"/admin/{what}/export/{query}", {"format": kind})
    assert response.status_code == 200
    return response


def rows(response):
    text = b"".join(response.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def sheet(response):
    book = load_workbook(io.BytesIO(b"".join(response.streaming_content)))
    [header, *cells] = book.active.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in cells]


def a_full_book(title="=Emma", **more):
    details = {
        "author": "@Jane", "isbn": EMMA, "publisher": "-Penguin", "description": "+One.\n\n=Two.", "product_form": "BC",
        "availability": "21",
    } | more  # fmt: skip
    return add_to_catalog(BookDetails(title=title, **details), price=Money(Decimal("12.90"), "USD"), opening_stock=3)


# Books


def test_books_are_exported_with_their_copies_and_harmless_texts(desk):
    a_full_book()

    [row] = rows(exported(desk, "catalog/book"))

    assert row == {
        "isbn": EMMA,
        "title": "'=Emma",
        "author": "'@Jane",
        "publisher": "'-Penguin",
        "published_on": "",
        "price": "12.90",
        "currency": "USD",
        "product_form": "BC",
        "availability": "21",
        "status": "active",
        "description": "'+One.\n\n=Two.",
        "on_hand": "3",
        "available": "3",
    }


def test_an_xlsx_has_isbns_as_texts_and_numbers_as_numbers(desk):
    a_full_book()

    [row] = sheet(exported(desk, "catalog/book", kind="1"))

    assert (row["isbn"], row["title"], row["price"], row["on_hand"]) == (EMMA, "'=Emma", 12.9, 3)


@pytest.mark.parametrize("kind", ["0", "1"])
def test_what_was_exported_changes_nothing_when_it_is_imported(desk, kind):
    from bookshelf_site.spreadsheets import workbook_as_csv

    a_full_book()
    a_full_book(title="''- a 'title'", isbn="9780141439686", author="")
    withdraw(book_id=a_full_book(title="Gone", isbn="9780743273565").pk)
    file = io.BytesIO(b"".join(exported(desk, "catalog/book", kind=kind).streaming_content))
    report = ImportReport()

    feed = workbook_as_csv(file) if kind == "1" else file
    for _ in preview_records(read_feed(feed, "csv", currency="USD"), terms=Terms(), report=report):
        pass

    assert (report.read, report.unchanged, report.rejected) == (3, 3, [])


def test_what_was_exported_is_the_same_in_another_shop(desk):
    a_full_book()
    file = io.BytesIO(b"".join(exported(desk, "catalog/book").streaming_content))
    before = Book.objects.get()
    edit(book_id=before.pk, details=BookDetails(title="Another"), price=None)

    for _ in import_records(read_feed(file, "csv", currency="USD"), terms=Terms(), report=ImportReport()):
        pass

    assert Book.objects.get(isbn=EMMA).details == before.details


def test_the_list_is_exported_as_it_is_filtered(desk):
    a_book("Emma", isbn=EMMA)
    a_book("Persuasion", isbn="9780141439686")
    withdraw(book_id=a_book("Gone").pk)

    assert [row["title"] for row in rows(exported(desk, "catalog/book", query="?q=emma"))] == ["Emma"]
    assert [row["title"] for row in rows(exported(desk, "catalog/book", query="?status__exact=withdrawn"))] == ["Gone"]
    assert "/admin/catalog/book/export/?q=emma" in desk.open("/admin/catalog/book/?q=emma").links


def test_a_filter_that_is_none_is_not_exported(desk):
    assert desk.post("/admin/catalog/book/export/?nonsense=1", {"format": "0"}).status_code == 302


@pytest.mark.parametrize("kind", ["", "2", "x"])
def test_another_format_is_refused(desk, kind):
    response = desk.post("/admin/catalog/book/export/", {"format": kind})

    assert list(response.context["form"].errors) == ["format"]


# Stock


def test_stock_is_isbn_and_on_hand(desk):
    a_book("Emma", isbn=EMMA, copies=5)
    an_order((a_book("Persuasion", isbn="9780141439686", copies=4), 3))

    assert rows(exported(desk, "inventory/stockitem")) == [
        {"isbn": EMMA, "on_hand": "5"},
        {"isbn": "9780141439686", "on_hand": "4"},
    ]


# Orders


def test_orders_are_exported_a_row_each_and_without_their_links(desk):
    emma = a_book("Emma", copies=9)
    contact = Contact(customer_name="=cmd()", customer_email="a@example.com", note="-1")
    order = confirm_order(order_id=an_order((emma, 2), contact=contact).pk)
    cancelled = cancel_order(order_id=an_order((emma, 1)).pk, reason="other")

    response = exported(desk, "orders/order")
    text = b"".join(response.streaming_content).decode()
    [second, first] = csv.DictReader(io.StringIO(text[1:], newline=""))

    assert (first["number"], first["status"], first["lines"], first["total"], first["currency"]) == (
        order.number,
        "CONFIRMED",
        "1",
        "25.98",
        "USD",
    )
    assert (first["customer_name"], first["note"], first["shipped_at"]) == ("'=cmd()", "'-1", "")
    assert first["placed_at"] == order.placed_at.strftime("%Y-%m-%d %H:%M:%S")
    assert (second["number"], second["cancel_reason"]) == (cancelled.number, "other")
    assert order.token not in text


# Of any length


@pytest.mark.parametrize(("what", "model"), [("catalog/book", Book), ("orders/order", Order)])
def test_the_first_rows_are_sent_before_the_last_are_read(desk, monkeypatch, what, model):
    from bookshelf_site import exports

    monkeypatch.setattr(exports, "ROWS_AT_ONCE", 4)
    monkeypatch.setattr("bookshelf_site.spreadsheets.ROWS_AT_ONCE", 4)
    for book in books(20, copies=1):
        an_order((book, 1))
    made = []

    def count(sender, instance, **kwargs):
        made.append(instance)

    response = exported(desk, what)
    post_init.connect(count, sender=model)
    try:
        stream = iter(response.streaming_content)
        next(stream), next(stream)
        early = len(made)
        rest = list(stream)
    finally:
        post_init.disconnect(count, sender=model)

    assert 4 <= early <= 8
    assert (len(made), len(rest)) == (20, 4)


@pytest.mark.parametrize("what", ["inventory/stockitem", "orders/order"])
def test_an_export_costs_the_same_memory_however_long_it_is(desk, what, monkeypatch):
    monkeypatch.setattr("bookshelf_site.exports.ROWS_AT_ONCE", 100)
    monkeypatch.setattr("bookshelf_site.spreadsheets.ROWS_AT_ONCE", 100)

    def made(count):
        if what == "inventory/stockitem":
            more = Book.objects.bulk_create([Book(title="x" * 200) for _ in range(count)])
            StockItem.objects.bulk_create([StockItem(book=book) for book in more])
        else:
            placed = {"customer_name": "Alice", "note": "x" * 200, "total_amount": 1, "currency": "USD"}
            Order.objects.bulk_create([Order(**placed) for _ in range(count)])

    def peak():
        response = exported(desk, what)
        tracemalloc.start()
        for _ in response.streaming_content:
            pass
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    made(MANY // 4)
    peak()  # what is cached for ever is cached now
    short = peak()
    made(MANY * 3)

    assert peak() < 1.5 * short + 200_000


def test_an_export_asks_the_database_once(desk, django_assert_max_num_queries):
    books(30, copies=1)

    with django_assert_max_num_queries(8):
        rows(exported(desk, "catalog/book"))


# Who may


@pytest.mark.parametrize("group", ["Bookseller", "Manager", "Integration", "Read-only"])
@pytest.mark.parametrize("what", EXPORTS)
def test_who_may_see_a_list_may_export_it(staff_of, group, what):
    an_order((a_book("Emma", copies=1), 1))
    person = staff_of(group)

    assert len(rows(exported(person, what))) == 1
    assert f"/admin/{what}/export/" in {link.partition("?")[0] for link in person.open(f"/admin/{what}/").links}


@pytest.mark.parametrize("what", EXPORTS)
def test_who_may_not_see_a_list_exports_nothing(client, django_user_model, what):
    client.force_login(django_user_model.objects.create_user("nobody", is_staff=True))

    assert client.get(f"/admin/{what}/export/").status_code == 403
    assert client.post(f"/admin/{what}/export/", {"format": "0"}).status_code == 403


def test_who_may_not_see_the_stock_exports_books_without_it(client, django_user_model):
    a_full_book()
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_book"))
    client.force_login(viewer)

    [row] = rows(exported(client, "catalog/book"))

    assert {"on_hand", "available"} & row.keys() == set()
