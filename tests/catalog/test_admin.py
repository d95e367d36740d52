from datetime import date
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission

from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
from catalog import services
from catalog.admin.page import SHOWN
from catalog.models import Book, BookDetails
from orders.services import cancel_order
from tests.given import a_waiting_order, an_order

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]

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


@pytest.mark.parametrize(
    ("door", "before", "after"), [("withdraw", "active", "withdrawn"), ("restore", "withdrawn", "active")]
)
def test_a_book_is_withdrawn_and_restored_after_a_question(desk, door, before, after):
    book = gatsby()
    if before == "withdrawn":
        services.withdraw(book_id=book.pk)
    path = f"{LIST}{book.pk}/{door}/"

    linked = path in desk.open(page_of(book)).links
    question = desk.open(path)
    asked = Book.objects.get().status
    answer = desk.send(path, "task")

    assert linked
    assert "The Great Gatsby" in question.text
    assert (asked, Book.objects.get().status) == (before, after)
    assert answer.redirect_chain == [(page_of(book), 302)]


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
    assert [form.id for form in page.forms if form.method == "post"] == ["logout-form", "book_form"]
    assert not {f"{LIST}{book.pk}/withdraw/", f"{LIST}{book.pk}/restore/"} & set(page.links)
    assert page.form("book_form").buttons == []
    assert "action" not in books.form("changelist-form").values


@pytest.mark.parametrize("door", ["change", "withdraw", "restore"])
def test_readers_change_nothing(staff_of, door):
    book = gatsby()

    response = staff_of("Read-only").post(f"/admin/catalog/book/{book.pk}/{door}/", {"title": "Gatsby"})

    assert response.status_code == 403
    assert Event.objects.count() == 1


def test_no_book_is_no_question(desk):
    assert desk.get("/admin/catalog/book/0198c0de-0000-7000-8000-000000000000/withdraw/").status_code == 404


# What the form says of an ISBN while it is typed


def verdict(client, isbn, **more):
    return client.get("/admin/catalog/book/isbn/", {"isbn": isbn, **more}).json()


@pytest.mark.parametrize("isbn", ["0-7432-7356-7", "978-0-7432-7356-5", "978074327356551299", " 9780743273565\n"])
def test_an_isbn_is_brought_to_its_13_digits(desk, isbn):
    assert verdict(desk, isbn) == {"isbn": "9780743273565"}


@pytest.mark.parametrize(
    ("isbn", "error"),
    [
        ("9780743273566", "Its check digit does not fit: one of the digits is wrong, or two are swapped"),
        ("banana", "An ISBN has only digits and hyphens, and at the end of ten an X"),
        ("", "It is empty; an ISBN has 10 or 13 digits"),
        ("<b>", "An ISBN has only digits and hyphens, and at the end of ten an X"),
    ],
)
def test_what_is_wrong_with_an_isbn_is_said(desk, isbn, error):
    assert verdict(desk, isbn) == {"error": error}


def test_a_taken_isbn_names_the_book_that_has_it(desk):
    book = gatsby()

    assert verdict(desk, "0743273567") == {
        "isbn": "9780743273565",
        "twin": "Already in the catalogue: The Great Gatsby",
        "page": page_of(book),
    }
    assert verdict(desk, "0743273567", book=book.pk) == {"isbn": "9780743273565"}


def test_who_may_not_see_books_hears_nothing_of_them(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("nobody", is_staff=True))

    assert client.get("/admin/catalog/book/isbn/", {"isbn": "0743273567"}).status_code == 403


# What stands beside the form


def test_the_prices_are_told_with_who_set_them(desk):
    desk.send(ADD, "book_form", **GATSBY)
    book = Book.objects.get()
    desk.send(page_of(book), "book_form", price="13.50")
    desk.send(page_of(book), "book_form", price="")

    prices = desk.get(page_of(book)).context["prices"]

    assert [(str(p.old), str(p.new), p.actor, p.is_first) for p in prices] == [
        ("13.50 USD", "None", "bookseller", False),
        ("12.99 USD", "13.50 USD", "bookseller", False),
        ("None", "12.99 USD", "bookseller", True),
    ]


def test_open_orders_are_linked(desk):
    book = gatsby()
    promised = an_order((book, 2))
    cancel_order(order_id=an_order((book, 1)).pk, reason="other")

    page = desk.open(page_of(book))

    assert f"{promised.number} 2 2 –" in page.text
    assert f"/admin/orders/order/{promised.pk}/change/" in page.links


def test_the_page_is_bounded_however_much_happened(desk, django_assert_max_num_queries):
    book = gatsby()
    for number in range(SHOWN + 5):
        services.reprice(book_id=book.pk, price=Money(Decimal(number + 20), "USD"))
        a_waiting_order((book, 1))

    with django_assert_max_num_queries(16):
        context = desk.get(page_of(book)).context

    assert [len(context[name]) for name in ("prices", "movements", "open_lines")] == [SHOWN, 11, SHOWN]


def test_who_may_not_see_the_stock_sees_prices_only(client, django_user_model):
    book = gatsby()
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_book"))
    client.force_login(viewer)

    context = client.get(page_of(book)).context

    assert len(context["prices"]) == 1
    assert "stock" not in context
    assert "movements" not in context


def test_a_book_for_an_order_is_found_by_its_scan_and_told_apart(desk):
    gatsby()
    services.withdraw(book_id=gatsby(title="Gatsby, withdrawn", isbn=None).pk)

    def found(term):
        query = {"app_label": "orders", "model_name": "orderline", "field_name": "book", "term": term}
        return [book["text"] for book in desk.get("/admin/autocomplete/", query).json()["results"]]

    only = ["The Great Gatsby · F. Scott Fitzgerald · 9780743273565 · 12.99 USD · 10 available"]
    assert found("0743273567") == only
    assert found("gatsby") == only
