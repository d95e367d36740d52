"""Many programs at once, over HTTP, on a server of several processes: no copy is sold twice, nobody waits for ever."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from threading import Barrier

import pytest

from orders.models import Order
from tests.effort import IS_THOROUGH
from tests.given import a_book, books, stock

pytestmark = pytest.mark.heavy("postgresql")

BUYERS, COPIES = 64, 10
ORDERS, SHOPPERS = (1_000 if IS_THOROUGH else 80), 16


@pytest.fixture
def manage(nursery):
    return lambda *arguments: nursery().run("manage.py", *arguments)


@pytest.fixture
def key(manage):
    return manage("create_api_key", "web shop", "--group", "Integration").stdout.strip()


def place(port, key, lines, start=None):
    with closing(HTTPConnection("127.0.0.1", port, timeout=180)) as connection:
        if start:
            start.wait(60)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        body = {"customer_name": "Alice Johnson", "lines": lines}
        connection.request("POST", "/api/v1/orders", json.dumps(body), headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        return response.status, answer.get("code")


def line(book):
    return {"book_id": str(book.pk), "quantity": 1}


def test_of_sixty_four_who_want_the_last_ten_copies_ten_get_one(start, port, key, manage):
    book = a_book("Emma", copies=COPIES)
    start(WEB_CONCURRENCY="3")
    together = Barrier(BUYERS)

    with ThreadPoolExecutor(BUYERS) as buyers:
        answers = list(buyers.map(lambda _: place(port, key, [line(book)], together), range(BUYERS)))

    assert Counter(answers) == {(201, None): COPIES, (409, "insufficient_stock"): BUYERS - COPIES}
    assert (stock(book), Order.objects.count()) == ((COPIES, COPIES), COPIES)
    assert manage("check_stock").returncode == 0


def test_orders_of_the_same_books_in_opposite_order_all_come_through(start, port, key, manage):
    several = books(6, copies=ORDERS)
    start(WEB_CONCURRENCY="3")
    lines = [line(book) for book in several]

    with ThreadPoolExecutor(SHOPPERS) as shoppers:
        answers = list(shoppers.map(lambda n: place(port, key, lines[:: 1 if n % 2 else -1]), range(ORDERS)))

    assert Counter(answers) == {(201, None): ORDERS}
    assert {stock(book) for book in several} == {(ORDERS, ORDERS)}
    assert manage("check_stock").returncode == 0
