from datetime import date
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry

from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
from catalog import services
from catalog.models import Book, BookDetails

pytestmark = pytest.mark.django_db

ADD = "/admin/catalog/book/add/"
LIST = "/admin/catalog/book/"
GATSBY = {"title": "The Great Gatsby", "author": "F. Scott Fitzgerald", "isbn": "0-7432-7356-7", "price": "12.99"}


def gatsby(**changes):
    details = {"title": "The Great Gatsby", "author": "F. Scott Fitzgerald", "isbn": "9780743273565"} | changes
    return services.add_to_catalog(BookDetails(**details), price=Money(Decimal("12.99"), "USD"))


def page_of(book):
    return f"/admin/catalog/book/{book.pk}/change/"


def errors(response, field=None):
    form = response.context["adminform"].form
    return form.errors[field] if field else form.non_field_errors()


def test_a_book_is_added_with_its_opening_stock(desk):
    desk.send(ADD, "book_form", **GATSBY, published_on="1925-04-10", publisher="Scribner")

    book = Book.objects.get()
    assert (book.title, book.isbn, book.price) == (
        "The Great Gatsby",
        "9780743273565",
        Money(Decimal("12.99"), "USD"),
    )
    assert (book.published_on, book.publisher, book.status) == (date(1925, 4, 10), "Scribner", "active")
    assert book.stock.on_hand == 10


def test_what_is_done_is_attributed_twice(desk):
    desk.send(ADD, "book_form", **GATSBY)

    assert list(Event.objects.values_list("name", "actor")) == [("catalog.book_added", "user:bookseller")]
    entry = LogEntry.objects.get()
    assert (str(entry.user), entry.object_id, entry.is_addition()) == (
        "bookseller",
        str(Book.objects.get().pk),
        True,
    )


def test_another_opening_stock_can_be_given(desk):
    desk.send(ADD, "book_form", **GATSBY, opening_stock="3")

    assert Book.objects.get().stock.on_hand == 3


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("title", " ", "This field is required."),
        ("title", "x" * 201, "Ensure this value has at most 200 characters (it has 201)."),
        ("isbn", "banana", "An ISBN has only digits and hyphens, and at the end of ten an X"),
        (
            "isbn",
            "9780743273566",
            "Its check digit does not fit: one of the digits is wrong, or two are swapped",
        ),
        ("price", "-1", "Ensure this value is greater than or equal to 0."),
        ("price", "NaN", "Enter a number."),
        ("price", "Infinity", "Enter a number."),
        ("price", "12.999", "Ensure that there are no more than 2 decimal places."),
        ("price", "100000", "Ensure this value is less than or equal to 99999.99."),
        ("opening_stock", "-1", "Ensure this value is greater than or equal to 0."),
        ("opening_stock", "", "This field is required."),
    ],
)
def test_a_wrong_value_is_named_at_its_field(desk, field, value, message):
    response = desk.send(ADD, "book_form", **GATSBY | {field: value})

    assert errors(response, field) == [message]
    assert not Book.objects.exists()


def test_a_second_book_of_an_isbn_is_refused_with_a_link_to_the_first(desk):
    first = gatsby()

    response = desk.send(ADD, "book_form", **GATSBY | {"title": "Another"})

    assert page_of(first) in errors(response, "isbn")[0]
    assert [book.title for book in Book.objects.all()] == ["The Great Gatsby"]
    assert LogEntry.objects.count() == 0


def test_a_book_is_edited(desk):
    book = gatsby()

    desk.send(page_of(book), "book_form", title="Gatsby", price="13.50")

    book.refresh_from_db()
    assert (book.title, book.price, book.author) == ("Gatsby", Money(Decimal("13.50"), "USD"), "F. Scott Fitzgerald")
    assert list(Event.objects.order_by("id").values_list("name", flat=True)) == [
        "catalog.book_added",
        "catalog.book_edited",
        "catalog.book_repriced",
    ]


def test_saving_a_form_as_it_is_changes_nothing(desk):
    book = gatsby()

    desk.send(page_of(book), "book_form")

    assert Event.objects.count() == 1
    assert Book.objects.get().version == 1


def test_what_the_form_does_not_show_is_kept(desk):
    book = gatsby(product_form="BC", availability="21")

    desk.send(page_of(book), "book_form", title="Gatsby")

    book.refresh_from_db()
    assert (book.product_form, book.availability) == ("BC", "21")


def test_a_change_over_somebody_elses_is_refused(desk):
    book = gatsby()
    services.reprice(book_id=book.pk, price=Money(Decimal("9.99"), "USD"))

    response = desk.send(page_of(book), "book_form", title="Gatsby", seen_version="1")

    assert "changed by somebody else" in errors(response)[0]
    assert Book.objects.get().title == "The Great Gatsby"


def test_an_edit_to_a_taken_isbn_is_refused(desk):
    gatsby()
    other = gatsby(title="Emma", isbn="9780141439587")

    response = desk.send(page_of(other), "book_form", isbn="9780743273565")

    assert "already in the catalogue" in errors(response, "isbn")[0]
    other.refresh_from_db()
    assert other.isbn == "9780141439587"


def test_a_book_is_withdrawn_and_restored_by_its_button(desk):
    book = gatsby()

    desk.send(page_of(book), "withdraw")
    book.refresh_from_db()
    withdrawn = book.status
    desk.send(page_of(book), "restore")
    book.refresh_from_db()

    assert (withdrawn, book.status) == ("withdrawn", "active")


def test_several_books_are_withdrawn_from_the_list(desk):
    books = [gatsby(), gatsby(title="Emma", isbn="9780141439587")]

    response = desk.send(LIST, "changelist-form", action="withdraw", _selected_action=[str(book.pk) for book in books])

    assert "2 withdrawn" in response.page.text
    assert set(Book.objects.values_list("status", flat=True)) == {"withdrawn"}


def test_the_status_is_no_field(desk):
    book = gatsby()

    desk.send(page_of(book), "book_form", status="withdrawn", version="9", id=str(book.pk)[::-1])

    book.refresh_from_db()
    assert (book.status, book.version) == ("active", 1)


def test_no_book_is_ever_deleted(staff_of, admin_client):
    book = gatsby()

    assert admin_client.post(f"/admin/catalog/book/{book.pk}/delete/", {"post": "yes"}).status_code == 403
    assert staff_of("Manager").post(f"/admin/catalog/book/{book.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Book.objects.filter(pk=book.pk).exists()


@pytest.mark.parametrize("text", ["0743273567", "978-0-7432-7356-5", "978074327356551299", "gatsby fitz"])
def test_a_search_takes_what_staff_have(desk, text):
    book = gatsby()
    gatsby(title="Emma", author="Jane Austen", isbn="9780141439587")

    page = desk.get(LIST, {"q": text})

    assert list(page.context["cl"].result_list) == [book]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({"stock": "in"}, ["There"]),
        ({"stock": "out"}, ["Gone"]),
        ({"status__exact": "withdrawn"}, ["Gone"]),
        ({"stock": "nonsense"}, ["Gone", "There"]),
    ],
)
def test_the_list_is_filtered(desk, query, titles):
    services.add_to_catalog(BookDetails(title="There"), opening_stock=1)
    services.withdraw(book_id=services.add_to_catalog(BookDetails(title="Gone"), opening_stock=0).pk)

    page = desk.get(LIST, query)

    assert [book.title for book in page.context["cl"].result_list] == titles


def test_the_list_costs_the_same_for_many(desk, django_assert_max_num_queries):
    for number in range(50):
        services.add_to_catalog(BookDetails(title=f"Book {number}"))

    with django_assert_max_num_queries(6):
        page = desk.get(LIST)

    assert len(page.context["cl"].result_list) == 50


def test_a_book_shows_its_stock_and_its_movements(desk):
    book = gatsby()

    page = desk.open(page_of(book))

    assert "Opening +10" in page.text
    assert f"/admin/inventory/stockitem/{book.pk}/change/" in page.links


def test_a_book_whose_stock_is_not_there_yet_can_be_looked_at(desk, settings):
    settings.EVENTS_ENGINE = "relay"
    book = gatsby()

    assert "Opening" not in desk.open(page_of(book)).text
    assert "The Great Gatsby" in desk.open(LIST).text


def test_readers_see_neither_buttons_nor_actions(staff_of):
    book, reader = gatsby(), staff_of("Read-only")

    page, books = reader.open(page_of(book)), reader.open(LIST)

    assert "The Great Gatsby" in page.text
    assert [form.id for form in page.forms] == ["logout-form", "book_form"]
    assert page.form("book_form").buttons == []
    assert "action" not in books.form("changelist-form").values


@pytest.mark.parametrize("door", ["change", "withdraw", "restore"])
def test_readers_change_nothing(staff_of, door):
    book = gatsby()

    response = staff_of("Read-only").post(f"/admin/catalog/book/{book.pk}/{door}/", {"title": "Gatsby"})

    assert response.status_code == 403
    assert Event.objects.count() == 1


def test_a_withdrawal_needs_a_post(desk):
    book = gatsby()

    assert desk.get(f"/admin/catalog/book/{book.pk}/withdraw/").status_code == 405
    assert Book.objects.get().status == "active"


def test_a_book_for_an_order_is_found_by_its_scan_and_told_apart(desk):
    gatsby()
    services.withdraw(book_id=gatsby(title="Gatsby, withdrawn", isbn=None).pk)

    def found(term):
        query = {"app_label": "orders", "model_name": "orderline", "field_name": "book", "term": term}
        return [book["text"] for book in desk.get("/admin/autocomplete/", query).json()["results"]]

    only = ["The Great Gatsby · F. Scott Fitzgerald · 9780743273565 · 12.99 USD · 10 available"]
    assert found("0743273567") == only
    assert found("gatsby") == only
