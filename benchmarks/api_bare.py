"""Two endpoints that do no more than one row needs."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from django.urls import path
from ninja import NinjaAPI, Schema

from bookshelf_site.events import uuid7
from catalog.models import Book
from inventory.models import Notification

bare = NinjaAPI(urls_namespace="bare", docs_url=None, openapi_url=None)


class Row(Schema):
    id: UUID
    title: str
    author: str
    isbn: str | None


class Text(Schema):
    message: str


@bare.get("/row/{uuid:row_id}", response=Row)
def read_row(request: HttpRequest, row_id: UUID) -> Book:
    return Book.objects.get(pk=row_id)


@bare.post("/row", response={201: Text})
def insert_row(request: HttpRequest, body: Text) -> tuple[int, Notification]:
    row = Notification(event_uid=uuid7(), kind="order_placed", audience="customer", message=body.message)
    row.save(force_insert=True)
    return 201, row


urlpatterns = [path("bare/", bare.urls)]
