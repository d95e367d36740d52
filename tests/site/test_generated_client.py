"""A client that openapi-python-client makes from the published schema plays the whole story with a real server."""

import importlib
import subprocess
import sys
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group

from bookshelf_site.access.services import create_api_key
from tests.plugins.server import ROOT

pytestmark = pytest.mark.heavy("sqlite")

MAKE = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--overwrite"]


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """The client's package, as an integrator would have it."""
    config = tmp_path / "config.yml"
    config.write_text("post_hooks: []\n")  # no formatter of theirs
    made = subprocess.run(
        [*MAKE, "--config", config, "--path", ROOT / "docs/openapi.json", "--output-path", tmp_path / "shop_client"],
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert (made.returncode, made.stderr) == (0, "")
    assert "Warning" not in made.stdout, made.stdout
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("shop_client")
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop_client"]:
        del sys.modules[name]


@pytest.mark.django_db(transaction=True)
def test_a_generated_client_plays_the_whole_story(shop, start, port):
    from shop_client import models
    from shop_client.api.books import add_book, get_book, list_books
    from shop_client.api.events import list_events
    from shop_client.api.notifications import list_notifications
    from shop_client.api.orders import confirm_order, get_order, list_orders, place_order, ship_order
    from shop_client.api.stock import get_stock, receive_copies
    from shop_client.api.webhooks import add_webhook, delete_webhook

    _, key = create_api_key(name="web shop", group=Group.objects.get(name="Manager"))
    start()
    connected = shop.AuthenticatedClient(
        base_url=f"http://127.0.0.1:{port}", token=key, raise_on_unexpected_status=True
    )
    with connected as client:
        price = models.MoneyIn(amount="12.99", currency="USD")
        new = models.BookIn(title="The Great Gatsby", author="F. Scott Fitzgerald", isbn="0-7432-7356-7", price=price)
        book = add_book.sync(client=client, body=new)
        assert (book.isbn, book.price.amount, book.available) == ("9780743273565", "12.99", 10)
        assert add_book.sync(client=client, body=new).additional_properties["existing_id"] == str(book.id)
        assert [found.id for found in list_books.sync(client=client, q="gats fitz", in_stock=True).results] == [book.id]

        wish = models.OrderIn(customer_name="Alice Johnson", lines=[models.LineIn(isbn=book.isbn, quantity=2)])
        again = str(uuid4())
        order = place_order.sync(client=client, body=wish, idempotency_key=again)
        assert (order.status, order.total.amount) == (models.PlacedOrderOutStatus.PENDING, "25.98")
        repeated = place_order.sync_detailed(client=client, body=wish, idempotency_key=again)
        assert (repeated.status_code, repeated.parsed.id) == (201, order.id)
        assert repeated.headers["Idempotent-Replayed"] == "true"

        wish.lines[0].quantity = 9
        refused = place_order.sync_detailed(client=client, body=wish)
        assert (refused.status_code, type(refused.parsed)) == (409, models.Problem)
        assert refused.parsed.code == "insufficient_stock"
        assert refused.parsed.additional_properties["shortages"][0]["available"] == 8

        assert confirm_order.sync(order.id, client=client).confirmed_at
        shipped = ship_order.sync(order.id, client=client, body=models.ShipIn(tracking="1Z 999"))
        assert (shipped.status, shipped.tracking) == (models.OrderOutStatus.SHIPPED, "1Z 999")
        assert get_order.sync(order.id, client=client).lines[0].allocated == 0
        assert [listed.number for listed in list_orders.sync(client=client).results] == [order.number]

        assert get_stock.sync(book.id, client=client).on_hand == 8
        movement = receive_copies.sync(book.id, client=client, body=models.ReceiptIn(quantity=5))
        assert (movement.kind, movement.on_hand) == ("received", 13)
        assert get_book.sync(book.id, client=client).available == 13

        told = list_notifications.sync(client=client, order_id=order.id).results
        assert sorted(notification.kind for notification in told) == [
            "order_confirmed",
            "order_placed",
            "order_shipped",
        ]
        assert f"Order {order.number} shipped to Alice Johnson" in [notification.message for notification in told]
        events = list_events.sync(client=client, type_=["orders.*", "catalog.book_added"])
        assert [event.type_ for event in events.results] == [
            "catalog.book_added",
            "orders.order_placed",
            "orders.order_confirmed",
            "orders.order_shipped",
        ]

        hook = add_webhook.sync(
            client=client, body=models.WebhookIn(url="https://93.184.215.14/hook", event_types=["orders.*"])
        )
        assert hook.secret.startswith("whsec_")
        assert delete_webhook.sync_detailed(hook.id, client=client).status_code == 204
