from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import pytest

from bookshelf_site.errors import (
    DomainError,
    FieldError,
    InvalidValue,
    RefusedToStaff,
    VersionMismatch,
    checked_line,
    checked_text,
)
from bookshelf_site.money import Money
from catalog.errors import DuplicateIsbn
from inventory.errors import CopiesAllocated, InsufficientStock, Shortage
from orders.errors import (
    DuplicateReference,
    InvalidTransition,
    LinesWaiting,
    NoLongerEditable,
    NotForSale,
    PriceChanged,
    StalePrice,
    UnsaleableLine,
)

ID = UUID("0198c7a2-0000-7000-8000-000000000001")
SHORT = Shortage(line=1, book_id=ID, title="Emma", requested=3, available=2)
STALE = StalePrice(line=0, title="Emma", expected=Money(Decimal(9), "USD"), current=Money(Decimal("12.99"), "USD"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DomainError(), "The shop's rules forbid this."),
        (InvalidValue("title", "a book has a title"), "title: a book has a title"),
        (
            VersionMismatch(expected=1, current=2),
            "It was changed by somebody else meanwhile (it is at version 2, you have 1): read it again.",
        ),
        (
            DuplicateIsbn(isbn="9780141439587", existing_id=ID),
            f"The book 9780141439587 is already in the catalogue, as {ID}.",
        ),
        (
            InsufficientStock([SHORT]),
            "There are not enough copies: line 2, 'Emma': 3 requested, 2 available.",
        ),
        (
            CopiesAllocated(book_id=ID, allocated=2, order_numbers=["A", "B"]),
            "2 copies of this book are promised to customers (orders A, B): the shelf can't hold fewer.",
        ),
        (
            InvalidTransition(current="PENDING", wanted="SHIPPED", allowed=["CONFIRMED", "CANCELLED"]),
            "An order that is PENDING can't become SHIPPED; allowed from here: CONFIRMED, CANCELLED.",
        ),
        (
            InvalidTransition(current="SHIPPED", wanted="CANCELLED", allowed=[]),
            "An order that is SHIPPED can't become CANCELLED; allowed from here: nothing.",
        ),
        (NoLongerEditable(current="SHIPPED"), "An order that is SHIPPED can't be changed any more."),
        (
            LinesWaiting(lines=[(ID, "Emma")]),
            "The order still waits for copies of Emma: receive them, or split the order.",
        ),
        (
            NotForSale([UnsaleableLine(line=0, title="Emma", reason="is withdrawn")]),
            "Not for sale: line 1, 'Emma', is withdrawn.",
        ),
        (PriceChanged([STALE]), "The price has changed: line 1, 'Emma', costs 12.99 USD, not 9.00 USD."),
        (DuplicateReference(reference="till-1", existing_id=ID), f"The reference till-1 is taken by your order {ID}."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, DomainError) else "",
)
def test_a_person_reads_a_sentence(error: DomainError, message: str) -> None:
    assert str(error) == message


@pytest.mark.parametrize("strange", ["{", "}", "{0}", "{title}", "{self.__class__}", "%s", "{!r:>9}"])
def test_braces_in_what_it_names_are_only_characters(strange: str) -> None:
    assert str(InvalidValue("title", strange)) == f"title: {strange}"
    assert str(LinesWaiting(lines=[(ID, strange)])).startswith(f"The order still waits for copies of {strange}:")


def all_errors(base: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for error in base.__subclasses__():
        yield error
        yield from all_errors(error)


def test_every_error_has_its_own_words_and_code() -> None:
    errors = set(all_errors()) - {RefusedToStaff}  # which only its subclasses are raised of

    assert [error for error in errors if not error.__doc__ or error.code == DomainError.code] == []


@pytest.mark.parametrize(
    ("error", "places"),
    [
        (DomainError(), []),
        (InvalidValue("title", "is blank"), [FieldError(field="title", code="invalid", detail="is blank")]),
        (
            DuplicateIsbn(isbn="9780141439587", existing_id=ID),
            [FieldError(field="isbn", code="duplicate", detail=f"the book {ID} has this ISBN")],
        ),
        (
            InsufficientStock([SHORT]),
            [
                FieldError(
                    field="lines/1/quantity",
                    code="insufficient_stock",
                    detail="line 2, 'Emma': 3 requested, 2 available",
                )
            ],
        ),
        (
            NotForSale([UnsaleableLine(line=3, title="Emma", reason="has no price")]),
            [FieldError(field="lines/3", code="not_for_sale", detail="line 4, 'Emma', has no price")],
        ),
        (
            PriceChanged([STALE]),
            [
                FieldError(
                    field="lines/0/expected_unit_price",
                    code="price_changed",
                    detail="line 1, 'Emma', costs 12.99 USD, not 9.00 USD",
                )
            ],
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, DomainError) else "",
)
def test_the_place_of_the_input_that_is_to_blame_is_named(error: DomainError, places: list[FieldError]) -> None:
    assert error.errors == places


@pytest.mark.parametrize(
    ("error", "members"),
    [
        (InvalidTransition(current="PENDING", wanted="SHIPPED", allowed=["CONFIRMED"]), {"allowed": ["CONFIRMED"]}),
        (NoLongerEditable(current="SHIPPED"), {"allowed": []}),
        (LinesWaiting(lines=[(ID, "Emma")]), {"lines": [str(ID)]}),
        (DuplicateReference(reference="till-1", existing_id=ID), {"existing_id": str(ID)}),
        (DuplicateIsbn(isbn="9780141439587", existing_id=ID), {"existing_id": str(ID)}),
        (CopiesAllocated(book_id=ID, allocated=2, order_numbers=["A"]), {"allocated": 2, "orders": ["A"]}),
        (
            InsufficientStock([SHORT]),
            {"shortages": [{"line": 1, "book_id": str(ID), "title": "Emma", "requested": 3, "available": 2}]},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, DomainError) else "",
)
def test_a_program_gets_what_it_can_act_on(error: DomainError, members: dict[str, object]) -> None:
    assert error.extra == members


def test_shortages_come_in_the_order_of_the_request() -> None:
    earlier = Shortage(line=0, book_id=ID, title="Persuasion", requested=1, available=0)

    assert InsufficientStock([SHORT, earlier]).shortages == [earlier, SHORT]


def test_a_text_is_kept_without_the_space_around_it() -> None:
    assert checked_text("note", " \n Ring twice,\n\tplease.\n ", longest=100) == "Ring twice,\n\tplease."


@pytest.mark.parametrize("invisible", ["", "  \t\n", "\u200b\u200b", "\ufeff", "\u2066\u2069", "\u00a0", "\u00ad"])
def test_a_text_of_which_nothing_shows_is_empty(invisible: str) -> None:
    assert checked_line("title", invisible, longest=10) == ""


@pytest.mark.parametrize(
    ("character", "name"),
    [("\x00", "U+0000"), ("\x1b", "U+001B"), ("\x7f", "U+007F"), ("\x9b", "U+009B"), ("\ud83d", "U+D83D"),
     ("\udcff", "U+DCFF")],
)  # fmt: skip
def test_what_no_page_can_show_is_refused_by_its_code(character: str, name: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        checked_text("note", f"a{character}b", longest=10)

    assert str(refusal.value) == f"note: must not contain {name}, which is no character to be read"


@pytest.mark.parametrize("text", ["Œuvres complètes", "Сочинения", "紅樓夢", "الف ليلة وليلة", "👩‍👩‍👧", "e\u0301"])
def test_every_script_is_text(text: str) -> None:
    assert checked_line("title", text, longest=40) == text


@pytest.mark.parametrize("line_break", ["\n", "\r", "\t", "\u2028", "\u2029"])
def test_a_line_is_one_line(line_break: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        checked_line("customer_name", f"Alice{line_break}Bcc: eve@example.com", longest=100)

    assert str(refusal.value) == "customer_name: must be one line, without tabs"


def test_the_longest_text_fits_and_one_more_does_not() -> None:
    assert checked_line("title", " " + "x" * 1000 + " ", longest=1000) == "x" * 1000

    with pytest.raises(InvalidValue) as refusal:
        checked_line("title", "x" * 1001, longest=1000)

    assert str(refusal.value) == "title: has 1,001 characters, at most 1,000 are kept"
