import io
import re
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookshelf_site.money import Money
from catalog.feeds.csv_reader import read_csv
from catalog.feeds.lines import LONGEST
from catalog.feeds.records import BookRecord, Rejected, UnreadableFeed

GATSBY = "9780743273565"
EMMA = "9780141439587"
HEADER = b"title,author,isbn,price\n"
STRAY_QUOTE = "its quotation marks do not match: close each quoted field, and double a quotation mark inside one"
ALIGN = "quote a field in which the delimiter stands, and keep empty ones"
DAMAGED = "The text behind line 0 is not valid UTF-16: the file is damaged or cut off; ask for it again, best as UTF-8."
NAME_THEM = "The first line must name the columns, such as title, author, isbn, price."


def read(feed: bytes | str, currency: str = "USD") -> list[BookRecord | Rejected]:
    return list(read_csv(io.BytesIO(feed.encode() if isinstance(feed, str) else feed), currency=currency))


def books(feed: bytes | str, currency: str = "USD") -> list[BookRecord]:
    return [entry for entry in read(feed, currency) if isinstance(entry, BookRecord)]


def titles(feed: bytes | str) -> list[str]:
    return [book.title for book in books(feed)]


class Endless(io.RawIOBase):
    """A feed without an end, which can be neither rewound nor held."""

    def __init__(self, header: bytes, line: bytes) -> None:
        self._ahead, self._line = header, line
        self.bytes_read = 0

    def read(self, size: int = -1) -> bytes:
        self._ahead += self._line * (size // len(self._line) + 1)
        chunk, self._ahead = self._ahead[:size], self._ahead[size:]
        self.bytes_read += size
        return chunk


def test_a_row_becomes_a_book() -> None:
    feed = (
        "Title,Author,ISBN,Price,Publisher,Description,Publication Date,Format,Availability,Opening Stock\n"
        f'The Great Gatsby,F. Scott Fitzgerald,{GATSBY},12.99,Scribner,"Rich, and sad.",2004-09-30,Paperback,20,5\n'
    )

    assert read(feed) == [
        BookRecord(
            record="1",
            line=2,
            isbn=GATSBY,
            title="The Great Gatsby",
            author="F. Scott Fitzgerald",
            publisher="Scribner",
            description="Rich, and sad.",
            published_on=date(2004, 9, 30),
            price=Money(Decimal("12.99"), "USD"),
            product_form="BC",
            availability="20",
            opening_stock=5,
        )
    ]


def test_what_the_feed_leaves_empty_stays_empty() -> None:
    assert read(f"title,isbn\nEmma,{EMMA}\n") == [BookRecord(record="1", line=2, isbn=EMMA, title="Emma")]


@pytest.mark.parametrize(
    "header",
    [
        "title,authors,isbn13,price",
        "Book Title,Author(s),ISBN-13,List Price",
        "BOOK_NAME, AUTHOR ,isbn_13,RRP",
        "name,contributors,EAN,retail-price",
        "Titel,Autor,ISBN/EAN,Preis",
        "Titre,Auteur,GTIN,Prix",
        "title,author,isbn,price_usd",
        '"title","author","isbn10","price"',
    ],
)
def test_the_usual_spellings_of_a_header_are_known(header: str) -> None:
    found = books(f"{header}\nEmma,Jane Austen,{EMMA},8\n")

    assert [(b.title, b.author, b.isbn, str(b.price)) for b in found] == [("Emma", "Jane Austen", EMMA, "8.00 USD")]


def test_the_title_goes_before_the_original_title() -> None:
    assert titles(f"isbn,original_title,title\n{EMMA},Émma,Emma\n") == ["Emma"]


def test_the_column_in_the_shops_currency_goes_before_other_prices() -> None:
    found = books(f"title,isbn,price,Price EUR\nEmma,{EMMA},8.00,9.50\n", currency="EUR")

    assert found[0].price == Money(Decimal("9.50"), "EUR")


def test_a_price_in_a_foreign_currency_is_not_the_shops() -> None:
    assert books(f"title,isbn,price,currency\nEmma,{EMMA},8.00,GBP\n")[0].price is None


def test_a_feed_can_withdraw() -> None:
    found = books(f"title,isbn,status\nEmma,{EMMA},withdrawn\nGatsby,{GATSBY},active\n")

    assert [book.withdrawn for book in found] == [True, False]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_delimiter_and_line_end_is_read(delimiter: str, line_end: str) -> None:
    rows = [["title", "isbn", "price"], ["Emma", EMMA, '"8,00"'], ["Gatsby", GATSBY, "12.99"]]

    found = books(line_end.join(delimiter.join(row) for row in rows))

    assert [(book.title, str(book.price)) for book in found] == [("Emma", "8.00 USD"), ("Gatsby", "12.99 USD")]


def test_excels_line_that_declares_the_delimiter_is_no_header() -> None:
    assert titles(f"sep=;\r\ntitle;isbn\r\nEmma;{EMMA}\r\n") == ["Emma"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_every_usual_encoding_is_read(encoding: str) -> None:
    assert titles(f"title,isbn\nLes Misérables – “Œuvre” €,{EMMA}\n".encode(encoding)) == ["Les Misérables – “Œuvre” €"]


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_is_read_in_both_byte_orders(mark: bytes) -> None:
    text = f"title,isbn\nÉmma,{EMMA}\n".encode("utf-16-le" if mark == b"\xff\xfe" else "utf-16-be")

    assert titles(mark + text) == ["Émma"]


def test_a_file_merged_from_two_encodings_is_read() -> None:
    feed = f"title,isbn\nÉmma,{EMMA}\n".encode() + f"Gätsby,{GATSBY}\n".encode("cp1252")

    assert titles(feed) == ["Émma", "Gätsby"]


def test_records_are_counted_without_header_and_empty_lines() -> None:
    feed = f'\ntitle,isbn\n\nEmma,{EMMA}\n,\n"A\nB",banana\nGatsby,{GATSBY}\n'

    assert [(entry.record, entry.line) for entry in read(feed)] == [("1", 4), ("2", 6), ("3", 8)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Emma,Jane Austen,,8", "it has no ISBN"),
        ("Emma,Jane Austen,978,8", "its ISBN is not valid: an ISBN has 10 or 13 digits, not 3"),
        (f",Jane Austen,{EMMA},8", "it has no title"),
        (f"{'x' * 201},Jane Austen,{EMMA},8", "its title has 201 characters; the catalogue holds 200"),
        (f"Emma,Jane Austen,{EMMA},cheap", "the price “cheap” is no amount; write it like 12.99"),
        (
            f"Emma,Austen, Jane,{EMMA},8",
            f"it has 5 cells where the header names 4 columns: {ALIGN}",
        ),
        (
            f"Emma,{EMMA},8",
            f"it has 3 cells where the header names 4 columns: {ALIGN}",
        ),
        (f'"Emma" again,Jane Austen,{EMMA},8', STRAY_QUOTE),
    ],
)
def test_a_bad_record_is_rejected_with_its_place_and_reason(row: str, reason: str) -> None:
    feed = HEADER.decode() + row + f"\nGatsby,,{GATSBY},\n"

    rejected, next_book = read(feed)

    assert rejected == Rejected(record="1", line=2, reason=reason)
    assert next_book == BookRecord(record="2", line=3, isbn=GATSBY, title="Gatsby")


def test_surplus_empty_cells_do_no_harm() -> None:
    assert titles(f"title,isbn,,\nEmma,{EMMA}\nGatsby,{GATSBY},,,,\n") == ["Emma", "Gatsby"]


def test_the_nul_bytes_after_a_crash_are_no_record() -> None:
    assert [entry.record for entry in read(f"title,isbn\nEmma,{EMMA}\n".encode() + b"\0" * 100)] == ["1"]


def test_a_title_of_200_characters_is_taken_over() -> None:
    assert titles(f"title,isbn\n{'x' * 200},{EMMA}\n") == ["x" * 200]


def test_texts_too_long_for_the_catalogue_end_at_a_word() -> None:
    feed = f"title,isbn,publisher,description\nEmma,{EMMA},{'press ' * 50},{'word ' * 3000}\n"

    book = books(feed)[0]

    assert (book.publisher, book.description) == (("press " * 33).strip() + "…", ("word " * 2000).strip() + "…")


def test_a_quoted_field_may_have_lines() -> None:
    assert books(f'title,isbn,description\n"Emma",{EMMA},"One.\n\nTwo."\n')[0].description == "One.\n\nTwo."


@pytest.mark.parametrize("behind", [0, 1, 500])
def test_a_quotation_mark_that_is_never_closed_costs_one_book(behind: int) -> None:
    feed = f'title,isbn\n"Emma,{EMMA}\n' + f"Gatsby,{GATSBY}\n" * behind

    entries = read(feed)

    assert entries[0] == Rejected(record="1", line=2, reason=STRAY_QUOTE)
    assert [(entry.record, entry.line) for entry in entries[1:]] == [(str(n), n + 1) for n in range(2, behind + 2)]
    assert {type(entry) for entry in entries[1:]} <= {BookRecord}


def test_the_same_isbn_twice_is_told_twice() -> None:
    assert [book.isbn for book in books(f"title,isbn\nEmma,{EMMA}\nEmma,{EMMA}\n")] == [EMMA, EMMA]


@pytest.mark.parametrize(
    ("feed", "problem"),
    [
        (b"", "The file is empty."),
        (b"\n \r\n", "The file has no line with text in it."),
        (b"\xef\xbb\xbf", "The file has no line with text in it."),
        (
            b"PK\x03\x04rest",
            "The file is an Excel workbook or a ZIP archive, not CSV: save the table as “CSV UTF-8” and send that.",
        ),
        (
            f"Emma,{EMMA}\n".encode(),
            f"Line 1 is no usable header: no column for title and isbn among 'Emma', '{EMMA}'. " + NAME_THEM,
        ),
        (
            b"\ntitle,price\n",
            "Line 2 is no usable header: no column for isbn among 'title', 'price'. " + NAME_THEM,
        ),
        (b'"title"x,isbn\n', f"The header in line 1 can't be read: {STRAY_QUOTE}."),
        (b"\xff\xfet", DAMAGED),
        (b"title,isbn" + b"x" * LONGEST, "Line 1 has more than 1,048,576 characters: this is no CSV file."),
    ],
)
def test_a_broken_feed_says_what_is_wrong_with_it(feed: bytes, problem: str) -> None:
    with pytest.raises(UnreadableFeed) as refusal:
        read(feed)

    assert str(refusal.value) == problem


def test_a_header_alone_is_a_feed_without_books() -> None:
    assert read(HEADER) == []


def test_the_file_stays_open_for_its_owner() -> None:
    file = io.BytesIO(HEADER)

    list(read_csv(file, currency="USD"))

    assert not file.closed


def test_books_are_told_while_the_file_is_read() -> None:
    endless = Endless(HEADER, f"Emma,Jane Austen,{EMMA},8\n".encode())

    first = list(islice(read_csv(cast("BinaryIO", endless), currency="USD"), 1000))

    assert [entry.record for entry in first] == [str(number) for number in range(1, 1001)]
    assert endless.bytes_read < 200_000


def test_quotation_marks_that_never_match_do_not_make_the_work_grow() -> None:
    rejected = read(HEADER + b'a","x",b,"\n' * 10_000)

    assert len(rejected) < 50
    assert rejected[-1].record == str(len(rejected))
    assert isinstance(rejected[-1], Rejected)
    assert re.fullmatch(f"{STRAY_QUOTE}; [0-9]{{4}} lines behind it were skipped", rejected[-1].reason)


csv_soup = st.lists(
    st.sampled_from([*"\n\r\t ,;|\"'=xX0-.\0é", GATSBY, "743273567", "12.99", "title", "isbn", '"', "\n"]), max_size=60
).map("".join)


def problem_of(feed: bytes) -> str:
    try:
        read(feed)
    except UnreadableFeed as unreadable:
        return str(unreadable)
    return ""


@given(st.binary(max_size=300) | csv_soup.map(str.encode))
def test_no_bytes_raise_anything_but_an_unreadable_feed(feed: bytes) -> None:
    assert problem_of(feed).endswith(".") or read(feed) is not None


@given(st.sampled_from(["utf-8", "utf-16", "cp1252"]), csv_soup | st.text(max_size=60), st.binary(max_size=20))
def test_no_rows_behind_a_good_header_stop_the_feed(encoding: str, rows: str, damage: bytes) -> None:
    header = "title,author,isbn,price,published,description,opening stock\n"
    feed = (header + rows).encode(encoding, errors="ignore") + damage

    problem = problem_of(feed)

    assert problem == "" or "is not valid UTF-16" in problem


@given(csv_soup)
def test_records_are_numbered_without_gaps(rows: str) -> None:
    entries = read("title,isbn\n" + rows)

    assert [entry.record for entry in entries] == [str(number) for number in range(1, len(entries) + 1)]
