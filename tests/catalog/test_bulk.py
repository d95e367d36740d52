import pytest

from bookshelf_site.events.models import Event
from catalog.models import Book, BookDetails
from catalog.services import BookRow, add_to_catalog, put_books
from tests.given import a_book, stock, usd
from tests.racing import outcomes, race

GATSBY = "9780743273565"
EMMA = "9780141439587"
PERSUASION = "9780141439686"


def row(isbn=GATSBY, **said):
    return {"isbn": isbn, "title": "The Great Gatsby", "price": {"amount": "12.99", "currency": "USD"}} | said


def sent(api, *rows, **more):
    return api.post("/books/bulk", {"rows": list(rows)} | more)


def told(response):
    """What became of each row, and the places that are wrong in it."""
    assert response.status_code == 200, response.content
    return [
        (result["status"], [error["pointer"] for error in (result["problem"] or {}).get("errors", [])])
        for result in response.json()["results"]
    ]


@pytest.mark.django_db
def test_books_are_added_and_changed_by_isbn_and_each_row_is_answered(api):
    emma = a_book("Emma", isbn=EMMA, price="5.00", copies=3)
    same = a_book("Persuasion", isbn=PERSUASION, price="12.99")

    response = sent(
        api,
        row(opening_stock=4),
        {"isbn": "978-0-14-143958-7", "price": {"amount": "6.00", "currency": "USD"}},
        {"isbn": PERSUASION, "title": "Persuasion"},
    )

    gatsby = Book.objects.get(isbn=GATSBY)
    assert [(result["row"], result["status"], result["id"]) for result in response.json()["results"]] == [
        (0, "added", str(gatsby.pk)),
        (1, "updated", str(emma.pk)),
        (2, "unchanged", str(same.pk)),
    ]
    emma.refresh_from_db()
    assert (emma.title, emma.author, emma.price, emma.version) == ("Emma", "Jane Austen", usd("6.00"), 2)
    assert (stock(gatsby), stock(emma)) == ((4, 0), (3, 0))


@pytest.mark.django_db
def test_a_new_book_has_no_copies_unless_the_row_says_so(api):
    sent(api, row())

    assert Book.objects.with_stock().get().available == 0


@pytest.mark.django_db
def test_a_wrong_row_spoils_none_of_the_others(api):
    response = sent(
        api,
        row(price={"amount": "1e5", "currency": "USD"}),
        row(),
        row("9780000000000"),
        {"isbn": EMMA},
        row(EMMA, colour="green", opening_stock=1.5),
        row("0743273567"),
        row(PERSUASION, price={"amount": "100000.00", "currency": "USD"}),
        "nonsense",
    )

    assert told(response) == [
        ("refused", ["#/rows/0/price/amount"]),
        ("added", []),
        ("refused", ["#/rows/2/isbn"]),
        ("refused", ["#/rows/3/title"]),
        ("refused", ["#/rows/4/opening_stock", "#/rows/4/colour"]),
        ("refused", ["#/rows/5/isbn"]),
        ("refused", ["#/rows/6/price"]),
        ("refused", ["#/rows/7"]),
    ]
    assert Book.objects.get().isbn == GATSBY


@pytest.mark.django_db
def test_with_atomic_all_are_taken_over_or_none(api):
    emma = a_book("Emma", isbn=EMMA)

    refused = sent(api, row(), {"isbn": EMMA, "title": "Emma."}, row(PERSUASION, title=""), atomic=True)
    unchanged = list(Book.objects.values_list("title", "version"))
    taken = sent(api, row(), {"isbn": EMMA, "title": "Emma."}, atomic=True)

    assert (refused.status_code, refused.json()["code"]) == (422, "rows_refused")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/rows/2/title"]
    assert unchanged == [(emma.title, 1)]
    assert told(taken) == [("added", []), ("updated", [])]


@pytest.mark.django_db
def test_what_only_the_shop_can_tell_is_wrong_refuses_all_too(api):
    refused = sent(api, row(), {"isbn": EMMA, "author": "Jane Austen"}, atomic=True)

    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/rows/1/title"]
    assert not Book.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/rows"),
        ({"rows": []}, "#/rows"),
        ({"rows": [row()] * 501}, "#/rows"),
        ({"rows": [row()], "atomic": "yes"}, "#/atomic"),
        ({"rows": [row()], "atom": True}, "#/atom"),
    ],
)
def test_a_request_that_is_none_is_refused_whole(api, body, pointer):
    response = api.post("/books/bulk", body)

    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, pointer)
    assert not Book.objects.exists()


@pytest.mark.django_db
def test_sent_again_with_its_key_it_is_answered_as_it_was(api):
    first, again = (
        api.post("/books/bulk", {"rows": [row(), row(title="")]}, headers={"Idempotency-Key": "1"}) for _ in range(2)
    )

    assert again.json() == first.json()
    assert told(again) == [("added", []), ("refused", ["#/rows/1/title"])]
    assert Book.objects.count() == 1


def with_check_digit(digits):
    return digits + str(-sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(digits)) % 10)


@pytest.mark.django_db
def test_five_hundred_books_cost_little_more_than_five(api, django_assert_max_num_queries):
    isbns = [f"978000000{number:03}" for number in range(500)]
    isbns = [
        isbn + str(-sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(isbn)) % 10) for isbn in isbns
    ]

    with django_assert_max_num_queries(5 + 60):  # the inline engine delivers what was raised in hundreds
        response = sent(api, *[row(isbn, opening_stock=1) for isbn in isbns])

    assert {status for status, _ in told(response)} == {"added"}
    assert Book.objects.count() == 500


@pytest.mark.django_db
def test_it_takes_the_rights_to_add_and_to_change(api_of):
    response = sent(api_of("Read-only"), row())

    assert (response.status_code, response.json()["permission"]) == (403, "catalog.add_book")


# PUT


def put(api, isbn=GATSBY, **said):
    return api.put(f"/books/{isbn}", {"title": "The Great Gatsby"} | said, "application/json")


@pytest.mark.django_db
def test_a_book_is_put_under_its_isbn_and_changed_by_the_next(api):
    added = put(api, "0-7432-7356-7", author="F. Scott Fitzgerald", opening_stock=2)
    same = put(api, opening_stock=9)
    changed = put(api, author=None, price={"amount": "9.99", "currency": "USD"})

    assert [(answer.status_code, answer.headers["ETag"]) for answer in (added, same, changed)] == [
        (201, '"b1-s2.0"'),
        (200, '"b1-s2.0"'),
        (200, '"b3-s2.0"'),
    ]
    assert added.headers["Location"].endswith(f"/api/v1/books/{added.json()['id']}")
    assert (changed.json()["author"], changed.json()["price"]["amount"]) == ("", "9.99")
    assert Book.objects.get().isbn == GATSBY


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("isbn", "body", "pointer"),
    [
        ("9780743273566", {"title": "Gatsby"}, "path/book_id"),
        (GATSBY, {}, "#/title"),
        (GATSBY, {"title": "Gatsby", "isbn": GATSBY}, "#/isbn"),
        (GATSBY, {"title": "Gatsby", "opening_stock": -1}, "#/opening_stock"),
        (GATSBY, {"title": "Gatsby", "price": {"amount": "100000.00", "currency": "USD"}}, "#/price"),
    ],
)
def test_what_is_no_book_is_not_put(api, isbn, body, pointer):
    response = api.put(f"/books/{isbn}", body, "application/json")

    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert not Book.objects.exists()


@pytest.mark.django_db
def test_an_address_that_looks_like_no_isbn_is_not_found(api):
    assert api.put("/books/emma", {"title": "Emma"}, "application/json").status_code == 404


@pytest.mark.django_db
def test_what_only_a_feed_tells_stays_when_a_book_is_put(api):
    details = BookDetails(title="Gatsby", isbn=GATSBY, product_form="BC", availability="20")
    add_to_catalog(details, opening_stock=0)

    put(api)

    book = Book.objects.get()
    assert (book.title, book.product_form, book.availability) == ("The Great Gatsby", "BC", "20")


@pytest.mark.django_db(transaction=True)
def test_two_who_add_the_same_book_at_once_add_one(api):
    rows = {0: BookRow(isbn=GATSBY, changes={"title": "Gatsby"}), 1: BookRow(isbn=EMMA, changes={"title": "Emma"})}

    results = race([lambda: put_books(rows), lambda: put_books(dict(reversed(rows.items())))] * 3)

    assert outcomes(results) == {"done": 6}
    assert Book.objects.count() == 2
