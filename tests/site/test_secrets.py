"""Keys, tokens and passwords are shown to whom they belong, and appear nowhere else."""

import http.client
import io
import json
import logging
from contextlib import closing

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from bookshelf_site.access.models import ApiKey
from bookshelf_site.access.services import create_api_key
from bookshelf_site.events.models import Event
from bookshelf_site.logs import MaskingFormatter
from orders.models import Order
from tests.given import a_book

PASSWORD = "correct horse battery staple"


@pytest.fixture
def log():
    """What the shop logs, as it is written."""
    root, written = logging.getLogger(), io.StringIO()
    (formatter,) = {handler.formatter for handler in root.handlers if isinstance(handler.formatter, MaskingFormatter)}
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter)
    root.addHandler(handler)
    yield written
    root.removeHandler(handler)


@pytest.mark.django_db
def test_what_is_secret_is_in_no_log_no_list_no_event_and_no_refusal(api, log):
    key = api.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    User.objects.create_superuser("admin", password=PASSWORD)
    book = a_book(copies=5)
    body = {"customer_name": "Alice Johnson", "lines": [{"book_id": str(book.pk), "quantity": 1}]}

    placed = api.post("/orders", body, headers={"Idempotency-Key": "1"}).json()
    token = Order.objects.get().token
    api.raise_request_exception = False
    said = [
        api.get(path).content.decode()
        for path in (
            "/orders",
            f"/orders/{placed['id']}",
            f"/orders/{placed['id']}/timeline",
            "/events",
            "/notifications",
            f"/stock/{book.pk}/movements",
            f"/books?q={key}",
            "/openapi.json",
        )
    ]
    said += [
        api.post("/orders", body | {"key": key}).content.decode(),
        api.post("/orders", body, headers={"Idempotency-Key": "1", "If-Match": key}).headers.get("Location", ""),
        api.post(f"/orders/{placed['id']}/cancel", {"reason": token}).content.decode(),
        Client().get("/api/v1/books", headers={"Authorization": f"Bearer {key}x"}).content.decode(),
        Client().post("/admin/login/", {"username": "admin", "password": f"{PASSWORD}!"}).content.decode(),
        str(Client().post("/admin/login/", {"username": "admin", "password": PASSWORD}).headers),
        json.dumps(list(Event.objects.values("data", "actor", "stream", "personal")), default=str),
        json.dumps(list(ApiKey.objects.values()), default=str),
    ]
    Client().get(f"/o/{token}/")

    logged = log.getvalue()
    assert f"/orders/{placed['id']}/timeline" in logged
    assert "/o/…" in logged
    for secret in (key, token, PASSWORD):
        assert [text for text in [*said, logged] if secret in text] == []


@pytest.mark.django_db(transaction=True)
def test_a_server_writes_no_secret_down_whatever_is_asked_of_it(start, port, tmp_path, transactional_db):
    _, key = create_api_key(name="web shop", group=Group.objects.get(name="Manager"))
    User.objects.create_superuser("admin", password=PASSWORD)
    start(WEBHOOKS_ALLOW_PRIVATE="1")

    def ask(method, path, body=None, *, bearer=key, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=180)
        sent = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json", **headers}
        with closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            return connection.getresponse().read().decode()

    emma = {"title": "Emma", "author": "Jane Austen", "price": {"amount": "9.99", "currency": "USD"}}
    book = json.loads(ask("POST", "/api/v1/books", emma))
    wish = {"customer_name": "Alice Johnson", "lines": [{"book_id": book["id"], "quantity": 1}]}
    order = json.loads(ask("POST", "/api/v1/orders", wish, **{"Idempotency-Key": key}))
    hook = json.loads(ask("POST", "/api/v1/webhooks", {"url": f"http://127.0.0.1:{port}/livez", "event_types": ["*"]}))
    token = order["status_url"].rstrip("/").rpartition("/")[2]
    said = [ask("POST", f"/api/v1/orders/{order['id']}/{step}") for step in ("confirm", "ship", "cancel")]
    said += [ask("GET", f"/api/v1/{path}") for path in ("orders", "events", "notifications", "webhooks", "books")]
    said += [ask("GET", f"/api/v1/webhooks/{hook['id']}/deliveries"), ask("GET", "/api/v1/books", bearer=f"{key}x")]
    said += [ask("PUT", f"/api/v1/{key}"), ask("POST", "/api/v1/orders", wish | {"note": 1, "phone": None})]
    ask("GET", f"/o/{token}/")
    ask("GET", f"/api/v1/books?q={key}&cursor={token}")
    ask("POST", "/admin/login/", {"username": "admin", "password": PASSWORD})

    logged = (tmp_path / "log").read_text()
    assert order["id"] in logged
    # a path that was asked for is told in the refusal, to whoever asked for it
    for secret in (key, token, hook["secret"], PASSWORD):
        assert [text for text in said if secret in text and "There is nothing at" not in text] == []
        assert secret not in logged
