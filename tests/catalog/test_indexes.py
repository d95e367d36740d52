import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import services
from catalog.models import Book, BookDetails, queries


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


@pytest.mark.django_db
@pytest.mark.parametrize("few", [0, 5])
def test_what_is_in_stock_is_the_same_whether_it_is_much_or_little(monkeypatch, few):
    monkeypatch.setattr(queries, "FEW", few)
    for title, copies in [("here", 2), ("gone", 0), ("there", 1)]:
        services.add_to_catalog(BookDetails(title=title), opening_stock=copies)

    assert [book.title for book in Book.objects.in_stock().order_by("title")] == ["here", "there"]
    assert [book.title for book in Book.objects.out_of_stock()] == ["gone"]


@pytest.mark.django_db
def test_the_few_books_in_stock_are_found_by_their_stock():
    with CaptureQueriesContext(connection) as queries:
        list(Book.objects.in_stock())

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("EXPLAIN " + queries[0]["sql"])
        else:
            cursor.execute("EXPLAIN QUERY PLAN " + queries[0]["sql"])
        assert "stock_available" in str(cursor.fetchall())
