"""Tables for spreadsheets: CSV and XLSX, read and written row by row, and what a spreadsheet might compute defused."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, BinaryIO, Final

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.utils.exceptions import InvalidFileException

COMPUTED: Final = re.compile("'*[=+\\-@\t\r＝＋－＠]")
"""What a spreadsheet takes for a formula, and what looks like such a text defused."""

ROWS_AT_ONCE: Final = 500
SIGNATURE: Final = b"PK\x03\x04"
WHAT_IS_RIGHT: Final = "The file is no Excel workbook (.xlsx) that can be read: save it again, or as CSV."
LARGEST: Final = 256 * 2**20  # bytes of a workbook when it is unpacked
LARGEST_TEXTS: Final = 64 * 2**20  # of its list of texts, which has to be in memory
BREAKS: Final = re.compile(r"\r\n|\r|\n")


UNREADABLE: Final = (
    zipfile.BadZipFile, zlib.error, InvalidFileException, SyntaxError, LookupError, ValueError, TypeError,
    AttributeError, EOFError, RuntimeError,
)  # fmt: skip
"""What openpyxl and its parts raise at a file that isn't what it should be; SyntaxError is that of broken XML."""


class NoWorkbook(ValueError):
    """The file is no XLSX workbook, or a damaged or malicious one; the message says so to a person."""


def defused(text: str) -> str:
    """The text with an apostrophe before it if a spreadsheet would compute it; `restored` takes exactly that back."""
    return f"'{text}" if COMPUTED.match(text) else text


def restored(text: str) -> str:
    """The text as it was before `defused`."""
    return text[1:] if text[:1] == "'" and COMPUTED.match(text) else text


def csv_stream(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """A CSV file, a few hundred rows at a time, as the rows come: UTF-8 with its mark, which Excel needs to tell it."""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines)
    writer.writerow(header)
    yield b"\xef\xbb\xbf" + lines.getvalue().encode()
    remaining = iter(rows)
    while several := list(islice(remaining, ROWS_AT_ONCE)):
        lines.seek(0)
        lines.truncate()
        writer.writerows([map(_harmless, row) for row in several])
        yield lines.getvalue().encode()


def write_workbook(header: Sequence[str], rows: Iterable[Sequence[object]]) -> IO[bytes]:
    """An XLSX workbook of one sheet in a file that vanishes when it is closed; in constant memory."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Bookshelf")
    sheet.append(list(header))
    for row in rows:
        sheet.append([_cell(value) for value in row])
    file = TemporaryFile()  # noqa: SIM115  # whoever sends it closes it
    book.save(file)
    file.seek(0)
    return file


def workbook_as_csv(file: BinaryIO) -> BinaryIO:
    """The first sheet as the CSV that a reader of tables takes, made while it is read, in constant memory.

    A row is a line, so that both have the same number. Raises NoWorkbook, later too if the file is damaged behind.
    """
    return io.BufferedReader(_Lines(_rows(file)), buffer_size=2**16)


def require_whole_workbook(file: BinaryIO) -> None:
    """Read a workbook to its end without taking anything from it. Raises NoWorkbook if it is damaged."""
    try:
        _refuse_bombs(file)
        damaged = zipfile.ZipFile(file).testzip()
    except NoWorkbook:
        raise
    except UNREADABLE as error:
        raise NoWorkbook(WHAT_IS_RIGHT) from error
    if damaged:
        raise NoWorkbook(WHAT_IS_RIGHT)


def _harmless(value: object) -> object:
    return defused(value) if isinstance(value, str) else value


def _cell(value: object) -> object:
    return ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", defused(value)) if isinstance(value, str) else value


def _rows(file: BinaryIO) -> Iterator[list[str]]:
    try:
        _refuse_bombs(file)
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what a file says of its own size needn't be true
        expected = 1
        for cells in sheet.iter_rows():
            number = next((cell.row for cell in cells if hasattr(cell, "column")), expected)
            yield from ([] for _ in range(number - expected))  # rows that a sheet leaves out are empty lines
            expected = number + 1
            yield [_text(cell.value) for cell in cells]
    except NoWorkbook:
        raise
    except UNREADABLE as error:
        raise NoWorkbook(WHAT_IS_RIGHT) from error


def _refuse_bombs(file: BinaryIO) -> None:
    parts = zipfile.ZipFile(file).infolist()
    texts = max((part.file_size for part in parts if part.filename.endswith("sharedStrings.xml")), default=0)
    if sum(part.file_size for part in parts) > LARGEST or texts > LARGEST_TEXTS:
        raise NoWorkbook("The workbook is too large: save it as CSV, which may be as long as you like.")


def _text(value: object) -> str:
    """What stands in a cell, as a table of texts says it: 9780743273565.0 is 9780743273565."""
    match value:
        case None:
            return ""
        case float() if value.is_integer():
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date():
            return value.isoformat()
        case _:
            return BREAKS.sub("\u2028", str(value))


class _Lines(io.RawIOBase):
    """Rows as the bytes of a CSV file."""

    def __init__(self, rows: Iterator[list[str]]) -> None:
        self._rows = rows
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # what BufferedReader hands in
        if not self._left:
            self._left = self._more()
        taken = self._left[: len(buffer)]
        buffer[: len(taken)] = taken
        self._left = self._left[len(taken) :]
        return len(taken)

    def _more(self) -> bytes:
        lines = io.StringIO(newline="")
        writer = csv.writer(lines, lineterminator="\n")
        for row in islice(self._rows, 100):
            if any(row):
                writer.writerow(row)
            else:
                lines.write("\n")
        return lines.getvalue().encode()
