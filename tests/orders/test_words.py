"""An order is found by the beginnings of words, of its customer or of a book on it, however many orders there are."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookshelf_site import words
from bookshelf_site.words import make_index
from catalog.models import Book
from orders import services
from orders.erasure import erase_customer
from orders.models import Contact, Order
from orders.words import words_of
from tests.given import a_book, an_order

pytestmark = pytest.mark.django_db


def of(name, email="", *, book="Emma"):
    book = Book.objects.filter(title=book).first() or a_book(book, copies=10)
    return an_order((book, 1), contact=Contact(customer_name=name, customer_email=email))


def like(order, count):
    """So many more rows as that of the order, with keys of their own, made in PostgreSQL itself."""
    own = {
        "id": "gen_random_uuid()",
        "number": "lpad(n::text, 9, '0')",
        "token": "lpad(n::text, 43, '0')",
        # all of one moment would be found by their keys in an index that begins with the moment, too
        "placed_at": "placed_at - n * interval '1 minute'",
        "updated_at": "updated_at - n * interval '1 minute'",
    }
    columns = [field.column for field in Order._meta.concrete_fields]
    values = ", ".join(own.get(column, column) for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO orders_order ({', '.join(columns)}) "
            f"SELECT {values} FROM orders_order, generate_series(1, %s) AS n WHERE id = %s",
            [count, order.pk],
        )
        cursor.execute("SELECT gin_clean_pending_list('orders_order_words')")
        cursor.execute("ANALYZE orders_order")


def found(text):
    return sorted(services.search_orders(Order.objects.all(), text).values_list("customer_name", flat=True))


def customers(text):
    return sorted(Order.objects.of_customer(text).values_list("customer_name", flat=True))


@pytest.fixture(params=["index", "list"])
def found_by(request, monkeypatch):
    """However few orders there are: by the index, or by reading the list."""
    monkeypatch.setattr(words, "COMMON", {"index": 10**6, "list": 0}[request.param])


@pytest.mark.parametrize(
    ("name", "email", "kept"),
    [
        ("Zoë O'Hara", "", " zoe o hara ohara"),
        ("ŁUKASZ Müller-Lüdenscheidt", "", " lukasz muller ludenscheidt mullerludenscheidt"),
        ("Ben", "ben.okafor@Example.com", " ben okafor example com benokaforexamplecom"),
        ("(erased)", "", ""),
    ],
)
def test_the_words_of_an_order_are_those_of_its_customer(name, email, kept):
    assert words_of(name, email) == kept


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("muller", ["Jörg Müller-Lüdenscheidt"]),
        ("MÜLLER lüd", ["Jörg Müller-Lüdenscheidt"]),
        ("jorg", ["Jörg Müller-Lüdenscheidt"]),
        ("müller-lüd", ["Jörg Müller-Lüdenscheidt"]),
        ("mullerlud", ["Jörg Müller-Lüdenscheidt"]),
        ("udenscheidt", []),
        ("o'hara", ["Zoe O'Hara"]),
        ("OHara zo", ["Zoe O'Hara"]),
        ("zoe@shop", ["Zoe O'Hara"]),
        ("1984@shop", ["Winston Smith"]),
        ("shop.example", ["Winston Smith", "Zoe O'Hara"]),
        ("zoe smith", []),
        ("%", []),
        ("' & ! \\", []),
        ("x" * 5000, []),
    ],
)
def test_orders_are_found_by_the_beginnings_of_words(found_by, text, names):
    of("Jörg Müller-Lüdenscheidt")
    of("Zoe O'Hara", "zoe@shop.example")
    of("Winston Smith", "1984@shop.example")

    assert found(text) == names
    assert customers(text) == names


@pytest.mark.parametrize("common", ["nothing", "customers", "titles", "both"])
def test_customers_and_books_are_found_together_whichever_of_them_is_common(monkeypatch, common):
    monkeypatch.setattr(words, "COMMON", 2)
    expected = [of("Emma Watson", book="Kim"), of("Ann", book="Emma's garden"), of("Ben", book="Dune")][:2]
    expected += [of(f"Emmanuel {number}", book="Kim") for number in range(3) if common in {"customers", "both"}]
    expected += [of(f"Carl {number}", book="Emmaus") for number in range(3) if common in {"titles", "both"}]

    assert found("emma") == sorted(order.customer_name for order in expected)


def test_the_words_of_the_customer_and_of_the_book_are_not_mixed(found_by):
    of("Ben Okafor", book="Emma in winter")

    assert (found("ben okafor"), found("emma winter"), found("ben emma")) == (["Ben Okafor"], ["Ben Okafor"], [])


def test_a_common_word_and_a_rare_one_are_found_together(monkeypatch):
    monkeypatch.setattr(words, "COMMON", 3)
    for name in ("Ann Smith", "Ben Smith", "Carl Smith", "Ann Okafor"):
        of(name)

    assert found("smith ann") == ["Ann Smith"]
    assert found("ann sm") == ["Ann Smith"]


def test_an_order_is_found_by_the_name_that_was_put_right(found_by):
    order = of("Bne Okafor")

    services.amend_contact(order_id=order.pk, changes={"customer_name": "Ben Okafor"})

    assert (found("bne"), found("ben")) == ([], ["Ben Okafor"])


def test_what_was_split_off_is_found_too(found_by):
    order = services.place_order_or_wait(
        Contact(customer_name="Ben"),
        [services.LineRequest(book_id=a_book("Emma", copies=1).pk, quantity=2)],
    )
    services.split_order(order_id=order.pk)

    assert found("ben") == ["Ben", "Ben"]


WRITES_AN_ORDER = re.compile('(INSERT INTO|UPDATE) "orders_order"')


def test_the_words_are_written_with_the_row():
    with CaptureQueriesContext(connection) as queries:
        order = of("Zoë", "zoe@example.com")

    written = [verb for query in queries for verb in WRITES_AN_ORDER.findall(query["sql"])]
    assert order.words == Order.objects.get(pk=order.pk).words == " zoe example com zoeexamplecom"
    assert written == ["INSERT INTO"]


def test_an_order_that_is_confirmed_keeps_its_words(found_by):
    services.confirm_order(order_id=of("Ben").pk)

    assert found("ben") == ["Ben"]


def test_an_index_that_was_lost_in_a_migration_is_made_again(monkeypatch):
    monkeypatch.setattr(words, "COMMON", 10**6)
    of("Ann")
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER orders_order_words_insert")
        else:
            connection.check_constraints()
            cursor.execute("ALTER TABLE orders_order DROP COLUMN words_vector")

    make_index(Order, using="default")
    make_index(Order, using="default")
    of("Ben")

    assert (found("ann"), found("ben")) == (["Ann"], ["Ben"])


def test_a_search_costs_four_queries_however_many_words_are_typed(django_assert_num_queries):
    of("Ben")

    with django_assert_num_queries(4):
        assert found("be no bo dy") == []


def searched(text):
    return services.search_orders(Order.objects.all(), text)


@pytest.mark.parametrize("search", [Order.objects.of_customer, searched])
def test_indexes_serve_rare_words(monkeypatch, search):
    monkeypatch.setattr(words, "COMMON", 10**6)
    if connection.vendor == "postgresql":
        like(of("Cid"), 5_000)  # among a few rows any index is as good as another
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # books and lines are few all the same

    plan = search("ben").order_by("-placed_at", "-id").explain()

    if connection.vendor == "postgresql":
        assert "Index Scan on orders_order_words" in plan
        assert "Seq Scan" not in plan
        assert "orders_order_pkey" in plan
        assert "order_placed" not in plan
    else:
        assert "VIRTUAL TABLE INDEX" in plan
        assert "SCAN orders_order\n" not in f"{plan}\n"
        assert "order_placed" not in plan


def raw():
    """All that the database keeps of the words, as whoever has its files would read it."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT words, words_vector::text FROM orders_order")
            return str(cursor.fetchall())
        kept = b""
        for table, column in (("content", "c0"), ("data", "block"), ("idx", "term")):
            cursor.execute(f"SELECT {column} FROM orders_order_words_{table}")
            kept += b" ".join(value if isinstance(value, bytes) else str(value).encode() for (value,) in cursor)
        return kept.decode(errors="replace")


@pytest.mark.django_db(transaction=True)
def test_nothing_of_a_customer_is_left_in_the_index():
    of("Carl")
    order = of("Xaver Quirrel", "quaestor@example.com")
    services.cancel_order(order_id=order.pk, reason="other")
    assert [part in raw() for part in ("xav", "quir", "uaestor")] == [True, True, True]

    erase_customer(email="quaestor@example.com")

    assert Order.objects.get(pk=order.pk).words == ""
    assert [part for part in ("xav", "quir", "rrel", "uaes", "stor") if part in raw()] == []
    assert found("xaver") == []
    assert found("car") == ["Carl"]
