"""CSV as the trade sends it: any usual encoding, delimiter and header; one book a row."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from catalog.feeds import cells
from catalog.feeds.authors import fit_authors, shorten
from catalog.feeds.columns import Columns
from catalog.feeds.lines import LONGEST, Lines, TooLong
from catalog.feeds.records import (
    DESCRIPTION_LENGTH,
    PUBLISHER_LENGTH,
    BookRecord,
    Refused,
    Rejected,
    UnreadableFeed,
    checked_title,
)

DELIMITERS: Final = (",", ";", "\t", "|")
DECLARED: Final = re.compile(r'"?sep=([,;|\t])"?\s*', re.IGNORECASE)  # Excel's own first line
STRAY_QUOTE: Final = "its quotation marks do not match: close each quoted field, and double a quotation mark inside one"


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a record, the line where it begins, and what is wrong if it can't be divided into cells."""

    line: int
    cells: Sequence[str]
    fault: str = ""


def read_csv(file: BinaryIO, *, currency: str) -> Iterator[BookRecord | Rejected]:
    """Each book of a CSV feed in its order, or why it isn't taken over, while the file is read, in constant memory.

    Records are numbered from 1, without header and empty lines. Refused are a record without a valid ISBN, without a
    title or with one of more than 200 characters (a feed must not change a title unseen), with a price that can't be
    read, or with more or fewer cells than the header. An author list that is too long is shortened to whole names and
    "et al.", publisher and description to whole words. Raises UnreadableFeed if there is no usable header or the
    file is no text.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST))
    lines = Lines(file)
    delimiter = _delimiter(lines, currency)
    rows = _rows(lines, delimiter)
    columns = _header(rows, currency)
    for number, row in enumerate(rows, start=1):
        yield _entry(str(number), row, columns, currency)


def require_whole_table(file: BinaryIO) -> None:
    """Read the table to its end. Raises UnreadableFeed where its text is damaged or cut off."""
    lines = Lines(file)
    for _ in lines:
        lines.begin_record()


def _delimiter(lines: Lines, currency: str) -> str:
    """The delimiter under which the first line names the most columns that the shop knows."""
    for line in lines:
        if declared := DECLARED.fullmatch(line):
            return declared[1]
        if line.strip():
            lines.give_back()
            return max(DELIMITERS, key=lambda delimiter: _known(line, delimiter, currency))
        lines.begin_record()
    raise UnreadableFeed("The file has no line with text in it.")


def _known(line: str, delimiter: str, currency: str) -> int:
    return Columns.of(next(csv.reader([line], delimiter=delimiter, skipinitialspace=True)), currency).known


def _rows(lines: Lines, delimiter: str) -> Iterator[Row]:
    # strict: without it a stray quotation mark quietly mixes up the cells of a book, or swallows those behind it
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        lines.begin_record()
        try:
            found = next(reader)
        except StopIteration:
            return
        except (csv.Error, TooLong):
            skipped = lines.again()
            yield Row(lines.first, [], STRAY_QUOTE + (f"; {skipped} lines behind it were skipped" if skipped else ""))
            continue
        if any(not cell.isspace() for cell in found if cell):
            yield Row(lines.first, found)


def _header(rows: Iterator[Row], currency: str) -> Columns:
    header = next(rows, Row(1, []))
    if header.fault:
        raise UnreadableFeed(f"The header in line {header.line} can't be read: {header.fault}.")
    columns = Columns.of(header.cells, currency)
    columns.require_usable(header.cells, header.line)
    return columns


def _entry(record: str, row: Row, columns: Columns, currency: str) -> BookRecord | Rejected:
    try:
        return _book(record, row, columns, currency)
    except Refused as refused:
        return Rejected(record=record, reason=str(refused), line=row.line)


def _book(record: str, row: Row, columns: Columns, currency: str) -> BookRecord:
    values = _aligned(row, columns.width)

    def cell(field: str) -> str:
        return columns.cell(values, field)

    return BookRecord(
        record=record,
        line=row.line,
        isbn=cells.read_isbn([values[i] for i in columns.isbn_13], [values[i] for i in columns.isbn_10]),
        title=checked_title(cells.read_text(cell("title"))),
        author=fit_authors(cells.read_text(cell("author"))),
        publisher=shorten(cells.read_text(cell("publisher")), PUBLISHER_LENGTH),
        description=shorten(cells.read_paragraphs(cell("description")), DESCRIPTION_LENGTH),
        published_on=cells.read_date(cell("published_on")),
        price=cells.read_price(cell("price"), cell("currency"), currency),
        product_form=cells.read_product_form(cell("product_form")),
        availability=cells.read_availability(cell("availability")),
        opening_stock=cells.read_copies(cell("opening_stock")),
        withdrawn=cells.is_withdrawn(cell("withdrawn")),
    )


def _aligned(row: Row, width: int) -> Sequence[str]:
    if row.fault:
        raise Refused(row.fault)
    surplus = any(cell.strip() for cell in row.cells[width:])
    if surplus or len(row.cells) < width:
        # which cell is missing or was cut in two can't be known: guessing would give a book another's price
        raise Refused(
            f"it has {len(row.cells)} cells where the header names {width} columns: "
            "quote a field in which the delimiter stands, and keep empty ones"
        )
    return row.cells
