"""One bare endpoint of django-ninja that reads one row."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import URLResolver, path
from ninja import NinjaAPI, Schema

from orders.models import Order

api = NinjaAPI()


class OrderOut(Schema):
    number: str
    status: str


@api.get("/orders/{token}", response=OrderOut)
def read_order(request: HttpRequest, token: str) -> Order:
    return Order.objects.get(token=token)


urlpatterns: list[URLResolver] = [path("", api.urls)]
