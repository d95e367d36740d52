"""Keys, tokens and passwords are shown to whom they belong, and appear nowhere else."""

import io
import json
import logging

import pytest
from django.contrib.auth.models import User
from django.test import Client

from bookshelf_site.access.models import ApiKey
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
