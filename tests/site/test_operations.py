"""What every operation of the API has in common, asked of each that the schema names."""

import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bookshelf_site.access.models import ApiKey
from bookshelf_site.api import api as the_api
from bookshelf_site.webhooks.services import add_webhook
from orders.services import confirm_order, ship_order
from tests.given import a_book, an_order

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]

OPERATIONS = [
    (method, path, operation)
    for path, methods in the_api.get_openapi_schema()["paths"].items()
    for method, operation in methods.items()
]
READS = [path for method, path, _ in OPERATIONS if method == "get"]
LISTS = [
    path
    for method, path, operation in OPERATIONS
    if method == "get" and "limit" in [parameter["name"] for parameter in operation["parameters"]]
]
WITH_BODY = [(method, path) for method, path, operation in OPERATIONS if "requestBody" in operation]
ROWS = 6


@pytest.fixture
def ids(api, settings):
    """A shop in which every list has rows, by the names of its ids in addresses."""
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    webhook = add_webhook(url="http://127.0.0.1:9/hook", event_types=["orders.*"])
    for number in range(ROWS):
        add_webhook(url=f"http://127.0.0.1:9/{number}", event_types=["inventory.*"])
    shelf = [a_book(f"Volume {number}", copies=50) for number in range(ROWS)]
    orders = [an_order(*((book, 1) for book in shelf)) for _ in range(ROWS)]
    for order in orders:
        confirm_order(order_id=order.pk)
        ship_order(order_id=order.pk)
    for _ in range(ROWS):
        assert api.post(f"/webhooks/{webhook.pk}/ping").status_code < 300
    api.get("/events")  # gives every event its position, which the next reader finds
    return {
        "book_id": shelf[0].pk,
        "order_id": orders[0].pk,
        "line_id": orders[0].lines.all()[0].pk,
        "webhook_id": webhook.pk,
    }


def address(path, ids, method=None):
    if method == "put":
        ids = {"book_id": "9780141439587"}  # a book is put under its ISBN
    return re.sub(r"\{(\w+)\}", lambda name: str(ids.get(name[1], uuid4())), path)


def statements(api, path):
    with CaptureQueriesContext(connection) as queries:
        response = api.get(path)
    assert response.status_code == 200, response.content
    return response.json(), [query["sql"] for query in queries]


def test_the_schema_is_found():
    assert len(OPERATIONS) >= 39
    assert {"/api/v1/books", "/api/v1/events", "/api/v1/webhooks"} <= set(LISTS) <= set(READS)


def test_reading_writes_nothing_and_opens_no_transaction(api, ids):
    for path in READS:
        _, asked = statements(api, address(path, ids))

        assert [sql for sql in asked if not sql.startswith("SELECT")] == [], path  # no BEGIN, no SAVEPOINT either


def test_a_list_costs_the_same_however_many_rows_it_has(api, ids):
    for path in LISTS:
        short, few = statements(api, f"{address(path, ids)}?limit=1")
        long, many = statements(api, f"{address(path, ids)}?limit={ROWS}")

        assert (len(short["results"]), len(long["results"]) > 2) == (1, True), path
        assert len(few) == len(many) <= 5, (path, many)


def test_head_is_get_without_a_body(api, ids):
    for path in READS:
        got, head = api.get(address(path, ids)), api.head(address(path, ids))

        assert (head.status_code, head.content) == (200, b""), path
        for name in ("Content-Type", "ETag"):
            assert head.headers.get(name) == got.headers.get(name), path


def refusal(response):
    assert response.headers["Content-Type"] == "application/problem+json", response.content
    return response.status_code, response.json()["code"]


def test_without_a_key_nothing_is_told(ids):
    for method, path, _ in OPERATIONS:
        assert refusal(Client().generic(method.upper(), address(path, ids, method))) == (401, "unauthenticated"), path


def test_without_the_right_nothing_is_done_and_the_right_is_named(api_of, ids):
    weak = api_of("Read-only")
    ApiKey.objects.latest("pk").account.groups.clear()
    for method, path, operation in OPERATIONS:
        response = weak.generic(method.upper(), address(path, ids, method), "{}", "application/json")

        assert refusal(response) == (403, "missing_permission"), path
        assert response.json()["permission"] in operation["security"][0]["ApiKeyAuth"]


NO_BODIES = [
    ('{"note": "' + "x" * 2**20 + '"}', "application/json", (413, "too_large")),
    ("{", "application/json", (400, "bad_request")),
    ("{}", "text/plain", (400, "bad_request")),
    ("a=b", "application/x-www-form-urlencoded", (400, "bad_request")),
    ("[]", "application/json", (422, "validation_failed")),
    ("null", "application/json", (422, "validation_failed")),
    ('{"unheard_of": 1}', "application/json", (422, "validation_failed")),
]


def test_a_body_that_is_none_is_refused_everywhere(api, ids):
    for method, path in WITH_BODY:
        for body, content_type, refused in NO_BODIES:
            response = api.generic(method.upper(), address(path, ids, method), body, content_type)

            assert refusal(response) == refused, (method, path, body[:20])


def test_what_there_is_not_is_not_found(api):
    for method, path, operation in OPERATIONS:
        if "{" in path and "422" not in operation["responses"]:
            assert refusal(api.generic(method.upper(), address(path, {}))) == (404, "not_found"), path


def test_a_method_that_there_is_not_is_told_the_others(api, ids):
    for path in {path for _, path, _ in OPERATIONS}:
        response = api.generic("TRACE", address(path, ids))

        assert refusal(response) == (405, "method_not_allowed"), path
        allowed = {method.upper() for method, other, _ in OPERATIONS if other == path and method != "put"}
        assert allowed <= set(response.headers["Allow"].split(", ")), path


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_what_describes_the_api_is_only_read(api, path):
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        response = api.generic(method, path)

        assert refusal(response) == (405, "method_not_allowed"), method
        assert response.headers["Allow"] == "GET, HEAD"


def test_an_id_in_capitals_is_the_same_id(api, ids):
    capitals = {name: str(found).upper() for name, found in ids.items()}
    for path in READS:
        assert api.get(address(path, capitals)).status_code == 200, path


def test_a_parameter_that_a_list_does_not_know_is_refused(api, ids):
    for path in LISTS:
        assert refusal(api.get(f"{address(path, ids)}?colour=green")) == (422, "validation_failed"), path
