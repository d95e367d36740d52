import pytest
from django.db import connection

from catalog.models import Book


def plan(rows):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # a table of a few rows is quicker to read than any index
            cursor.execute(
                "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off"
            )
    return rows.explain()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rows", "order", "index"),
    [
        (Book.objects.all, ("title", "pk"), "book_title"),
        (Book.objects.all, ("-title", "-pk"), "book_title"),
        (Book.objects.all, ("author", "pk"), "book_author"),
        (Book.objects.by_price, ("price_rank", "pk"), "book_rising_price"),
        (Book.objects.by_price_descending, ("-price_rank", "-pk"), "book_falling_price"),
        (Book.objects.all, ("-created_at", "-pk"), "book_created"),
        (Book.objects.all, ("updated_at", "pk"), "book_updated"),
    ],
)
def test_every_order_of_the_list_is_read_from_an_index(rows, order, index):
    page = plan(rows().order_by(*order)[:51])

    assert index in page
    assert not any(sorting in page for sorting in ("TEMP B-TREE", "Sort"))
