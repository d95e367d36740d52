"""GET /api/v1/events, from first to last."""

import re
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookshelf_site.events.models import Event
from orders.services import amend_contact, confirm_order
from tests.conftest import ApiClient
from tests.given import a_book, an_order, books

pytestmark = pytest.mark.django_db


def types(answer: Any) -> list[str]:
    return [event["type"] for event in answer["results"]]


def refusal(response: Any) -> tuple[int, list[str]]:
    return response.status_code, [error["pointer"] for error in response.json()["errors"]]


# What an event looks like


def test_an_event_is_a_cloud_event(api: ApiClient) -> None:
    book = a_book("Emma", isbn="9780141439587", price="7.99", copies=3)

    (event,) = api.get("/events").json()["results"]

    row = Event.objects.get()
    assert event == {
        "specversion": "1.0",
        "id": str(row.uid),
        "source": "http://127.0.0.1:8000",
        "type": "catalog.book_added",
        "subject": str(book.pk),
        "time": event["time"],
        "datacontenttype": "application/json",
        "dataversion": 1,
        "position": 1,
        "data": {
            "book_id": str(book.pk),
            "title": "Emma",
            "author": "Jane Austen",
            "isbn": "9780141439587",
            "price": {"amount": "7.99", "currency": "USD"},
            "opening_stock": 3,
        },
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", event["time"])


def test_an_event_names_the_request_behind_it_and_not_who_sent_it(api: ApiClient) -> None:
    api.post("/books", {"title": "Emma", "author": "Jane Austen", "price": None}, headers={"X-Request-ID": "web-10042"})

    (event,) = api.get("/events").json()["results"]

    assert event["correlationid"] == "web-10042"
    assert Event.objects.get().actor.startswith("key:till")
    assert "till" not in str(event)


def test_an_effect_names_its_cause_and_stands_behind_it(api: ApiClient) -> None:
    from bookshelf_site.events import acting

    a_book("Emma")
    with acting(causation_id=Event.objects.get().uid):
        a_book("Persuasion")

    cause, effect = api.get("/events").json()["results"]

    assert "causationid" not in cause
    assert effect["causationid"] == cause["id"]


def test_the_names_of_attributes_are_those_that_cloud_events_allow(api: ApiClient) -> None:
    from bookshelf_site.events import acting

    with acting(correlation_id="web-10042", causation_id=UUID(int=7)):
        a_book("Emma")

    (event,) = api.get("/events").json()["results"]

    assert len(event) == 12
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in event)


def test_personal_data_stays_in_the_shop(api: ApiClient) -> None:
    order = an_order((a_book(copies=3), 1))
    confirm_order(order_id=order.pk)
    amend_contact(order_id=order.pk, changes={"customer_name": "Benjamin Okafor"})

    response = api.get("/events?type=orders.*")

    assert types(response.json()) == ["orders.order_placed", "orders.order_confirmed", "orders.contact_corrected"]
    assert {event["subject"] for event in response.json()["results"]} == {str(order.pk)}
    assert not re.search("Alice|Benjamin|Okafor", response.content.decode())


def test_an_event_that_this_code_cant_read_is_passed_on_as_it_was_written(api: ApiClient) -> None:
    a_book("Emma")
    row = Event.objects.get()
    Event(uid=UUID(int=1), name="catalog.book_sung", version=9, data={"tune": None}, occurred_at=row.occurred_at).save()

    _, event = api.get("/events?type=catalog.*").json()["results"]

    assert (event["type"], event["dataversion"], event["data"]) == ("catalog.book_sung", 9, {"tune": None})
    assert "subject" not in event


# Following the log


def test_an_empty_log_can_be_followed_from_the_start(api: ApiClient) -> None:
    answer = api.get("/events").json()

    assert answer == {"results": [], "next": None, "previous": None, "after": 0}


def test_next_leads_on_until_one_has_caught_up(api: ApiClient) -> None:
    books(5, copies=1)

    pages = [api.get("/events?limit=2").json()]
    while pages[-1]["next"]:
        pages.append(api.get(pages[-1]["next"]).json())

    read = [[event["position"] for event in page["results"]] for page in pages]
    assert read == [[1, 2], [3, 4], [5]]
    assert [page["after"] for page in pages] == [2, 4, 5]
    assert {page["previous"] for page in pages} == {None}
    assert pages[0]["next"] == "http://127.0.0.1:8000/api/v1/events?limit=2&after=2"


def test_after_finds_what_has_happened_since_and_nothing_twice(api: ApiClient) -> None:
    a_book("Emma")
    first = api.get("/events").json()
    a_book("Persuasion")

    second = api.get(f"/events?after={first['after']}").json()
    third = api.get(f"/events?after={second['after']}").json()

    assert [[event["data"]["title"] for event in page["results"]] for page in (first, second, third)] == [
        ["Emma"],
        ["Persuasion"],
        [],
    ]
    assert third["after"] == second["after"]


def test_a_filter_is_kept_by_next_and_its_after_passes_over_the_rest(api: ApiClient) -> None:
    order = an_order((a_book(copies=3), 1))
    confirm_order(order_id=order.pk)
    a_book("Persuasion")

    first = api.get("/events?type=orders.order_placed,orders.order_confirmed&limit=1").json()
    second = api.get(first["next"]).json()

    assert (types(first), first["after"]) == (["orders.order_placed"], 2)
    assert (types(second), second["next"], second["after"]) == (["orders.order_confirmed"], None, 6)


@pytest.mark.parametrize(
    "asked",
    ["type=orders.order_placed&type=catalog.*", "type=orders.order_placed,+catalog.*", "type=catalog.*,orders.*"],
)
def test_several_types_are_asked_for_in_one_or_in_several_parameters(api: ApiClient, asked: str) -> None:
    an_order((a_book(copies=3), 1))

    assert types(api.get(f"/events?{asked}").json()) == ["catalog.book_added", "orders.order_placed"]


def test_a_cursor_from_beyond_the_end_is_brought_back_to_it(api: ApiClient) -> None:
    """As after a backup was restored: what happens from now on is not missed until the log is as long again."""
    a_book("Emma")

    answer = api.get(f"/events?after={2**63 - 1}").json()

    assert answer == {"results": [], "next": None, "previous": None, "after": 1}


# Who may ask, and for what


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ("after=-1", "query/after"),
        ("after=last", "query/after"),
        ("after=1.5", "query/after"),
        ("after=", "query/after"),
        (f"after={2**63}", "query/after"),
        (f"after={'9' * 3000}", "query/after"),
        ("limit=0", "query/limit"),
        ("limit=201", "query/limit"),
        ("type=orders.order_plaecd", "query/type"),
        ("type=orders.order_placed,", "query/type"),
        ("type=", "query/type"),
        ("type=order%00", "query/type"),
        ("cursor=abc", "query/cursor"),
        ("since=2026-01-01", "query/since"),
    ],
)
def test_what_can_only_be_a_mistake_is_refused_where_it_stands(api: ApiClient, asked: str, wrong: str) -> None:
    response = api.get(f"/events?{asked}")

    assert refusal(response) == (422, [wrong])


def test_a_star_means_all_as_it_does_for_webhooks(api: ApiClient) -> None:
    a_book("Emma")

    every = api.get("/events").json()["results"]

    assert len(every) == 1
    assert api.get("/events?type=*").json()["results"] == every
    assert api.get("/events?type=orders.*,*").json()["results"] == every


def test_a_mistaken_type_is_named(api: ApiClient) -> None:
    response = api.get("/events?type=orders.*,orders.order_plaecd")

    assert response.json()["errors"][0]["detail"] == "no event is of the type orders.order_plaecd"


@pytest.mark.parametrize("group", ["Read-only", "Integration", "Bookseller", "Manager"])
def test_every_group_may_read_the_log(api_of: Any, group: str) -> None:
    assert api_of(group).get("/events").status_code == 200


def test_a_key_without_the_right_may_not(api_of: Any) -> None:
    from django.contrib.auth.models import Group, Permission

    client = api_of("Read-only")
    Group.objects.get(name="Read-only").permissions.remove(Permission.objects.get(codename="view_event"))

    response = client.get("/events")

    assert (response.status_code, response.json()["permission"]) == (403, "events.view_event")


def test_nobody_reads_it_without_a_key(client: Any) -> None:
    assert client.get("/api/v1/events").status_code == 401


# Cost


def test_a_page_costs_the_same_however_long_it_is(api: ApiClient, no_query_in_a_loop: None) -> None:
    costs = []
    for count in (2, 20):
        books(count, copies=1)
        api.get("/events")
        with CaptureQueriesContext(connection) as queries:
            assert len(api.get("/events?limit=200").json()["results"]) >= count
        costs.append(len(queries))

    assert costs[0] == costs[1]


def test_a_poll_that_finds_nothing_writes_nothing(api: ApiClient) -> None:
    a_book("Emma")
    after = api.get("/events").json()["after"]

    with CaptureQueriesContext(connection) as queries:
        api.get(f"/events?after={after}")

    assert {query["sql"].split()[0] for query in queries} == {"SELECT"}
