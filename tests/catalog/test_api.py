import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine

from bookshelf_site.money import Money
from catalog import services
from catalog.models import Book, BookDetails
from inventory.models import StockMovement
from inventory.services import adjust_stock

pytestmark = pytest.mark.django_db

GATSBY = {
    "title": "The Great Gatsby",
    "author": "F. Scott Fitzgerald",
    "isbn": "9780743273565",
    "price": {"amount": "12.99", "currency": "USD"},
}


EMMA = "9780141439587"


def add(title="Emma", *, isbn=None, author="", price="12.99", stock=10):
    details = BookDetails(title=title, author=author, isbn=isbn)
    money = None if price is None else Money(Decimal(price), "USD")
    return services.add_to_catalog(details, price=money, opening_stock=stock)


def titles(response):
    assert response.status_code == 200, response.content
    return [book["title"] for book in response.json()["results"]]


def mistakes(response):
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed"), response.content
    return [(mistake["pointer"], mistake["code"]) for mistake in response.json()["errors"]]


# Adding


def test_adding_a_book_answers_it_with_its_first_copies(api):
    response = api.post("/books", GATSBY)

    book = Book.objects.get()
    assert response.status_code == 201
    assert response.headers["Location"] == f"http://127.0.0.1:8000/api/v1/books/{book.pk}"
    assert response.headers["ETag"] == '"b1-s10.0"'
    answer = response.json()
    assert {name: value for name, value in answer.items() if not name.endswith("_at")} == {
        "id": str(book.pk),
        "isbn": "9780743273565",
        "title": "The Great Gatsby",
        "author": "F. Scott Fitzgerald",
        "description": "",
        "publisher": "",
        "published_on": None,
        "price": {"amount": "12.99", "currency": "USD"},
        "status": "active",
        "available": 10,
    }
    assert set(answer) - set(GATSBY) >= {"created_at", "updated_at"}


def test_adding_a_book_takes_its_own_opening_stock_and_everything_else(api):
    given = GATSBY | {
        "isbn": "0-7432-7356-7",
        "opening_stock": 0,
        "description": "A green light.",
        "publisher": "Scribner",
        "published_on": "2004-09-30",
    }

    answer = api.post("/books", given).json()

    assert (answer["isbn"], answer["available"]) == ("9780743273565", 0)
    assert (answer["description"], answer["publisher"], answer["published_on"]) == (
        "A green light.",
        "Scribner",
        "2004-09-30",
    )


def test_a_book_without_isbn_and_price_is_added_with_nulls(api):
    answer = api.post(
        "/books", {"title": "  Zine  ", "author": None, "isbn": None, "price": None, "publisher": None}
    ).json()

    assert (answer["title"], answer["author"], answer["publisher"]) == ("Zine", "", "")
    assert (answer["isbn"], answer["price"]) == (None, None)


def test_a_name_beyond_ascii_is_answered_as_it_is(api):
    response = api.post("/books", {"title": "Jane Eyre", "author": "Charlotte Brontë", "price": None})

    assert "Charlotte Brontë" in response.content.decode()


def test_a_taken_isbn_is_refused_and_names_the_book_that_has_it(api):
    twin = add("Gatsby", isbn="9780743273565")

    response = api.post("/books", GATSBY)

    assert response.status_code == 409
    problem = response.json()
    assert (problem["code"], problem["existing_id"]) == ("duplicate", str(twin.pk))
    assert [mistake["pointer"] for mistake in problem["errors"]] == ["#/isbn"]
    assert list(Book.objects.all()) == [twin]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"title": "x" * 201}, "#/title"),
        ({"title": "   "}, "#/title"),
        ({"title": None}, "#/title"),
        ({"title": 7}, "#/title"),
        ({"title": "nul \x00"}, "#/title"),
        ({"title": "two\nlines"}, "#/title"),
        ({"description": "\x1b[31m"}, "#/description"),
        ({"title": "half a \ud800 pair"}, "#/title"),
        ({"author": "x" * 151}, "#/author"),
        ({"isbn": "banana"}, "#/isbn"),
        ({"isbn": "9780743273566"}, "#/isbn"),
        ({"isbn": 9780743273565}, "#/isbn"),
        ({"price": {"amount": "-1.00", "currency": "USD"}}, "#/price/amount"),
        ({"price": {"amount": "NaN", "currency": "USD"}}, "#/price/amount"),
        ({"price": {"amount": "Infinity", "currency": "USD"}}, "#/price/amount"),
        ({"price": {"amount": "12.999", "currency": "USD"}}, "#/price/amount"),
        ({"price": {"amount": "1e2", "currency": "USD"}}, "#/price/amount"),
        ({"price": {"amount": "1_000", "currency": "USD"}}, "#/price/amount"),
        ({"price": {"amount": "١٢", "currency": "USD"}}, "#/price/amount"),
        ({"price": {"amount": "", "currency": "USD"}}, "#/price/amount"),
        ({"price": {"amount": 12.99, "currency": "USD"}}, "#/price/amount"),
        ({"price": {"amount": "12.99", "currency": "EUR"}}, "#/price/currency"),
        ({"price": {"amount": "12.99"}}, "#/price/currency"),
        ({"price": {"amount": "100000.00", "currency": "USD"}}, "#/price"),
        ({"price": "12.99"}, "#/price"),
        ({"published_on": "30.09.2004"}, "#/published_on"),
        ({"published_on": "2004-02-30"}, "#/published_on"),
        ({"published_on": 20040930}, "#/published_on"),
        ({"opening_stock": -1}, "#/opening_stock"),
        ({"opening_stock": 1.0}, "#/opening_stock"),
        ({"opening_stock": True}, "#/opening_stock"),
        ({"opening_stock": 10**9}, "#/opening_stock"),
        ({"id": "mine"}, "#/id"),
        ({"a/b~c": 1}, "#/a~1b~0c"),
    ],
)
def test_a_book_that_is_none_is_refused_where_it_is_wrong(api, change, pointer):
    response = api.post("/books", json.dumps(GATSBY | change))

    assert [place for place, _ in mistakes(response)] == [pointer]
    assert not Book.objects.exists()


def test_every_mistake_is_named_at_once(api):
    response = api.post("/books", {"titel": "Emma", "price": {"amount": "-1", "currency": "EUR"}})

    assert sorted(mistakes(response)) == [
        ("#/author", "missing"),
        ("#/price/amount", "invalid"),
        ("#/price/currency", "invalid"),
        ("#/titel", "unknown_field"),
        ("#/title", "missing"),
    ]


@pytest.mark.parametrize("field", ["title", "author", "price"])
def test_what_every_book_is_asked_for_is_not_guessed(api, field):
    response = api.post("/books", {name: value for name, value in GATSBY.items() if name != field})

    assert mistakes(response) == [(f"#/{field}", "missing")]
    assert not Book.objects.exists()


# Reading


def test_a_book_is_read_by_its_id(api):
    book = add("Emma", price="9.50", stock=3)

    answer = api.get(f"/books/{book.pk}").json()

    assert (answer["title"], answer["price"]["amount"], answer["available"]) == ("Emma", "9.50", 3)


@pytest.mark.parametrize("book_id", ["banana", "00000000-0000-7000-8000-000000000000", "7", "%00"])
def test_an_unknown_book_is_not_found(api, book_id):
    response = api.get(f"/books/{book_id}")

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_what_has_not_changed_is_not_sent_again(api):
    book = add()
    tag = api.get(f"/books/{book.pk}").headers["ETag"]

    for sent in (tag, f'"other", W/{tag}', "*"):
        again = api.get(f"/books/{book.pk}", headers={"If-None-Match": sent})

        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        assert "Content-Length" not in again.headers


def test_a_change_of_book_or_stock_is_sent(api):
    book = add()
    tag = api.get(f"/books/{book.pk}").headers["ETag"]

    adjust_stock(book_id=book.pk, change=-1, kind=StockMovement.Kind.LOST, reason="stolen")
    moved = api.get(f"/books/{book.pk}", headers={"If-None-Match": tag})
    services.withdraw(book_id=book.pk)
    changed = api.get(f"/books/{book.pk}", headers={"If-None-Match": moved.headers["ETag"]})

    assert (moved.status_code, moved.headers["ETag"]) == (200, '"b1-s9.0"')
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"b2-s9.0"')


def test_head_answers_like_get_without_a_body(api):
    book = add()

    response = api.head(f"/books/{book.pk}")

    assert (response.status_code, response.content, response.headers["ETag"]) == (200, b"", '"b1-s10.0"')


# Listing


def test_the_list_is_sorted_by_title(api):
    for title in ("Persuasion", "Emma", "Sanditon"):
        add(title)

    assert titles(api.get("/books")) == ["Emma", "Persuasion", "Sanditon"]
    assert titles(api.get("/books?sort=-title")) == ["Sanditon", "Persuasion", "Emma"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("price", ["cheap", "dear", "none", "none 2"]), ("-price", ["dear", "cheap", "none 2", "none"])],
)
def test_books_without_a_price_come_last_either_way_and_on_every_page(api, sort, expected):
    for title, price in [("none", None), ("dear", "99999.99"), ("cheap", "0.00"), ("none 2", None)]:
        add(title, price=price)

    listed, url = [], f"/api/v1/books?sort={sort}&limit=1"
    while url:
        page = api.get(url).json()
        listed += [book["title"] for book in page["results"]]
        url = page["next"]

    assert listed == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=jane+sense", ["Sense and Sensibility"]),
        ("q=AUSTEN", ["Emma", "Sense and Sensibility"]),
        ("q=978-0-7432-7356-5", ["The Great Gatsby"]),
        ("q=0743273567", ["The Great Gatsby"]),
        ("q=nothing", []),
        ("isbn=0-7432-7356-7", ["The Great Gatsby"]),
        ("in_stock=true", ["Emma", "The Great Gatsby"]),
        ("in_stock=false", ["Sense and Sensibility"]),
        ("status=withdrawn", ["Emma"]),
        ("status=active&in_stock=true", ["The Great Gatsby"]),
    ],
)
def test_the_list_is_filtered(api, query, expected):
    emma = add("Emma", author="Jane Austen")
    add("Sense and Sensibility", author="Jane Austen", stock=0)
    add("The Great Gatsby", isbn="9780743273565")
    services.withdraw(book_id=emma.pk)

    assert titles(api.get(f"/books?{query}")) == expected


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("isbn=banana", "query/isbn"),
        ("status=sold", "query/status"),
        ("sort=colour", "query/sort"),
        ("in_stock=perhaps", "query/in_stock"),
        ("updated_since=yesterday", "query/updated_since"),
        ("updated_since=2026-01-01T00:00:00", "query/updated_since"),
        ("updated_since=0001-01-01T00:00:00%2B14:00", "query/updated_since"),
        ("updated_since=2026-01-01T00:00:00Z&sort=title", "query/sort"),
        ("q=%00", "query/q"),
        ("limit=0", "query/limit"),
        ("limit=201", "query/limit"),
        ("cursor=made-up", "query/cursor"),
        ("colour=green", "query/colour"),
    ],
)
def test_a_parameter_that_means_nothing_is_refused(api, query, pointer):
    assert [place for place, _ in mistakes(api.get(f"/books?{query}"))] == [pointer]


def test_what_has_changed_since_is_listed_as_it_changed_until_a_minute_ago(api):
    with time_machine.travel(datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC), tick=False) as clock:
        books = []
        for title in ("a", "b", "c", "d"):
            books.append(add(title))
            clock.shift(30)
        services.withdraw(book_id=books[0].pk)
        clock.shift(60)

        early = titles(api.get("/books?updated_since=2026-01-01T12:00:30Z"))
        clock.shift(1)
        later = titles(api.get("/books?updated_since=2026-01-01t12:01:00z"))  # as RFC 3339 has it too

    assert early == ["b", "c", "d"]
    assert later == ["c", "d", "a"]


def test_a_page_costs_the_same_however_many_books_it_has(api, django_assert_num_queries):
    for number in range(12):
        add(f"book {number}")

    for limit in (2, 12):
        with django_assert_num_queries(2) as queries:  # the key and the page
            assert len(titles(api.get(f"/books?limit={limit}"))) == limit

        assert all(query["sql"].startswith("SELECT") for query in queries)


# Changing


def test_a_change_touches_only_what_it_names(api):
    book = add("Emma", author="Jane Austen", isbn="9780743273565", price="9.50")

    response = api.patch(f"/books/{book.pk}", {"price": {"amount": "11.00", "currency": "USD"}})

    answer = response.json()
    assert response.status_code == 200
    assert (answer["title"], answer["author"], answer["isbn"]) == ("Emma", "Jane Austen", "9780743273565")
    assert (answer["price"]["amount"], answer["available"]) == ("11.00", 10)
    assert response.headers["ETag"] == '"b2-s10.0"'


def test_null_empties_what_may_be_empty(api):
    book = add("Emma", author="Jane Austen", isbn="9780743273565")

    answer = api.patch(f"/books/{book.pk}", {"author": None, "isbn": None, "price": None}).json()

    assert (answer["title"], answer["author"], answer["isbn"], answer["price"]) == ("Emma", "", None, None)


def test_a_change_to_what_is_already_so_changes_nothing(api):
    book = add("Emma")

    response = api.patch(f"/books/{book.pk}", {"title": "Emma"})

    assert (response.status_code, response.headers["ETag"]) == (200, '"b1-s10.0"')


@pytest.mark.parametrize("if_match", ['"b1-s0.0"', '"b7-s1.1", "b1-s10.0"', 'W/"b1-s10.0"', "*"])
def test_a_change_is_made_if_the_book_is_as_it_was_read_whatever_its_stock(api, if_match):
    book = add("Emma")

    response = api.patch(f"/books/{book.pk}", {"title": "Emma."}, headers={"If-Match": if_match})

    assert (response.status_code, response.json()["title"]) == (200, "Emma.")


@pytest.mark.parametrize("if_match", ['"b1-s10.0"', '"b3-s10.0"', '"nonsense"', ""])
def test_a_change_is_refused_if_the_book_has_changed_meanwhile(api, if_match):
    book = add("Emma")
    services.withdraw(book_id=book.pk)

    response = api.patch(f"/books/{book.pk}", {"title": "Emma."}, headers={"If-Match": if_match})

    assert (response.status_code, response.json()["code"]) == (412, "version_mismatch")
    assert Book.objects.get().title == "Emma"


@pytest.mark.parametrize(
    ("headers", "is_there", "status"),
    [
        ({"If-Match": '"b1-s10.0"'}, True, 200),
        ({"If-Match": "*"}, True, 200),
        ({"If-Match": '"b7-s10.0"'}, True, 412),
        ({"If-Match": '"nonsense"'}, True, 412),
        ({"If-Match": '"b1-s10.0"'}, False, 412),
        ({"If-Match": '"nonsense"'}, False, 412),
        ({"If-Match": "*"}, False, 412),
        ({"If-None-Match": "*"}, True, 412),
        ({"If-None-Match": "*"}, False, 201),
        ({"If-None-Match": '"b1-s10.0"'}, True, 422),
    ],
)
def test_a_book_is_put_only_if_it_is_as_the_caller_knows_it(api, headers, is_there, status):
    if is_there:
        add("Emma", isbn=EMMA)

    response = api.put(f"/books/{EMMA}", {"title": "Emma."}, "application/json", headers=headers)

    assert response.status_code == status
    titles = {200: ["Emma."], 201: ["Emma."]}.get(status, ["Emma"] if is_there else [])
    assert [book.title for book in Book.objects.all()] == titles


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"title": ""}, "#/title"),
        ({"title": None}, "#/title"),
        ({"isbn": "banana"}, "#/isbn"),
        ({"price": {"amount": "0.001", "currency": "USD"}}, "#/price/amount"),
        ({"opening_stock": 5}, "#/opening_stock"),
        ({"status": "withdrawn"}, "#/status"),
    ],
)
def test_a_wrong_change_is_refused_whole(api, change, pointer):
    book = add("Emma", author="Jane Austen")

    response = api.patch(f"/books/{book.pk}", {"author": "Someone"} | change)

    assert [place for place, _ in mistakes(response)] == [pointer]
    assert (Book.objects.get().author, Book.objects.get().version) == ("Jane Austen", 1)


def test_a_change_to_a_taken_isbn_is_refused(api):
    twin, book = add("Gatsby", isbn="9780743273565"), add("Emma")

    response = api.patch(f"/books/{book.pk}", {"isbn": "0743273567", "title": "Other"})

    assert (response.status_code, response.json()["existing_id"]) == (409, str(twin.pk))
    assert Book.objects.get(pk=book.pk).title == "Emma"


def test_a_book_is_withdrawn_and_restored_once(api):
    book = add()

    answers = [api.post(f"/books/{book.pk}/{verb}") for verb in ("withdraw", "withdraw", "restore", "restore")]

    assert [(answer.json()["status"], answer.headers["ETag"]) for answer in answers] == [
        ("withdrawn", '"b2-s10.0"'),
        ("withdrawn", '"b2-s10.0"'),
        ("active", '"b3-s10.0"'),
        ("active", '"b3-s10.0"'),
    ]


@pytest.mark.parametrize("verb", ["withdraw", "restore"])
def test_withdrawing_takes_no_fields(api, verb):
    book = add()

    response = api.post(f"/books/{book.pk}/{verb}", {"reason": "damp"})

    assert mistakes(response) == [("#/reason", "unknown_field")]
    assert Book.objects.get().version == 1


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("post", "/books", "catalog.add_book"),
        ("patch", "/books/{id}", "catalog.change_book"),
        ("post", "/books/{id}/withdraw", "catalog.change_book"),
        ("post", "/books/{id}/restore", "catalog.change_book"),
    ],
)
def test_a_key_that_may_only_read_changes_nothing(api_of, method, path, permission):
    book = add("Emma")

    response = getattr(api_of("Read-only"), method)(path.format(id=book.pk), GATSBY)

    assert (response.status_code, response.json()["permission"]) == (403, permission)
    assert list(Book.objects.values_list("title", "version")) == [("Emma", 1)]
