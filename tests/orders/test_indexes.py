"""What staff and customers ask for often is read from an index, however many orders there are."""

import pytest
from django.db import connection

from catalog.models import Book
from inventory import services as inventory
from inventory.models import Notification
from orders import services
from orders.models import Order

pytestmark = pytest.mark.django_db


def plan(rows):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # a table of a few rows is quicker to read than any index
            cursor.execute("SET LOCAL enable_seqscan = off")
    return rows.explain()


@pytest.mark.parametrize(
    ("rows", "index"),
    [
        (lambda: Order.objects.with_email("ben@example.com"), "order_email_folded"),
        (Order.objects.confirmed, "order_status"),
        (lambda: services.not_waiting(Order.objects.pending()), "order_status"),
        (inventory.waiting_orders, "allocation_waiting"),
        (lambda: Order.objects.order_by("-placed_at", "-id")[:51], "order_placed"),
        (lambda: Order.objects.filter(placed_at__gte="2026-01-01T00:00:00Z"), "order_placed"),
        (lambda: Order.objects.with_books(Book.objects.with_isbns(["9780141439518"])), "book_id"),
        (lambda: Notification.objects.filter(status="failed"), "notification_failed"),
    ],
)
def test_it_is_read_from_an_index(rows, index):
    assert index in plan(rows())
