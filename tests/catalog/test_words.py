import random
import time

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from bookshelf_site import words
from bookshelf_site.words import EACH, LONGEST, MOST_BYTES, first, forget_words, make_index, words_asked
from catalog import services
from catalog.models import Book, BookDetails
from catalog.words import words_of
from inventory.models import StockItem

EMMA = "9780141439587"


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Émile Zola: Ève", " emile zola eve"),
        ("Straße", " strasse"),
        ("Smørrebrød & Œuvre", " smorrebrod oeuvre"),
        ("ＦＵＬＬ width", " full width"),
        ("Catch-22", " catch 22 catch22"),
        ("O'Brien’s", " o brien s obriens"),
        ("1914-1918", " 1914 1918 19141918"),
        ("the The THE", " the"),
        ("ノルウェイの森", " ノルウェイの森"),
        ("% _ * ' \" \\", ""),
    ],
)
def test_the_words_of_a_book_are_folded(title, found):
    assert words_of(title, "", None) == found


def test_an_isbn_is_a_word_in_both_its_forms():
    assert words_of("Emma", "", EMMA) == " emma 9780141439587 0141439580"
    assert words_of("Emma", "", "9791032305690") == " emma 9791032305690"
    assert words_of("Emma", "", "9780804429573") == " emma 9780804429573 080442957x"


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Ève  ZOLA", ["eve", "zola"]),
        ("O’Brien", ["obrien"]),
        ("catch-22", ["catch", "22"]),
        ("978-0-14", ["978014"]),
        ("0-8044-2957-X", ["080442957x"]),
        ("emma — austen", ["emma", "austen"]),
        ("emma emma", ["emma"]),
        ("—", []),
        ("x" * 300, ["x" * 200]),
    ],
)
def test_what_is_typed_is_folded_the_same_way(text, asked):
    assert words_asked(text) == asked


def test_of_very_many_words_the_first_are_asked_for():
    assert len(words_asked(" ".join(str(number) for number in range(500)))) == 30


def letters(begin, end, count):
    """So many different ones of an alphabet, in no order: what can't be packed takes the most room."""
    return random.Random(1813).sample([chr(code) for code in range(begin, end) if chr(code).isalnum()], count)


HANGUL, VIETNAMESE, KILOMETRES, EMOJI = (0xAC00, 0xD7A4), (0x1EA0, 0x1EFA), (0x3315, 0x3318), (0x1F600, 0x1F650)
RARE_HAN = (0x20000, 0x2A6DF)


def room(words):
    return sum(len(word.encode()) + EACH for word in words.split())


@given(text=st.text(st.sampled_from("a값㌖ '-") | st.characters(min_codepoint=RARE_HAN[0]), min_size=200, max_size=350))
def test_no_text_has_more_words_than_are_kept(text):
    assert room(words_of(text, "", None)) <= MOST_BYTES


def test_of_very_many_words_the_first_are_kept_and_the_isbn():
    title = " ".join("".join(letters(*RARE_HAN, 20)[place:]) for place in range(20)) + " emma"
    rest = "-".join(letters(*RARE_HAN, 75))

    kept = words_of(title, rest, EMMA).split()

    assert [len(word) for word in kept[:20]] == list(range(20, 0, -1))
    assert kept[20] == "emma"
    assert kept[-2:] == ["9780141439587", "0141439580"]
    assert rest.replace("-", "") not in kept


def test_of_a_very_long_word_the_beginning_is_kept():
    assert words_of("값" * 200, "", None) == " " + ("\u1100\u1161\u11b9" * 200)[:LONGEST]


def found(text):
    return sorted(Book.objects.search(text).values_list("title", flat=True))


def add(title, *, author="", isbn=None):
    return services.add_to_catalog(BookDetails(title=title, author=author, isbn=isbn), opening_stock=0)


@pytest.fixture(params=["index", "list"])
def found_by(request, monkeypatch):
    """However few books there are: by the index, or by reading the list."""
    monkeypatch.setattr(words, "COMMON", {"index": 10**6, "list": 0}[request.param])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("wuth", ["Wuthering Heights"]),
        ("bronte", ["Jane Eyre", "Wuthering Heights"]),
        ("BRONTË e", ["Jane Eyre", "Wuthering Heights"]),
        ("eyre brontë", ["Jane Eyre"]),
        ("eyre heights", []),
        ("uthering", []),
        ("handmaids", ["The Handmaid's Tale"]),
        ("handmaid’s tale", ["The Handmaid's Tale"]),
        ("catch 22", ["Catch-22"]),
        ("catch22", ["Catch-22"]),
        ("97801414", ["Jane Eyre"]),
        ("978-0-14-1441", ["Jane Eyre"]),
        ("0-14-14411", ["Jane Eyre"]),
        ("or", []),
        ("a OR b", []),
        ("%", []),
        ("_ane", []),
        ("' & '", []),
        ('"*"', []),
        ("jane '", ["Jane Eyre"]),
        ("jane -- \\", ["Jane Eyre"]),
        ("x" * 5000, []),
        ("jane " * 300, ["Jane Eyre"]),
    ],
)
def test_books_are_found_by_the_beginnings_of_words(found_by, text, titles):
    add("Jane Eyre", author="Charlotte Brontë", isbn="9780141441146")
    add("Wuthering Heights", author="Emily Brontë")
    add("The Handmaid's Tale")
    add("Catch-22")

    assert found(text) == titles


@pytest.mark.django_db
def test_a_common_word_and_a_rare_one_are_found_together(monkeypatch):
    monkeypatch.setattr(words, "COMMON", 3)
    for title in ("The Castle", "The Trial", "The Tower", "Castle Rackrent"):
        add(title)

    assert found("the castle") == ["The Castle"]
    assert found("castle the") == ["The Castle"]
    assert found("the") == ["The Castle", "The Tower", "The Trial"]


@pytest.mark.django_db
@pytest.mark.parametrize(("shared", "are_common"), [(range(3), False), (range(6, 9), False), (range(9), True)])
def test_a_word_is_common_if_the_first_and_the_last_books_have_it(monkeypatch, shared, are_common):
    monkeypatch.setattr(words, "SAMPLE", 3)
    monkeypatch.setattr(words, "COMMON", 3)
    for place in range(9):
        add(f"Volume {place}", author="Penguin" if place in shared else "")

    searched = Book.objects.search("penguin")

    assert searched.count() == len(shared)
    assert ("indexed" in str(searched.query.where).lower()) is not are_common


@pytest.mark.django_db
def test_a_book_is_found_by_what_it_is_called_now(found_by):
    book = add("Sense", author="Austen")
    services.revise(book_id=book.pk, changes={"title": "Sensibility", "isbn": EMMA})

    assert found("sensib") == ["Sensibility"]
    assert found("97801414395") == ["Sensibility"]
    services.revise(book_id=book.pk, changes={"title": "Emma"})
    assert (found("sense"), found("emma"), found("austen")) == ([], ["Emma"], ["Emma"])


@pytest.mark.django_db
def test_books_of_a_bulk_are_found_too(found_by):
    rows = {0: services.BookRow(isbn=EMMA, changes={"title": "Old name"})}
    services.put_books(rows)
    assert found("old") == ["Old name"]

    services.put_books({0: services.BookRow(isbn=EMMA, changes={"title": "New name"})})
    assert (found("old"), found("new"), found("978014143")) == ([], ["New name"], ["New name"])


@pytest.mark.django_db
def test_what_is_gone_is_not_found(found_by):
    book = Book(title="Emma")
    book.save()
    Book.objects.filter(pk=book.pk)._raw_delete(Book.objects.db)

    assert found("emma") == []
    assert indexed() == 0


def indexed():
    with connection.cursor() as cursor:
        table = "catalog_book_words" if connection.vendor == "sqlite" else "catalog_book"
        cursor.execute(f"SELECT count(*) FROM {table}")
        return cursor.fetchone()[0]


@pytest.mark.django_db
def test_an_index_that_was_lost_in_a_migration_is_made_again(monkeypatch):
    monkeypatch.setattr(words, "COMMON", 10**6)
    add("Emma")
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER catalog_book_words_insert")
            cursor.execute("DROP INDEX book_title_words")
        else:
            cursor.execute("ALTER TABLE catalog_book DROP COLUMN words_vector")

    make_index(Book, using="default")
    make_index(Book, using="default")
    add("Persuasion")

    assert (found("emma"), found("pers")) == (["Emma"], ["Persuasion"])
    assert "book_title_words" in connection.introspection.get_constraints(connection.cursor(), "catalog_book")


@pytest.mark.django_db
def test_what_is_common_is_asked_once_a_minute(django_assert_num_queries, monkeypatch):
    add("Emma")

    with django_assert_num_queries(3):
        assert found("em ma - x") == []
    with django_assert_num_queries(1):
        assert found("em") == ["Emma"]
    monkeypatch.setattr(words, "monotonic", lambda: time.monotonic() + words.KNOWN_FOR + 1)
    with django_assert_num_queries(3):
        assert found("em") == ["Emma"]


@pytest.mark.django_db
def test_what_is_forgotten_is_in_no_sample_either():
    add("Emma")
    found("em")

    forget_words(Book, using="default")

    assert not words._samples


@pytest.mark.django_db
@given(text=st.text(max_size=40))
def test_a_book_is_found_by_all_of_its_title_and_no_text_is_too_strange(text):
    assert all(f" {word}" in words_of(text, "", None) for word in words_asked(text))
    Book.objects.search(text).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("alphabet", [HANGUL, VIETNAMESE, KILOMETRES, EMOJI, RARE_HAN])
@pytest.mark.parametrize("between", [[""], [" "], ["-"], ["'", "-"]])
def test_no_title_is_too_strange_to_be_kept(alphabet, between):
    chance = random.Random(1813)
    text = "".join(chr(chance.randrange(*alphabet)) + mark for mark in [*between] * 200)
    title = text[:200].strip()

    add(title, author=text[-150:].strip(), isbn=EMMA)

    assert found("978-0-14-143958") == [title]


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="an entry of SQLite's indexes may be of any length")
def test_the_longest_title_and_as_many_words_as_are_kept_fit_an_entry_of_the_index():
    longest = "".join(letters(*RARE_HAN, 200))
    # a word of four bytes takes eight, and the two forms of an ISBN are kept beside
    most = [*letters(*RARE_HAN, MOST_BYTES // (4 + EACH)), EMMA, "0141439580"]
    book = add(longest)

    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_book SET words = %s WHERE id = %s", [f" {' '.join(most)}", book.pk])
        cursor.execute("SELECT length(words_vector), pg_column_size(title) FROM catalog_book")
        assert cursor.fetchone() == (len(most), 804)


def without(*ways):
    """Leave PostgreSQL no such plan: of a few rows any is as good as another."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for way in ways:
                cursor.execute(f"SET LOCAL enable_{way} = off")


@pytest.mark.django_db
def test_an_index_serves_a_rare_word(monkeypatch):
    monkeypatch.setattr(words, "COMMON", 10**6)
    add("Emma")
    without("seqscan", "indexonlyscan")

    plan = Book.objects.search("emm").order_by("title", "pk").explain()

    assert "catalog_book_words" in plan if connection.vendor == "postgresql" else "VIRTUAL TABLE INDEX" in plan


@pytest.mark.django_db
def test_a_common_word_is_read_from_an_index_in_the_order_of_the_list(monkeypatch):
    monkeypatch.setattr(words, "COMMON", 0)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX book_title")  # of a few rows that nothing has vacuumed it costs the same
    add("Emma")
    without("seqscan", "bitmapscan")

    plan = first(Book.objects.search("emm").order_by("title", "pk"), 51).explain()

    if connection.vendor == "postgresql":
        assert "Index Only Scan using book_title_words" in plan
    else:
        assert "book_title_words" in plan
        assert "TEMP B-TREE" not in plan


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rows", "order", "are_found_by_key"),
    [
        (Book.objects.filter(words__read=["emm"]), "title", True),
        (Book.objects.filter(words__read=["emm"]), "-title", True),
        (Book.objects.filter(words__read=["emm"]), "author", False),
        (Book.objects.filter(words__indexed=["emm"]), "title", False),
        (Book.objects.all(), "title", False),
        (StockItem.objects.filter(book__words__read=["emm"]), "book__title", False),
    ],
)
def test_rows_that_are_read_for_their_words_are_found_by_key_in_the_order_of_the_index(rows, order, are_found_by_key):
    for title in ("Emmaus", "Emma", "Emmeline"):
        add(title)

    page = first(rows.order_by(order, "pk"), 2)

    assert page.query.is_sliced is not (are_found_by_key and connection.vendor == "postgresql")
    assert len(page) == 2
    assert list(page) == list(rows.order_by(order, "pk")[:2])
