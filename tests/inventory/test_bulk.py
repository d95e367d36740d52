import pytest

from inventory.models import StockMovement
from inventory.services import StockRow, move_copies
from tests.given import a_book, a_waiting_order, an_order, books, ledger, promised, stock
from tests.racing import outcomes, race

GATSBY = "9780743273565"


def sent(api, *rows, **more):
    return api.post("/stock/bulk", {"rows": list(rows)} | more)


def told(response):
    assert response.status_code == 200, response.content
    return [
        (result["status"], (result["problem"] or {}).get("code"), result["id"] is not None)
        for result in response.json()["results"]
    ]


def received(book, copies):
    return {"book_id": str(book.pk), "received": copies}


def counted(book, copies):
    return {"book_id": str(book.pk), "counted": copies, "reason": "stocktake"}


@pytest.mark.django_db
def test_copies_of_many_books_are_received_and_counted(api):
    gatsby, emma = a_book("Gatsby", isbn=GATSBY, copies=10), a_book("Emma", copies=5)

    response = sent(api, {"isbn": GATSBY, "received": 3, "reason": "note 4711"}, counted(emma, 4), counted(gatsby, 13))

    assert told(response) == [("updated", None, True), ("updated", None, True), ("unchanged", None, False)]
    movement = StockMovement.objects.get(pk=response.json()["results"][0]["id"])
    assert (movement.item_id, movement.on_hand_change, movement.reason) == (gatsby.pk, 3, "note 4711")
    assert ledger(emma)[-1] == ("counted", -1, 0)
    assert (stock(gatsby), stock(emma)) == ((13, 0), (4, 0))


@pytest.mark.django_db
@pytest.mark.parametrize("isbn", ["978-0-7432-7356-5", "0743273567", " 0-7432-7356-7", "ISBN 9780743273565"])
def test_a_book_is_named_by_its_isbn_in_any_form(api, isbn):
    gatsby = a_book("Gatsby", isbn=GATSBY)

    response = sent(api, {"isbn": isbn, "received": 3})

    assert told(response) == [("updated", None, True)]
    assert stock(gatsby) == (3, 0)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("isbn", "detail"),
    [
        ("9780743273566", "its check digit does not fit: one of the digits is wrong, or two are swapped"),
        ("4006381333931", "an ISBN of 13 digits begins with 978 or 979"),
        ("97807432735", "an ISBN has 10 or 13 digits, not 11"),
        ("", "it is empty; an ISBN has 10 or 13 digits"),
    ],
)
def test_a_wrong_isbn_is_the_fault_of_its_row_and_said_as_of_a_book(api, isbn, detail):
    emma = a_book(copies=5)

    response = sent(api, {"isbn": isbn, "received": 1}, received(emma, 1))

    mistake = [{"pointer": "#/rows/0/isbn", "code": "invalid", "detail": detail}]
    assert told(response) == [("refused", "validation_failed", False), ("updated", None, True)]
    assert response.json()["results"][0]["problem"]["errors"] == mistake
    of_book = api.post("/books/bulk", {"rows": [{"isbn": isbn, "title": "Emma"}]}).json()["results"][0]["problem"]
    assert of_book["errors"] == mistake
    assert stock(emma) == (6, 0)


@pytest.mark.django_db
def test_rows_of_one_book_follow_each_other(api):
    emma = a_book(copies=5)

    sent(api, received(emma, 2), counted(emma, 6), received(emma, 1))

    assert ledger(emma)[1:] == [("received", 2, 0), ("counted", -1, 0), ("received", 1, 0)]
    assert stock(emma) == (7, 0)


@pytest.mark.django_db
def test_lines_that_wait_are_filled(api):
    emma, sold_out = a_book("Emma", copies=1), a_book("Sanditon", copies=0)
    order = a_waiting_order((emma, 3), (sold_out, 2))

    sent(api, received(emma, 1), received(sold_out, 5))

    assert promised(order) == [(3, 2), (2, 2)]
    assert (stock(emma), stock(sold_out)) == ((2, 2), (5, 2))


@pytest.mark.django_db
def test_a_wrong_row_spoils_none_of_the_others(api):
    emma = a_book(copies=5)
    an_order((emma, 4))

    response = sent(
        api,
        counted(emma, 3),
        received(emma, 1),
        {"book_id": "01990000-0000-7000-8000-000000000000", "received": 1},
        {"isbn": GATSBY, "received": 1},
        {"book_id": str(emma.pk), "received": 1, "counted": 1},
        {"received": 1},
        {"book_id": str(emma.pk), "counted": 5},
        {"book_id": str(emma.pk), "received": 0},
        received(emma, 1) | {"received": "2"},
    )

    assert told(response) == [
        ("refused", "copies_allocated", False),
        ("updated", None, True),
        ("refused", "not_found", False),
        ("refused", "not_found", False),
        *[("refused", "validation_failed", False)] * 5,
    ]
    assert stock(emma) == (6, 4)
    problem = response.json()["results"][0]["problem"]
    assert (problem["status"], problem["errors"][0]["pointer"]) == (409, "#/rows/0")


@pytest.mark.django_db
def test_with_atomic_all_are_taken_over_or_none(api):
    emma = a_book(copies=5)
    an_order((emma, 4))

    refused = sent(api, received(emma, 1), counted(emma, 2), atomic=True)

    assert (refused.status_code, refused.json()["code"]) == (422, "rows_refused")
    assert refused.json()["errors"][0]["code"] == "copies_allocated"
    assert stock(emma) == (5, 4)
    assert len(ledger(emma)) == 2


@pytest.mark.django_db
def test_many_books_cost_as_much_as_few(api, django_assert_max_num_queries):
    for count in (2, 40):
        shelf = books(count, copies=1)
        with django_assert_max_num_queries(14):
            response = sent(api, *[received(book, 1) for book in shelf])

        assert {status for status, _, _ in told(response)} == {"updated"}


@pytest.mark.django_db
def test_it_takes_the_rights_to_receive_and_to_adjust(api_of):
    response = sent(api_of("Integration"), received(a_book(), 1))

    assert (response.status_code, response.json()["permission"]) == (403, "inventory.receive_copies")


@pytest.mark.django_db(transaction=True)
def test_deliveries_in_opposite_order_do_not_wait_for_each_other(api):
    shelf = books(5, copies=0)
    rows = [StockRow(book_id=book.pk, received=1) for book in shelf]

    results = race(
        [lambda: move_copies(dict(enumerate(rows))), lambda: move_copies(dict(enumerate(reversed(rows))))] * 4
    )

    assert outcomes(results) == {"done": 8}
    assert [stock(book) for book in shelf] == [(8, 0)] * 5
