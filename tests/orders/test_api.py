import json
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
import time_machine

from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
from catalog.models import BookDetails
from catalog.services import add_to_catalog, reprice, withdraw
from inventory.models import StockItem, StockMovement
from inventory.services import receive_copies
from orders import services
from orders.models import Contact, Order
from orders.services import LineRequest

pytestmark = pytest.mark.django_db


@pytest.fixture
def gatsby(db):
    return add("The Great Gatsby", isbn="9780743273565")


def add(title, *, isbn=None, price="12.99", stock=10):
    money = None if price is None else Money(Decimal(price), "USD")
    return add_to_catalog(BookDetails(title=title, isbn=isbn), price=money, opening_stock=stock)


def place(book, quantity=2, name="Alice Johnson"):
    return services.place_order(Contact(customer_name=name), [LineRequest(book_id=book.pk, quantity=quantity)])


def asked(book, quantity=2, **more):
    return {"customer_name": "Alice Johnson", "lines": [{"book_id": str(book.pk), "quantity": quantity}]} | more


def state():
    """All that a refusal must leave as it was."""
    return (
        list(Order.objects.order_by("pk").values_list("status", "version", "customer_name")),
        list(StockItem.objects.order_by("pk").values_list("on_hand", "allocated")),
        StockMovement.objects.count(),
        Event.objects.count(),
    )


def refusal(response, status, code):
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code), problem
    assert problem["type"] == f"http://127.0.0.1:8000/docs/problems/{code}"
    return problem


def places(problem):
    return [mistake["pointer"] for mistake in problem["errors"]]


# Placing


def test_placing_an_order_keeps_its_copies(api, gatsby):
    response = api.post("/orders", asked(gatsby))

    order = Order.objects.get()
    assert response.status_code == 201
    assert response.headers["Location"] == f"http://127.0.0.1:8000/api/v1/orders/{order.pk}"
    answer = response.json()
    assert datetime.fromisoformat(answer.pop("placed_at")) <= datetime.fromisoformat(answer.pop("updated_at"))
    assert answer == {
        "id": str(order.pk),
        "number": order.number,
        "status": "PENDING",
        "customer_name": "Alice Johnson",
        "customer_email": "",
        "phone": "",
        "language": "en",
        "fulfilment": "collect",
        "address": None,
        "note": "",
        "external_reference": None,
        "total": {"amount": "25.98", "currency": "USD"},
        "lines": [
            {
                "id": str(order.lines.get().pk),
                "book_id": str(gatsby.pk),
                "isbn": "9780743273565",
                "title": "The Great Gatsby",
                "quantity": 2,
                "allocated": 2,
                "unit_price": {"amount": "12.99", "currency": "USD"},
                "line_total": {"amount": "25.98", "currency": "USD"},
                "cancelled_at": None,
            }
        ],
        "tracking": "",
        "confirmed_at": None,
        "shipped_at": None,
        "cancelled_at": None,
        "cancel_reason": None,
        "cancel_note": "",
        "split_from": None,
        "split_into": [],
        "status_url": f"http://127.0.0.1:8000/o/{order.token}/",
    }
    assert str(StockItem.objects.get()) == "10 on hand, 2 allocated"


def test_a_book_may_be_named_by_its_isbn_in_any_form_and_its_lines_become_one(api, gatsby):
    lines = [{"isbn": "0-7432-7356-7", "quantity": 1}, {"book_id": str(gatsby.pk), "quantity": 3}]

    answer = api.post("/orders", asked(gatsby, lines=lines)).json()

    assert [(line["isbn"], line["quantity"]) for line in answer["lines"]] == [("9780743273565", 4)]


def test_an_order_may_be_shipped_to_an_address(api, gatsby):
    address = {"street": "1 West Egg", "city": "Long Island", "postal_code": "11021", "country": "US"}
    given = {
        "customer_email": "alice@example.com",
        "phone": "+1 555",
        "language": "de",
        "fulfilment": "ship",
        "address": address,
        "note": "a gift",
        "external_reference": "web-1",
    }

    answer = api.post("/orders", asked(gatsby, **given)).json()

    assert {name: answer[name] for name in given} == given


def test_an_order_may_wait_for_copies(api, gatsby):
    answer = api.post("/orders", asked(gatsby, 12, if_unavailable="wait")).json()

    assert (answer["status"], answer["lines"][0]["quantity"], answer["lines"][0]["allocated"]) == ("PENDING", 12, 10)

    problem = refusal(api.post(f"/orders/{answer['id']}/confirm"), 409, "lines_waiting")

    assert problem["lines"] == [answer["lines"][0]["id"]]
    assert Order.objects.get().status == "PENDING"


def test_more_copies_than_there_are_are_refused_naming_the_line(api, gatsby):
    emma = add("Emma", stock=1)
    before = state()
    lines = [{"book_id": str(gatsby.pk), "quantity": 10}, {"book_id": str(emma.pk), "quantity": 2}]

    problem = refusal(api.post("/orders", asked(gatsby, lines=lines)), 409, "insufficient_stock")

    assert problem["shortages"] == [
        {"line": 1, "book_id": str(emma.pk), "title": "Emma", "requested": 2, "available": 1}
    ]
    assert places(problem) == ["#/lines/1/quantity"]
    assert problem["detail"] == "There are not enough copies: line 2, 'Emma': 2 requested, 1 available."
    assert state() == before


def test_a_withdrawn_book_is_not_for_sale(api, gatsby):
    withdraw(book_id=gatsby.pk)
    before = state()

    problem = refusal(api.post("/orders", asked(gatsby)), 409, "not_for_sale")

    assert places(problem) == ["#/lines/0"]
    assert state() == before


def test_a_book_without_a_price_is_not_for_sale(api):
    free = add("Zine", price=None)
    before = state()

    refusal(api.post("/orders", asked(free)), 409, "not_for_sale")

    assert state() == before


def test_a_stale_price_is_refused_and_the_right_one_taken(api, gatsby):
    reprice(book_id=gatsby.pk, price=Money(Decimal("14.99"), "USD"))
    before = state()

    def line(amount):
        price = {"amount": amount, "currency": "USD"}
        return [{"book_id": str(gatsby.pk), "quantity": 1, "expected_unit_price": price}]

    problem = refusal(api.post("/orders", asked(gatsby, lines=line("12.99"))), 409, "price_changed")
    assert places(problem) == ["#/lines/0/expected_unit_price"]
    assert state() == before

    assert api.post("/orders", asked(gatsby, lines=line("14.99"))).json()["total"]["amount"] == "14.99"


def test_a_reference_is_good_for_one_order_of_a_key(api, api_of, gatsby):
    first = api.post("/orders", asked(gatsby, external_reference="web-1")).json()
    before = state()

    problem = refusal(api.post("/orders", asked(gatsby, external_reference=" web-1 ")), 409, "duplicate")

    assert (problem["existing_id"], places(problem)) == (first["id"], ["#/external_reference"])
    assert state() == before
    assert api_of("Manager").post("/orders", asked(gatsby, external_reference="web-1")).status_code == 201


UNKNOWN = "00000000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ({"quantity": 0}, "quantity"),
        ({"quantity": -5}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": 1.0}, "quantity"),
        ({"quantity": 10**9}, "quantity"),
        ({"quantity": 10**30}, "quantity"),
        ({"quantity": "2"}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"book_id": UNKNOWN}, "book_id"),
        ({"book_id": "banana"}, "book_id"),
        ({"book_id": None, "isbn": "9780743273566"}, "isbn"),
        ({"book_id": None, "isbn": "9780141439587"}, "isbn"),
        ({"colour": "green"}, "colour"),
    ],
)
def test_a_line_that_asks_for_nothing_the_shop_has_is_refused(api, gatsby, line, place):
    before = state()
    given = {"book_id": str(gatsby.pk), "quantity": 1} | line

    problem = refusal(api.post("/orders", asked(gatsby, lines=[given])), 422, "validation_failed")

    assert places(problem) == [f"#/lines/0/{place}"]
    assert state() == before


@pytest.mark.parametrize("line", [{"quantity": 1}, {"quantity": 1, "book_id": UNKNOWN, "isbn": "9780743273565"}])
def test_a_line_names_its_book_in_one_way(api, gatsby, line):
    before = state()

    problem = refusal(api.post("/orders", asked(gatsby, lines=[line])), 422, "validation_failed")

    assert places(problem) == ["#/lines/0"]
    assert state() == before


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"lines": []}, "#/lines"),
        ({"lines": None}, "#/lines"),
        ({"lines": {}}, "#/lines"),
        ({"lines": [None]}, "#/lines/0"),
        ({"lines": [{"isbn": "9780743273565", "quantity": 1}] * 201}, "#/lines"),
        ({"lines": [{"isbn": "9780743273565", "quantity": 9_999}] * 2}, "#/lines/1/quantity"),
        ({"customer_name": ""}, "#/customer_name"),
        ({"customer_name": " "}, "#/customer_name"),
        ({"customer_name": "Al\x00ice"}, "#/customer_name"),
        ({"customer_name": None}, "#/customer_name"),
        ({"customer_email": "not an address"}, "#/customer_email"),
        ({"language": "la"}, "#/language"),
        ({"fulfilment": "teleport"}, "#/fulfilment"),
        ({"fulfilment": "ship"}, "#/address"),
        ({"address": {"street": "1 West Egg"}}, "#/address/city"),
        ({"if_unavailable": "maybe"}, "#/if_unavailable"),
        ({"external_reference": "x" * 101}, "#/external_reference"),
        ({"unit_price": "0.01"}, "#/unit_price"),
        ({"status": "SHIPPED"}, "#/status"),
    ],
)
def test_an_order_that_is_none_is_refused_where_it_is_wrong(api, gatsby, change, pointer):
    before = state()

    problem = refusal(api.post("/orders", asked(gatsby, **change)), 422, "validation_failed")

    assert places(problem)[0] == pointer
    assert state() == before


# Moving on


def test_an_order_is_confirmed_and_shipped(api, gatsby):
    order = place(gatsby)

    confirmed = api.post(f"/orders/{order.pk}/confirm").json()
    shipped = api.post(f"/orders/{order.pk}/ship", {"tracking": "1Z999"}).json()

    assert (confirmed["status"], confirmed["lines"][0]["allocated"]) == ("CONFIRMED", 2)
    assert (shipped["status"], shipped["tracking"], shipped["lines"][0]["allocated"]) == ("SHIPPED", "1Z999", 0)
    assert None not in (confirmed["confirmed_at"], shipped["shipped_at"])
    assert str(StockItem.objects.get()) == "8 on hand, 0 allocated"


def test_an_order_is_cancelled_with_a_reason(api, gatsby):
    order = place(gatsby)

    answer = api.post(f"/orders/{order.pk}/cancel", {"reason": "customer", "note": "too slow"}).json()

    assert (answer["status"], answer["cancel_reason"], answer["cancel_note"]) == ("CANCELLED", "customer", "too slow")
    assert str(StockItem.objects.get()) == "10 on hand, 0 allocated"


def test_repeating_what_is_done_changes_nothing(api, gatsby):
    shipped, cancelled = place(gatsby), place(gatsby)
    first = [
        api.post(f"/orders/{shipped.pk}/confirm"),
        api.post(f"/orders/{shipped.pk}/ship", {"tracking": "one"}),
        api.post(f"/orders/{cancelled.pk}/cancel", {"reason": "fraud"}),
    ]
    assert [answer.status_code for answer in first] == [200, 200, 200]
    before = state()

    again = [
        api.post(f"/orders/{shipped.pk}/ship", {"tracking": "two"}),
        api.post(f"/orders/{cancelled.pk}/cancel", {"reason": "other"}),
    ]

    assert [answer.json() for answer in again] == [answer.json() for answer in first[1:]]
    assert state() == before


@pytest.mark.parametrize(
    ("way", "refused", "current", "allowed"),
    [
        ([], "ship", "PENDING", ["CONFIRMED", "CANCELLED"]),
        (["confirm", "ship"], "confirm", "SHIPPED", []),
        (["confirm", "ship"], "cancel", "SHIPPED", []),
        (["cancel"], "confirm", "CANCELLED", []),
        (["cancel"], "ship", "CANCELLED", []),
    ],
)
def test_what_can_not_happen_from_here_is_refused_and_says_what_can(api, gatsby, way, refused, current, allowed):
    order = place(gatsby)
    reason = {"cancel": {"reason": "customer"}}
    for verb in way:
        assert api.post(f"/orders/{order.pk}/{verb}", reason.get(verb, "")).status_code == 200
    before = state()

    problem = refusal(api.post(f"/orders/{order.pk}/{refused}", reason.get(refused, "")), 409, "invalid_transition")

    assert problem["allowed"] == allowed
    assert problem["detail"].startswith(f"An order that is {current} can't become")
    assert state() == before


@pytest.mark.parametrize(
    ("verb", "body", "pointer"),
    [
        ("confirm", {"tracking": "1"}, "#/tracking"),
        ("ship", {"tracking": "x" * 101}, "#/tracking"),
        ("ship", {"tracking": "nul \x00"}, "#/tracking"),
        ("ship", {"carrier": "post"}, "#/carrier"),
        ("cancel", "", "#"),
        ("cancel", {}, "#/reason"),
        ("cancel", {"reason": "expired"}, "#/reason"),
        ("cancel", {"reason": "other", "note": "x" * 501}, "#/note"),
    ],
)
def test_a_wrong_move_is_refused_where_it_is_wrong(api, gatsby, verb, body, pointer):
    order = place(gatsby)
    before = state()

    problem = refusal(api.post(f"/orders/{order.pk}/{verb}", body), 422, "validation_failed")

    assert places(problem) == [pointer]
    assert state() == before


@pytest.mark.parametrize("order_id", [UNKNOWN, "banana"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "", ""),
        ("get", "/timeline", ""),
        ("patch", "", {"note": "hello"}),
        ("post", "/confirm", ""),
        ("post", "/ship", ""),
        ("post", "/cancel", {"reason": "other"}),
    ],
)
def test_an_unknown_order_is_not_found(api, order_id, method, path, body):
    refusal(getattr(api, method)(f"/orders/{order_id}{path}", body), 404, "not_found")


# Correcting


def test_correcting_the_contact_touches_only_what_it_names(api, gatsby):
    order = place(gatsby)
    address = {"street": "1 West Egg", "city": "Long Island", "postal_code": "11021", "country": "US"}

    first = api.patch(f"/orders/{order.pk}", {"customer_email": "alice@example.com", "address": address}).json()
    second = api.patch(f"/orders/{order.pk}", {"fulfilment": "ship", "note": "ring twice"}).json()
    third = api.patch(f"/orders/{order.pk}", {"fulfilment": "collect", "address": None, "note": None}).json()

    assert (first["customer_name"], first["customer_email"]) == ("Alice Johnson", "alice@example.com")
    assert (second["fulfilment"], second["address"], second["note"]) == ("ship", address, "ring twice")
    assert (third["address"], third["note"], third["customer_email"]) == (None, "", "alice@example.com")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"customer_name": None}, "#/customer_name"),
        ({"customer_name": ""}, "#/customer_name"),
        ({"customer_email": "nobody"}, "#/customer_email"),
        ({"fulfilment": "ship"}, "#/address"),
        ({"lines": []}, "#/lines"),
        ({"status": "SHIPPED"}, "#/status"),
    ],
)
def test_a_wrong_correction_is_refused_whole(api, gatsby, change, pointer):
    order = place(gatsby)
    before = state()

    problem = refusal(api.patch(f"/orders/{order.pk}", {"note": "hello"} | change), 422, "validation_failed")

    assert places(problem)[0] == pointer
    assert state() == before
    assert Order.objects.get().note == ""


def test_a_shipped_order_is_not_corrected_any_more(api, gatsby):
    order = place(gatsby)
    services.confirm_order(order_id=order.pk)
    services.ship_order(order_id=order.pk)
    before = state()

    refusal(api.patch(f"/orders/{order.pk}", {"customer_name": "Bob"}), 409, "invalid_transition")

    assert state() == before


# Reading


def test_the_link_to_the_page_is_told_once(api, gatsby):
    placed = api.post("/orders", asked(gatsby)).json()
    token = Order.objects.get().token

    answers = [
        api.get(f"/orders/{placed['id']}"),
        api.get("/orders"),
        api.get(f"/orders/{placed['id']}/timeline"),
        api.post(f"/orders/{placed['id']}/confirm"),
        api.patch(f"/orders/{placed['id']}", {"note": "x"}),
    ]

    assert all(answer.status_code == 200 and token not in answer.content.decode() for answer in answers)
    assert answers[0].json().keys() == placed.keys() - {"status_url"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Carol", "Bob", "Alice"]),
        ("status=PENDING", ["Carol", "Alice"]),
        ("status=CANCELLED", ["Bob"]),
        ("customer=aLi", ["Alice"]),
        ("customer=bob%40example", ["Bob"]),
        ("customer=nobody", []),
        ("limit=1", ["Carol"]),
    ],
)
def test_the_list_has_the_latest_first_and_is_filtered(api, gatsby, query, expected):
    for name in ("Alice", "Bob", "Carol"):
        place(gatsby, name=name)
    bob = Order.objects.get(customer_name="Bob")
    services.amend_contact(order_id=bob.pk, changes={"customer_email": "bob@example.com"})
    services.cancel_order(order_id=bob.pk, reason="customer")

    listed = api.get(f"/orders?{query}").json()["results"]

    assert [order["customer_name"] for order in listed] == expected


@pytest.mark.parametrize("query", ["status=pending", "customer=", "updated_since=x", "limit=x", "q=x"])
def test_a_parameter_that_means_nothing_is_refused(api, query):
    problem = refusal(api.get(f"/orders?{query}"), 422, "validation_failed")

    assert places(problem) == [f"query/{query.partition('=')[0]}"]


def test_what_has_changed_since_is_listed_as_it_changed_until_a_minute_ago(api, gatsby):
    with time_machine.travel(datetime(2026, 1, 1, 12, tzinfo=UTC), tick=False) as clock:
        first = place(gatsby, name="first")
        clock.shift(10)
        place(gatsby, name="second")
        clock.shift(10)
        services.confirm_order(order_id=first.pk)
        clock.shift(60)

        early = api.get("/orders?updated_since=2026-01-01T12:00:00Z").json()["results"]
        clock.shift(1)
        later = api.get("/orders?updated_since=2026-01-01T12:00:00Z").json()["results"]

    assert [order["customer_name"] for order in early] == ["second"]
    assert [order["customer_name"] for order in later] == ["second", "first"]


@pytest.mark.parametrize(("copies", "kept"), [(2, 2), (5, 3)])
def test_an_order_is_listed_as_changed_when_copies_came_that_it_waited_for(api, copies, kept):
    with time_machine.travel(datetime(2026, 1, 1, 12, tzinfo=UTC), tick=False) as clock:
        sold_out = add("Emma", stock=0)
        placed = api.post("/orders", asked(sold_out, 3, if_unavailable="wait")).json()
        clock.shift(61)
        seen = api.get("/orders?updated_since=2026-01-01T12:00:00Z").json()["results"]
        clock.shift(1)
        api.post(f"/stock/{sold_out.pk}/receipts", {"quantity": copies})
        clock.shift(61)

        [news] = api.get("/orders?updated_since=2026-01-01T12:01:02Z").json()["results"]

    assert [(order["id"], order["lines"][0]["allocated"]) for order in seen] == [(placed["id"], 0)]
    assert (news["id"], news["lines"][0]["allocated"]) == (placed["id"], kept)
    assert (placed["updated_at"], news["updated_at"]) == ("2026-01-01T12:00:00Z", "2026-01-01T12:01:02Z")


def test_a_page_costs_the_same_however_many_orders_it_has(api, gatsby, django_assert_num_queries):
    emma = add("Emma")
    for _ in range(4):
        services.place_order(
            Contact(customer_name="Alice"), [LineRequest(book_id=book.pk, quantity=1) for book in (gatsby, emma)]
        )

    for limit in (1, 4):
        with django_assert_num_queries(5) as queries:  # key, orders, lines, splits, allocations
            assert len(api.get(f"/orders?limit={limit}").json()["results"]) == limit

        assert all(query["sql"].startswith("SELECT") for query in queries)


def test_the_timeline_tells_what_happened_and_who_did_it(api, gatsby):
    order = api.post("/orders", asked(gatsby), headers={"X-Request-ID": "req-1"}).json()
    api.post(f"/orders/{order['id']}/confirm")

    entries = api.get(f"/orders/{order['id']}/timeline").json()["results"]

    assert [entry["type"] for entry in entries] == ["orders.order_placed", "orders.order_confirmed"]
    assert entries[0]["actor"].startswith("key:till:")
    assert entries[0]["request_id"] == "req-1"
    assert entries[0]["data"]["total"] == {"amount": "25.98", "currency": "USD"}
    assert "Alice" not in json.dumps(entries)
    assert str(UUID(entries[0]["id"])) == entries[0]["id"]


@pytest.mark.parametrize(
    ("group", "method", "path", "permission"),
    [
        ("Read-only", "post", "/orders", "orders.add_order"),
        ("Read-only", "patch", "/orders/{id}", "orders.change_order"),
        ("Read-only", "post", "/orders/{id}/confirm", "orders.confirm_order"),
        ("Read-only", "post", "/orders/{id}/cancel", "orders.cancel_order"),
        ("Integration", "post", "/orders/{id}/ship", "orders.ship_order"),
    ],
)
def test_a_key_without_the_right_is_told_which_it_lacks(api_of, gatsby, group, method, path, permission):
    order = place(gatsby)
    before = state()

    response = getattr(api_of(group), method)(path.format(id=order.pk), asked(gatsby))

    problem = refusal(response, 403, "missing_permission")
    assert problem["permission"] == permission
    assert permission in problem["detail"]
    assert state() == before


def test_copies_that_come_in_fill_the_line_that_waits(api, gatsby):
    order = api.post("/orders", asked(gatsby, 12, if_unavailable="wait")).json()

    receive_copies(book_id=gatsby.pk, quantity=5)

    assert api.get(f"/orders/{order['id']}").json()["lines"][0]["allocated"] == 12
    assert api.post(f"/orders/{order['id']}/confirm").status_code == 200


@pytest.mark.parametrize("unavailable", ["reject", "wait"])
def test_the_answer_to_a_new_order_tells_what_is_kept(api, gatsby, unavailable):
    emma = add("Emma", price="7.50", stock=2 if unavailable == "reject" else 1)
    wish = asked(gatsby, 3, if_unavailable=unavailable, customer_email="ALICE@Example.com", note="a\r\nb")
    wish["lines"].append({"book_id": str(emma.pk), "quantity": 2})

    placed = api.post("/orders", wish).json()

    # it is told as it was in hand, not as it was read again
    assert placed.pop("status_url")
    assert placed == api.get(f"/orders/{placed['id']}").json()


# Lines


def waiting(*wanted):
    lines = [LineRequest(book_id=book.pk, quantity=quantity) for book, quantity in wanted]
    return services.place_order_or_wait(Contact(customer_name="Alice Johnson"), lines)


def test_what_waits_is_split_off(api, gatsby):
    order = waiting((gatsby, 12))

    answer = api.post(f"/orders/{order.pk}/split")

    [rest_id] = answer.json()["split_into"]
    rest = api.get(f"/orders/{rest_id}").json()
    assert answer.status_code == 200
    assert [(line["quantity"], line["allocated"]) for line in answer.json()["lines"]] == [(10, 10)]
    assert [(line["quantity"], line["allocated"]) for line in rest["lines"]] == [(2, 0)]
    assert (answer.json()["total"]["amount"], rest["total"]["amount"]) == ("129.90", "25.98")
    assert (rest["split_from"], rest["split_into"], answer.json()["split_from"]) == (str(order.pk), [], None)
    assert rest["number"] != order.number
    assert "status_url" not in rest


def test_an_order_that_has_all_its_copies_is_not_split(api, gatsby):
    order = place(gatsby)
    before = state()

    refusal(api.post(f"/orders/{order.pk}/split"), 409, "nothing_to_split")

    assert state() == before


def test_a_line_is_cancelled_and_stays_so(api, gatsby):
    order = waiting((gatsby, 2), (add("Emma"), 1))
    line = order.lines.get(title="Emma")

    first = api.post(f"/orders/{order.pk}/lines/{line.pk}/cancel")
    again = api.post(f"/orders/{order.pk}/lines/{line.pk}/cancel")

    cancelled = [line["title"] for line in first.json()["lines"] if line["cancelled_at"]]
    assert (first.status_code, cancelled, first.json()["total"]["amount"]) == (200, ["Emma"], "25.98")
    assert (again.status_code, again.json()) == (200, first.json())


@pytest.mark.parametrize(("act", "event"), [("cancel", "line_cancelled"), ("put-back", "copies_put_back")])
def test_the_timeline_says_why_something_was_done_to_a_line(api, gatsby, act, event):
    order = waiting((gatsby, 2), (add("Emma"), 1))
    line = order.lines.get(title="The Great Gatsby")

    answer = api.post(f"/orders/{order.pk}/lines/{line.pk}/{act}", {"reason": "out of print"})

    assert answer.status_code == 200
    assert "out of print" in str(Event.objects.get(name=f"orders.{event}").decoded)


def test_the_last_line_is_not_cancelled(api, gatsby):
    order = place(gatsby)
    before = state()

    refusal(api.post(f"/orders/{order.pk}/lines/{order.lines.get().pk}/cancel"), 409, "last_line")

    assert state() == before


def test_a_line_waits_again(api, gatsby):
    order = place(gatsby)

    answer = api.post(f"/orders/{order.pk}/lines/{order.lines.get().pk}/put-back")

    assert (answer.status_code, answer.json()["lines"][0]["allocated"]) == (200, 0)
    refusal(api.post(f"/orders/{order.pk}/confirm"), 409, "lines_waiting")


@pytest.mark.parametrize("act", ["cancel", "put-back"])
def test_lines_of_a_confirmed_order_stay(api, gatsby, act):
    order = waiting((gatsby, 2), (add("Emma"), 1))
    services.confirm_order(order_id=order.pk)
    before = state()

    problem = refusal(api.post(f"/orders/{order.pk}/lines/{order.lines.all()[0].pk}/{act}"), 409, "invalid_transition")

    assert problem["allowed"] == ["SHIPPED", "CANCELLED"]
    assert state() == before


@pytest.mark.parametrize("act", ["cancel", "put-back"])
def test_a_line_of_another_order_is_not_found(api, gatsby, act):
    order, other = place(gatsby), place(gatsby)

    problem = refusal(api.post(f"/orders/{order.pk}/lines/{other.lines.get().pk}/{act}"), 404, "not_found")

    assert problem["detail"] == "There is no such order line."
