import io
from uuid import uuid4

import pytest
from openpyxl import Workbook

from bookshelf_site.events import acting
from bookshelf_site.rows import RowsRefused
from inventory import counting
from inventory.errors import NotAnIsbn, NothingScanned, StockMoved, TooManyCounted, UnknownIsbn, UnreadableCounts
from inventory.models import Scan, StockMovement, Stocktake
from inventory.services import receive_copies
from tests.given import a_book, an_order, stock

pytestmark = pytest.mark.django_db

EMMA, PERSUASION = "9780141439587", "9780141439686"


@pytest.fixture
def emma():
    return a_book("Emma", isbn=EMMA, copies=5)


@pytest.fixture
def persuasion():
    return a_book("Persuasion", isbn=PERSUASION, copies=3)


@pytest.fixture(autouse=True)
def bea():
    with acting(actor="user:bea"):
        yield


def scan(text, token=None):
    return counting.scan(text=text, token=token or uuid4())


def counted():
    stocktake = counting.mine()
    return stocktake.counted() if stocktake else {}


# Scan by scan


@pytest.mark.parametrize(
    ("texts", "copies"),
    [
        ([EMMA], 1),
        ([EMMA, "0-14-143958-0", f"{EMMA}51299\n"], 3),
        ([EMMA, "12"], 12),
        ([EMMA, EMMA, "x 12"], 13),
        ([EMMA, "0"], 0),
        ([f"{EMMA},12", EMMA], 13),
        ([f"{EMMA},0"], 0),
    ],
)
def test_each_scan_is_a_copy_and_a_number_says_how_many_of_the_last(emma, texts, copies):
    heard = [scan(text) for text in texts]

    assert counted() == {emma.pk: copies}
    assert (heard[-1].title, heard[-1].isbn, heard[-1].counted) == ("Emma", EMMA, copies)
    assert stock(emma) == (5, 0)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [(PERSUASION, UnknownIsbn), ("9780141439586", NotAnIsbn), ("nonsense", NotAnIsbn), (f"{EMMA} 12", NotAnIsbn)],
)
def test_what_is_no_book_of_the_shop_counts_nothing(emma, text, refusal):
    scan(EMMA)

    with pytest.raises(refusal):
        scan(text)

    assert counted() == {emma.pk: 1}


def test_a_number_before_any_scan_counts_nothing():
    with pytest.raises(NothingScanned):
        scan("12")


def test_a_scan_that_is_sent_twice_counts_once(emma):
    token = uuid4()

    again = [scan(EMMA, token), scan(EMMA, token)][1]

    assert (counted(), again.counted) == ({emma.pk: 1}, 1)


def test_too_many_copies_are_refused(emma):
    scan(f"{EMMA},1000000")

    with pytest.raises(TooManyCounted, match="At most 1,000,000 copies of a book are counted."):
        scan(EMMA)

    assert counted() == {emma.pk: 1_000_000}


def test_each_of_the_staff_counts_for_themselves(emma, persuasion):
    scan(EMMA)
    with acting(actor="user:carl"):
        scan(PERSUASION)
        scan("7")
        his = counted()
        others = [(one.actor, one.books) for one in counting.of_others()]

    assert (counted(), his) == ({emma.pk: 1}, {persuasion.pk: 7})
    assert others == [("user:bea", 1)]


def test_the_last_scan_is_undone(emma, persuasion):
    scan(EMMA), scan(PERSUASION)

    counting.undo_last_scan()

    assert counted() == {emma.pk: 1}


def test_a_book_is_left_out(emma, persuasion):
    scan(EMMA), scan(PERSUASION), scan(EMMA)

    counting.leave_out(book_id=emma.pk)

    assert counted() == {persuasion.pk: 1}


def test_a_count_that_is_thrown_away_begins_anew(emma):
    scan(EMMA)

    counting.throw_away()
    scan(EMMA)

    assert counted() == {emma.pk: 1}
    assert list(Stocktake.objects.order_by("started_at").values_list("is_applied", "scans__copies")) == [
        (False, 1),
        (False, 1),
    ]


# Lists and tables


def test_of_a_list_what_can_be_read_is_counted_and_the_rest_named(emma):
    scan(EMMA)

    heard = counting.add_list(f"{EMMA},4\n{PERSUASION}\nnonsense")

    assert (heard.books, heard.copies, [line.line for line in heard.wrong]) == (1, 4, [2, 3])
    assert counted() == {emma.pk: 5}


def a_workbook(*rows):
    book = Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        f"isbn,counted\n{EMMA},4\n\n{PERSUASION},x\n".encode(),
        f"\ufeffISBN;on_hand\r\n{EMMA};4\r\n;\r\n{PERSUASION};x\r\n".encode(),
        f"title\tcounted\tisbn\nEmma\t4\t{EMMA}\n\t\t\nPersuasion\tx\t{PERSUASION}\n".encode(),
        a_workbook(["isbn", "counted"], [int(EMMA), 4.0], [None, None], [PERSUASION, "x"]),
    ],
)
def test_a_table_is_a_list_with_the_same_lines(emma, persuasion, content):
    heard = counting.add_list(counting.read_table(io.BytesIO(content)))

    assert (counted(), [line.line for line in heard.wrong]) == ({emma.pk: 4}, [4])


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"isbn\n1\n", b"PK\x03\x04 no workbook"])
def test_a_table_without_its_columns_is_refused(content):
    with pytest.raises(UnreadableCounts):
        counting.read_table(io.BytesIO(content))


def test_a_row_without_a_number_is_no_copy(emma):
    heard = counting.add_list(counting.read_table(io.BytesIO(f"isbn,counted\n{EMMA},\n".encode())))

    assert (heard.books, len(heard.wrong)) == (0, 1)


# Apply


def test_the_stock_is_set_to_what_was_counted(emma, persuasion):
    scan(f"{EMMA},3"), scan(f"{PERSUASION},3")

    books, movements = counting.apply_count(seen={emma.pk: 5, persuasion.pk: 3}, reason="autumn")

    assert (books, [(one.item_id, one.on_hand_change, one.reason, one.actor) for one in movements]) == (
        2,
        [(emma.pk, -2, "autumn", "user:bea")],
    )
    assert (stock(emma), counting.mine()) == ((3, 0), None)
    assert Stocktake.objects.get().is_applied


def test_a_count_is_applied_once(emma):
    scan(f"{EMMA},3")
    counting.apply_count(seen={emma.pk: 5}, reason="autumn")

    books, movements = counting.apply_count(seen={emma.pk: 5}, reason="autumn")

    assert (books, list(movements), stock(emma)) == (0, [], (3, 0))


def test_a_refused_count_stays_as_it_is(emma):
    order = an_order((emma, 4))
    scan(f"{EMMA},3")

    with pytest.raises(RowsRefused, match="none was"):
        counting.apply_count(seen={emma.pk: 5}, reason="autumn")
    receive_copies(book_id=emma.pk, quantity=1)
    with pytest.raises(StockMoved):
        counting.apply_count(seen={emma.pk: 5}, reason="autumn")

    assert (counted(), stock(emma), order.status) == ({emma.pk: 3}, (6, 4), "PENDING")
    assert StockMovement.objects.filter(kind="counted").count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_windows_of_one_person_share_a_count(emma):
    from tests.racing import outcomes, race

    def act():
        with acting(actor="user:bea"):
            return scan(EMMA)

    results = race([act] * 6)

    assert outcomes(results) == {"done": 6}
    assert (counted(), Stocktake.objects.count(), Scan.objects.count()) == ({emma.pk: 6}, 1, 6)
