import pytest

from bookshelf_site.events.models import Event
from inventory.services import return_damaged_copies
from orders.services import confirm_order, ship_order
from tests.given import a_book, an_order

pytestmark = pytest.mark.django_db


def test_what_comes_back_stands_in_the_timeline_of_its_order() -> None:
    book = a_book("Emma", copies=5)
    order = an_order((book, 3))
    confirm_order(order_id=order.pk)
    ship_order(order_id=order.pk)

    return_damaged_copies(book_id=book.pk, order_id=order.pk, quantity=2)

    told = Event.objects.get(name="orders.order_returned")
    order.refresh_from_db()
    assert order.timeline.last() == told
    assert order.status == "SHIPPED"
    assert told.data == {
        "order_id": str(order.pk),
        "number": order.number,
        "line_id": str(order.lines.get().pk),
        "book_id": str(book.pk),
        "title": "Emma",
        "quantity": 2,
        "is_damaged": True,
    }
