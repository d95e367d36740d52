from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine

from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
from catalog.models import BookDetails
from catalog.services import add_to_catalog
from inventory import services
from inventory.models import Notification, StockItem, StockMovement
from orders.models import Contact
from orders.services import LineRequest, confirm_order, place_order, ship_order

pytestmark = pytest.mark.django_db

UNKNOWN = "00000000-0000-7000-8000-000000000000"


def add(title="Emma", *, stock=10, isbn=None):
    return add_to_catalog(BookDetails(title=title, isbn=isbn), price=Money(Decimal("9.50"), "USD"), opening_stock=stock)


def order(book, quantity=2):
    return place_order(Contact(customer_name="Alice"), [LineRequest(book_id=book.pk, quantity=quantity)])


def state():
    return str(StockItem.objects.get()), StockMovement.objects.count(), Event.objects.count()


def titles(response):
    assert response.status_code == 200, response.content
    return [stock["title"] for stock in response.json()["results"]]


def refusal(response, status, code):
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    return problem


@time_machine.travel(datetime(2026, 1, 1, 12, tzinfo=UTC), tick=False)
def test_the_stock_of_a_book_is_read(api):
    book = add("The Great Gatsby", isbn="9780743273565")
    order(book, 3)

    assert api.get(f"/stock/{book.pk}").json() == {
        "book_id": str(book.pk),
        "isbn": "9780743273565",
        "title": "The Great Gatsby",
        "on_hand": 10,
        "allocated": 3,
        "available": 7,
        "low_stock_threshold": 3,
        "is_low": False,
        "updated_at": "2026-01-01T12:00:00Z",
    }


def test_a_book_that_never_had_a_copy_reads_as_zeros_and_writes_nothing(api):
    book = add(stock=0)
    StockItem.objects.all()._raw_delete("default")

    stock = api.get(f"/stock/{book.pk}").json()

    assert (stock["title"], stock["on_hand"], stock["allocated"], stock["available"]) == ("Emma", 0, 0, 0)
    assert stock["updated_at"] is None
    assert api.get(f"/stock/{book.pk}/movements").json()["results"] == []
    assert not StockItem.objects.exists()


@pytest.mark.parametrize("book_id", [UNKNOWN, "banana"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "", ""),
        ("get", "/movements", ""),
        ("post", "/receipts", {"quantity": 1}),
        ("post", "/counts", {"counted": 1, "reason": "stocktake"}),
        ("post", "/adjustments", {"change": -1, "kind": "lost", "reason": "stolen"}),
    ],
)
def test_an_unknown_book_is_not_found(api, book_id, method, path, body):
    refusal(getattr(api, method)(f"/stock/{book_id}{path}", body), 404, "not_found")

    assert not StockItem.objects.exists()


def test_the_list_can_be_of_what_runs_low(api):
    add("plenty", stock=4)
    add("few", stock=3)
    order(add("promised", stock=5), 4)
    add("never", stock=0)

    assert titles(api.get("/stock")) == ["plenty", "few", "promised", "never"]
    assert titles(api.get("/stock?low=true")) == ["few", "promised"]
    assert titles(api.get("/stock?low=false")) == ["plenty", "never"]


def test_the_availability_feed_lists_stock_as_it_moved_until_a_minute_ago(api):
    with time_machine.travel(datetime(2026, 1, 1, 12, tzinfo=UTC), tick=False) as clock:
        emma = add("Emma")
        clock.shift(10)
        add("Persuasion")
        clock.shift(10)
        services.receive_copies(book_id=emma.pk, quantity=1)
        clock.shift(60)

        early = titles(api.get("/stock?updated_since=2026-01-01T12:00:00Z"))
        clock.shift(1)
        later = titles(api.get("/stock?updated_since=2026-01-01T12:00:00Z"))

    assert (early, later) == (["Persuasion"], ["Persuasion", "Emma"])


def test_who_follows_availability_asks_again_from_the_last_change_that_they_saw(api):
    with time_machine.travel(datetime(2026, 1, 1, 12, tzinfo=UTC), tick=False) as clock:
        emma = add("Emma")
        clock.shift(10)
        add("Persuasion")
        clock.shift(61)
        seen = api.get("/stock?updated_since=2026-01-01T12:00:00Z").json()["results"]
        services.receive_copies(book_id=emma.pk, quantity=1)
        clock.shift(61)

        news = titles(api.get(f"/stock?updated_since={seen[-1]['updated_at']}"))

    assert [stock["updated_at"] for stock in seen] == ["2026-01-01T12:00:00Z", "2026-01-01T12:00:10Z"]
    assert news == ["Persuasion", "Emma"]


def test_a_page_costs_the_same_however_many_books_it_has(api, django_assert_num_queries):
    for number in range(6):
        add(f"book {number}")

    for limit in (1, 6):
        with django_assert_num_queries(2) as queries:  # the key and the page
            assert len(titles(api.get(f"/stock?limit={limit}"))) == limit

        assert all(query["sql"].startswith("SELECT") for query in queries)


def test_a_delivery_is_received(api):
    book = add()

    response = api.post(f"/stock/{book.pk}/receipts", {"quantity": 5, "reason": "note 4711"})

    movement = response.json()
    assert response.status_code == 201
    assert movement.pop("created_at")
    assert movement.pop("actor").startswith("key:till:")
    assert movement == {
        "id": str(StockMovement.objects.latest("id").pk),
        "book_id": str(book.pk),
        "kind": "received",
        "on_hand_change": 5,
        "allocated_change": 0,
        "on_hand": 15,
        "allocated": 0,
        "order_id": None,
        "line_id": None,
        "reason": "note 4711",
    }
    assert str(StockItem.objects.get()) == "15 on hand, 0 allocated"


def test_a_count_sets_the_shelf(api):
    book = add()

    response = api.post(f"/stock/{book.pk}/counts", {"counted": 7, "reason": "stocktake"})

    assert response.status_code == 201
    assert (response.json()["kind"], response.json()["on_hand_change"]) == ("counted", -3)
    assert str(StockItem.objects.get()) == "7 on hand, 0 allocated"


def test_a_count_that_finds_what_was_expected_moves_nothing(api):
    book = add()

    response = api.post(f"/stock/{book.pk}/counts", {"counted": 10, "reason": "stocktake"})

    assert response.status_code == 201
    assert (response.json()["kind"], response.json()["on_hand_change"]) == ("counted", 0)
    assert str(StockItem.objects.get()) == "10 on hand, 0 allocated"


@pytest.mark.parametrize(
    ("kind", "change", "movement"), [("damaged", -1, "damaged"), ("lost", -2, "lost"), ("correction", 3, "corrected")]
)
def test_the_shelf_is_adjusted(api, kind, change, movement):
    book = add()

    response = api.post(f"/stock/{book.pk}/adjustments", {"change": change, "kind": kind, "reason": "seen"})

    assert (response.status_code, response.json()["kind"], response.json()["on_hand"]) == (201, movement, 10 + change)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("counts", {"counted": 1, "reason": "stocktake"}),
        ("adjustments", {"change": -9, "kind": "lost", "reason": "stolen"}),
    ],
)
def test_what_is_promised_stays_on_the_shelf(api, path, body):
    book = add()
    promised = order(book)
    before = state()

    problem = refusal(api.post(f"/stock/{book.pk}/{path}", body), 409, "copies_allocated")

    assert (problem["allocated"], problem["orders"]) == (2, [promised.number])
    assert state() == before


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("receipts", {"quantity": 0}, "#/quantity"),
        ("receipts", {"quantity": -1}, "#/quantity"),
        ("receipts", {"quantity": 1.0}, "#/quantity"),
        ("receipts", {"quantity": True}, "#/quantity"),
        ("receipts", {"quantity": "1"}, "#/quantity"),
        ("receipts", {"quantity": 10**9}, "#/quantity"),
        ("receipts", {"quantity": 1, "reason": "x" * 201}, "#/reason"),
        ("receipts", {"quantity": 1, "price": 1}, "#/price"),
        ("receipts", {}, "#/quantity"),
        ("counts", {"counted": -1, "reason": "x"}, "#/counted"),
        ("counts", {"counted": 1.5, "reason": "x"}, "#/counted"),
        ("counts", {"counted": 1}, "#/reason"),
        ("counts", {"counted": 1, "reason": " "}, "#/reason"),
        ("adjustments", {"change": 0, "kind": "lost", "reason": "x"}, "#/change"),
        ("adjustments", {"change": 1, "kind": "lost", "reason": "x"}, "#/change"),
        ("adjustments", {"change": -(10**9), "kind": "lost", "reason": "x"}, "#/change"),
        ("adjustments", {"change": -1, "kind": "eaten", "reason": "x"}, "#/kind"),
        ("adjustments", {"change": -1, "kind": "lost", "reason": "\x00"}, "#/reason"),
    ],
)
def test_a_wrong_change_is_refused_where_it_is_wrong(api, path, body, pointer):
    book = add()
    before = state()

    problem = refusal(api.post(f"/stock/{book.pk}/{path}", body), 422, "validation_failed")

    assert [mistake["pointer"] for mistake in problem["errors"]] == [pointer]
    assert state() == before


def test_the_ledger_of_a_book_has_the_newest_first_on_any_number_of_pages(api):
    book = add()
    add("another")
    placed = order(book)

    first = api.get(f"/stock/{book.pk}/movements?limit=1").json()
    second = api.get(first["next"]).json()

    (allocated,), (opening,) = first["results"], second["results"]
    assert (allocated["kind"], allocated["allocated_change"], allocated["order_id"]) == (
        "allocated",
        2,
        str(placed.pk),
    )
    assert (opening["kind"], opening["on_hand"], second["next"]) == ("opening", 10, None)
    assert api.get(second["previous"]).json()["results"] == [allocated]


def test_notifications_are_listed_with_the_latest_first(api):
    placed = order(add())
    confirm_order(order_id=placed.pk)

    confirmed, received = api.get("/notifications").json()["results"]

    assert received["kind"] == "order_placed"
    assert confirmed.pop("id") == str(Notification.objects.get(kind="order_confirmed").pk)
    assert confirmed.pop("created_at")
    assert confirmed == {
        "kind": "order_confirmed",
        "audience": "customer",
        "order_id": str(placed.pk),
        "book_id": None,
        "message": f"Order {placed.number} confirmed for Alice",
        "channel": "email",
        "status": "no_address",
        "sent_at": None,
    }


def test_notifications_are_filtered(api):
    book = add()
    first, second = order(book), order(book)
    confirm_order(order_id=second.pk)

    def kinds(query):
        return [one["kind"] for one in api.get(f"/notifications?{query}").json()["results"]]

    assert kinds(f"order_id={first.pk}") == ["order_placed"]
    assert kinds("kind=order_confirmed") == ["order_confirmed"]
    assert kinds(f"order_id={first.pk}&kind=order_confirmed") == []


@pytest.mark.parametrize("query", ["kind=gossip", "order_id=banana", "limit=500", "cursor=x", "audience=staff"])
def test_a_parameter_that_means_nothing_is_refused(api, query):
    problem = refusal(api.get(f"/notifications?{query}"), 422, "validation_failed")

    assert [mistake["pointer"] for mistake in problem["errors"]] == [f"query/{query.partition('=')[0]}"]


@pytest.mark.parametrize(
    ("path", "body", "permission"),
    [
        ("receipts", {"quantity": 1}, "inventory.receive_copies"),
        ("counts", {"counted": 1, "reason": "x"}, "inventory.adjust_stock"),
        ("adjustments", {"change": -1, "kind": "lost", "reason": "x"}, "inventory.adjust_stock"),
    ],
)
def test_an_integration_does_not_touch_the_shelf(api_of, path, body, permission):
    book = add()
    before = state()

    response = api_of("Integration").post(f"/stock/{book.pk}/{path}", body)

    assert refusal(response, 403, "missing_permission")["permission"] == permission
    assert state() == before


def test_a_key_that_may_only_read_reads_it_all(api_of):
    book = add()
    reader = api_of("Read-only")

    for path in ("/stock", f"/stock/{book.pk}", f"/stock/{book.pk}/movements", "/notifications"):
        assert reader.get(path).status_code == 200


def sent(book, quantity=2):
    placed = order(book, quantity)
    confirm_order(order_id=placed.pk)
    return ship_order(order_id=placed.pk)


def test_returned_copies_go_back_on_the_shelf(api):
    book = add()
    placed = sent(book)

    answer = api.post(f"/stock/{book.pk}/returns", {"order_id": str(placed.pk), "quantity": 1, "reason": "a present"})

    movement = answer.json()
    assert answer.status_code == 201
    assert (movement["kind"], movement["on_hand_change"], movement["on_hand"]) == ("returned", 1, 9)
    assert (movement["order_id"], movement["reason"]) == (str(placed.pk), "a present")


def test_copies_that_come_back_damaged_are_written_off(api):
    book = add()
    placed = sent(book)

    answer = api.post(f"/stock/{book.pk}/returns", {"order_id": str(placed.pk), "quantity": 2, "condition": "damaged"})

    movements = api.get(f"/stock/{book.pk}/movements").json()["results"]
    assert (answer.status_code, answer.json()["kind"]) == (201, "returned")
    assert [movement["kind"] for movement in movements[:2]] == ["damaged", "returned"]
    assert movements[0]["on_hand"] == 8


def test_never_more_come_back_than_were_sent(api):
    book = add()
    placed = sent(book)
    before = state()

    problem = refusal(
        api.post(f"/stock/{book.pk}/returns", {"order_id": str(placed.pk), "quantity": 3}), 409, "more_than_shipped"
    )

    assert (problem["shipped"], problem["returned"]) == (2, 0)
    assert problem["errors"][0]["pointer"] == "#/quantity"
    assert state() == before


def test_copies_of_no_order_do_not_come_back(api):
    book = add()

    refusal(api.post(f"/stock/{book.pk}/returns", {"order_id": UNKNOWN, "quantity": 1}), 404, "not_found")
    refusal(api.post(f"/stock/{UNKNOWN}/returns", {"order_id": UNKNOWN, "quantity": 1}), 404, "not_found")


def test_a_book_gets_a_threshold_of_its_own_and_loses_it(api):
    book = add()

    own = api.patch(f"/stock/{book.pk}", {"low_stock_threshold": 10})
    none = api.patch(f"/stock/{book.pk}", {"low_stock_threshold": None})

    assert (own.status_code, own.json()["low_stock_threshold"], own.json()["is_low"]) == (200, 10, True)
    assert (none.json()["low_stock_threshold"], none.json()["is_low"]) == (3, False)


def test_why_a_threshold_was_set_is_kept_once(api):
    book = add()

    for _ in range(2):
        api.patch(f"/stock/{book.pk}", {"low_stock_threshold": 10, "reason": "Sells fast"})

    event = Event.objects.get(name="inventory.threshold_set")
    assert event.data == {"book_id": str(book.pk), "threshold": 10, "reason": "Sells fast"}


@pytest.mark.parametrize("body", [{}, {"low_stock_threshold": -1}, {"low_stock_threshold": True}, {"on_hand": 3}])
def test_a_threshold_is_a_number_of_copies(api, body):
    book = add()

    refusal(api.patch(f"/stock/{book.pk}", body), 422, "validation_failed")


def test_who_may_not_adjust_stock_sets_no_threshold(api_of):
    book = add()

    refusal(api_of("Integration").patch(f"/stock/{book.pk}", {"low_stock_threshold": 1}), 403, "missing_permission")
