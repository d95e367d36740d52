"""A feed goes in, and orders run through a server of several processes, all of it by commands and over HTTP."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from stdnum import ean

pytestmark = pytest.mark.heavy("postgresql")

BOOKS = 20
ORDERS = 200
BUYERS = 8


@pytest.fixture
def manage(nursery):
    return lambda *arguments: nursery().run("manage.py", *arguments)


@pytest.fixture
def isbns():
    stems = [f"9781{number:08}" for number in range(BOOKS)]
    return [stem + ean.calc_check_digit(stem) for stem in stems]


@pytest.fixture
def feed(isbns, tmp_path):
    path = tmp_path / "feed.csv"
    rows = [f"{isbn},Book {number},Author {number}" for number, isbn in enumerate(isbns)]
    path.write_text("\n".join(["isbn,title,author", *rows]))
    return path


class Shop:
    """A buyer's and a packer's connection to the API, kept alive."""

    def __init__(self, port, key):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=180)
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def post(self, path, body=None):
        self.connection.request("POST", f"/api/v1{path}", json.dumps(body or {}), self.headers)
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())

    def close(self):
        self.connection.close()


def play(port, key, orders):
    statuses = []
    with closing(Shop(port, key)) as shop:
        for lines in orders:
            status, order = shop.post("/orders", {"customer_name": "Alice Johnson", "lines": lines})
            assert status == 201, order
            for step in ("confirm", "ship"):
                status, order = shop.post(f"/orders/{order['id']}/{step}")
                assert status == 200, order
            statuses.append(order["status"])
    return statuses


def test_orders_run_through_a_server_of_several_processes(start, port, manage, feed, isbns):
    imported = manage("import_books", str(feed), "--json", "--price", "12.99", "--opening-stock", "100")
    assert json.loads(imported.stdout) == {"read": 20, "added": 20, "updated": 0, "unchanged": 0, "rejected": []}
    key = manage("create_api_key", "till", "--group", "Bookseller").stdout.strip()
    start(WEB_CONCURRENCY="3")
    orders = [
        [{"isbn": isbns[n % BOOKS], "quantity": 1}, {"isbn": isbns[(n * 7 + 1) % BOOKS], "quantity": 2}]
        for n in range(ORDERS)
    ]

    with ThreadPoolExecutor(BUYERS) as buyers:
        played = list(buyers.map(lambda share: play(port, key, share), [orders[n::BUYERS] for n in range(BUYERS)]))

    assert [status for statuses in played for status in statuses] == ["SHIPPED"] * ORDERS
    stock, events = manage("check_stock", "--json"), manage("check_events", "--json")
    assert (stock.returncode, json.loads(stock.stdout)) == (0, {"books": 20, "differences": []})
    assert events.returncode == 0, events.stdout
