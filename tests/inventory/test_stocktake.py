from uuid import uuid4

import pytest

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import acting
from bookshelf_site.rows import RowsRefused
from inventory.errors import StockMoved, UnknownBook, UnreadableCounts
from inventory.models import StockItem, StockMovement
from inventory.services import receive_copies
from inventory.stocktake import Count, count_shelf, differences, sort_counts
from tests.given import a_book, a_waiting_order, an_order, books, ledger, promised, stock

pytestmark = pytest.mark.django_db

EMMA, PERSUASION = "9780141439587", "9780141439686"


@pytest.fixture
def emma():
    return a_book("Emma", isbn=EMMA, copies=5)


@pytest.fixture
def persuasion():
    return a_book("Persuasion", isbn=PERSUASION, copies=3)


def count(book, counted):
    return Count(book_id=book.pk, on_hand=StockItem.objects.get(pk=book.pk).on_hand, counted=counted)


def mistakes(text):
    return [(line.line, line.reason) for line in sort_counts(text)[1]]


# The list


@pytest.mark.parametrize(
    ("text", "copies"),
    [
        (EMMA, 1),
        (f"{EMMA}\n{EMMA}\r\n\n  {EMMA}  \n", 3),
        (f"{EMMA},12", 12),
        (f"{EMMA} ; 12 ", 12),
        (f"{EMMA}\t12", 12),
        (f"{EMMA},0", 0),
        (f"{EMMA},2\n{EMMA}\n{EMMA},0", 3),
        (f"{EMMA}51299", 1),
        (f"{EMMA} 51299,4", 4),
        ("978-0-14-143958-7", 1),
        ("0141439580", 1),
        (f"ISBN {EMMA}", 1),
    ],
)
def test_scans_and_numbers_add_up(emma, text, copies):
    assert sort_counts(text) == ({emma.pk: copies}, [])


def test_each_book_is_counted_for_itself(emma, persuasion):
    assert sort_counts(f"{EMMA}\n{PERSUASION},2\n{EMMA}") == ({emma.pk: 2, persuasion.pk: 2}, [])


def test_every_line_that_is_wrong_is_named(emma):
    text = "\n".join([EMMA, "9780141439586", "nonsense", "9780743273565", f"{EMMA},x", f"{EMMA},-1", f"{EMMA},1.5"])

    assert mistakes(text) == [
        (2, "its check digit does not fit: one of the digits is wrong, or two are swapped"),
        (3, "an ISBN has only digits and hyphens, and at the end of ten an X"),
        (4, "is not in the catalogue"),
        *((line, "after the ISBN stands a comma and how many copies were counted, in digits") for line in (5, 6, 7)),
    ]


@pytest.mark.parametrize("text", ["", " \n \n", "\n" * 5, f"{EMMA}\n" * 10_001])
def test_a_list_of_nothing_or_too_much_is_refused(text):
    with pytest.raises(UnreadableCounts, match="a stocktake has 1 to 10,000 lines"):
        sort_counts(text)


def test_a_number_without_its_comma_is_not_taken_for_an_add_on(emma):
    [(line, reason)] = mistakes(f"{EMMA} 12")

    assert (line, "a comma" in reason) == (1, True)


def test_too_many_copies_are_refused(emma):
    assert mistakes(f"{EMMA},1000000\n{EMMA}") == [(2, "at most 1,000,000 copies of a book are counted")]


# The differences


def test_every_counted_book_stands_beside_its_stock(emma, persuasion):
    new = a_book("A new one", copies=0)

    found = differences({emma.pk: 3, persuasion.pk: 3, new.pk: 2})

    assert [(one.item.book.title, one.item.on_hand, one.counted, one.change, one.refusal) for one in found] == [
        ("A new one", 0, 2, 2, ""),
        ("Emma", 5, 3, -2, ""),
        ("Persuasion", 3, 3, 0, ""),
    ]


def test_what_is_promised_can_not_be_counted_away(emma):
    orders = [an_order((emma, 2)), an_order((emma, 2))]

    [enough], [too_few] = differences({emma.pk: 4}), differences({emma.pk: 3})

    assert enough.refusal == ""
    assert all(order.number in too_few.refusal for order in orders)


def test_looking_changes_nothing_and_costs_the_same_for_many(django_assert_max_num_queries):
    many = books(20, copies=2)

    with django_assert_max_num_queries(3):
        found = differences({book.pk: 1 for book in many})

    assert len(found) == 20
    assert StockMovement.objects.filter(kind="counted").count() == 0


# The act


def test_the_shelf_is_set_to_what_was_counted(emma, persuasion):
    with acting(actor="user:bea"):
        movements = count_shelf([count(emma, 3), count(persuasion, 3)], reason="stocktake 2026")

    assert [(one.item_id, one.kind, one.on_hand_change, one.reason, one.actor) for one in movements] == [
        (emma.pk, "counted", -2, "stocktake 2026", "user:bea")
    ]
    assert (stock(emma), stock(persuasion)) == ((3, 0), (3, 0))
    assert ledger(persuasion) == [("opening", 3, 0)]


def test_a_book_that_never_had_stock_is_counted(emma):
    new = a_book("A new one", copies=0)

    count_shelf([Count(book_id=new.pk, on_hand=0, counted=2)], reason="stocktake")

    assert stock(new) == (2, 0)


def test_copies_that_are_found_go_to_who_waits_for_them(emma):
    order = a_waiting_order((emma, 7))

    count_shelf([count(emma, 8)], reason="stocktake")

    assert promised(order) == [(7, 7)]
    assert stock(emma) == (8, 7)


def test_all_or_none(emma, persuasion):
    order = an_order((emma, 4))

    with pytest.raises(RowsRefused) as refused:
        count_shelf([count(persuasion, 1), count(emma, 3)], reason="stocktake")

    assert order.number in refused.value.errors[0].detail
    assert (stock(emma), stock(persuasion)) == ((5, 4), (3, 0))


@pytest.mark.parametrize("counted", [3, 5])
def test_a_count_against_old_figures_is_refused(emma, persuasion, counted):
    seen = count(emma, counted)
    receive_copies(book_id=emma.pk, quantity=1)

    with pytest.raises(StockMoved, match="Emma"):
        count_shelf([count(persuasion, 1), seen], reason="stocktake")

    assert (stock(emma), stock(persuasion)) == ((6, 0), (3, 0))


def test_an_order_that_is_placed_meanwhile_disturbs_no_count(emma):
    seen = count(emma, 4)
    an_order((emma, 4))

    count_shelf([seen], reason="stocktake")

    assert stock(emma) == (4, 4)


@pytest.mark.parametrize("reason", ["", "  ", "a\nb", "x" * 201])
def test_a_stocktake_says_why(emma, reason):
    with pytest.raises((RowsRefused, InvalidValue)):
        count_shelf([count(emma, 3)], reason=reason)

    assert stock(emma) == (5, 0)


def test_an_unknown_book_is_refused(emma):
    unknown = Count(book_id=uuid4(), on_hand=0, counted=1)

    with pytest.raises(UnknownBook):
        count_shelf([count(emma, 3), unknown], reason="stocktake")

    assert stock(emma) == (5, 0)
