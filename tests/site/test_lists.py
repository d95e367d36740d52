"""Lists that stay quick: what they ask the database is bounded, whatever it holds."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.filters import AllValuesFieldListFilter, RelatedFieldListFilter
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookshelf_site import lists
from bookshelf_site.lists import BoundedPaginator
from catalog.models import Book
from tests.desk import Desk
from tests.given import a_book

pytestmark = pytest.mark.django_db

REGISTRY: dict[Any, Any] = dict(admin.site._registry)
MODELS = sorted(REGISTRY, key=lambda model: model._meta.label)
SHORT = {"auth.User", "auth.Group"}
"""What a shop has dozens of."""


@pytest.fixture
def owner():
    user = User.objects.create_superuser("owner")
    desk = Desk()
    desk.force_login(user)
    return desk


def address(model):
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def asked(client, path):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(path).status_code == 200
    return [query["sql"] for query in captured]


def add_books(number):
    Book.objects.bulk_create([Book(title=f"Volume {place}") for place in range(number)])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
@pytest.mark.parametrize("query", ["", "?q=austen"])
def test_no_list_counts_or_sifts_all_of_its_rows(owner, model, query):
    for sql in asked(owner, address(model) + query):
        assert "DISTINCT" not in sql
        if "COUNT(" in sql and f'FROM "{model._meta.db_table}"' in sql:
            assert re.search(r"LIMIT [0-9]{1,4}\b", sql) or "GROUP BY" in sql, sql


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_no_filter_reads_the_values_that_there_are(model):
    filters = REGISTRY[model].list_filter
    if model._meta.label in SHORT:
        filters = [name for name in filters if name != "groups"]
    of_fields = [(model._meta.get_field(name), name) for name in filters if isinstance(name, str) and "__" not in name]

    for field, name in of_fields:
        assert field.choices or field.get_internal_type() in {"BooleanField", "DateTimeField", "DateField"}, name
    assert not {AllValuesFieldListFilter, RelatedFieldListFilter} & {one for one in filters if isinstance(one, type)}
    assert REGISTRY[model].show_facets is admin.ShowFacets.NEVER
    assert not REGISTRY[model].date_hierarchy


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_list_can_be_put_in_the_order_of_an_index_only(model):
    leading = {field.name for field in model._meta.fields if field.unique or field.db_index}
    leading |= {index.fields[0].removeprefix("-") for index in model._meta.indexes if index.fields}

    for column in REGISTRY[model].sortable_by:
        shown = getattr(REGISTRY[model], column, None)
        assert (shown.admin_order_field if shown else column).removeprefix("-") in leading


def test_a_column_without_an_index_can_not_be_sorted_by():
    sortable = REGISTRY[Book].sortable_by

    assert {"title", "author", "isbn"} <= set(sortable)
    assert not {"listed_price", "on_hand", "available", "listed_status"} & set(sortable)


def test_a_short_list_is_counted_to_the_last_row(owner):
    add_books(3)

    page = owner.open("/admin/catalog/book/")

    assert "3 books" in page.text
    assert "about" not in page.text


def test_a_long_list_says_about_how_long_it_is_and_leads_to_its_first_rows_only(owner, monkeypatch):
    monkeypatch.setattr(lists, "COUNTED", 100)
    add_books(160)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE catalog_book")

    page = owner.open("/admin/catalog/book/")

    expected = "about 160 books" if connection.vendor == "postgresql" else "more than 100 books"
    assert expected in page.text
    assert "Search or filter to see others" in page.text
    assert "?p=2" in page.links
    assert "?p=3" not in page.links
    assert len(re.findall("Volume", owner.open("/admin/catalog/book/?p=2").text)) >= 50
    assert "Select all" not in page.text


@pytest.mark.parametrize(("books", "counted"), [(1, "1 book"), (3, "3 books")])
def test_the_stock_is_counted_in_books(owner, books, counted):
    for number in range(books):
        a_book(f"Volume {number}", copies=1)

    assert re.search(rf"\b{counted}\b", owner.open("/admin/inventory/stockitem/").text)


def test_nothing_is_made_up_about_a_part_of_a_long_list(monkeypatch):
    monkeypatch.setattr(lists, "COUNTED", 5)
    add_books(9)

    assert (
        BoundedPaginator(Book.objects.filter(title__startswith="Volume").order_by("title"), 2).in_words == "more than 5"
    )
    assert BoundedPaginator(Book.objects.filter(title="Volume 1").order_by("title"), 2).in_words == "1"
    assert BoundedPaginator(Book.objects.filter(title__startswith="Volume").order_by("title"), 2).num_pages == 3


def test_of_what_a_search_finds_less_is_counted(owner, monkeypatch):
    monkeypatch.setattr(lists, "SEARCHED", 60)
    add_books(130)

    page = owner.open("/admin/catalog/book/?q=volume")

    assert "more than 60 books" in page.text
    assert "130 books" in owner.open("/admin/catalog/book/").text
    assert any("LIMIT 61" in sql for sql in asked(owner, "/admin/catalog/book/?q=volume") if "COUNT(" in sql)


def test_a_number_is_rounded_to_what_is_known_of_it(monkeypatch):
    paginator = BoundedPaginator(Book.objects.order_by("title"), 50)
    paginator.seen = lists.COUNTED + 1
    monkeypatch.setattr(BoundedPaginator, "_guess", lambda self: 1_000_000)

    assert paginator.in_words == "about 1,000,000"


COMPLETING = "/admin/autocomplete/?app_label=orders&model_name=orderline&field_name=book&term=volume"


def test_what_completes_itself_counts_nothing_and_reads_a_row_more_than_it_shows(owner):
    add_books(45)

    queries = asked(owner, COMPLETING)

    assert not any("COUNT(*)" in sql for sql in queries)
    assert any("LIMIT 21" in sql for sql in queries)


@pytest.mark.parametrize(("books", "pages"), [(20, [20]), (21, [20, 1]), (45, [20, 10])])
def test_what_completes_itself_leads_no_further_than_anybody_pages(owner, monkeypatch, books, pages):
    monkeypatch.setattr(lists, "OFFERED", 30)
    add_books(books)

    shown = [owner.get(f"{COMPLETING}&page={place + 1}").json() for place in range(len(pages))]

    assert [len(page["results"]) for page in shown] == pages
    assert [page["pagination"]["more"] for page in shown] == [True] * (len(pages) - 1) + [False]


def test_of_many_books_the_latest_are_offered(owner):
    add_books(25)

    offered = [book["text"].split(" · ")[0] for book in owner.get(COMPLETING).json()["results"]]

    assert offered == [f"Volume {place}" for place in range(24, 4, -1)]


@pytest.mark.parametrize("path", ["/admin/catalog/book/", "/admin/inventory/stockitem/?q=volume"])
def test_a_list_is_counted_in_whatever_order_the_database_has_it(owner, path):
    a_book("Volume 1", copies=1)

    counted = [sql for sql in asked(owner, path) if "COUNT(*)" in sql]

    assert counted
    assert not any("ORDER BY" in sql for sql in counted)


def test_of_the_latest_the_latest_are_counted(owner):
    counted = [sql for sql in asked(owner, "/admin/orders/order/?status__exact=PENDING") if "COUNT(*)" in sql]

    assert counted
    assert any('"placed_at" DESC' in sql for sql in counted)


def test_the_stock_is_read_in_the_order_of_the_catalogue_and_not_sorted(owner):
    for title in ("Emma", "Emma", "Dune"):
        a_book(title, copies=1)

    queries = asked(owner, "/admin/inventory/stockitem/")
    page = next(sql for sql in queries if '"catalog_book"."title" ASC, "catalog_book"."id" ASC' in sql)

    with connection.cursor() as cursor:
        cursor.execute(page)
        found = [(row[8], row[0]) for row in cursor.fetchall()]
    assert [title for title, _ in found] == ["Dune", "Emma", "Emma"]
    assert found == sorted(found)
