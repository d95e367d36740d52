import pytest

from bookshelf_site.desk import search
from catalog.models import Book
from orders.models import Contact
from tests.given import a_book, an_order

pytestmark = pytest.mark.django_db

PRIDE = "9780141439518"
BEN = Contact(customer_name="Ben Okafor", customer_email="ben@example.com")


def asked(desk, text):
    return desk.get("/admin/search/", {"q": text})


def opened(response):
    assert response.status_code == 302, "nothing was opened"
    return response.headers["Location"]


def page_of(row):
    kind = "catalog/book" if isinstance(row, Book) else "orders/order"
    return f"/admin/{kind}/{row.pk}/change/"


@pytest.mark.parametrize(
    "scan",
    [
        PRIDE,
        "978-0-14-143951-8",
        "978 0 14 143951 8",
        " 9780141439518\t",
        "0141439513",
        "0-14-143951-3",
        "978014143951851299",
        "9780141439518 51299",
        "ISBN 978-0-14-143951-8",
        "９７８０１４１４３９５１８",
    ],
)
def test_a_scan_of_a_book_opens_it(desk, scan):
    book = a_book("Pride and Prejudice", isbn=PRIDE, copies=5)
    a_book("Emma", isbn="9780141439587")
    an_order((book, 1))

    assert opened(asked(desk, scan)) == page_of(book)


@pytest.mark.parametrize(
    "written",
    [
        lambda number: number,
        str.lower,
        lambda number: f"{number[:3]}-{number[3:6]}-{number[6:]}",
        lambda number: f" #{number[:4]} {number[4:]} ",
        lambda number: number.replace("0", "O").replace("1", "l"),
        lambda number: number.replace("0", "o").replace("1", "I"),
    ],
)
def test_the_number_of_an_order_opens_it(desk, written):
    order = an_order((a_book(copies=5), 1))

    assert opened(asked(desk, written(order.number))) == page_of(order)


def test_a_number_that_nobody_has_opens_nothing(desk):
    order = an_order((a_book(copies=5), 1))
    wrong = order.number[:-1] + ("A" if order.number[-1] != "A" else "B")

    assert "Nothing found." in desk.open(f"/admin/search/?q={wrong}").text


@pytest.mark.parametrize("text", ["okafor", "Ben Okafor", "ben@example.com", "prejudice"])
def test_what_names_no_single_thing_is_listed(desk, text):
    order = an_order((a_book("Pride and Prejudice", isbn=PRIDE, copies=5), 1), contact=BEN)
    an_order((a_book("Emma", copies=5), 1))

    answer = asked(desk, text).context["answer"]

    assert list(answer.orders.rows) == [order]
    assert [book.title for book in answer.books.rows] == (["Pride and Prejudice"] if text == "prejudice" else [])


@pytest.mark.parametrize("text", ["pride", "austen", "Pride and Prejudice"])
def test_books_are_found_by_title_and_author(desk, text):
    book = a_book("Pride and Prejudice", isbn=PRIDE, copies=5)

    answer = asked(desk, text).context["answer"]

    assert (list(answer.books.rows), answer.books.more) == ([book], "")


def test_of_many_the_first_are_shown_and_the_list_shows_the_others(desk):
    for number in range(search.MOST_SHOWN + 1):
        an_order((a_book(f"Emma, part {number}", copies=1), 1))

    answer = asked(desk, "emma").context["answer"]

    assert (len(answer.books.rows), len(answer.orders.rows)) == (search.MOST_SHOWN, search.MOST_SHOWN)
    for group in (answer.books, answer.orders):
        assert desk.get(group.more).context["cl"].result_count == search.MOST_SHOWN + 1


def test_an_unknown_isbn_is_offered_as_a_new_book(desk):
    page = desk.open("/admin/search/?q=978-0-14-143951-8")

    [add] = [link for link in page.links if "isbn=" in link]
    assert f"No book in the catalogue has the ISBN {PRIDE}." in page.text
    assert desk.open(add).form("book_form").values["isbn"] == [PRIDE]


def test_who_may_not_add_books_is_not_offered_it(staff_of):
    page = staff_of("Read-only").open(f"/admin/search/?q={PRIDE}")

    assert "Nothing found." in page.text
    assert [link for link in page.links if "isbn=" in link] == []


@pytest.mark.parametrize(
    "text", ["", "   ", "\x00\x1b", "no such thing", "%", "'; --", "x" * 5000, "9780141439519", "💡"]
)
def test_whatever_is_typed_is_answered(desk, text):
    a_book("Emma", copies=2)

    page = asked(desk, text)

    assert page.status_code == 200
    assert page.context["answer"].is_empty
    assert ("Nothing found." in page.content.decode()) is bool(search.cleaned(text))


def test_what_was_asked_is_no_markup(desk):
    html = asked(desk, '"><script>alert(1)</script>').content.decode()

    assert "<script>alert" not in html


@pytest.fixture
def clerk(django_user_model, client):
    """Signs in somebody who may do nothing but what is named."""
    from django.contrib.auth.models import Permission

    def sign_in(*permissions):
        user = django_user_model.objects.create_user("clerk", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(user)
        return client

    return sign_in


@pytest.mark.parametrize(
    ("permissions", "finds"),
    [
        ([], ([], [])),
        (["view_book"], ([], ["Pride and Prejudice"])),
        (["view_order"], (["Ben Okafor"], [])),
        (["view_order", "view_book"], (["Ben Okafor"], ["Pride and Prejudice"])),
    ],
)
def test_only_what_one_may_look_at_is_found(clerk, permissions, finds):
    book = a_book("Pride and Prejudice", isbn=PRIDE, copies=5)
    order = an_order((book, 1), contact=BEN)
    person = clerk(*permissions)

    answer = asked(person, "prejudice").context["answer"]
    found = [one.customer_name for one in answer.orders.rows], [one.title for one in answer.books.rows]
    opens = [asked(person, text).headers.get("Location", "") for text in (PRIDE, order.number)]

    assert found == finds
    assert [page_of(book) in opens, page_of(order) in opens] == [
        "view_book" in permissions,
        "view_order" in permissions,
    ]


def test_who_is_no_staff_finds_nothing(client):
    assert "/admin/login/" in client.get("/admin/search/?q=emma").headers["Location"]


def test_the_box_stands_on_every_page(desk):
    order = an_order((a_book(copies=5), 1))

    for path in ("/admin/", "/admin/orders/order/", page_of(order), "/admin/search/?q=emma"):
        assert any(form.action == "/admin/search/" for form in desk.open(path).forms), path


def test_a_search_costs_the_same_for_many(desk, django_assert_max_num_queries):
    for number in range(15):
        an_order((a_book(f"Emma, part {number}", copies=1), 1))

    with django_assert_max_num_queries(11):
        asked(desk, "emma")
